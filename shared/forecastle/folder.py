"""A model's folder: which of its files training reads, which serving gets, and which test it.

Of everything in the folder but hidden files, caches and artifacts, which neither side gets:

| files                                                    | training | serving | gate |
|----------------------------------------------------------|----------|---------|------|
| `train.py`, `requirements-train.txt`, `network`, `data/` | yes      |         |      |
| `members`                                                | yes      |         |      |
| `main.py`, `requirements.txt`, `README.md`               |          | yes     |      |
| `test_*.py`, `conftest.py`                               |          |         | yes  |
| `compare.py`, `hub.toml`, `*.ipynb`, `requirements*.in`  |          |         |      |
| all others                                               | yes      | yes     |      |

`python folder.py FOLDER DESTINATION` copies them into `train`, `serve` and `gate` in a destination, as the
image build does. It needs the standard library alone.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

TRAINING = ("train.py", "requirements-train.txt", "network", "data", "members")
SERVING = ("main.py", "requirements.txt", "README.md")
GATE = ("test_*.py", "conftest.py")
NEITHER = ("compare.py", "hub.toml", "*.ipynb", "requirements*.in")
ARTIFACT = "artifact"
LIBRARY = ("*.py", "*.csv", "observations/**/*", "training/**/*")  # what training reads of the library


def training_files(folder: Path) -> list[Path]:
    """What training reads, relative to the folder, sorted."""
    return _files(folder, without=(*SERVING, *GATE, *NEITHER))


def serving_files(folder: Path) -> list[Path]:
    """What serving gets beside the artifact, relative to the folder, sorted."""
    return _files(folder, without=(*TRAINING, *GATE, *NEITHER))


def gate_files(folder: Path) -> list[Path]:
    """The tests that hold an artifact and its app, relative to the folder, sorted."""
    return sorted(path.relative_to(folder) for pattern in GATE for path in folder.glob(pattern))


def all_files(folder: Path) -> list[Path]:
    """All files but hidden ones, caches and artifacts, relative to the folder, sorted."""
    return _files(folder, without=())


def is_used(path: Path) -> bool:
    """Whether training, serving or the gate gets this path, relative to the folder, be it there or not."""
    return _is_kept(path) and not _is_among(path, NEITHER)


def is_trained(path: Path) -> bool:
    """Whether training gets this path, relative to the folder, be it there or not."""
    return _is_kept(path) and not _is_among(path, (*SERVING, *GATE, *NEITHER))


def copy(folder: Path, files: Iterable[Path], destination: Path) -> None:
    """Copy these files of a folder into a destination, which is made."""
    destination.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = destination / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / file, target)


def sources(folder: Path, library: Path | None = None) -> str:
    """The SHA-256 of what an artifact is made of, but for the observations, in hexadecimal digits.

    Args:
        folder: The model's.
        library: The folder `forecastle`, if the model is trained with it: its training modules count, too,
            and the packages that `requirements-train.txt` beside it pins.
    """
    digest = hashlib.sha256()
    for root, files in _read(folder, library):
        for file in files:
            content = hashlib.sha256((root / file).read_bytes()).hexdigest()
            digest.update(f"{file.as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _read(folder: Path, library: Path | None) -> Iterator[tuple[Path, list[Path]]]:
    yield folder, training_files(folder)
    if library:
        found = {path for pattern in LIBRARY for path in library.glob(pattern)}
        yield library, [path.relative_to(library) for path in sorted(found) if _is_source(path, library)]
        yield library.parent, [Path("requirements-train.txt")]


def _files(folder: Path, without: tuple[str, ...]) -> list[Path]:
    found = (path for path in folder.rglob("*") if _is_source(path, folder))
    relative = (path.relative_to(folder) for path in found)
    return sorted(path for path in relative if not _is_among(path, without))


def _is_source(path: Path, folder: Path) -> bool:
    return path.is_file() and _is_kept(path.relative_to(folder))


def _is_kept(path: Path) -> bool:
    """Whether a path is neither hidden nor of a cache or an artifact."""
    made = path.parts[0] == ARTIFACT or path.parts[0].startswith(f"{ARTIFACT}.")
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return path.suffix != ".pyc" and not made and not hidden


def _is_among(path: Path, names: tuple[str, ...]) -> bool:
    return any(Path(path.parts[0]).match(name) for name in names)


def main(folder: Path, destination: Path) -> None:
    """Divide a folder: training's files, serving's and the gate's."""
    copy(folder, training_files(folder), destination / "train")
    copy(folder, serving_files(folder), destination / "serve")
    copy(folder, gate_files(folder), destination / "gate")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
