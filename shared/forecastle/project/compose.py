"""The models: the folders of `models/`, and the services in `docker/models.yml` that run them.

    make compose    write docker/models.yml: python -m forecastle.project.compose
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

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = "docker-compose.yml"
SERVICES = "docker/models.yml"  # COMPOSE includes it
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
    """Check that the models can be built, and that `docker/models.yml` is up to date.

    Args:
        root: The project.
        chosen: Names of the models to check; none means every folder.

    Raises:
        ComposeError: A folder cannot be a model, or `docker/models.yml` is not up to date.
    """
    folders, other_services = _folders(root), _services(root)
    reasons = []
    for name in chosen or folders:
        if fault := folders.get(name, "there is no such model"):
            reasons.append(f"models/{name}: {fault}")
            continue
        if name in other_services:
            reasons.append(f"{COMPOSE} has a service {name}, too: remove it, or rename models/{name}")
    if _read(root / SERVICES) != services([name for name, fault in folders.items() if not fault], root):
        reasons.append(f"{SERVICES} does not match the folders of models/: `make compose` writes it")
    if reasons:
        raise ComposeError("\n".join(reasons))


def services(names: Iterable[str], root: Path = ROOT) -> str:
    """The content of `docker/models.yml` for these models."""
    entries = [ENTRY.format(name=name, build=_build(name, root / "models" / name)) for name in names]
    return HEADER + ("\n".join(entries) or "  {}\n")


def _build(name: str, folder: Path) -> str:
    """How an image is built: without train.py it takes the folder's artifact, if there is one."""
    if (folder / "train.py").is_file():
        return f"args: {{MODEL: {name}}}"
    given = f", additional_contexts: {{artifact: ../models/{name}/artifact}}"
    return f"args: {{MODEL: {name}, ORIGIN: given}}{given if (folder / 'artifact').is_dir() else ''}"


def write(root: Path = ROOT) -> bool:
    """Write `docker/models.yml` for the folders of `models/`; returns whether its content changed."""
    file, content = root / SERVICES, services(models(root), root)
    if _read(file) == content:
        return False
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return True


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
        elif write(root):
            print(f"{SERVICES} is written")
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
