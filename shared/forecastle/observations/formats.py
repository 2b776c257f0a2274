"""Formats: from text cells to typed columns, of ECDC, Our World in Data, WHO, JHU or plain columns.

Messages in here name the line; `readers` puts the file's name before them.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecastle.dates import newest_day
from forecastle.observations.schema import LONGEST_CODE, ObservationsError
from forecastle.places import CODES, JHU_CODES, NAMES

FIRST_YEAR = 1900
LONGEST = 100  # years that a file may span: a date beyond is a slip, and would make a row for every day

_ECDC_CODES = {"EL": "GRC", "UK": "GBR"}  # the European Union's own
_ECDC_POPULATION = ("popData2018", "popData2019", "popData2020")  # the name changed with the years
_OWID_CODES = {"OWID_KOS": "XKX"}
_JHU_PLACES = ("Province/State", "Country/Region", "Lat", "Long")
_HEADER = -1  # the index of the header's line, so that the first row has 0


def recognise(columns: list[str]) -> "Format":
    """The format that a file with these columns is in.

    Raises:
        ObservationsError: A column of the nearest format is missing.
    """
    nearest = max(FORMATS, key=lambda known: np.mean([column in columns for column in known.columns]))
    missing = [column for column in nearest.columns if column not in columns]
    if missing and "date" in columns and OF_SOURCES.isdisjoint(columns):
        return PLAIN
    if missing:
        known = "; ".join(f"{known.name}: {', '.join(known.columns)}" for known in FORMATS)
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


def _plain(raw: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """Dates, identifiers, perhaps names, and numbers."""
    columns = [column for column in raw.columns if column not in ("date", "name")]
    if len(columns) < 2:
        raise ObservationsError(
            "a column is missing: expected are date, one that says what a series is about, such as store, "
            "and one of numbers at least"
        )
    noun, *numbers = columns
    code = raw[noun]
    if (wrong := ~code.map(is_identifier)).any():
        raise ObservationsError(
            f"{_place(code, wrong)} is no identifier: it must have 1 to {LONGEST_CODE} characters, "
            "and no slash"
        )
    if noun == "country" and (unknown := ~code.isin(NAMES)).any():
        raise ObservationsError(f"{_place(code, unknown)} is no country's ISO 3166 alpha-3 code")
    dates = _dates(raw["date"], "%Y-%m-%d", ahead=True)
    frame = pd.DataFrame({"date": dates, noun: code})
    if "name" in raw:
        frame["name"] = raw["name"].where(raw["name"] != "", code)
    frame = frame.assign(**{column: _numbers(raw[column]) for column in numbers})
    if (again := frame.duplicated([noun, "date"])).any():
        raise ObservationsError(
            f"{_place(raw['date'], again)} is there a second time for {code[again].iloc[0]}"
        )
    return frame


def is_identifier(code: str) -> bool:
    """Whether a series may be called so: 1 to 64 printable characters, no slash, no blank at an end."""
    return 0 < len(code) <= LONGEST_CODE and code.isprintable() and "/" not in code and code == code.strip()


def _numbers(text: pd.Series) -> pd.Series:
    """Whole or real numbers; a blank is no report."""
    wrong = (text != "") & ~text.str.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
    if wrong.any():
        raise ObservationsError(f"{_place(text, wrong)} is not a number (leave it blank for no report)")
    # Decimals have a point in all rows, or digits behind it as many as they need: 1.5, 12.25.
    thousands, with_point = text.str.fullmatch(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}"), text.str.contains(r"[.eE]")
    if thousands.any() and (thousands == with_point).all() and (~thousands & (text != "")).any():
        place = _place(text, thousands)
        raise ObservationsError(f"{place} may be a thousand or a decimal: write thousands as digits alone")
    numbers = pd.to_numeric(text.where(text != "")).astype("Float64")
    whole = (numbers.dropna() % 1 == 0).all() and (numbers.dropna().abs() < 2**53).all()
    return numbers.astype("Int64") if whole else numbers


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
    days = raw.columns.drop(list(_JHU_PLACES))
    if days.empty:
        raise ObservationsError("there is no column of a day such as 1/22/20")
    header = pd.Series(days, index=[_HEADER] * len(days))
    # Both 1/22/20 and 1/22/2020 have been published.
    dates = _dates(header.str.replace(r"/20(\d\d)$", r"/\1", regex=True), "%m/%d/%y")
    if (again := dates.duplicated()).any():
        raise ObservationsError(f"{_place(header, again)} is there a second time")
    country = raw["Country/Region"].map(JHU_CODES)
    _report_unknown(country, raw["Country/Region"], changes)
    totals = raw[days].apply(_counts).set_axis(pd.Index(dates), axis="columns").sort_index(axis="columns")
    blank = totals.isna().groupby(country).all().T
    totals = totals.ffill(axis="columns").groupby(country).sum().T
    counts = totals.diff().fillna(totals).mask(blank)  # the first day's count is its total
    return (
        counts.rename_axis(index="date", columns="country")
        .reset_index()
        .melt(id_vars="date", value_name="count")
        .astype({"count": "Int64"})
    )


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
    if (same := frame.duplicated()).any():  # as in the ECDC's file of 20 June 2020
        rows = [f"{row.country} on {row.date:%Y-%m-%d}" for row in frame[same].itertuples()]
        changes.append(f"rows that are there twice with the same counts, taken once: {', '.join(rows)}")
        frame = frame[~same]
    if (again := frame.duplicated(["country", "date"])).any():
        place = _place(raw.loc[frame.index, date], again)
        raise ObservationsError(f"{place} is there a second time for {frame['country'][again].iloc[0]}")
    return frame


def _alpha3(codes: pd.Series, own: dict[str, str], changes: list[str]) -> pd.Series:
    """ISO alpha-3 for alpha-2, alpha-3 and a source's own codes; missing for any other."""
    for code in sorted(own.keys() & set(codes)):
        changes.append(f"code {code}, read as {own[code]}")
    return codes.map({**CODES, **own})


