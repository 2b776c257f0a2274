"""How far a training is: a small JSON file, for a process that waits for it.

`FORECASTLE_PROGRESS` names the file, if there is such a process. The library's `train` writes it. Any other
train.py may write it, too, as often as it likes; the fraction may be missing:

    {"step": "epoch 3 of 10", "fraction": 0.3}
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

VARIABLE = "FORECASTLE_PROGRESS"
LONGEST_STEP = 80  # characters


class Progress(NamedTuple):
    """What is being done, and which fraction of it is done, if that is known."""

    step: str
    fraction: float | None = None


def tell(step: str, fraction: float | None = None) -> None:
    """Write what is being done, if a process waits for it."""
    if file := os.environ.get(VARIABLE):
        content = {"step": step} if fraction is None else {"step": step, "fraction": fraction}
        with suppress(OSError):  # a training must not fail for it
            part = Path(f"{file}.part")
            part.write_text(json.dumps(content), encoding="utf-8")
            part.replace(file)


def read(file: Path) -> Progress | None:
    """What a training has told last; None if that is nothing, or cannot be understood."""
    try:
        content = json.loads(file.read_bytes())
        step = " ".join(str(content["step"]).split())[:LONGEST_STEP]
        fraction = content.get("fraction")
        fraction = None if fraction is None else float(fraction)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if fraction is not None and not 0 <= fraction <= 1:
        fraction = None
    return Progress(step, fraction) if step else None
