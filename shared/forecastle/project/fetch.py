"""Fetch an artifact that was trained elsewhere, and verify it, before anything of it is used.

`python -m forecastle.project.fetch MODEL ADDRESS FOLDER` puts it into a new folder. An address is that of a
folder or of an archive of one (`archive.py`):

| address                      |                                                                             |
|------------------------------|-----------------------------------------------------------------------------|
| a path, `file:`              | a folder or an archive of this machine                                      |
| `s3://bucket/path`           | likewise; `AWS_*` and what else botocore reads say who asks, and which S3   |
| `https:`, `http:`            | an archive; a name and password in the address are sent                     |

It runs where images are built, too (`docker/build.sh`): nothing that trains is imported here.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from forecastle import manifest as manifests
from forecastle import sealing
from forecastle.manifest import ArtifactError
from forecastle.project.archive import ArchiveError, Limit, inside, unpack

REMOTE = ("https", "http", "s3")
CONNECT_SECONDS, READ_SECONDS = 20, 60  # after which a server that keeps silent counts as down


class FetchError(Exception):
    """No artifact is fetched; the message is one line that names the address."""


def fetch(model: str, address: str, folder: Path, named: str = "") -> None:
    """Put the artifact at an address into `folder`, which does not exist yet.

    If it has a manifest, each of its files is held against that. Without one it is to be sealed.

    Args:
        model: The model that it is for.
        address: Of a folder or an archive.
        folder: Where it is put, whole or not at all.
        named: What messages call the address, if not by itself.

    Raises:
        FetchError: Nothing answers there, it is no artifact, or not one of this model.
    """
    named = named or shown(address)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        try:
            artifact = _get(address, Path(scratch))
            _verify(artifact, model)
        except ArchiveError as error:
            raise FetchError(f"{model}: ARTIFACT={named} {error}") from None
        except ArtifactError as error:
            reason = str(error).replace(f"{artifact}/", "")
            raise FetchError(f"{model}: ARTIFACT={named} is refused: {reason}") from None
        artifact.rename(folder)


def shown(address: str) -> str:
    """An address without the name, password and query that may be in it."""
    if not _scheme(address):
        return address
    return re.sub(r"[?#].*", "", re.sub(r"(\w://)[^/?#\s]*@", r"\1", address))


def _scheme(address: str) -> str:
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", address)
    return found[1].lower() if found else ""


def _get(address: str, scratch: Path) -> Path:
    """Copy or unpack what lies at an address below `scratch`; returns its folder."""
    scheme = _scheme(address)
    if scheme in REMOTE:
        try:
            return _from_afar(address, scheme, scratch)
        except ArchiveError:
            raise
        except Exception as error:  # of any of the libraries that fetch
            raise ArchiveError(f"cannot be fetched: {_reason(error, address)}") from error
    if scheme not in ("", "file"):
        raise ArchiveError("cannot be fetched: it must be a path, or begin with file:, https:, http: or s3:")
    path = Path(unquote(urlsplit(address).path) if scheme else address).expanduser()
    if path.is_dir():
        return _copy(path, scratch)
    if not path.is_file():
        raise ArchiveError("is not there: check the path")
    return unpack(path, scratch / "unpacked", Limit())


def _copy(path: Path, scratch: Path) -> Path:
    """Copy a folder; what its links lead to is copied, too, since its owner has linked it."""
    limit = Limit()

    def copy(source: str, target: str) -> None:
        limit.take(Path(source).stat().st_size)
        shutil.copyfile(source, target)

    try:
        return Path(shutil.copytree(path, scratch / "copied", copy_function=copy))
    except OSError as error:
        first = error.args[0][0] if isinstance(error, shutil.Error) else ("", "", error)
        raise ArchiveError(f"cannot be copied: {first[-1]}") from None


def _from_afar(address: str, scheme: str, scratch: Path) -> Path:
    """Download an archive, or a folder of S3."""
    # Only now, since a path needs none of this.
    import fsspec
    from aiohttp import ClientTimeout
    from fsspec.callbacks import Callback

    class Bound(Callback):
        """Ends a download that is larger than an artifact may be, whatever size was said."""

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            Limit().take(self.value)

    options: dict[str, Any]
    if scheme == "s3":
        seconds = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        options = {"config_kwargs": seconds}
    else:
        timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
        options = {"client_kwargs": {"trust_env": True, "timeout": timeout}}
    system = fsspec.filesystem(scheme, skip_instance_cache=True, **options)
    if scheme == "s3":
        path = system._strip_protocol(address).rstrip("/")
        found = {name: each for name, each in system.find(path, detail=True).items() if name[-1] != "/"}
        if not found:
            raise FileNotFoundError
        if list(found) != [path]:
            limit = Limit()
            for name, each in found.items():
                limit.take(each["size"])
                target = scratch / "downloaded" / inside(name.removeprefix(f"{path}/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                system.get_file(name, str(target), callback=Bound())
            return scratch / "downloaded"
    else:
        path = address
    archive = scratch / "archive"
    system.get_file(path, str(archive), callback=Bound())
    return unpack(archive, scratch / "unpacked", Limit())


def _reason(error: Exception, address: str) -> str:
    """What an error of a library says, in a line without secrets."""
    if isinstance(error, FileNotFoundError):
        return "there is nothing at this address"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if status := getattr(error, "status", None):
        return f"the server answers {status}"
    said = str(error).replace(address, shown(address)).partition("\n")[0]
    return said or type(error).__name__


def _verify(artifact: Path, model: str) -> None:
    """Hold a fetched artifact against its manifest, if it has one."""
    files = manifests.hashes(artifact)
    if not files:
        raise ArchiveError("holds no files: give the folder whose files main.py loads, or an archive of it")
    if not (artifact / manifests.NAME).exists():
        return
    try:
        content = manifests.read(artifact)
        sealing.verified(artifact)
        unnamed = sorted(files.keys() - content["files"].keys())
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        raise ArchiveError(f"holds a {manifests.NAME} that is no manifest") from None
    if (other := content.get("model")) != model:
        raise ArchiveError(f"is an artifact of {other!r}, as its manifest says: take it with that MODEL=")
    if unnamed:
        raise ArchiveError(f"was changed since its manifest was written: {unnamed[0]!r} is not in it")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.fetch", description="Fetch an artifact."
    )
    parser.add_argument("model")
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--named", default="", help="what messages call the address")
    options = parser.parse_args(argv)
    try:
        fetch(options.model, options.address, options.folder, options.named)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
