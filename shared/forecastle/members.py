"""An ensemble's members: the models that it averages, named in the file `members` of its folder, one a line.

It needs the standard library and Python 3.9 alone, as `project/compose.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FILE = "members"
LEAST = 2
CODE = "main.py"  # what makes a folder a model


def read(folder: Path) -> list[str]:
    """The names of a model's members, in the file's order; none if it is no ensemble.

    Blank lines, and what follows a `#`, are left out.
    """
    file = folder / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = (line.partition("#")[0].strip() for line in lines)
    return [name for name in names if name]


def is_ensemble(folder: Path) -> bool:
    """Whether a model is an ensemble, be its members right or wrong."""
    return (folder / FILE).is_file()


def fault(folder: Path) -> str | None:
    """What is wrong with the members of a folder of `models/`, in words; None if nothing is."""
    if not is_ensemble(folder):
        return None
    names = read(folder)
    if len(set(names)) < LEAST:
        return f"its file {FILE} names {len(set(names))} models: name at least {LEAST}, one a line"
    if twice := [name for name in names if names.count(name) > 1]:
        return f"its file {FILE} names {twice[0]} twice: leave one out"
    models = folder.parent
    if missing := [name for name in names if "/" in name or not (models / name / CODE).is_file()]:
        return f"its member {missing[0]} is no model of {models.name}/: correct its file {FILE}"
    if nested := [name for name in names if is_ensemble(models / name)]:
        return f"its member {nested[0]} is an ensemble itself: name that one's members instead"
    return None


def first(models: Iterable[str], root: Path) -> list[str]:
    """Models of a project with the members of all ensembles among them, each before its ensembles."""
    ordered: dict[str, None] = {}
    for model in models:
        folder = root / "models" / model
        for name in [*([] if fault(folder) else read(folder)), model]:
            ordered[name] = None
    ensembles = [model for model in ordered if is_ensemble(root / "models" / model)]
    return [model for model in ordered if model not in ensembles] + ensembles
