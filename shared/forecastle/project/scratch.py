"""Temporary folders in `.cache`, on the file system of what they replace.

A process that is killed leaves its folder behind. The next one removes it: each folder is locked while the
process that made it lives.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CACHE = ".cache"
PREFIX = "scratch."


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A new folder in the `.cache` of a project, removed in the end; so is what killed processes left."""
    cache = root / CACHE
    cache.mkdir(exist_ok=True)
    for left in cache.glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is in use, or just removed
            lock = _locked(left)
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    made = Path(tempfile.mkdtemp(dir=cache, prefix=f".{PREFIX}"))
    lock = _locked(made)
    folder = made.rename(cache / made.name[1:])  # only now others see it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int:
    """A descriptor that locks a folder until it is closed; OSError if another process has locked it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
