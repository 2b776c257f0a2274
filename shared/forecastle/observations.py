"""The observations: daily cases and deaths by country, whoever reported them, in one schema.

| column       | holds                                                                                 |
|--------------|---------------------------------------------------------------------------------------|
| `date`       | the day, one row for each between a country's first and its last                       |
| `country`    | ISO 3166 alpha-3 (and XKX, Kosovo)                                                     |
| `name`       | the country's name in English                                                          |
| `cases`      | new cases on that day; missing is no report                                            |
| `deaths`     | new deaths on that day; missing is no report                                           |
| `population` | where the source has it                                                                |

Sources count down as well as up. A negative day is a revision of the days before it: it becomes missing, and
they are scaled down in proportion, so that the running total stays the reported one and no count is negative.

    python -m forecastle.observations --file PATH_OR_URL    use these data from now on (`make data FILE=...`)
    python -m forecastle.observations                       go back to the default (`make data`)
"""

import argparse
import csv
import datetime
import http.client
import io
import os
import re
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parents[2] / "data"
DEFAULT = "first-wave-2020.csv"
CURRENT = "current.csv"
TIMEOUT = 30  # seconds that a server may keep silent
LEAST_CASES, LEAST_DEATHS = 100, 50  # one country must reach either, or no model has anything to fit
COLUMNS = ("date", "country", "name", "cases", "deaths", "population")
SILENT = 28  # days without a report after which a country counts as no longer reporting
USUAL = 20  # a day; of fewer, chance alone may leave a day with less than a third
SHOWN = 12  # lines of changes that the command prints
JUMP = (
    100  # times in a day: real totals at most trebled in one after the 100th case, or grew tenfold in a week
)

with Path(__file__).with_name("countries.csv").open(encoding="utf-8", newline="") as file:
    _COUNTRIES = list(csv.DictReader(file))
NAMES = {row["alpha3"]: row["name"] for row in _COUNTRIES}
_CODES = {row[kind]: row["alpha3"] for row in _COUNTRIES for kind in ("alpha2", "alpha3")}
_JHU_NAMES = {row["jhu"] or row["name"]: row["alpha3"] for row in _COUNTRIES}
_ECDC_CODES = {"EL": "GRC", "UK": "GBR"}  # the European Union's own
_ECDC_POPULATION = ("popData2018", "popData2019", "popData2020")  # the name changed with the years
_OWID_CODES = {"OWID_KOS": "XKX"}


class ObservationsError(Exception):
    """The data cannot be used; the message is one line that names the file, the place and what is wrong."""


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
    held = _span(frame)
    if until is not None:
        frame = frame[frame["date"] <= pd.Timestamp(until)]
    if len(frame):
        frame = _clean(frame, changes)
    if since is not None:
        frame = frame[frame["date"] >= pd.Timestamp(since)].reset_index(drop=True)
    if frame.empty:
        raise ObservationsError(f"{source} has nothing in these days: it goes from {held}")
    last_day = frame["date"].max().date()
    frame.attrs = {"format": file_format.name, "last_day": last_day, "changes": changes}
    return frame


def since_total(
    frame: pd.DataFrame, column: str, *, start: int, total: int, days: int = 7, last: int | None = None
) -> pd.DataFrame:
    """One count, of the countries that have enough of it, from the day of their `start`-th on.

    Args:
        frame: As `read` gives it.
        column: `cases` or `deaths`.
        start: The running total that a country's first day must have reached.
        total: The least total of a country that is kept.
        days: The least number of reported days that it must have from its first day on.
        last: At most so many days of a country are kept, its latest.

    Returns:
        Columns `date`, `country`, `name`, `count` (of that day, missing if not reported) and `total` (the
        running total, days before the first included). A country's last row is its last reported day, or
        the one before if that day looks reported in part.
        `attrs` are the frame's; `attrs["excluded"]` says of each country that is left out its name and the
        reason.

    Raises:
        ObservationsError: No country is kept.
    """
    kept, excluded, left_out = [], {}, []
    end = frame["date"].max()
    for country, rows in frame.groupby("country"):
        name, reported = rows["name"].iloc[0], rows["date"][rows[column].notna()]
        rows = rows[rows["date"] <= reported.max()]
        if in_part := _last_day_in_part(rows[column]):
            left_out.append(f"{name} ({country}) on {rows['date'].iloc[-1]:%Y-%m-%d}: {in_part}")
            rows = rows.iloc[:-1]
        running = rows[column].fillna(0).cumsum()
        selected = rows[["date", "country", "name"]].assign(count=rows[column], total=running)
        selected = selected[running >= start]
        selected = selected if last is None else selected.tail(last)
        if running.sum() == 0 or running.iloc[-1] < total:
            reason = f"fewer than {total} {column}: {running.max() if len(running) else 0}"
        elif end - reported.max() > pd.Timedelta(SILENT, unit="D"):
            reason = f"no report of {column} since {reported.max():%Y-%m-%d}"
        elif (known := selected["count"].notna().sum()) < days:
            reason = f"fewer than {days} reported days since its {column} reached {start}: {known}"
        else:
            kept.append(selected)
            continue
        excluded[str(country)] = {"name": name, "reason": reason}
    if not kept:
        raise ObservationsError(
            f"no country has {total} {column} or more, and {days} reported days since they reached {start}"
        )
    selection = pd.concat(kept, ignore_index=True)
    selection.attrs = {**frame.attrs, "excluded": excluded}
    if left_out:
        said = f"last days that look as if {column} were reported in part, left out: {'; '.join(left_out)}"
        selection.attrs["changes"] = [*frame.attrs.get("changes", []), said]
    return selection


