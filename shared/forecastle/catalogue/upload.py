"""Rows of counts as CSV or as JSON, which are what they should be or are refused whole.

| column       | holds                                                       |
|--------------|-------------------------------------------------------------|
| `date`       | the day, as 2020-04-24                                      |
| `country`    | ISO 3166 alpha-3                                            |
| `cases`      | new cases on that day, at least 0; blank is no report       |
| `deaths`     | new deaths on that day, likewise                            |
| `population` | if known                                                    |
| `name`       | is passed over: names are those of `countries.csv`          |

Of `cases`, `deaths` and `population` one is enough; what a file leaves out stays as it was reported before.
"""

import csv
import datetime
import io
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from forecastle.places import NAMES

COUNTS = ("cases", "deaths", "population")
COLUMNS = ("date", "country", "name", *COUNTS)
MOST_TOLD = 10  # things that are wrong with a file
LARGEST = 8 * 2**20  # bytes at a time
TOO_LARGE = f"there are more than {LARGEST:,} bytes: send the days in several parts"
MOST = 10**12  # counts, fewer than that
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WHOLE = re.compile(r"[0-9]{1,12}(\.0*)?")
# The day may have begun in Kiribati already, whatever day it is here.
EASTERNMOST = datetime.timezone(datetime.timedelta(hours=14))


class Row(NamedTuple):
    """What is reported of a country and a day."""

    date: datetime.date
    country: str
    counts: dict[str, int | None]  # by those of `COUNTS` that are reported


class RowsError(Exception):
    """The rows are refused.

    Attributes:
        errors: What is wrong, the first `MOST_TOLD` of it: pairs of a place, such as `line 17, deaths`, and a
            detail.
        more: How much more is wrong.
    """

    def __init__(self, errors: list[tuple[str, str]], more: int = 0) -> None:
        self.errors, self.more = errors, more
        told = "; ".join(f"{place}: {detail}" if place else detail for place, detail in errors)
        super().__init__(f"{told}; and {more} more" if more else told)


def from_csv(content: bytes) -> list[Row]:
    """The rows of a CSV file with a header.

    Raises:
        RowsError: It is no such file, it seems to be cut off, or a row is not what it should be.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RowsError([("", f"byte {error.start} is not UTF-8: save the file as CSV in UTF-8")]) from None
    if not text.strip():
        raise RowsError([("", "there are no rows")])
    if not text.endswith(("\n", "\r")):
        detail = "the last line does not end in a line break: is the file half written?"
        raise RowsError([(f"line {text.count(chr(10)) + 1}", detail)])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [column.strip() for column in next(reader)]
        _check_columns(columns)
        return _checked(_fields(reader, columns))
    except csv.Error as error:
        raise RowsError([(f"line {reader.line_num}", f"this is not CSV: {error}")]) from None


def from_json(content: bytes) -> list[Row]:
    """The rows of `{"observations": [{"date": ..., "country": ..., "cases": ..., "deaths": ...}, ...]}`.

    Raises:
        RowsError: It is no such document, or a row is not what it should be.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RowsError([("", f"this is not JSON: {error}")]) from None
    entries = document.get("observations") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(document) > 1:
        raise RowsError([("", 'this is not of the form {"observations": [{"date": ...}, ...]}')])
    return _checked((f"observations.{i}", entry) for i, entry in enumerate(entries))


def _check_columns(columns: list[str]) -> None:
    missing = [column for column in ("date", "country") if column not in columns]
    unknown = [column for column in columns if column not in COLUMNS]
    if missing or unknown or not set(columns) & set(COUNTS) or len(set(columns)) < len(columns):
        found = ",".join(columns)[:80]
        detail = (
            f"the columns are {found}, not some of {','.join(COLUMNS)}, date, country and a count among them"
        )
        raise RowsError([("line 1", detail)])


def _fields(reader: Any, columns: list[str]) -> Iterator[tuple[str, Any]]:
    """Each row's place and, by column, its text."""
    for values in reader:
        if not any(values):
            continue
        place = f"line {reader.line_num}"
        if len(values) != len(columns):
            yield place, f"it has {len(values)} values for {len(columns)} columns: is the file half written?"
        else:
            yield place, dict(zip(columns, values, strict=True))


def _checked(entries: Iterator[tuple[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    errors: list[tuple[str, str]] = []
    places: dict[tuple[str, datetime.date], str] = {}
    wrong, latest = 0, datetime.datetime.now(EASTERNMOST).date()
    for place, entry in entries:
        found = list(_errors(entry, latest))
        if not found:
            row = _row(entry)
            key = row.country, row.date
            if key in places:
                found.append(("", f"{row.country} on {row.date} is there already, in {places[key]}"))
            else:
                places[key] = place
                rows.append(row)
        wrong += len(found)
        for column, detail in found[: MOST_TOLD - len(errors)]:
            errors.append((f"{place}, {column}" if column else place, detail))
    if wrong:
        raise RowsError(errors, wrong - len(errors))
    if not rows:
        raise RowsError([("", "there are no rows")])
    return rows


def _errors(entry: Any, latest: datetime.date) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry: columns and details."""
    if isinstance(entry, str):  # what `_fields` says of it
        yield "", entry
        return
    if not isinstance(entry, dict) or not entry.keys() & set(COUNTS) or entry.keys() - set(COLUMNS):
        yield "", f"it must have date, country, some of {', '.join(COUNTS)}, and nothing else but a name"
        return
    date, country = entry.get("date"), entry.get("country")
    if (day := _date(date)) is None:
        yield "date", f"{_shown(date)} is not a date such as 2020-04-24"
    elif day > latest:
        yield "date", f"{day} lies in the future"
    if not isinstance(country, str) or country not in NAMES:
        yield "country", f"{_shown(country)} is no country's ISO 3166 alpha-3 code"
    for column in COUNTS:
        if not _is_count(value := entry.get(column)):
            detail = f"{_shown(value)} is not a whole number of at least 0 (blank or null is no report)"
            yield column, detail


def _row(entry: dict[str, Any]) -> Row:
    counts = {column: _count(entry[column]) for column in COUNTS if column in entry}
    return Row(datetime.date.fromisoformat(entry["date"]), entry["country"], counts)


def _date(value: Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(value) if DATE.fullmatch(value) else None
    except (ValueError, TypeError):
        return None


def _is_count(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() == "" or WHOLE.fullmatch(value.strip()) is not None
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int) and 0 <= value < MOST)


def _count(value: str | int | None) -> int | None:
    if isinstance(value, str):
        return int(value.strip().partition(".")[0]) if value.strip() else None
    return value


def _shown(value: Any) -> str:
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}..."
