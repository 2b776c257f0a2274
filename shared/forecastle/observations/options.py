"""Command-line options that choose observations, for `make data`, `make observe` and `make retrain`."""

import argparse
import datetime
from pathlib import Path

from forecastle.dates import iso_day
from forecastle.observations.readers import read
from forecastle.observations.schema import Observations, ObservationsError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_chosen` takes."""
    parser.add_argument("--file", metavar="PATH_OR_URL", help="observations, in any format that `read` knows")
    parser.add_argument("--deaths", metavar="PATH_OR_URL", help="the second file of JHU's format")
    parser.add_argument("--since", metavar="DATE", help="leave out earlier days")
    parser.add_argument("--until", metavar="DATE", help="leave out later days")


def read_chosen(options: argparse.Namespace, default: Path | None = None) -> Observations:
    """Read the observations that the options choose, as `read` does.

    Args:
        options: As of `add_options`.
        default: The file to read if the options name none.

    Raises:
        ObservationsError: They cannot be read, no file is chosen, or an option is not a date.
    """
    since, until = _day(options.since, "SINCE"), _day(options.until, "UNTIL")
    if not (source := options.file or default):
        raise ObservationsError("name the observations with FILE=, a path or an address")
    return read(source, options.deaths or None, since=since, until=until)


def _day(text: str | None, variable: str) -> datetime.date | None:
    try:
        return iso_day(text) if text else None
    except ValueError:
        raise ObservationsError(f"{variable}={text} is not a date such as 2020-04-24") from None
