"""The observations: daily cases and deaths by country, whoever reported them, in one schema.

| column       | holds                                                                                 |
|--------------|---------------------------------------------------------------------------------------|
| `date`       | the day, one row for each between a country's first and its last                       |
| `country`    | ISO 3166 alpha-3 (and XKX, Kosovo)                                                     |
| `name`       | the country's name in English                                                          |
| `cases`      | new cases on that day; missing is no report                                            |
| `deaths`     | new deaths on that day; missing is no report                                           |
| `population` | where the source has it                                                                |
"""

import dataclasses
import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd

from forecastle.artifact import Excluded
from forecastle.observations.address import shown

COLUMNS = ("date", "country", "name", "cases", "deaths", "population")
COUNTS = ("cases", "deaths", "count")  # the columns of which one says that there was a report


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
        frame: Sorted by country and date. As `read` gives it, it has the columns above.
        last_day: The last day with a report in the file.
        format: The name of the file's format; "" if it is unknown.
        changes: What was changed, in words.
        excluded: Each country that was left out, by code.
    """

    frame: pd.DataFrame
    last_day: datetime.date
    format: str = ""
    changes: list[str] = field(default_factory=list)
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: "Observations | pd.DataFrame") -> "Observations":
        """Observations as they are; a plain frame with nothing changed and nobody left out.

        Raises:
            ObservationsError: No row of the frame has a count.
        """
        if isinstance(rows, Observations):
            return rows
        return cls(rows, last_report(rows).date())

    def with_frame(self, frame: pd.DataFrame, *changes: str) -> Self:
        """The same for another frame, with these changes added."""
        return dataclasses.replace(self, frame=frame, changes=[*self.changes, *changes])


def last_report(frame: pd.DataFrame) -> pd.Timestamp:
    """The last day on which any country reported any count.

    Raises:
        ObservationsError: There is none.
    """
    columns = [column for column in COUNTS if column in frame]
    reported = frame["date"][frame[columns].notna().any(axis="columns")]
    if reported.empty:
        raise ObservationsError("no day has a count")
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
