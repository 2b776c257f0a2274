"""`make retrain MODEL=deaths`: replace a model by its refit to new data, if that forecasts no worse.

First the incumbent and a challenger, which is fitted to what the incumbent knew, both forecast the dates that
were reported since. If the challenger's score is no worse, it is fitted to all dates, with the gate. Until it
has passed, the incumbent and the data that it reads stay as they are: those in use, or a file of its folder.

A model that is no forecast is trained anew, and replaced if it passes its own tests. An ensemble is not
fitted, so the gate alone decides: its artifact is combined anew of its members' as they are, its image is
built with the new data, which trains members, too.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from forecastle import folder as folders
from forecastle import members, observations
from forecastle.artifact import Artifact
from forecastle.frequency import Frequency
from forecastle.observations.provenance import Provenance
from forecastle.project.compose import ROOT
from forecastle.project.retraining import Refused, command, data, incumbents
from forecastle.project.retraining.comparison import DATES, Comparison, compare
from forecastle.project.retraining.incumbents import Folder, Incumbent


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code, which is 0 if there is nothing new."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.retraining",
        description="Replace a model by its refit, if that is no worse.",
    )
    parser.add_argument("model")
    data.add_options(parser)
    parser.add_argument("--incumbent", default="", help="artifact or image; by default the one that exists")
    options = parser.parse_args(argv)
    return command.run(options.model, lambda: _replace(options, root))


def _replace(options: argparse.Namespace, root: Path) -> None:
    if not (root / "models" / options.model / "train.py").is_file():
        print(f"{options.model}: it has no train.py, so it stays as it is")
        return
    # In data/, so that a rename replaces the data in use in one step. Git and Docker ignore this folder.
    with tempfile.TemporaryDirectory(dir=root / "data", prefix=f"{observations.CURRENT}.") as scratch:
        incumbent = incumbents.find(options.model, options.incumbent, Path(scratch), root)
        if members.is_ensemble(root / "models" / options.model) and isinstance(incumbent, Folder):
            combine(options.model, incumbent, options.file)
            return
        if not incumbent.is_forecast:
            train_anew(options.model, incumbent, options.file, root)
            return
        current = incumbent.artifact
        new = data.newest(options, Path(scratch), current, root)
        if data.last_report(new, current) > current.data_through:
            retrain(options.model, incumbent, new, Path(scratch), root)
        else:
            print(
                f"{options.model}: nothing is newer than {current.data_through}, so {current.version} stays"
            )


def retrain(model: str, incumbent: Incumbent, new: pd.DataFrame, scratch: Path, root: Path = ROOT) -> None:
    """Compare, fit with the gate, replace the incumbent, and update the data in use.

    Args:
        model: The model's name.
        incumbent: The artifact or image to replace.
        new: All observations, including dates after the incumbent's last one.
        scratch: A folder on the file system of the data.
        root: The project.

    Raises:
        ImagesError: The challenger has replaced the incumbent, but does not start.
        Refused: The challenger is worse or fails the gate; the incumbent and the data in use stay.
        RetrainingError: The two cannot be compared; the incumbent and the data in use stay.
    """
    old, script = incumbent.artifact, root / "models" / model / "train.py"
    own = data.own_file(old, root)
    comparison = None
    if members.is_ensemble(script.parent):
        print(f"{model}: an ensemble is not fitted, so the gate alone decides")
    else:
        comparison = _decided(model, old, script, new, scratch, own, root)

    current, file = scratch / observations.CURRENT, own or root / "data" / observations.CURRENT
    observations.write(new, current)
    provenance = Provenance.of(own or data.in_use(root))
    provenance.write(current)
    incumbent.replace(current, comparison, own)
    current.replace(file)
    provenance.write(file)
    print(f"{model}: the challenger has replaced {old.version}")
    print(f"{model}: its data, up to {data.last_report(new, old)}, are in use: {file.relative_to(root)}")
    print(f"{model}: {incumbent.serve()}")


def train_anew(model: str, incumbent: Incumbent, file: str, root: Path = ROOT) -> None:
    """Train a model that is no forecast, and replace the incumbent if its own tests pass.

    Args:
        model: The model's name.
        incumbent: The artifact or image to replace.
        file: The observations that a forecast would be fitted to, if any.
        root: The project.

    Raises:
        ImagesError: It has replaced the incumbent, but does not start.
        RetrainingError: `train.py` or a test fails; the incumbent stays.
    """
    if file:
        print(f"{model}: it is no forecast, so FILE= does not reach it: its train.py says what it reads")
    if not folders.gate_files(root / "models" / model):
        print(f"{model}: it has no test_*.py, so nothing but its train.py can refuse what is new")
    incumbent.train_anew()
    print(f"{model}: what was trained anew has replaced {incumbent.version}")
    print(f"{model}: {incumbent.serve()}")


def combine(model: str, incumbent: Incumbent, file: str) -> None:
    """Combine an ensemble's members anew, and replace the incumbent if the result passes the gate.

    Args:
        model: The ensemble's name.
        incumbent: The artifact or image to replace.
        file: The observations that its members are to be fitted to, if any.

    Raises:
        ImagesError: It has replaced the incumbent, but does not start.
        RetrainingError: The members cannot be combined; the incumbent stays.
    """
    if file:
        print(f"{model}: it is not fitted, so FILE= does not reach it: retrain its members with it first")
    incumbent.train_anew()
    print(f"{model}: its members, combined anew, have replaced {incumbent.version}")
    print(f"{model}: {incumbent.serve()}")


def _decided(
    model: str,
    incumbent: Artifact,
    script: Path,
    new: pd.DataFrame,
    scratch: Path,
    own: Path | None,
    root: Path,
) -> Comparison | None:
    """The challenger's comparison with the incumbent, shown; None if they share no series and date.

    Raises:
        Refused: The challenger is worse, or cannot be fitted.
        RetrainingError: The two cannot be compared.
    """
    comparison = _compared(incumbent, script, data.held_out(incumbent, new, root), scratch, own)
    if comparison is not None:
        comparison.show()
    if comparison is None or not comparison.decides:
        dates = len(comparison.days) if comparison else 0
        least = max(DATES, Frequency.of(incumbent.manifest.frequency).cycle)
        print(f"{model}: {dates} held-out dates are fewer than {least}, so the gate alone decides")
    else:
        verdict = comparison.verdict
        if not comparison.holds:
            raise Refused(verdict)
        print(f"{model}: the challenger goes on to the gate: {verdict}")
    return comparison


def _compared(
    incumbent: Artifact, script: Path, rows: pd.DataFrame, scratch: Path, own: Path | None
) -> Comparison | None:
    """Fit the challenger to what the incumbent knew, and compare; None if they share no series and date."""
    path, forecasts = scratch / "held-out.csv", scratch / "held-out.nc"
    observations.write(rows, path)
    if own:
        script = incumbents.copied(script, path, own)
    if incumbents.run(script, path, "--held-out", incumbent.data_through.isoformat(), str(forecasts)):
        raise Refused("it cannot be fitted")
    return compare(incumbent, xr.load_dataset(forecasts, engine="h5netcdf")) if forecasts.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
