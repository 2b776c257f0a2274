"""Vintages: observations as they were known on several days, each in a file of its own."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from forecastle.observations import ObservationsError, Reported, parse


def read(paths: Iterable[Path]) -> list[Reported]:
    """The vintages of files, and of the CSV files in folders; the newest last.

    Raises:
        ObservationsError: There are none, or one cannot be read.
    """
    paths = list(paths)
    files = [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    if not files:
        raise ObservationsError(f"{', '.join(map(str, paths))}: no CSV file is there")
    return sorted(map(parse, files), key=last_date)


def last_date(vintage: Reported) -> datetime.date:
    """The last date of a vintage: what it holds was known on it."""
    return vintage.frame["date"].max().date()


def known_on(vintages: Sequence[Reported], date: datetime.date) -> Reported:
    """The oldest vintage that reaches a date, or else the newest: what was known on the date, or soon after.

    Args:
        vintages: One or more, the newest last.
        date: The date, such as the origin of a forecast.
    """
    return next((vintage for vintage in vintages if last_date(vintage) >= date), vintages[-1])
