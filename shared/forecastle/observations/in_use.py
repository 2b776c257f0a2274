"""The data in use: the default, or what `make data` chose.

python -m forecastle.observations.in_use --file PATH_OR_URL    use these data (`make data FILE=...`)
python -m forecastle.observations.in_use                       go back to the default (`make data`)
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from forecastle.frequency import plural
from forecastle.observations.address import is_address, shown
from forecastle.observations.formats import OURS, PLAIN
from forecastle.observations.options import add_options, read_chosen
from forecastle.observations.provenance import Provenance, file_name
from forecastle.observations.schema import ObservationsError, measures, span, write

DATA = Path(__file__).resolve().parents[3] / "data"
DEFAULT = "first-wave-2020.csv"
CURRENT = "current.csv"
VINTAGES = "vintages"  # the folder of what `make data` read, by the day of the last report
LEAST_CASES, LEAST_DEATHS = 100, 50  # one country must reach either, or no model has anything to fit
SHOWN = 12  # lines of changes that the command prints


def default_path() -> Path:
    """The data in use: `FORECASTLE_DATA` if set, else what `make data` made, else the first wave."""
    if path := os.environ.get("FORECASTLE_DATA"):
        return Path(path).expanduser()
    return DATA / CURRENT if (DATA / CURRENT).is_file() else DATA / DEFAULT


def main(argv: Sequence[str] | None = None, folder: Path = DATA) -> int:
    """Choose the data that `make run` and `make build` use; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.observations.in_use",
        description="Choose the data that `make run` and `make build` use.",
    )
    add_options(parser)
    options = parser.parse_args(argv)
    try:
        if options.file or options.deaths or options.since or options.until:
            _use(options, folder)
        else:
            _use_default(folder)
    except ObservationsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _use(options: argparse.Namespace, folder: Path) -> None:
    if options.deaths and not options.file:
        raise ObservationsError(
            f"{options.deaths} is the second of two files: name that of cases too, with FILE="
        )
    known, source = read_chosen(options, folder / DEFAULT), shown(options.file or folder / DEFAULT)
    frame, changes, measured = known.frame, known.changes, measures(known.frame)
    totals = frame.groupby(known.noun)[measured].sum()
    if measured == ["cases", "deaths"] and not (totals >= [LEAST_CASES, LEAST_DEATHS]).any(axis=None):
        threshold = f"{LEAST_DEATHS} deaths or {LEAST_CASES} cases in total"
        raise ObservationsError(f"{source}: no {known.noun} over the threshold of {threshold}")
    write(frame, folder / CURRENT)
    _provenance(options, known.format, folder).write(folder / CURRENT)
    print(f"{source}: {known.format}")
    print(f"  rows {len(frame):,}, {plural(known.noun)} {len(totals)}, days {span(frame)}")
    print("  " + ", ".join(f"{name} {totals[name].sum():,}" for name in measured))
    for change in changes[:SHOWN]:
        print(f"  {change}")
    if len(changes) > SHOWN:
        print(f"  ... and {len(changes) - SHOWN} more like these")
    if options.file and not (options.since or options.until):  # else it is less than was known
        vintage = folder / VINTAGES / f"{known.last_day}.csv"
        vintage.parent.mkdir(exist_ok=True)
        shutil.copy(folder / CURRENT, vintage)
        print(f"{vintage} keeps what was known: `make backtest VINTAGES={vintage.parent}`")
    print(f"{folder / CURRENT} is written: `make run` and `make build` now use it, until `make data`")


def _provenance(options: argparse.Namespace, file_format: str, folder: Path) -> Provenance:
    """That of the file beside the chosen one, or else what its format and its name tell."""
    if not options.file:
        return Provenance.of(folder / DEFAULT)
    if is_address(options.file):
        name = shown(options.file).partition("?")[0]  # a query may hold a secret
    elif (known := Provenance.of(Path(options.file).expanduser())) != Provenance():
        return known
    else:
        name = file_name(Path(options.file))
    if file_format in (OURS.name, PLAIN.name):
        return Provenance(source=name)
    return Provenance("COVID-19: confirmed cases and deaths a day", f"{file_format}, {name}")


def _use_default(folder: Path) -> None:
    if not (folder / DEFAULT).is_file():
        raise ObservationsError(f"{folder / DEFAULT} is missing: check it out again")
    (folder / CURRENT).unlink(missing_ok=True)
    Provenance().write(folder / CURRENT)
    (folder / DEFAULT).touch()  # or Make would not see that the data have changed
    print(f"{folder / DEFAULT} is in use again")


if __name__ == "__main__":
    sys.exit(main())
