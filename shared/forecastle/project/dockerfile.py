"""The Dockerfile of an ensemble: `docker/Dockerfile` with stages of its members.

An ensemble averages what its members' training left, so its build trains them, too. BuildKit takes a step
from its cache, or waits for the one that is running, if text, files and arguments are the same. So a member's
stages are those of `docker/Dockerfile`, with the member's name as the argument MODEL: what another build has
trained, or is training, is not trained again.

It needs the standard library and Python 3.9 alone, as `compose.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

HEADER = """\
# `make compose` writes this file: what ../Dockerfile says of {name}, and a copy of each member's stages.
# ../../models/{name}/members names the members.
"""
NAME = re.compile(r"^FROM .* AS (\S+)$", re.MULTILINE)
BOUNDARY = re.compile(r"\n\n+(?=(?:#.*\n)*FROM )")  # comments above a stage are the stage's
USED = re.compile(r"^FROM (\S+)|\bfrom=([\w-]+)", re.MULTILINE)
MODEL = re.compile(r"^ARG MODEL$", re.MULTILINE)
ARGUMENT = re.compile(r"^ARG (.*)$", re.MULTILINE)
ORIGIN = "${ORIGIN}"
ORIGINS = ("train", "given")  # what it may be
LAST, TRAINS, PASSED = "serve", "train", "gate"


def ensemble(recipe: str, name: str, origins: dict[str, str]) -> str:
    """The Dockerfile of an ensemble.

    Args:
        recipe: The content of `docker/Dockerfile`.
        name: The ensemble's.
        origins: Where each member's artifact comes from: `train` or `given`. The build context
            `artifact-<member>` is one that is given.
    """
    top, *texts = BOUNDARY.split(recipe)
    stages = {NAME.findall(text)[0]: text for text in texts}
    needed = _needed(stages, LAST)
    own = {stage: text for stage, text in stages.items() if stage in needed}
    of_model = {stage for stage in own if any(MODEL.search(stages[one]) for one in _needed(stages, stage))}
    parts = [own[stage] for stage in own if stage not in of_model]
    for member, origin in origins.items():
        parts += _of_member(stages, of_model, member, origin)
    for stage in (stage for stage in own if stage in of_model):
        text = MODEL.sub(f"ARG MODEL={name}", own[stage])
        parts.append(_with_members(text, list(origins)) if stage == TRAINS else text)
    parts = [HEADER.format(name=name), _arguments(top, parts), *parts]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _of_member(stages: dict[str, str], of_model: set[str], member: str, origin: str) -> list[str]:
    """The stages up to a member's artifact that has passed its tests."""
    known = stages | {"origin": stages["origin"].replace(ORIGIN, origin)}
    needed = _needed(known, PASSED)
    copied = {stage for stage in needed if stage in of_model or stage == "artifact"}

    def renamed(found: re.Match[str]) -> str:
        stage = found[1] or found[2]
        return found[0].replace(stage, f"{stage}-{member}") if stage in copied else found[0]

    parts = []
    for stage in (stage for stage in stages if stage in copied):
        text = MODEL.sub(f"ARG MODEL={member}", USED.sub(renamed, known[stage]))
        text = re.sub(rf"(?<= AS ){stage}$", f"{stage}-{member}", text, flags=re.MULTILINE)
        parts.append("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return parts


def _with_members(text: str, members: Sequence[str]) -> str:
    """The stage that trains the ensemble, with its members' artifacts beside its folder."""
    lines = [f"COPY --from={PASSED}-{member} /app/artifact/ ../{member}/artifact/" for member in members]
    first, rest = text.split("\n", 1)
    return "\n".join([first, *lines, rest])


def _needed(stages: dict[str, str], stage: str) -> set[str]:
    """The stage and all that it builds on or copies from."""
    found, left = set(), [stage]
    while left:
        if (one := left.pop()) not in found and one in stages:
            found.add(one)
            used = [first or second for first, second in USED.findall(stages[one])]
            left += [name for each in used for name in (ORIGINS if each == ORIGIN else (each,))]
    return found


def _arguments(top: str, parts: Sequence[str]) -> str:
    """What comes before the first stage: the arguments that these stages are built from."""
    bases = " ".join(found[0] for part in parts for found in USED.findall(part))
    return "\n".join(
        f"ARG {one}" for one in ARGUMENT.findall(top) if f"${{{one.partition('=')[0]}}}" in bases
    )