def _report_unknown(country: pd.Series, names: pd.Series, changes: list[str]) -> None:
    """Say which rows belong to no country: ships, continents, the world."""
    unknown = names[country.isna()]
    if len(unknown):
        places = ", ".join(name or "no name" for name in unknown.unique())
        changes.append(f"rows of no country, left out: {len(unknown):,} ({places})")


def _dates(text: pd.Series, date_format: str, ahead: bool = False) -> pd.Series:
    """The dates; with `ahead` they may lie in the future, as covariates may be known ahead."""
    dates = pd.to_datetime(text, format=date_format, errors="coerce").astype("datetime64[us]")
    if (wrong := dates.isna() | (dates.dt.year < FIRST_YEAR)).any():
        example = datetime.date(2020, 4, 24).strftime(date_format)
        raise ObservationsError(f"{_place(text, wrong)} is not a date such as {example}")
    if not ahead and (future := dates > pd.Timestamp(newest_day())).any():
        raise ObservationsError(f"{_place(text, future)} lies in the future")
    if (early := dates < dates.max() - pd.DateOffset(years=LONGEST)).any():
        last = f"{dates.max():%Y-%m-%d}"
        raise ObservationsError(f"{_place(text, early)} lies more than {LONGEST} years before {last}")
    return dates


def _counts(text: pd.Series) -> pd.Series:
    """Whole numbers, also those written as 12.0; a blank is no report."""
    wrong = (text != "") & ~text.str.fullmatch(r"-?[0-9]{1,12}(\.0*)?")
    if wrong.any():
        raise ObservationsError(f"{_place(text, wrong)} is not a whole number (leave it blank for no report)")
    if (ambiguous := text.str.fullmatch(r".*\.000")).any():
        place = _place(text, ambiguous)
        raise ObservationsError(f"{place} may be one or a thousand: write whole numbers as digits alone")
    return pd.to_numeric(text.where(text != "")).astype("Int64")


def _place(text: pd.Series, wrong: pd.Series) -> str:
    found = text[wrong.to_numpy()]
    column = f", column {text.name}" if text.name else ""
    return f"line {found.index[0] + 2}{column}: {found.iloc[0]!r}"


@dataclass(frozen=True)
class Format:
    """A known format.

    Attributes:
        name: Who publishes it.
        columns: The columns that tell it from others and that it must have.
        read: From text to typed columns. The index tells the line: 0 is the one under the header.
        only: The only columns that are read, if they are there: Our World in Data's dozens take much memory.
            None is all, which lets the reader notice rows that are too long.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[pd.DataFrame, list[str]], pd.DataFrame]
    only: tuple[str, ...] | None = None


_OWID_COLUMNS = ("date", "code", "country", "new_cases", "new_deaths")
_OWID_OLD_COLUMNS = ("date", "iso_code", "location", "new_cases", "new_deaths")
# Columns by which a file is one of a source's that lacks others, and no plain one.
OF_SOURCES = {"dateRep", "geoId", "iso_code", "new_cases", "new_deaths", "Date_reported", "Country_code"}
PLAIN = Format("plain", ("date",), _plain)
JHU = Format("JHU's time series", _JHU_PLACES, _jhu)
OURS = Format("our own", ("date", "country", "cases", "deaths"), _ours)
FORMATS = (
    OURS,
    Format("ECDC", ("dateRep", "geoId", "countriesAndTerritories", "cases", "deaths"), _ecdc),
    Format("Our World in Data", _OWID_COLUMNS, _owid, (*_OWID_COLUMNS, "population")),
    Format("Our World in Data", _OWID_OLD_COLUMNS, _owid, (*_OWID_OLD_COLUMNS, "population")),
    Format("WHO", ("Date_reported", "Country_code", "Country", "New_cases", "New_deaths"), _who),
    JHU,
)
