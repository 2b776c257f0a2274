"""Readers: from a file or an address, in whatever known format, to observations."""

import csv
import datetime
import http.client
import io
import os
import re
import urllib.error
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from forecastle.observations import formats
from forecastle.observations.address import TIMEOUT, download, is_address
from forecastle.observations.cleaning import clean, complete, is_weekly
from forecastle.observations.schema import Observations, ObservationsError, last_report, measures, span

SEPARATORS = (",", ";", "\t")


def read(
    source: str | Path,
    deaths: str | Path | None = None,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
) -> Observations:
    """Read observations from a file or an http(s) address; the columns tell the format.

    Args:
        source: Plain columns, for series of any kind: `date`, a column whose name says what a series is
            about, perhaps `name`, and columns of numbers. Or cases and deaths of countries: ECDC's daily
            file, Our World in Data's compact one, WHO's global daily one, or JHU's wide time series of cases.
        deaths: JHU's second file.
        since: Days before it are cut off after cleaning, so that later revisions reach them first.
        until: Days after it are cut off before cleaning, so that nothing is known of them.

    Returns:
        A frame in the schema of `observations.schema`. The changes list the revisions last, and the largest
        of them first.

    Raises:
        ObservationsError: It cannot be read, or is not what it should be.
    """
    return parse(source, deaths).cleaned(since=since, until=until)


@dataclass(frozen=True)
class Reported:
    """A file's rows as they were reported, which need cleaning.

    Attributes:
        source: The file's path or address.
        format: The name of its format.
        frame: Typed columns, rows in any order.
        changes: What was changed to get them, in words.
    """

    source: str | Path
    format: str
    frame: pd.DataFrame
    changes: list[str]

    @property
    def of_countries(self) -> bool:
        """Whether they are daily cases and deaths of countries, which sources revise by negative counts."""
        return self.format != formats.PLAIN.name

    def cleaned(
        self,
        *,
        since: datetime.date | None = None,
        until: datetime.date | None = None,
        ahead: Sequence[str] = (),
    ) -> Observations:
        """The observations of these days: see `read`.

        Args:
            since: Days before it are cut off.
            until: Nothing is known of days after it, but for the columns of `ahead`.
            ahead: Columns of covariates that are known ahead.

        Raises:
            ObservationsError: There are none.
        """
        frame, changes = self.frame, list(self.changes)
        if until is not None:
            known = frame["date"] <= pd.Timestamp(until)
            hidden = [column for column in measures(frame) if column not in ahead]
            frame = (
                frame.assign(**{name: frame[name].where(known) for name in hidden}) if ahead else frame[known]
            )
        if len(frame):
            frame = clean(frame, changes) if self.of_countries else complete(frame, changes)
        if since is not None:
            frame = frame[frame["date"] >= pd.Timestamp(since)].reset_index(drop=True)
        if frame.empty:
            held = span(self.frame)
            raise ObservationsError(f"{self.source} has nothing in these days: it goes from {held}")
        try:
            last_day = last_report(frame).date()
        except ObservationsError as error:
            raise ObservationsError(f"{self.source}: {error} ({span(frame)})") from None
        return Observations(frame, last_day, self.format, changes, reported=frame)


def parse(source: str | Path, deaths: str | Path | None = None) -> Reported:
    """Read a file once, to clean what was known on several days: the first half of `read`.

    Raises:
        ObservationsError: It cannot be read, or is not what it should be.
    """
    file_format, frame, changes = _parse(source)
    if file_format is formats.JHU:
        if deaths is None:
            raise ObservationsError(
                f"{source} holds JHU's cases alone: name its file of deaths too, with DEATHS="
            )
        frame = _with_deaths(frame, source, deaths, changes)
    elif deaths is not None:
        raise ObservationsError(f"{source} ({file_format.name}) holds deaths itself: leave out {deaths}")
    if file_format is not formats.PLAIN:
        _refuse_weekly(frame, source)
    return Reported(source, file_format.name, frame, changes)


