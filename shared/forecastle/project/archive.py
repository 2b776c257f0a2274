"""An archive of an artifact: a .zip, or a .tar that may be compressed, of unknown origin.

It is unpacked below a folder of its own or not at all: no path leads out of that folder, there are neither
links nor devices, and the size has a bound.
"""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

LARGEST = 8 * 2**30  # bytes of an artifact, unpacked
MOST = 100_000  # files
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
MAC = "__MACOSX"  # what macOS puts beside the files of a zip


class ArchiveError(Exception):
    """An archive is not unpacked; the message says why, as what follows `it`."""


class Limit:
    """How much of an artifact may still come.

    Args:
        largest: Bytes.
        most: Files.
    """

    def __init__(self, largest: int = LARGEST, most: int = MOST) -> None:
        self.largest, self.most = largest, most
        self.size = self.files = 0

    def take(self, size: int) -> None:
        """Count one more file of so many bytes.

        Raises:
            ArchiveError: It is too much.
        """
        self.size += size
        self.files += 1
        if self.size > self.largest:
            raise ArchiveError(f"holds more than {self.largest / 2**30:g} GiB, the most that is taken")
        if self.files > self.most:
            raise ArchiveError(f"holds more than {self.most:,} files, the most that are taken")


def unpack(archive: Path, folder: Path, limit: Limit) -> Path:
    """Unpack an archive below `folder`, which does not exist yet; returns the folder of the artifact.

    That is the one folder at the archive's top, if all files are in one (`tar czf flu.tar.gz artifact`),
    unless the top is a member itself (`tar czf flu.tar.gz -C artifact .`).

    Raises:
        ArchiveError: It is none, is broken, holds what it must not, or is too large.
    """
    folder.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            names = _unzip(archive, folder, limit)
        elif tarfile.is_tarfile(archive):
            names = _untar(archive, folder, limit)
        else:
            raise ArchiveError("is no archive: give a folder, or a .tar.gz or .zip of one")
    except BROKEN as error:
        raise ArchiveError(f"cannot be unpacked ({error})") from None
    top = {name.parts[0] for name in names if name.parts}
    only = folder / next(iter(top)) if len(top) == 1 else folder
    return only if only.is_dir() and PurePosixPath() not in names else folder


def inside(name: str) -> PurePosixPath:
    """The path of a file of an artifact, relative to it.

    Raises:
        ArchiveError: It leads out of the artifact.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"holds {name!r}, which lies outside its folder")
    return path


def _untar(archive: Path, folder: Path, limit: Limit) -> list[PurePosixPath]:
    names = []
    with tarfile.open(archive) as tar:
        for member in tar:
            names.append(inside(member.name))
            if member.isdir():
                limit.take(0)
                (folder / names[-1]).mkdir(parents=True, exist_ok=True)
                continue
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                raise ArchiveError(f"holds {member.name!r}, which is neither a file nor a folder")
            limit.take(member.size)
            with content:
                _save(content, folder / names[-1])
    return names


def _unzip(archive: Path, folder: Path, limit: Limit) -> list[PurePosixPath]:
    with zipfile.ZipFile(archive) as unpacked:
        members = [each for each in unpacked.infolist() if not each.filename.startswith(f"{MAC}/")]
        names = [inside(member.filename) for member in members]
        for name, member in zip(names, members, strict=True):
            if member.is_dir():
                limit.take(0)
                (folder / name).mkdir(parents=True, exist_ok=True)
                continue
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise ArchiveError(f"holds {member.filename!r}, which is neither a file nor a folder")
            limit.take(member.file_size)  # no more is read of it, whatever follows
            with unpacked.open(member) as content:
                _save(content, folder / name)
    return names


def _save(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:  # a name that comes twice is an error
        shutil.copyfileobj(content, file)
