#!/bin/sh
# strip.sh FOLDER: drop debugging information from the shared libraries in FOLDER. uvloop's alone carries 14 MB of it.
# What has none is not written anew, so that a layer does not repeat the libraries of the layer below.
set -eu
# In a build, binutils is mounted (see Dockerfile).
export PATH="$PATH:/binutils/usr/bin" LD_LIBRARY_PATH="$(echo /binutils/usr/lib/*-linux-gnu)"
if ! command -v strip >/dev/null || ! command -v readelf >/dev/null; then
    echo "there is no binutils: the libraries in $1 keep their debugging information" >&2
    exit
fi
find "$1" -type f -name '*.so*' | while read -r library; do
    if readelf --section-headers --wide "$library" 2>&1 | grep -Fq .debug_; then strip --strip-unneeded "$library"; fi
done
