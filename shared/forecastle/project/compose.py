"""The models: the folders of `models/`, and the files of `docker/` that are made of them.

    make compose    write docker/models.yml, and docker/ensembles/: python -m forecastle.project.compose
    make lint       report folders and files that do not match: ... --check
    make new        make models/flu from a template: ... --new flu --kind plain
    docker build    list the models, one a line: ... --list

It needs only the standard library and Python 3.9, so that building images needs only Docker besides.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from forecastle import members
from forecastle.project import dockerfile

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = "docker-compose.yml"
SERVICES = "docker/models.yml"  # COMPOSE includes it
DOCKERFILE = "docker/Dockerfile"
ENSEMBLES = "docker/ensembles"  # a Dockerfile for each
TEMPLATES = "shared/template"  # a folder for each kind
KINDS = ("forecast", "plain")
TOKEN = "{{model}}"
NEEDED = "main.py"  # what makes a folder a model
CODE = (NEEDED, "train.py")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SHADOW = "-shadow"  # a challenger is called <model>-shadow (forecastle.project.retraining)
LONGEST_NAME = 63 - len(SHADOW)  # characters: both names are host names of containers
RESERVED = (
    *("models", "docs", "v2", "observations", "metrics", "livez", "readyz"),  # the gateway's routes
    *(
        "gateway",
        "catalogue",
        "shadow",
        "prometheus",
        "alertmanager",
        "nginx-exporter",
        "grafana",
    ),  # services
)

HEADER = """\
# `make compose` writes this file: a service for each folder of models/. What they share is in service.yml.
services:
"""
ENTRY = """\
  {name}:
    extends: {{file: service.yml, service: model}}
    image: ${{REGISTRY:+${{REGISTRY:-}}/}}forecastle/{name}:${{TAG:-latest}}
    build: {{{build}}}
"""


class ComposeError(Exception):
    """The command fails; the message has one line for each reason."""


def models(root: Path = ROOT) -> list[str]:
    """The models' names, sorted.

    A folder that has code but cannot be a model is left out, and a line on stderr says why.
    """
    folders = _folders(root)
    for name, fault in folders.items():
        if fault:
            print(f"models/{name} is left out: {fault}", file=sys.stderr)
    return [name for name, fault in folders.items() if not fault]


def check(root: Path = ROOT, chosen: Sequence[str] = ()) -> None:
    """Check that the models can be built, and that what `write` writes is up to date.

    Args:
        root: The project.
        chosen: Names of the models to check; none means every folder.

    Raises:
        ComposeError: A folder cannot be a model, or a file is not up to date.
    """
    folders, other_services = _folders(root), _services(root)
    reasons = []
    for name in chosen or folders:
        fault = folders.get(name, "there is no such model") or members.fault(root / "models" / name)
        if fault:
            reasons.append(f"models/{name}: {fault}")
            continue
        if name in other_services:
            reasons.append(f"{COMPOSE} has a service {name}, too: remove it, or rename models/{name}")
    for file, content in _generated([name for name, fault in folders.items() if not fault], root).items():
        if _read(root / file) != content:
            reasons.append(f"{file} does not match the folders of models/: `make compose` writes it")
    if reasons:
        raise ComposeError("\n".join(reasons))


def services(names: Iterable[str], root: Path = ROOT) -> str:
    """The content of `docker/models.yml` for these models."""
    entries = [ENTRY.format(name=name, build=_build(name, root / "models" / name)) for name in names]
    return HEADER + ("\n".join(entries) or "  {}\n")


def _build(name: str, folder: Path) -> str:
    """How an image is built: without train.py it takes the folder's artifact, if there is one."""
    if _origin(folder) == "given":
        return f"args: {{MODEL: {name}, ORIGIN: given}}" + _contexts({"artifact": folder})
    if _is_whole(folder):
        given = {f"artifact-{member}": folder.with_name(member) for member in members.read(folder)}
        given = {context: one for context, one in given.items() if _origin(one) == "given"}
        return f"dockerfile: {ENSEMBLES}/{name}.Dockerfile" + _contexts(given)
    return f"args: {{MODEL: {name}}}"


def _origin(folder: Path) -> str:
    """Where a model's artifact comes from: the Dockerfile's argument ORIGIN."""
    return "train" if (folder / "train.py").is_file() else "given"


def _contexts(given: dict[str, Path]) -> str:
    """The artifacts that are there, as build contexts of these names."""
    found = [
        f"{context}: ../models/{folder.name}/artifact"
        for context, folder in given.items()
        if (folder / "artifact").is_dir()
    ]
    return f", additional_contexts: {{{', '.join(found)}}}" if found else ""


def _is_whole(folder: Path) -> bool:
    """Whether a model is an ensemble whose members are there."""
    return members.is_ensemble(folder) and members.fault(folder) is None


