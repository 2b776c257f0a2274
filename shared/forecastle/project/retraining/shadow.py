"""A challenger in the shadow of what serves: it forecasts and is scored, and nobody is answered by it.

    make shadow MODEL=deaths           build and run it: python -m forecastle.project.retraining.shadow deaths
    make shadow MODEL=deaths STOP=1    end it: ... --stop
    make promote MODEL=deaths          let it serve: ... --promote

Its image has the tag of the one that serves and `-shadow` behind it. The service `shadow` of
docker-compose.yml runs one at a time, as the host `<model>-shadow`, where the catalogue finds it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from forecastle import observations
from forecastle.project.compose import ROOT, SHADOW
from forecastle.project.retraining import Refused, RetrainingError, command, data, images

SERVICE = "shadow"


def start(model: str, options: argparse.Namespace, root: Path = ROOT) -> None:
    """Fit today's `train.py` to the newest data, with the gate, and run it.

    Args:
        model: Its name.
        options: As of `data.newest`.
        root: The project.

    Raises:
        ImagesError: It does not run.
        ObservationsError: The data cannot be used.
        RetrainingError: Another shadow runs; there are no data; or it does not pass the gate.
    """
    if others := set(images.running(SERVICE, root)) - {model + SHADOW}:
        other = others.pop().removesuffix(SHADOW)
        raise RetrainingError(
            f"{other} has a shadow, and one can run at a time: end it with `make shadow MODEL={other} STOP=1`"
        )
    with tempfile.TemporaryDirectory(dir=root / "data", prefix=f"{observations.CURRENT}.") as folder:
        path = Path(folder) / observations.CURRENT
        observations.write(data.newest(options, Path(folder), root), path)
        if not images.build(model, path, SHADOW, root=root):
            raise Refused("its image was not built")
        path.replace(_data(model, root))
    images.start(SERVICE, root=root, SHADOW=model)


def stop(model: str, root: Path = ROOT) -> None:
    """End a shadow; all that was made for it is removed, but not its forecasts and their scores.

    Raises:
        ImagesError: Docker does not do it.
    """
    if model + SHADOW in images.running(SERVICE, root):
        images.stop(SERVICE, root)
    if images.exists(image := images.reference(model, SHADOW)):
        images.remove(image)
    _data(model, root).unlink(missing_ok=True)


def promote(model: str, root: Path = ROOT) -> None:
    """Put a shadow in the place of what serves, and its data in that of those in use if they are newer.

    Raises:
        ImagesError: It does not start.
        RetrainingError: There is none.
    """
    if not images.exists(image := images.reference(model, SHADOW)):
        raise RetrainingError(f"it has no shadow: `make shadow MODEL={model}` makes one")
    images.retag(image, images.reference(model))
    if (path := _data(model, root)).is_file() and _last_day(path) > _last_day(data.in_use(root)):
        path.replace(root / "data" / observations.CURRENT)
    if replicas := len(images.running(model, root)):
        images.start(model, replicas, root=root)
    stop(model, root)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.retraining.shadow", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("model")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--stop", action="store_true", help="end it")
    action.add_argument("--promote", action="store_true", help="let it serve")
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
        print(f"{model}: {images.reference(model)} is what was its shadow")
    else:
        start(model, options, root)
        print(f"{model}{SHADOW} runs beside {model} and answers nobody. Its forecasts are scored as well:")
        print(f"  {options.url}/models/{model}{SHADOW}/scores")
        print(f"`make promote MODEL={model}` lets it serve, `make shadow MODEL={model} STOP=1` ends it")


def _data(model: str, root: Path) -> Path:
    """What a shadow was fitted to; git and Docker ignore it."""
    return root / "data" / f"{observations.CURRENT}.{model}{SHADOW}"


def _last_day(path: Path) -> str:
    return observations.read(path).last_day.isoformat()


if __name__ == "__main__":
    sys.exit(main())
