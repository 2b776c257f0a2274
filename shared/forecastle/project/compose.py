"""The folders of `models/` and the services of `docker-compose.yml`, which must name the same models.

    make compose    write the entries that are missing: python -m forecastle.project.compose
    make lint       say what does not match: ... --check
    make new        make models/flu from the template, and its entry: ... --new flu
    docker build    name the models, one a line: ... --list

The standard library alone, and any Python from 3.9 on: building images takes nothing but Docker besides.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = "docker-compose.yml"
TEMPLATE = "shared/template"
TOKEN = "{{model}}"
FILES = ("train.py", "main.py", "requirements-train.txt", "requirements.txt")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SHADOW = "-shadow"  # behind a model's name is that of its challenger (forecastle.project.retraining)
LONGEST_NAME = 63 - len(SHADOW)  # characters: both are host names among the containers
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

ENTRY = """\
  {name}:
    extends: {{file: docker/service.yml, service: model}}
    image: ${{REGISTRY:+${{REGISTRY:-}}/}}forecastle/{name}:${{TAG:-latest}}
    build: {{args: {{MODEL: {name}}}}}
"""
_SERVICE = re.compile(r"^  ([\w.-]+):")
_MODEL = re.compile(r"\bMODEL:\s*[\"']?([^\s\"',}]+)")


class ComposeError(Exception):
    """It cannot be done; the message is a line for each reason."""


def models(root: Path = ROOT) -> list[str]:
    """The models' names, sorted: those of the folders that hold a `train.py` or a `main.py`.

    Others are none: a branch that has a model leaves its artifact behind for one that has not.

    Raises:
        ComposeError: A folder's name cannot be a model's.
    """
    files = [file for name in ("train.py", "main.py") for file in (root / "models").glob(f"*/{name}")]
    names = sorted({file.parent.name for file in files})
    if reasons := [f"models/{name}: {reason}" for name in names if (reason := _unfit(name))]:
        raise ComposeError("\n".join(reasons))
    return names


def check(root: Path = ROOT) -> None:
    """Hold the services of `docker-compose.yml` against the folders of `models/`.

    Raises:
        ComposeError: They differ, or a folder lacks a file.
    """
    names = models(root)
    services = _services((root / COMPOSE).read_text(encoding="utf-8"))
    reasons = [
        f"models/{name}/{file} is missing"
        for name in names
        for file in FILES
        if not (root / "models" / name / file).is_file()
    ]
    reasons += [
        f"models/{name} has no entry in {COMPOSE}: `make compose` writes it"
        for name in names
        if name not in services
    ]
    for name, model in services.items():
        if model and model != name:
            reasons.append(f"{COMPOSE}: the service {name} builds the model {model}: name both alike")
        elif model and name not in names:
            reasons.append(f"{COMPOSE}: the service {name} has no folder models/{name}: remove its entry")
    if reasons:
        raise ComposeError("\n".join(reasons))


def write_missing(root: Path = ROOT) -> list[str]:
    """Write the entries that `docker-compose.yml` lacks behind the last model's; the names of these models.

    All other text stays as it is.

    Raises:
        ComposeError: A folder's name cannot be a model's.
    """
    text = (root / COMPOSE).read_text(encoding="utf-8")
    services = _services(text)
    missing = [name for name in models(root) if name not in services]
    if missing:
        entries = "".join("\n" + ENTRY.format(name=name) for name in missing)
        end = _end_of_models(text)
        (root / COMPOSE).write_text(text[:end] + entries + text[end:], encoding="utf-8")
    return missing


def new(name: str, root: Path = ROOT) -> None:
    """Make `models/<name>` from the template, and its entry in `docker-compose.yml`.

    Raises:
        ComposeError: The name cannot be a model's, or something has it already.
    """
    if reason := _unfit(name):
        raise ComposeError(reason)
    folder = root / "models" / name
    if folder.exists():
        raise ComposeError(f"models/{name} exists already: choose another name, or remove it first")
    if name in _services((root / COMPOSE).read_text(encoding="utf-8")):
        raise ComposeError(f"{COMPOSE} has a service {name} already: choose another name")
    scratch = folder.with_name(f".{name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(root / TEMPLATE, scratch, ignore=shutil.ignore_patterns("__pycache__", "artifact*"))
    for file in scratch.rglob("*.*"):
        file.write_text(file.read_text(encoding="utf-8").replace(TOKEN, name), encoding="utf-8")
    scratch.rename(folder)
    write_missing(root)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.compose",
        description=f"Write the entries that {COMPOSE} lacks for the folders of models/.",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="only say what does not match")
    action.add_argument("--list", action="store_true", help="name the models, one a line")
    action.add_argument("--new", metavar="NAME", help="make models/NAME from the template, and its entry")
    options = parser.parse_args(argv)
    try:
        if options.list:
            for name in models(root):
                print(name)
        elif options.new is not None:
            new(options.new, root)
            print(f"models/{options.new} is made, with its entry in {COMPOSE}: start with its train.py")
        else:
            for name in [] if options.check else write_missing(root):
                print(f"{COMPOSE}: an entry for {name}")
            check(root)
    except ComposeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _unfit(name: str) -> str | None:
    """Why a model cannot have this name."""
    if not name:
        return "a model needs a name, such as flu"
    if not NAME.fullmatch(name):
        return f"{name!r} is no name for a model: use a-z and 0-9, words joined by -, such as flu-2"
    if len(name) > LONGEST_NAME:
        return f"{name!r} is too long for a model's name: at most {LONGEST_NAME} characters"
    if name.endswith(SHADOW):
        return f"{name!r} ends as the name of a model's challenger does: choose a name without {SHADOW}"
    if name in RESERVED:
        return f"{name!r} is taken by a route or a service of Forecastle's own: choose another name"
    return None


def _blocks(text: str) -> list[tuple[str, int, int]]:
    """Each service's name, and where its entry starts and ends, without blank lines or comments after it.

    It reads the layout that Docker and people write: `services:` at the margin, names two spaces in.
    """
    blocks: list[tuple[str, int, int]] = []
    inside, position = False, 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        if re.match(r"[^\s#]", line):
            inside = line.startswith("services:")
        elif inside and (match := _SERVICE.match(line)):
            blocks.append((match[1], start, position))
        elif inside and blocks and re.match(r"    +[^\s#]", line):
            blocks[-1] = (*blocks[-1][:2], position)
    return blocks


def _services(text: str) -> dict[str, str | None]:
    """The model that each service builds, None for those that build none."""
    return {
        name: match[1] if (match := _MODEL.search(text, start, end)) else None
        for name, start, end in _blocks(text)
    }


def _end_of_models(text: str) -> int:
    services = _services(text)
    blocks = _blocks(text)
    ends = [end for name, _, end in blocks if services[name]] or [end for _, _, end in blocks]
    return ends[-1] if ends else len(text)


if __name__ == "__main__":
    sys.exit(main())
