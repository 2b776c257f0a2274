"""Which packages a model's requirements*.in name that no lock beside them pins.

`python -m forecastle.project.pins FOLDER` prints them. As `compose.py` it needs only Python 3.9.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TRAIN, SERVE = "requirements-train", "requirements"
PACKAGE = re.compile(r"^[A-Za-z0-9][\w.-]*", re.MULTILINE)  # at the start of a line, in either file


def packages(file: Path) -> set[str]:
    """The packages that an .in file names or a lock pins, in the spelling of an index."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return {re.sub(r"[-_.]+", "-", name).lower() for name in PACKAGE.findall(text)}


def unpinned(folder: Path, lock: str) -> list[str]:
    """The packages that `<lock>.in` in a folder names and `<lock>.txt` does not pin."""
    return sorted(packages(folder / f"{lock}.in") - packages(folder / f"{lock}.txt"))


if __name__ == "__main__":
    print(*sorted({name for lock in (TRAIN, SERVE) for name in unpinned(Path(sys.argv[1]), lock)}))
