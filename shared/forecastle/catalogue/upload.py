"""Reported values of series of one noun, as CSV or JSON. A file is read whole or refused whole.

The columns of CSV, and the members of a JSON row, are `date`; one whose name is the noun, what a series is
about, such as `country`, and whose values are identifiers; perhaps `name`; and any measures, which are
numbers. A measure that a file leaves out stays as it was reported before.

Countries have ISO 3166 alpha-3 codes, and their cases, deaths and population are whole numbers.
"""

import csv
import datetime
import io
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from forecastle.dates import iso_day, newest_day
from forecastle.places import NAMES

COUNTRY = "country"
COUNTS = ("cases", "deaths", "population")  # of countries
MOST_ERRORS = 10  # that are listed; the others are counted
LARGEST = 8 * 2**20  # bytes of a file
TOO_LARGE = f"there are more than {LARGEST:,} bytes: send the dates in several parts"
LONGEST = 64  # characters of an identifier, a noun or a measure
MOST_MEASURES = 100
GREATEST = 1e100  # numbers are less than that
FIRST_YEAR = 1900  # an earlier date is a slip
MOST_YEARS = 3  # ahead of which a covariate may be known
SEPARATORS = (",", ";", "\t")  # of CSV: what the header has most of
WHOLE = re.compile(r"([0-9]{1,12})(\.0*)?")
AMBIGUOUS = re.compile(r"[0-9]{1,3}\.000")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", re.ASCII)

MUST_BE_DAY = "must be a date such as 2020-04-24"
MUST_BE_COUNTRY = "must be a country's ISO 3166 alpha-3 code"
MUST_BE_IDENTIFIER = (
    f"must be an identifier of 1 to {LONGEST} characters, with no slash and no blank at its ends"
)
MUST_BE_WHOLE = "must be a whole number of at least 0, or blank or null if nothing was reported"
MUST_BE_CLEAR = "may be one or a thousand: write whole numbers as digits alone"
MUST_BE_NUMBER = "must be a number, or blank or null if nothing was reported"
MUST_BE_NAMED = f"must have a name of 1 to {LONGEST} characters, with no blank at its ends"
COLUMNS = "date, one that says what a series is about, such as country, and at least one of numbers"


class Row(NamedTuple):
    """What was reported of a series and a date."""

    date: datetime.date
    series: str
    values: dict[str, float | None]  # by the measures that are given; None: there was no report


class Reports(NamedTuple):
    """The rows of a file.

    Attributes:
        noun: What the series are about, such as "country".
        rows: At least one, and one at most for a series and date.
        names: Of the series that have one, by identifier; not of countries.
    """

    noun: str
    rows: list[Row]
    names: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


class RowsError(Exception):
    """The file is refused.

    Attributes:
        errors: The first `MOST_ERRORS` errors: pairs of a place, such as `line 17, deaths`, and a detail.
        more: The number of further errors.
    """

    def __init__(self, errors: list[tuple[str, str]], more: int = 0) -> None:
        self.errors, self.more = errors, more
        text = "; ".join(f"{place}: {detail}" if place else detail for place, detail in errors)
        super().__init__(f"{text}; and {more} more" if more else text)


class NotJSONError(RowsError):
    """The body is not JSON at all."""


def from_csv(content: bytes) -> Reports:
    """The rows of a CSV file with a header, separated by commas, semicolons or tabs.

    Raises:
        RowsError: The file is not such CSV, seems to be cut off, or has an invalid row.
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
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    try:
        columns = [column.strip() for column in next(reader)]
        noun = _noun(columns)
        _check_columns(columns, noun)
        rows = _Rows(noun)
        for cells in reader:
            place, values = f"line {reader.line_num}", [cell.strip() for cell in cells]
            if not any(values):
                continue
            if len(values) == len(columns):
                rows.add(place, dict(zip(columns, values, strict=True)))
            else:
                detail = f"it has {len(values)} values for {len(columns)} columns: is the file half written?"
                rows.refuse(place, detail)
        return rows.all_valid()
    except csv.Error as error:
        raise RowsError([(f"line {reader.line_num}", f"this is not CSV: {error}")]) from None


def from_json(content: bytes) -> Reports:
    """The rows of `{"observations": [{"date": ..., "country": ..., "cases": ..., "deaths": ...}, ...]}`.

    The noun is that of the first row. If it is not `country`, it is the first member with a text.

    Raises:
        NotJSONError: The file is not JSON.
        RowsError: It is not such JSON, or has an invalid row.
    """
    try:
        document = json.loads(content, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise NotJSONError([("", f"this is not JSON: {error}")]) from None
    entries = document.get("observations") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(document) > 1:
        raise RowsError([("", 'this is not of the form {"observations": [{"date": ...}, ...]}')])
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    texts = [member for member, value in first.items() if isinstance(value, str)]
    rows = _Rows(_noun([*texts, *first]) or COUNTRY)
    for index, entry in enumerate(entries):
        rows.add(f"observations.{index}", entry)
    return rows.all_valid()


def number(value: float | None) -> float | None:
    """Whole numbers as such, so that they are written without a point."""
    return int(value) if value is not None and value.is_integer() else value


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; which of two members of one name is meant nobody knows."""
    read = dict(members)
    if len(read) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise RowsError([("", f"the member {twice[:40]!r} is there twice in an object")])
    return read


def _noun(columns: Iterable[str]) -> str:
    """What the series are about: the first column that is neither `date` nor `name`; "" if there is none."""
    others = [column for column in columns if column not in ("date", "name")]
    return COUNTRY if COUNTRY in others else next(iter(others), "")


