"""The observations: what was measured of each series on each date, in one schema.

| column     | holds                                                                                   |
|------------|-----------------------------------------------------------------------------------------|
| `date`     | a row for each date of the file's frequency between a series' first and its last        |
| the noun   | the series' identifier. The column's name says what a series is about, such as `store`  |
| `name`     | the series' name                                                                        |
| all others | numbers: what was measured, and covariates; missing is no report                        |

Daily cases and deaths by country, whoever reported them, have the columns `date`, `country` (ISO 3166
alpha-3, and XKX, Kosovo), `name`, `cases`, `deaths` and, where the source has it, `population`.
"""

import dataclasses
import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd

from forecastle.artifact import Excluded
from forecastle.observations.address import shown

COLUMNS = ("date", "country", "name", "cases", "deaths", "population")  # of cases and deaths
CONSTANT = ("population", "total")  # numbers that are no report
LONGEST_CODE = 64  # characters of an identifier


class ObservationsError(Exception):
    """The data cannot be used; the message is one line that names the file, the place and what is wrong.

    A password in the file's address is not in the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


@dataclass(frozen=True)
class Observations:
    """A frame of observations, or of the rows selected from it, and what was done to get there.

    Attributes:
        frame: Sorted by series and date. As `read` gives it, it has the columns above.
        last_day: The last date with a report in the file.
        format: The name of the file's format; "" if it is unknown.
        changes: What was changed, in words.
        excluded: Each series that was left out, by code.
        reported: The frame as `read` gave it, whatever was selected from it since; None if it is unknown.
    """

    frame: pd.DataFrame
    last_day: datetime.date
    format: str = ""
    changes: list[str] = field(default_factory=list)
    excluded: dict[str, Excluded] = field(default_factory=dict)
    reported: pd.DataFrame | None = None

    @property
    def noun(self) -> str:
        """What a series is about: see `noun_of`."""
        return noun_of(self.frame)

    @classmethod
    def of(cls, rows: "Observations | pd.DataFrame") -> "Observations":
        """Observations as they are; a plain frame with nothing changed and no series left out.

        Raises:
            ObservationsError: No row of the frame has a value.
        """
        if isinstance(rows, Observations):
            return rows
        return cls(rows, last_report(rows).date())

    def with_frame(self, frame: pd.DataFrame, *changes: str) -> Self:
        """The same for another frame, with these changes added."""
        return dataclasses.replace(self, frame=frame, changes=[*self.changes, *changes])


def noun_of(frame: pd.DataFrame) -> str:
    """What a series is about, such as "country": the first column that is neither `date` nor `name`."""
    return next(str(column) for column in frame.columns if column not in ("date", "name"))


def measures(frame: pd.DataFrame) -> list[str]:
    """The columns of which each value is a report."""
    others = ("date", "name", noun_of(frame), *CONSTANT)
    return [column for column in frame.columns if column not in others]


def last_report(frame: pd.DataFrame) -> pd.Timestamp:
    """The last date with any report.

    Raises:
        ObservationsError: There is none.
    """
    reported = frame["date"][frame[measures(frame)].notna().any(axis="columns")]
    if reported.empty:
        raise ObservationsError("no date has a value")
    return reported.max()


def write(frame: pd.DataFrame, path: Path | str) -> None:
    """Write observations in our own columns; a file of that name is replaced whole or not at all.

    Raises:
        ObservationsError: The file cannot be written.
    """
    path = Path(path)
    scratch = path.with_name(path.name + ".part")
    try:
        frame.to_csv(scratch, index=False, lineterminator="\n", date_format="%Y-%m-%d")
        scratch.replace(path)
    except OSError as error:
        raise ObservationsError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        scratch.unlink(missing_ok=True)


def span(frame: pd.DataFrame) -> str:
    """The first and the last day, in words."""
    return f"{frame['date'].min():%Y-%m-%d} to {frame['date'].max():%Y-%m-%d}"