def _parse(source: str | Path) -> tuple[formats.Format, pd.DataFrame, list[str]]:
    """A file's format, its rows by country and day as reported, and what was changed for that."""
    text = _text(source)
    changes: list[str] = []
    try:
        if not text.strip():
            raise ObservationsError("the file is empty")
        if text.lstrip().startswith("<"):
            raise ObservationsError("this is a web page, not a CSV file: use the address of the file itself")
        file_format, raw = _cells(text)
        if raw.empty:
            raise ObservationsError("there are no rows under the header")
        frame = file_format.read(raw, changes)
        if frame.empty:
            raise ObservationsError("there is no row of a country")
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ObservationsError(f"{source}: the rows do not fit the header: {reason}") from None
    except ObservationsError as error:
        raise ObservationsError(f"{source}: {error}") from None
    return file_format, frame, changes


def _text(source: str | Path) -> str:
    try:
        path = Path(os.path.expanduser(source))  # `make data FILE=~/x.csv`: the shell leaves the ~
        content = download(str(source)) if is_address(source) else path.read_bytes()
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ObservationsError(f"{source} is not there: check the path") from None
    except UnicodeDecodeError:
        raise ObservationsError(f"{source} is not text in UTF-8: save it as CSV in UTF-8") from None
    except urllib.error.HTTPError as error:
        raise ObservationsError(f"{source} answered {error.code} {error.reason}: check the address") from None
    except urllib.error.URLError as error:
        raise ObservationsError(f"{source} does not answer: {error.reason}") from None
    except TimeoutError:
        raise ObservationsError(f"{source} does not answer: no data for {TIMEOUT} s") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ObservationsError(f"{source} cannot be read: {error}") from None


def _cells(text: str) -> tuple[formats.Format, pd.DataFrame]:
    """The format, and all cells as text without the spaces around them; the index tells the line.

    Separators are commas, semicolons or tabs: what the header has most of, or what a first line `sep=;`, as
    spreadsheets write it, says.
    """
    first, *others = re.split(r"\r\n|\r|\n", text, maxsplit=2)
    said = re.fullmatch(r'"?sep=(.)"?\s*', first)
    header = others[0] if said and others else first
    separator = said[1] if said else max(SEPARATORS, key=header.count)
    names = next(csv.reader([header], delimiter=separator), [])
    columns = [name.strip() or f"column {i + 1}" for i, name in enumerate(names)]
    file_format = formats.recognise(columns)
    if again := next((name for name in columns if columns.count(name) > 1), None):
        raise ObservationsError(f"the column {again} is there twice")
    only = file_format.only
    with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
        raw = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            names=columns,
            skiprows=2 if said else 1,
            dtype=str,
            na_filter=False,  # NA is Namibia
            index_col=False,
            skip_blank_lines=False,  # so that the index tells the line
            usecols=(lambda column: column in only) if only else None,
        )
    raw = raw.apply(lambda cells: cells.str.strip())
    raw.index += 1 if said else 0
    return file_format, raw[(raw != "").any(axis="columns")]


def _with_deaths(
    frame: pd.DataFrame, source: str | Path, deaths: str | Path, changes: list[str]
) -> pd.DataFrame:
    file_format, second, more = _parse(deaths)
    changes.extend(change for change in more if change not in changes)
    if file_format is not formats.JHU:
        raise ObservationsError(f"{deaths} is in the format {file_format.name}, not in JHU's as {source} is")
    frame = frame.rename(columns={"count": "cases"}).merge(
        second.rename(columns={"count": "deaths"}), how="outer", on=["date", "country"]
    )
    if frame["deaths"].sum() >= frame["cases"].sum() > 0:
        raise ObservationsError(f"{deaths} has no fewer deaths than {source} has cases: are the two swapped?")
    return frame


def _refuse_weekly(frame: pd.DataFrame, source: str | Path) -> None:
    if is_weekly(frame, "country", ["cases", "deaths"]):
        raise ObservationsError(
            f"{source} holds weekly counts, and how they spread over the days is not known: use a daily file"
        )
