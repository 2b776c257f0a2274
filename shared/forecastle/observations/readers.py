"""Readers: a file or an address in the format of ECDC, Our World in Data, WHO, JHU or our own columns."""

import datetime
import http.client
import io
import os
import re
import urllib.error
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from forecastle.dates import newest_day
from forecastle.observations.address import TIMEOUT, download, is_address
from forecastle.observations.cleaning import clean
from forecastle.observations.schema import ObservationsError, span
from forecastle.places import CODES, JHU_CODES, NAMES

_ECDC_CODES = {"EL": "GRC", "UK": "GBR"}  # the European Union's own
_ECDC_POPULATION = ("popData2018", "popData2019", "popData2020")  # the name changed with the years
_OWID_CODES = {"OWID_KOS": "XKX"}


def read(
    source: str | Path,
    deaths: str | Path | None = None,
    *,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
) -> pd.DataFrame:
    """Read observations from a file or an http(s) address; the columns tell the format.

    Args:
        source: ECDC's daily file, Our World in Data's compact one, WHO's global daily one, JHU's wide time
            series of cases, or our own columns.
        deaths: JHU's second file.
        since: Days before it are cut off after cleaning, so that later revisions reach them first.
        until: Days after it are cut off before cleaning, so that nothing is known of them.

    Returns:
        The schema above, sorted by country and date. `attrs["format"]` names the format, `attrs["last_day"]`
        is the last day, and `attrs["changes"]` lists in words what was changed, the revisions last and the
        largest of them first.

    Raises:
        ObservationsError: It cannot be read, or is not what it should be.
    """
    file_format, frame, changes = _parse(source)
    if file_format is _JHU:
        if deaths is None:
            raise ObservationsError(
                f"{source} holds JHU's cases alone: name its file of deaths too, with DEATHS="
            )
        frame = _with_deaths(frame, source, deaths, changes)
    elif deaths is not None:
        raise ObservationsError(f"{source} ({file_format.name}) holds deaths itself: leave out {deaths}")
    held = span(frame)
    if until is not None:
        frame = frame[frame["date"] <= pd.Timestamp(until)]
    if len(frame):
        frame = clean(frame, changes)
    if since is not None:
        frame = frame[frame["date"] >= pd.Timestamp(since)].reset_index(drop=True)
    if frame.empty:
        raise ObservationsError(f"{source} has nothing in these days: it goes from {held}")
    last_day = frame["date"].max().date()
    frame.attrs = {"format": file_format.name, "last_day": last_day, "changes": changes}
    return frame


# From bytes to typed columns. Messages in here name the line; `_parse` puts the file's name before them.


def _parse(source: str | Path) -> tuple["_Format", pd.DataFrame, list[str]]:
    """A file's format, its rows by country and day as reported, and what was changed for that."""
    text = _text(source)
    changes: list[str] = []
    try:
        if not text.strip():
            raise ObservationsError("the file is empty")
        if text.lstrip().startswith("<"):
            raise ObservationsError("this is a web page, not a CSV file: use the address of the file itself")
        file_format = _recognise(
            pd.read_csv(io.StringIO(text), nrows=0, skip_blank_lines=False).columns.tolist()
        )
        only = file_format.only
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            raw = pd.read_csv(
                io.StringIO(text),
                dtype=str,
                na_filter=False,  # NA is Namibia
                index_col=False,
                skip_blank_lines=False,  # so that the index tells the line
                usecols=(lambda column: column in only) if only else None,
            )
        raw = raw[(raw != "").any(axis="columns")]
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


def _recognise(columns: list[str]) -> "_Format":
    nearest = max(_FORMATS, key=lambda known: np.mean([column in columns for column in known.columns]))
    if missing := [column for column in nearest.columns if column not in columns]:
        known = "; ".join(f"{known.name}: {', '.join(known.columns)}" for known in _FORMATS)
        columns_missing = f"missing among the columns: {', '.join(missing)}"
        raise ObservationsError(
            f"{columns_missing}; the nearest format is {nearest.name} (known are {known})"
        )
    return nearest


