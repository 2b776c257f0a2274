"""`make lock`: pin what every requirements*.in names, with hashes, in the requirements*.txt beside it.

    make lock              pin what is new; every pin that still fits stays
    make lock UPGRADE=1    move all pins to the newest versions that fit together
    make lock MODEL=flu    pin for one model alone, within the shared pins

Two locks never pin different versions of a package, since an image or an environment installs several.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from forecastle.project.compose import ROOT

FOLDERS = ("shared", "tests", "models")
UV = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python", sys.executable)
FOR = ("--universal", "--python-version", "3.12")  # every platform, and the oldest Python that is supported
OUTPUT = ("--generate-hashes", "--no-annotate", "--no-header")


class LockError(Exception):
    """The requirements cannot be pinned; the message is one line that names what conflicts."""


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.lock", description="Pin requirements."
    )
    parser.add_argument("--model", default="", help="pin for this model alone")
    parser.add_argument("--upgrade", action="store_true", help="move pins to the newest versions")
    options = parser.parse_args(argv)
    try:
        lock(root, options.model, upgrade=options.upgrade)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def lock(root: Path, model: str = "", *, upgrade: bool = False) -> None:
    """Write the locks of all requirements, or of one model's.

    Raises:
        LockError: Two requirements conflict, or a package does not exist. All locks stay as they were.
    """
    files = sorted(file for folder in FOLDERS for file in (root / folder).rglob("requirements*.in"))
    chosen = [file for file in files if not model or file.is_relative_to(root / "models" / model)]
    if not chosen:
        raise LockError(f"models/{model} has no requirements.in and no requirements-train.in")
    others = [file.with_suffix(".txt") for file in files if file not in chosen]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # All of them at once: the versions that fit together, those that are pinned already if they do.
        together = scratch / "together.txt"
        pinned = _pins([*others, *(file.with_suffix(".txt") for file in chosen)])
        together.write_text("".join(f"{pin}\n" for pin in pinned))
        constraints = scratch / "others.txt"
        constraints.write_text("".join(f"{pin}\n" for pin in _pins(others)))
        _compile(root, chosen, together, constraints, upgrade=upgrade)
        written: dict[Path, str] = {}
        for file in chosen:
            output = scratch / f"{len(written)}.txt"
            _compile(root, [file], output, together, *OUTPUT)
            written[file.with_suffix(".txt")] = output.read_text()
    for path, text in written.items():
        pins = len(re.findall(r"^\S+==", text, re.M))
        print(f"{path.relative_to(root)}: {pins} pins")
        if pins:
            path.write_text(text)
        else:
            path.unlink(missing_ok=True)  # nothing is needed that needs a lock


def _pins(locks: Iterable[Path]) -> list[str]:
    """Every `name==version` of these locks, with its marker, once."""
    texts = [lock.read_text() for lock in locks if lock.is_file()]
    return sorted(
        {match[1].strip() for text in texts for match in re.finditer(r"^(\w.*?)\s*\\?$", text, re.M)}
    )


def _compile(
    root: Path, files: list[Path], output: Path, constraints: Path, *options: str, upgrade: bool = False
) -> None:
    command = [
        *UV,
        *FOR,
        *map(str, files),
        "--output-file",
        str(output),
        "--constraint",
        str(constraints),
        *options,
    ]
    done = subprocess.run(
        [*command, *(["--upgrade"] if upgrade else [])], cwd=root, capture_output=True, text=True
    )
    if done.returncode:
        names = ", ".join(str(file.relative_to(root)) for file in files)
        reason = " ".join(re.sub(r"[×╰─▶│]", " ", done.stderr).split())
        raise LockError(f"{names} cannot be pinned: {reason}")


if __name__ == "__main__":
    sys.exit(main())