def _last_day_in_part(count: pd.Series) -> str | None:
    """What makes the last of these daily counts look like a part of that day's; None if nothing does.

    It is less than a third of the mean of the seven days before, and less than half of the same weekday's
    count a week before, so that no Sunday is left out for being one.
    """
    last, week = count.iloc[-1], count.iloc[-8:-1]
    usual = week.mean()
    if len(week) < 7 or week.iloc[[0]].isna().any() or usual < USUAL:
        return None
    if last >= usual / 3 or last >= week.iloc[0] / 2:
        return None
    return f"{last:,}, where {usual:,.0f} a day were usual"


def running_totals(
    frame: pd.DataFrame, column: str, *, start: int, days: int = 7, first: int | None = None
) -> pd.DataFrame:
    """The running total of one count, of the countries that have enough of it, from its `start`-th on.

    A total that stands still from its first day on, or jumps, is no curve's: such a country is left out.

    Args:
        frame: As `read` gives it.
        column: `cases` or `deaths`.
        start: The running total that a country's first day must have reached.
        days: The least number of reported days among those kept.
        first: At most so many days of a country are kept, its first.

    Returns:
        As `since_total` gives it, but `count` is the running total, missing on days without a report. Where
        the frame has it, `population` besides.

    Raises:
        ObservationsError: No country is kept.
    """
    rows = since_total(frame, column, start=start, total=start, days=days)
    kept, excluded = [], dict(rows.attrs["excluded"])
    for country, group in rows.groupby("country"):
        days_kept = group if first is None else group.head(first)
        totals = days_kept.set_index("date")["total"][days_kept["count"].notna().to_numpy()]
        if reason := _no_curve(totals, column, days):
            excluded[str(country)] = {"name": group["name"].iloc[0], "reason": reason}
        else:
            until_last = days_kept[days_kept["date"] <= totals.index[-1]]
            kept.append(until_last.assign(count=until_last["total"].mask(until_last["count"].isna())))
    if not kept:
        reasons = sorted({entry["reason"] for entry in excluded.values()})
        raise ObservationsError(f"no country's {column} can be fitted: {'; '.join(reasons[:3])}")
    selection = pd.concat(kept, ignore_index=True)
    if "population" in frame:
        selection["population"] = selection["country"].map(frame.groupby("country")["population"].first())
    selection.attrs = {**rows.attrs, "excluded": excluded}
    return selection


def _no_curve(totals: pd.Series, column: str, days: int) -> str | None:
    """Why no growth curve can be fitted to these reported totals; None if one can."""
    if len(totals) < days:
        return f"fewer than {days} reported days of {column} to fit: {len(totals)}"
    if totals.iloc[0] == totals.iloc[-1]:
        return f"no new {column} from {totals.index[0]:%Y-%m-%d} to {totals.index[-1]:%Y-%m-%d}"
    elapsed = np.diff(totals.index) / pd.Timedelta(1, unit="D")
    growth = np.diff(np.log(totals.to_numpy(dtype=float))) / elapsed
    if growth.max() > np.log(JUMP):
        jump = int(growth.argmax())
        before, after = totals.iloc[jump], totals.iloc[jump + 1]
        return f"{column} jump from {before:,} to {after:,} on {totals.index[jump + 1]:%Y-%m-%d}"
    return None


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


def default_path() -> Path:
    """The data in use: `FORECASTLE_DATA` if set, else what `make data` made, else the first wave."""
    if path := os.environ.get("FORECASTLE_DATA"):
        return Path(path)
    return DATA / CURRENT if (DATA / CURRENT).is_file() else DATA / DEFAULT


