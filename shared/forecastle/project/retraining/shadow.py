"""A shadow: a challenger that runs beside the incumbent and is scored as it is, but serves no user.

    make shadow MODEL=deaths           build and run it: python -m forecastle.project.retraining.shadow deaths
    make shadow MODEL=deaths STOP=1    stop and remove it: ... --stop
    make promote MODEL=deaths          let it replace the incumbent: ... --promote

The shadow's image has the incumbent's tag with `-shadow` appended. The service `shadow` of docker-compose.yml
runs one shadow at a time, under the host name `<model>-shadow`, where the catalogue finds it.
"""

import argparse
import datetime
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from forecastle import observations
from forecastle.artifact import Artifact
from forecastle.observations.address import shown
from forecastle.project import images
from forecastle.project.compose import ROOT, SHADOW
from forecastle.project.retraining import Refused, RetrainingError, command, data, incumbents

SERVICE = "shadow"


def start(model: str, options: argparse.Namespace, root: Path = ROOT) -> None:
    """Fit today's `train.py` to the newest data, with the gate, and run the image as a shadow.

    Args:
        model: The model's name.
        options: As of `data.newest`.
        root: The project.

    Raises:
        ArtifactError: What serves cannot be read.
        ImagesError: The shadow does not start.
        ObservationsError: The observations cannot be used.
        RetrainingError: Another shadow runs, nothing serves that is a forecast, the gateway gives no
            observations, or the fit fails the gate.
    """
    if others := set(images.running(SERVICE, root)) - {model + SHADOW}:
        other = others.pop().removesuffix(SHADOW)
        raise RetrainingError(
            f"{other} has a shadow, and only one can run: stop it with `make shadow MODEL={other} STOP=1`"
        )
    with tempfile.TemporaryDirectory(dir=root / "data", prefix=f"{observations.CURRENT}.") as scratch:
        image = "image" if images.exists(images.reference(model)) else ""
        incumbent = incumbents.find(model, image, Path(scratch), root)
        if not incumbent.is_forecast:
            raise RetrainingError("it is no forecast, so there is nothing to score a shadow by")
        own = data.own_file(incumbent.artifact, root)
        path = Path(scratch) / observations.CURRENT
        observations.write(data.newest(options, Path(scratch), incumbent.artifact, root), path)
        if not images.build(model, path, SHADOW, root=root, own=own):
            raise Refused("its image was not built")
        path.replace(_data(model, root))
    images.start(SERVICE, root=root, SHADOW=model)


def stop(model: str, root: Path = ROOT) -> None:
    """Stop a shadow, and remove its image and data; its forecasts and their scores stay.

    Raises:
        ImagesError: Docker fails.
    """
    if model + SHADOW in images.running(SERVICE, root):
        images.stop(SERVICE, root)
    if images.exists(image := images.reference(model, SHADOW)):
        images.remove(image)
    _data(model, root).unlink(missing_ok=True)


def promote(model: str, root: Path = ROOT) -> None:
    """Replace a model by its shadow, and the data that it reads by the shadow's if these are newer.

    Raises:
        ArtifactError: The shadow's artifact cannot be read.
        ImagesError: The new containers do not start.
        ObservationsError: The data that it reads cannot be compared with the shadow's.
        RetrainingError: The model has no shadow.
    """
    if not images.exists(image := images.reference(model, SHADOW)):
        raise RetrainingError(f"it has no shadow: `make shadow MODEL={model}` makes one")
    with tempfile.TemporaryDirectory() as scratch:
        shadow = Artifact.load(images.copy_artifact(image, Path(scratch)))
        own, path = data.own_file(shadow, root), _data(model, root)
        read = own or data.in_use(root)
        is_newer = path.is_file() and _last_report(path, shadow) > _last_report(read, shadow)
    images.retag(image, images.reference(model))
    if is_newer:
        path.replace(own or root / "data" / observations.CURRENT)
    if replicas := len(images.running(model, root)):
        images.start(model, replicas, root=root)
    stop(model, root)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.retraining.shadow", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("model")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--stop", action="store_true", help="stop and remove the shadow")
    action.add_argument("--promote", action="store_true", help="let the shadow replace the incumbent")
    data.add_options(parser)
    options = parser.parse_args(argv)
    return command.run(options.model, lambda: _do(options, root))


def _do(options: argparse.Namespace, root: Path) -> None:
    model = options.model
    if options.stop:
        stop(model, root)
        print(f"{model}: no shadow runs any more")
    elif options.promote:
        promote(model, root)
        print(f"{model}: its shadow is now {images.reference(model)}")
    else:
        start(model, options, root)
        print(f"{model}{SHADOW} runs beside {model} and serves no user. Its forecasts are scored, too:")
        print(f"  {shown(options.url).rstrip('/')}/models/{model}{SHADOW}/scores")
        print(f"`make promote MODEL={model}` lets it serve, `make shadow MODEL={model} STOP=1` stops it")


def _data(model: str, root: Path) -> Path:
    """The observations that a shadow was fitted to; Git and Docker ignore the file."""
    return root / "data" / f"{observations.CURRENT}.{model}{SHADOW}"


def _last_report(path: Path, shadow: Artifact) -> datetime.date:
    return data.last_report(observations.read(path).frame, shadow)


if __name__ == "__main__":
    sys.exit(main())
