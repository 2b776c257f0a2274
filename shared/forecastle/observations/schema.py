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

from pathlib import Path

import pandas as pd

from forecastle.observations.address import shown

COLUMNS = ("date", "country", "name", "cases", "deaths", "population")


class ObservationsError(Exception):
    """The data cannot be used; the message is one line that names the file, the place and what is wrong.

    A password in the file's address is not in the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shown(message))


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