def main(argv: Sequence[str] | None = None, folder: Path = DATA) -> int:
    """Choose the data that `make run` and `make build` use; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.observations",
        description="Choose the data that `make run` and `make build` use.",
    )
    parser.add_argument("--file", metavar="PATH_OR_URL", help="the data to use; without it, the default")
    parser.add_argument("--deaths", metavar="PATH_OR_URL", help="JHU's second file")
    parser.add_argument("--since", metavar="DATE", help="leave out earlier days")
    parser.add_argument("--until", metavar="DATE", help="leave out later days")
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
    source = options.file or folder / DEFAULT
    since, until = _day(options.since, "SINCE"), _day(options.until, "UNTIL")
    frame = read(source, options.deaths or None, since=since, until=until)
    totals = frame.groupby("country")[["cases", "deaths"]].sum()
    if not ((totals["cases"] >= LEAST_CASES) | (totals["deaths"] >= LEAST_DEATHS)).any():
        threshold = f"{LEAST_DEATHS} deaths or {LEAST_CASES} cases in total"
        raise ObservationsError(f"{source}: no country over the threshold of {threshold}")
    write(frame, folder / CURRENT)
    changes = frame.attrs["changes"]
    print(f"{source}: {frame.attrs['format']}")
    print(f"  rows {len(frame):,}, countries {len(totals)}, days {_span(frame)}")
    print(f"  cases {totals['cases'].sum():,}, deaths {totals['deaths'].sum():,}")
    for change in changes[:SHOWN]:
        print(f"  {change}")
    if len(changes) > SHOWN:
        print(f"  ... and {len(changes) - SHOWN} more like these")
    print(f"{folder / CURRENT} is written: `make run` and `make build` now use it, until `make data`")


def _use_default(folder: Path) -> None:
    if not (folder / DEFAULT).is_file():
        raise ObservationsError(f"{folder / DEFAULT} is missing: check it out again")
    (folder / CURRENT).unlink(missing_ok=True)
    (folder / DEFAULT).touch()  # or Make would not see that the data have changed
    print(f"{folder / DEFAULT} is in use again")


def _day(text: str | None, variable: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError:
        raise ObservationsError(f"{variable}={text} is not a date such as 2020-04-24") from None


def _span(frame: pd.DataFrame) -> str:
    return f"{frame['date'].min():%Y-%m-%d} to {frame['date'].max():%Y-%m-%d}"


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
        if str(source).startswith(("http://", "https://")):
            request = urllib.request.Request(str(source), headers={"User-Agent": "forecastle"})
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                content = response.read()
        else:
            content = Path(source).read_bytes()
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
    country = raw["country"].map(_CODES)
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
    country = raw["Country/Region"].map(_JHU_NAMES)
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
    return codes.map({**_CODES, **own})


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
    if (future := dates > pd.Timestamp.today()).any():
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


# Cleaning.


def _clean(frame: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """A row for every day of every country, and no negative counts."""
    cleaned = []
    gaps: dict[str, int] = {}
    revisions: list[tuple[int, str]] = []
    for country, rows in frame.groupby("country"):
        days = rows.set_index("date").sort_index()
        days = days.reindex(pd.date_range(days.index[0], days.index[-1], name="date", unit="us"))
        gaps[NAMES[country]] = len(days) - len(rows)
        for constant in {"country", "name", "population"} & set(days):
            days[constant] = rows[constant].bfill().iloc[0]
        for column in ("cases", "deaths"):
            counts = days[column]
            days[column], found = _without_revisions(counts)
            for i, effect in found:
                where = f"{NAMES[country]} ({country}) on {days.index[i]:%Y-%m-%d}"
                revisions.append((counts.iloc[i], f"{where}: {counts.iloc[i]:,} {column}, {effect}"))
        cleaned.append(days.reset_index())
    if total := sum(gaps.values()):
        most = max(gaps, key=lambda name: gaps[name])
        changes.append(f"days without a row, now missing: {total:,}, most of them in {most} ({gaps[most]})")
    if revisions:
        changes.append(f"negative counts, taken as revisions of the days before: {len(revisions):,}")
        changes.extend(line for _, line in sorted(revisions))
    result = pd.concat(cleaned, ignore_index=True)
    if "name" not in result:
        result["name"] = result["country"].map(NAMES)
    if "population" in result:
        result["population"] = result["population"].astype("Int64")
    return result[[column for column in COLUMNS if column in result]]


def _without_revisions(counts: pd.Series) -> tuple[pd.Series, list[tuple[int, str]]]:
    """Make each negative day missing and scale the days before it down to the new running total.

    Returns:
        The counts, and for each negative day its position and what became of the days before.
    """
    missing = counts.isna().to_numpy(copy=True)
    values = counts.fillna(0).to_numpy(dtype=float)
    found = []
    for i in np.flatnonzero(values < 0).tolist():
        # Differences of rounded running totals, not rounded counts: they add up to the new total.
        totals = values[:i].cumsum()
        before = totals[-1] if i else 0.0
        after = max(before + values[i], 0.0)
        scale = after / before if before else 0.0
        found.append((i, f"the days before are scaled by {scale:.4f}"))
        values[:i] = np.diff(np.rint(totals * scale), prepend=0.0)
        values[i], missing[i] = 0.0, True
    return pd.Series(values, counts.index).astype("Int64").mask(missing), found


if __name__ == "__main__":
    sys.exit(main())
