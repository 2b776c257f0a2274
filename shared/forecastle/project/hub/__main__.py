"""`make hub-submission MODEL=deaths HUB=path`: a model's forecast as a hub takes it, as a CSV file.

The forecast is the artifact's in the model's folder or, without one, the image's. The file is written only if
nothing is wrong with it: into the hub's folder `model-output` if `HUB=` is a folder, else here, or where
`OUTPUT=` says.
"""

import argparse
import csv
import datetime
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from forecastle import folder as folders
from forecastle.artifact import Artifact
from forecastle.manifest import ArtifactError
from forecastle.project import images
from forecastle.project.compose import ROOT
from forecastle.project.hub import HubError, mapping, submission, tasks, validation
from forecastle.project.hub.submission import Submission
from forecastle.project.images import ImagesError

MOST = 20  # problems that are told
OUTPUT = "model-output"  # in a hub's folder


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.hub", description="Write a model's submission to a forecast hub."
    )
    parser.add_argument("model")
    parser.add_argument("--hub", default="", help="a hub's folder, or its tasks.json")
    parser.add_argument("--output", default="", help="a file or a folder; by default the hub's model-output")
    parser.add_argument(
        "--reference", default="", help="the date of the forecast; by default the next of the hub"
    )
    options = parser.parse_args(argv)
    try:
        for line in _submit(options, root):
            print(f"{options.model}: {line}")
    except (HubError, ArtifactError, ImagesError) as error:
        for line in str(error).splitlines():
            print(f"{options.model}: {line}", file=sys.stderr)
        return 1
    return 0


def _submit(options: argparse.Namespace, root: Path) -> list[str]:
    """Make, validate and write a submission; returns lines on what was done."""
    if not options.hub:
        raise HubError("say which hub with HUB=: its folder, or its tasks.json")
    hub, folder = Path(options.hub).expanduser(), root / "models" / options.model
    asked_of, called = tasks.read(hub), mapping.read(folder)
    with tempfile.TemporaryDirectory() as scratch:
        artifact = _artifact(options.model, folder, Path(scratch))
        date = _date(options.reference) or asked_of.first_after(artifact.data_through)
        asked = asked_of.round(date)
        made = submission.make(artifact, called, asked, date)
    if wrong := validation.problems(asked, date, made.columns, made.rows):
        more = [f"and {len(wrong) - MOST} more"] if len(wrong) > MOST else []
        raise HubError(
            "\n".join(["nothing is written, since the hub would refuse it:", *wrong[:MOST], *more])
        )
    path = _path(options.output, hub, called.model_id, made.name)
    _write(path, made)
    due = asked.due(date)
    return [
        *made.notes[:MOST],
        *([f"{len(made.notes) - MOST} more such lines"] if len(made.notes) > MOST else []),
        f"{path}: {len(made.rows):,} rows, which the hub's tasks.json allows",
        *([f"the hub takes it from {due[0]} to {due[1]}"] if due else []),
    ]


def _artifact(model: str, folder: Path, scratch: Path) -> Artifact:
    """That of the model's folder, or else of its image."""
    if (own := folder / folders.ARTIFACT).is_dir():
        return Artifact.load(own)
    if images.exists(image := images.reference(model)):
        return Artifact.load(images.copy_artifact(image, scratch))
    raise HubError("it has no artifact and no image: `make train` makes one, `make build` the other")


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise HubError(f"REFERENCE={text} is not a date such as 2020-06-13") from None


def _path(output: str, hub: Path, model_id: str, name: str) -> Path:
    if output.endswith(".csv"):
        return Path(output).expanduser()
    if output:
        return Path(output).expanduser() / f"{name}.csv"
    return (hub / OUTPUT / model_id if hub.is_dir() else Path()) / f"{name}.csv"


def _write(path: Path, made: Submission) -> None:
    """Write the file, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([made.columns, *made.rows])
        part.replace(path)
    except OSError as error:
        raise HubError(f"{path} cannot be written: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