def _generated(names: Sequence[str], root: Path) -> dict[str, str]:
    """The files that `write` writes, relative to the root; those without content are removed."""
    files = dict.fromkeys(
        (path.relative_to(root).as_posix() for path in (root / ENSEMBLES).glob("*.Dockerfile")), ""
    )
    recipe = _read(root / DOCKERFILE)
    for name in names:
        folder = root / "models" / name
        if _is_whole(folder) and _origin(folder) == "train":
            origins = {member: _origin(folder.with_name(member)) for member in members.read(folder)}
            files[f"{ENSEMBLES}/{name}.Dockerfile"] = dockerfile.ensemble(recipe, name, origins)
    return {SERVICES: services(names, root), **files}


def write(root: Path = ROOT) -> list[str]:
    """Write what Docker needs for the folders of `models/`; returns the files whose content changed.

    These are `docker/models.yml`, and a Dockerfile for each ensemble.
    """
    changed = []
    for name, content in _generated(models(root), root).items():
        file = root / name
        if _read(file) == content:
            continue
        changed.append(name)
        if content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        else:
            file.unlink()
    return changed


def new(name: str, root: Path = ROOT, kind: str = KINDS[0]) -> None:
    """Make `models/<name>` from the template of a kind, and write `docker/models.yml`.

    Raises:
        ComposeError: A model cannot have this name, the name is taken, or there is no such kind.
    """
    if kind not in KINDS:
        raise ComposeError(f"KIND={kind} is unknown: choose {' or '.join(KINDS)}")
    if fault := _unfit(name):
        raise ComposeError(fault)
    folder = root / "models" / name
    if folder.exists():
        raise ComposeError(f"models/{name} exists already: choose another name, or remove it first")
    if name in _services(root):
        raise ComposeError(f"{COMPOSE} has a service {name} already: choose another name")
    scratch = folder.with_name(f".{name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(
        root / TEMPLATES / kind, scratch, ignore=shutil.ignore_patterns("__pycache__", "artifact*")
    )
    for file in scratch.rglob("*.*"):
        file.write_text(file.read_text(encoding="utf-8").replace(TOKEN, name), encoding="utf-8")
    scratch.rename(folder)
    write(root)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.compose",
        description=f"Write {SERVICES}: a service for each folder of models/.",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check",
        nargs="*",
        metavar="NAME",
        help="only report what is wrong with these models, or all",
    )
    action.add_argument("--list", action="store_true", help="list the models that can be built, one a line")
    action.add_argument("--new", metavar="NAME", help="make models/NAME from the template")
    parser.add_argument("--kind", default=KINDS[0], help=f"with --new: {' or '.join(KINDS)}")
    options = parser.parse_args(argv)
    try:
        if options.list:
            for name in models(root):
                print(name)
        elif options.check is not None:
            check(root, options.check)
        elif options.new is not None:
            new(options.new, root, options.kind)
            print(f"models/{options.new} is made, and its service in {SERVICES}: start with its train.py")
        else:
            for file in write(root):
                print(f"{file} is {'written' if (root / file).exists() else 'removed'}")
    except (ComposeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _folders(root: Path) -> dict[str, str | None]:
    """The folders of `models/` that have code, sorted by name, and why one cannot be a model.

    A folder without code is ignored: Git leaves an artifact behind on a branch that lacks the model.
    """
    files = [path for file in CODE for path in (root / "models").glob(f"*/{file}")]
    names = sorted({path.parent.name for path in files if not path.parent.name.startswith(".")})
    return {name: _unfit(name) or _incomplete(root / "models" / name) for name in names}


def _incomplete(folder: Path) -> str | None:
    return None if (folder / NEEDED).is_file() else f"it has no {NEEDED}"


def _unfit(name: str) -> str | None:
    """Why a model cannot have this name; None if it can."""
    if not name:
        return "a model needs a name, such as flu"
    if not NAME.fullmatch(name):
        return f"{name!r} is no name for a model: use a-z and 0-9, words joined by -, such as flu-2"
    if len(name) > LONGEST_NAME:
        return f"{name!r} is too long for a model's name: at most {LONGEST_NAME} characters"
    if name.endswith(SHADOW):
        return f"{name!r} ends like the name of a model's challenger: choose a name without {SHADOW}"
    if name in RESERVED:
        return f"{name!r} is taken by a route or a service of Forecastle's own: choose another name"
    return None


def _services(root: Path) -> list[str]:
    """The names of the services in `docker-compose.yml` itself, by its indentation."""
    section = re.search(r"^services:\n((?:[ #].*\n|\n)*)", _read(root / COMPOSE) + "\n", re.MULTILINE)
    return re.findall(r"^  ([\w.-]+):", section[1], re.MULTILINE) if section else []


def _read(file: Path) -> str:
    """The content of a file; an empty string if there is no such file."""
    return file.read_text(encoding="utf-8") if file.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