def _ours(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    country = raw["country"].map(CODES)
    if (unknown := country.isna()).any():
        raise ObservationsError(f"{_place(raw['country'], unknown)} is no country's ISO 3166 alpha-3 code")
    names = country.map(NAMES)
    if "name" in raw:
        names = raw["name"].where(raw["name"] != "", names)
    return _by_day(raw, country, names, changes).assign(name=names)


def _ecdc(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    codes = raw["geoId"]
    if "countryterritoryCode" in raw:  # alpha-3, but not for all
        codes = raw["countryterritoryCode"].where(raw["countryterritoryCode"].isin(NAMES), codes)
    country = _alpha3(codes, _ECDC_CODES, changes)
    names = raw["countriesAndTerritories"].str.replace("_", " ")
    population = next((column for column in _ECDC_POPULATION if column in raw), "")
    return _by_day(raw, country, names, changes, "dateRep", "%d/%m/%Y", population=population)


def _owid(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    old = "iso_code" in raw
    country = _alpha3(raw["iso_code" if old else "code"], _OWID_CODES, changes)
    names = raw["location" if old else "country"]
    return _by_day(raw, country, names, changes, cases="new_cases", deaths="new_deaths")


def _who(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    country = _alpha3(raw["Country_code"], {}, changes)
    return _by_day(
        raw, country, raw["Country"], changes, "Date_reported", cases="New_cases", deaths="New_deaths"
    )


def _jhu(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """From running totals by province, a column a day, to daily counts by country in the column `count`."""
    places = raw["Country/Region"].str.cat(raw["Province/State"], sep=" ").str.strip()
    if (again := places.duplicated()).any():
        raise ObservationsError(f"{_place(places, again)} is there a second time")
    days = raw.columns.drop(["Province/State", "Country/Region", "Lat", "Long"])
    if days.empty:
        raise ObservationsError("there is no column of a day such as 1/22/20")
    # Both 1/22/20 and 1/22/2020 have been published. The header is line 1, whose index would be -1.
    short = [re.sub(r"/20(\d\d)$", r"/\1", day) for day in days]
    dates = _dates(pd.Series(short, index=[-1] * len(days)), "%m/%d/%y")
    country = raw["Country/Region"].map(JHU_CODES)
    _report_unknown(country, raw["Country/Region"], changes)
    totals = raw[days].apply(_counts).set_axis(pd.Index(dates), axis="columns")
    blank = totals.isna().groupby(country).all().T
    totals = totals.ffill(axis="columns").groupby(country).sum().T
    counts = totals.diff().fillna(totals).mask(blank)  # the first day's count is its total
    return (
        counts.rename_axis(index="date", columns="country")
        .reset_index()
        .melt(id_vars="date", value_name="count")
        .astype({"count": "Int64"})
    )


def _with_deaths(
    frame: pd.DataFrame, source: str | Path, deaths: str | Path, changes: list[str]
) -> pd.DataFrame:
    file_format, second, more = _parse(deaths)
    changes.extend(change for change in more if change not in changes)
    if file_format is not _JHU:
        raise ObservationsError(f"{deaths} is in the format {file_format.name}, not in JHU's as {source} is")
    frame = frame.rename(columns={"count": "cases"}).merge(
        second.rename(columns={"count": "deaths"}), how="outer", on=["date", "country"]
    )
    if frame["deaths"].sum() >= frame["cases"].sum() > 0:
        raise ObservationsError(f"{deaths} has no fewer deaths than {source} has cases: are the two swapped?")
    return frame


def _by_day(
    raw: pd.DataFrame,
    country: pd.Series,
    names: pd.Series,
    changes: list[str],
    date: str = "date",
    date_format: str = "%Y-%m-%d",
    cases: str = "cases",
    deaths: str = "deaths",
    population: str = "population",
) -> pd.DataFrame:
    """The common columns of a file with a row for each country and day."""
    _report_unknown(country, names, changes)
    columns = {"date": _dates(raw[date], date_format), "country": country}
    columns |= {"cases": _counts(raw[cases]), "deaths": _counts(raw[deaths])}
    if population in raw:
        columns["population"] = _counts(raw[population])
    frame = pd.DataFrame(columns).dropna(subset="country")
    if (again := frame.duplicated(["country", "date"])).any():
        place = _place(raw.loc[frame.index, date], again)
        raise ObservationsError(f"{place} is there a second time for {frame['country'][again].iloc[0]}")
    return frame


def _alpha3(codes: pd.Series, own: dict[str, str], changes: list[str]) -> pd.Series:
    """ISO alpha-3 for alpha-2, alpha-3 and a source's own codes; missing where there is none."""
    for code in sorted(own.keys() & set(codes)):
        changes.append(f"code {code}, read as {own[code]}")
    return codes.map({**CODES, **own})


def _report_unknown(country: pd.Series, names: pd.Series, changes: list[str]) -> None:
    """Say which rows belong to no country: ships, continents, the world."""
    unknown = names[country.isna()]
    if len(unknown):
        places = ", ".join(name.strip() or "no name" for name in unknown.unique())
        changes.append(f"rows of no country, left out: {len(unknown):,} ({places})")


def _dates(text: pd.Series, date_format: str) -> pd.Series:
    dates = pd.to_datetime(text.str.strip(), format=date_format, errors="coerce").astype("datetime64[us]")
    if dates.isna().any():
        example = datetime.date(2020, 4, 24).strftime(date_format)
        raise ObservationsError(f"{_place(text, dates.isna())} is not a date such as {example}")
    if (future := dates > pd.Timestamp(newest_day())).any():
        raise ObservationsError(f"{_place(text, future)} lies in the future")
    return dates


def _counts(text: pd.Series) -> pd.Series:
    """Whole numbers, also those written as 12.0; a blank is no report."""
    text = text.str.strip()
    wrong = (text != "") & ~text.str.fullmatch(r"-?[0-9]{1,12}(\.0*)?")
    if wrong.any():
        raise ObservationsError(f"{_place(text, wrong)} is not a whole number (leave it blank for no report)")
    return pd.to_numeric(text.where(text != "")).astype("Int64")


def _place(text: pd.Series, wrong: pd.Series) -> str:
    found = text[wrong.to_numpy()]
    column = f", column {text.name}" if text.name else ""
    return f"line {found.index[0] + 2}{column}: {found.iloc[0]!r}"


@dataclass(frozen=True)
class _Format:
    """A known format.

    Attributes:
        name: Who publishes it.
        columns: The columns that tell it from others and that it must have.
        read: From text to typed columns.
        only: The only columns that are read, if they are there: Our World in Data's dozens take much memory.
            None is all, which lets the reader notice rows that are too long.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[pd.DataFrame, list[str]], pd.DataFrame]
    only: tuple[str, ...] | None = None


_OWID_COLUMNS = ("date", "code", "country", "new_cases", "new_deaths")
_OWID_OLD_COLUMNS = ("date", "iso_code", "location", "new_cases", "new_deaths")
_JHU = _Format("JHU's time series", ("Province/State", "Country/Region", "Lat", "Long"), _jhu)
_FORMATS = (
    _Format("our own", ("date", "country", "cases", "deaths"), _ours),
    _Format("ECDC", ("dateRep", "geoId", "countriesAndTerritories", "cases", "deaths"), _ecdc),
    _Format("Our World in Data", _OWID_COLUMNS, _owid, (*_OWID_COLUMNS, "population")),
    _Format("Our World in Data", _OWID_OLD_COLUMNS, _owid, (*_OWID_OLD_COLUMNS, "population")),
    _Format("WHO", ("Date_reported", "Country_code", "Country", "New_cases", "New_deaths"), _who),
    _JHU,
)
