#!/bin/sh
# Runs the train.py of the working directory in a build, with an empty artifact/, and writes the seconds that it took into
# the file $1. Without a file `network` beside it, the build has no network: if train.py asked for it, that is said.
set -eu
mkdir artifact
started=$(date +%s)
mkfifo /tmp/errors
tee /tmp/seen </tmp/errors >&2 &
failed=
python train.py 2>/tmp/errors || failed=yes
wait
if [ -z "$failed" ]; then
    echo $(($(date +%s) - started)) >"$1"
    exit
fi
if [ ! -f network ] && grep -Eiq 'name resolution|name or service not known|network is unreachable' /tmp/seen; then
    echo "$MODEL: train.py asks for the network, which a build gives only to folders with a file named network:" \
        "'touch models/$MODEL/network' if it must download" >&2
fi
exit 1
