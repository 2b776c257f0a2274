"""`make changed BASE=origin/main`: the models whose image a change touches, one a line.

The change is all that differs from the commit where this branch left BASE, committed or not. A path of it
counts as it does in a build:

| path                                                                   | touches       |
|------------------------------------------------------------------------|---------------|
| what training, serving or the gate gets of a model's folder            | that model    |
| an artifact that a folder without train.py is served with              | that model    |
| what training gets of an ensemble's member, or such an artifact         | the ensemble  |
| what .dockerignore lets a build see of shared/ and docker/             | every model   |
| docker/Dockerfile, docker/build.sh, .dockerignore, the data in use     | every model   |
| all others                                                             | nothing       |

    python -m forecastle.project.changed --base origin/main --data data/first-wave-2020.csv
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from forecastle import folder as folders
from forecastle import members
from forecastle.project import compose, pins
from forecastle.project.compose import ROOT

IGNORED = ".dockerignore"
SHARED = ("shared", "docker")
RECIPES = ("docker/Dockerfile", "docker/build.sh", IGNORED)  # a build reads them, though its stages see none
NO_COMMIT = re.compile("0{40}|0{64}")  # what CI tools give as the commit before a branch's first
WILD = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class ChangedError(Exception):
    """What changed cannot be told; the message is one line."""


def changed(base: str, data: str, root: Path = ROOT) -> list[str]:
    """The models that are to be built, sorted.

    Args:
        base: A commit, branch or tag; zeros alone stand for no commit, from which everything differs.
        data: The file of the data in use, as a path or relative to the project.
        root: The project.

    Raises:
        ChangedError: There is no such commit, or no common history with it.
    """
    models = compose.models(root)
    if NO_COMMIT.fullmatch(base):
        return models
    paths = _differing(base, root)
    if _touch_all(paths, data, root):
        return models
    return [
        model
        for model in models
        if _touch(paths, model, root, folders.is_used)
        or any(
            _touch(paths, name, root, folders.is_trained) for name in members.read(root / "models" / model)
        )
    ]


def _differing(base: str, root: Path) -> list[PurePosixPath]:
    """The paths that differ from where this branch left `base`, those that Git does not know yet included."""
    if not base:
        raise ChangedError("say what to compare with: BASE=origin/main, for example")
    untold = "Git has no history of this folder, or does not trust it: `git status` says more"
    _git(root, untold, "rev-parse", "--git-dir")
    unknown = f"BASE={base} is no commit here: fetch it (git fetch origin), or name another"
    _git(root, unknown, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    apart = f"BASE={base} and HEAD have no commit in common here: fetch more of them (git fetch --unshallow)"
    left = _git(root, apart, "merge-base", base, "HEAD").strip()
    failed = f"Git cannot compare with BASE={base}: `git diff --name-only {left}` says more"
    known = _git(root, failed, "diff", "--name-only", "--no-renames", "--relative", "-z", left, "--")
    new = _git(root, failed, "ls-files", "--others", "--exclude-standard", "-z")
    return [PurePosixPath(path) for path in f"{known}{new}".split("\0") if path]


def _git(root: Path, failure: str, *arguments: str) -> str:
    """What Git prints.

    Raises:
        ChangedError: Git fails; the message is `failure`.
    """
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape")
    except OSError:
        raise ChangedError("there is no command git: install it (apt install git)") from None
    if done.returncode:
        raise ChangedError(failure)
    return done.stdout


def _touch_all(paths: Iterable[PurePosixPath], data: str, root: Path) -> bool:
    rules = dockerignore(root)
    in_use = (root / data).with_suffix("")  # its .csv, and its .json with where it comes from
    return any(
        str(path) in RECIPES
        or (path.parts[0] in SHARED and is_seen(path, rules))
        or (root / path).with_suffix("") == in_use
        for path in paths
    )


def dockerignore(root: Path) -> list[str]:
    """The lines of a project's `.dockerignore`, without comments; none if there is no such file."""
    lines = (root / IGNORED).read_text().splitlines() if (root / IGNORED).is_file() else []
    return [line for line in lines if line and not line.startswith("#")]


def is_seen(path: PurePosixPath, rules: Iterable[str]) -> bool:
    """Whether a build sees a path: the last rule that matches it, or a folder above it, decides."""
    seen = True
    for rule in rules:
        parts = re.split(r"(\*\*/|\*|\?)", rule.removeprefix("!"))
        if re.match("".join(WILD.get(part, re.escape(part)) for part in parts) + "(?:/|$)", str(path)):
            seen = rule.startswith("!")
    return seen


def _touch(paths: Iterable[PurePosixPath], model: str, root: Path, is_used: Callable[[Path], bool]) -> bool:
    """Whether a model is built of one of these paths, of its folder by this rule."""
    folder = root / "models" / model
    within = [path.relative_to(f"models/{model}") for path in paths if path.is_relative_to(f"models/{model}")]
    given = not (folder / "train.py").is_file()
    # The build pins what no lock does.
    unpinned = any(pins.unpinned(folder, lock) for lock in (pins.TRAIN, pins.SERVE))
    return any(
        is_used(Path(path))
        or (given and path.parts[0] == folders.ARTIFACT)
        or (unpinned and path.match("requirements*.in"))
        for path in within
    )


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.changed",
        description="List the models whose image a change touches.",
    )
    parser.add_argument("--base", default="", help="a commit, branch or tag")
    parser.add_argument("--data", default="", help="the data in use")
    options = parser.parse_args(argv)
    try:
        names = changed(options.base, options.data, root)
    except ChangedError as error:
        print(error, file=sys.stderr)
        return 1
    for name in names:
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