def _check_columns(columns: list[str], noun: str) -> None:
    given = ",".join(columns)[:80]
    measures = [column for column in columns if column not in ("date", "name", noun)]
    if "date" not in columns or not measures or len(set(columns)) < len(columns):
        detail = f"the columns are {given}: there must be {COLUMNS}, each once"
    elif wrong := [column for column in (noun, *measures) if not _is_name(column)]:
        detail = f"the column {wrong[0][:40]!r} {MUST_BE_NAMED}"
    elif len(measures) > MOST_MEASURES:
        detail = f"there are {len(measures)} measures, and up to {MOST_MEASURES} are taken"
    else:
        return
    raise RowsError([("line 1", detail)])


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable() and text == text.strip()


class _Rows:
    """The rows of a file, and what is wrong with them."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.rows: dict[tuple[str, datetime.date], Row] = {}
        self.places: dict[tuple[str, datetime.date], str] = {}
        self.names: dict[str, str] = {}
        self.errors: list[tuple[str, str]] = []
        self.more = 0

    def add(self, place: str, entry: Any) -> None:
        """Validate a row; an invalid one is refused."""
        if not isinstance(entry, dict):
            self.refuse(place, f"must be an object with date, {self.noun} and at least one measure")
            return
        wrong = self.more + len(self.errors)
        of_countries = self.noun == COUNTRY
        date = self._read(place, entry, "date", _reported if of_countries else _perhaps_ahead)
        code = self._read(place, entry, self.noun, _country if of_countries else _identifier)
        measures = [member for member in entry if member not in ("date", "name", self.noun)]
        values = {measure: self._value(place, measure, entry[measure]) for measure in measures}
        if not measures:
            self.refuse(place, "there must be at least one measure beside date and " + self.noun)
        if len(self.errors) + self.more > wrong or date is None or code is None:
            return
        if (key := (code, date)) in self.rows:
            self.refuse(place, f"{code} on {date} is there already, in {self.places[key]}")
            return
        self.rows[key], self.places[key] = Row(date, code, values), place
        if self.noun != COUNTRY and isinstance(name := entry.get("name"), str) and name.strip():
            self.names[code] = name.strip()

    def refuse(self, place: str, detail: str) -> None:
        """Note an error."""
        if len(self.errors) < MOST_ERRORS:
            self.errors.append((place, detail))
        else:
            self.more += 1

    def all_valid(self) -> Reports:
        """All rows.

        Raises:
            RowsError: One is invalid, or there are none.
        """
        if self.errors:
            raise RowsError(self.errors, self.more)
        if not self.rows:
            raise RowsError([("", "there are no rows")])
        return Reports(self.noun, list(self.rows.values()), self.names)

    def _read(self, place: str, entry: dict[str, Any], member: str, read: Any) -> Any:
        """What `read` makes of a member that must be there; None if it is refused."""
        if member not in entry:
            self.refuse(f"{place}, {member}", "is missing")
            return None
        try:
            return read(entry[member])
        except ValueError as error:
            self.refuse(f"{place}, {member}", str(error))
            return None

    def _value(self, place: str, measure: str, value: Any) -> float | None:
        if not _is_name(measure):
            self.refuse(place, f"the measure {measure[:40]!r} {MUST_BE_NAMED}")
            return None
        try:
            return _count(value) if self.noun == COUNTRY and measure in COUNTS else _real(value)
        except ValueError as error:
            self.refuse(f"{place}, {measure}", str(error))
            return None


def _date(value: Any) -> datetime.date:
    try:
        if (day := iso_day(value)).year >= FIRST_YEAR:
            return day
    except (ValueError, TypeError):
        pass
    raise ValueError(f"{MUST_BE_DAY}, not {value!r:.60}")


def _reported(value: Any) -> datetime.date:
    if (day := _date(value)) > newest_day():
        raise ValueError(f"{day} lies in the future")
    return day


def _perhaps_ahead(value: Any) -> datetime.date:
    """Covariates, such as prices, are known ahead."""
    if (day := _date(value)) > newest_day() + datetime.timedelta(366 * MOST_YEARS):
        raise ValueError(f"{day} lies more than {MOST_YEARS} years in the future")
    return day


def _country(value: Any) -> str:
    if not isinstance(value, str) or value not in NAMES:
        raise ValueError(f"{MUST_BE_COUNTRY}, not {value!r:.60}")
    return value


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or not _is_name(value) or "/" in value:
        raise ValueError(f"{MUST_BE_IDENTIFIER}, not {value!r:.80}")
    return value


def _count(value: Any) -> float | None:
    """A whole number, also in text, such as 12 or 12.0; None for a blank."""
    if isinstance(value, str):
        if not (text := value.strip()):
            return None
        if AMBIGUOUS.fullmatch(text):
            raise ValueError(f"{value!r} {MUST_BE_CLEAR}")
        if match := WHOLE.fullmatch(text):
            return int(match[1])
    elif value is None:
        return None
    elif _is_number(value) and 0 <= value < 10**12 and value == int(value):
        return int(value)
    raise ValueError(f"{MUST_BE_WHOLE}, not {value!r:.60}")


def _real(value: Any) -> float | None:
    """A number, also in text; None for a blank."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    read = value
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        read = float(value)
    if _is_number(read) and abs(read) < GREATEST:
        return number(float(read))
    raise ValueError(f"{MUST_BE_NUMBER}, not {value!r:.60}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
