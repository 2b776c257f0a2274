"""Reported counts, as CSV or JSON. A file is read whole or refused whole.

`ReportedDay` has the columns. Of `cases`, `deaths` and `population` one is enough: a count that a file leaves
out stays as it was reported before.
"""

import csv
import datetime
import io
import json
import re
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from forecastle.dates import iso_day, newest_day
from forecastle.places import NAMES
from forecastle.web.queries import wrong

COUNTS = ("cases", "deaths", "population")
MOST_ERRORS = 10  # that are listed; the others are counted
LARGEST = 8 * 2**20  # bytes of a file
TOO_LARGE = f"there are more than {LARGEST:,} bytes: send the days in several parts"
WHOLE = re.compile(r"([0-9]{1,12})(\.0*)?")


def _day(value: Any) -> datetime.date:
    if not isinstance(value, str):
        raise ValueError
    return iso_day(value)


def _not_future(day: datetime.date) -> datetime.date:
    if day > newest_day():
        raise wrong("{} lies in the future", day)
    return day


def _known_country(code: str) -> str:
    if code not in NAMES:
        raise ValueError
    return code


def _number(value: Any) -> Any:
    """A number for one in text, such as 12 or 12.0; None for a blank."""
    if not isinstance(value, str):
        return value
    if not (text := value.strip()):
        return None
    return int(match[1]) if (match := WHOLE.fullmatch(text)) else value


def _without_default(schema: dict[str, Any]) -> None:
    """A count that is left out is not null: it stays as it was reported before."""
    del schema["default"]


Count = Annotated[
    Annotated[int, Field(strict=True, ge=0, lt=10**12)] | None,
    BeforeValidator(_number),
    Field(json_schema_extra=_without_default),
]


class ReportedDay(BaseModel):
    """A row of a file: what was reported for a country and a day."""

    model_config = ConfigDict(extra="forbid")

    date: Annotated[datetime.date, BeforeValidator(_day), AfterValidator(_not_future)]
    country: Annotated[str, AfterValidator(_known_country), Field(examples=["GBR"])]
    name: Annotated[Any, Field(description="Ignored.")] = None
    cases: Annotated[Count, Field(description="New cases on that day.")] = None
    deaths: Annotated[Count, Field(description="New deaths on that day.")] = None
    population: Count = None

    @model_validator(mode="after")
    def has_a_count(self) -> Self:
        """Refuses a row without any count."""
        if self.model_fields_set.isdisjoint(COUNTS):
            raise wrong("there must be at least one of {}", ", ".join(COUNTS))
        return self


COLUMNS = tuple(ReportedDay.model_fields)
MUST_BE = {
    "date": "a date such as 2020-04-24",
    "country": "a country's ISO 3166 alpha-3 code",
    **dict.fromkeys(COUNTS, "a whole number of at least 0, or blank or null if nothing was reported"),
}


class Row(NamedTuple):
    """What was reported for a country and a day."""

    date: datetime.date
    country: str
    counts: dict[str, int | None]  # by the `COUNTS` that are given; None: there was no report


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


def from_csv(content: bytes) -> list[Row]:
    """The rows of a CSV file with a header.

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
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [column.strip() for column in next(reader)]
        _check_columns(columns)
        rows = _Rows()
        for values in reader:
            place = f"line {reader.line_num}"
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


def from_json(content: bytes) -> list[Row]:
    """The rows of `{"observations": [{"date": ..., "country": ..., "cases": ..., "deaths": ...}, ...]}`.

    Raises:
        RowsError: The file is not such JSON, or has an invalid row.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RowsError([("", f"this is not JSON: {error}")]) from None
    entries = document.get("observations") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(document) > 1:
        raise RowsError([("", 'this is not of the form {"observations": [{"date": ...}, ...]}')])
    rows = _Rows()
    for index, entry in enumerate(entries):
        rows.add(f"observations.{index}", entry)
    return rows.all_valid()


def _check_columns(columns: list[str]) -> None:
    required, given = {"date", "country"}, set(columns)
    if not required <= given <= set(COLUMNS) or given.isdisjoint(COUNTS) or len(given) < len(columns):
        detail = (
            f"the columns are {','.join(columns)[:80]}: there must be date, country and at least one of "
            f"{', '.join(COUNTS)}, each once, and nothing else but name"
        )
        raise RowsError([("line 1", detail)])


class _Rows:
    """The rows of a file, and what is wrong with them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, datetime.date], Row] = {}
        self.places: dict[tuple[str, datetime.date], str] = {}
        self.errors: list[tuple[str, str]] = []
        self.more = 0

    def add(self, place: str, entry: Any) -> None:
        """Validate a row; an invalid one is refused."""
        try:
            day = ReportedDay.model_validate(entry)
        except ValidationError as error:
            listed = MOST_ERRORS - len(self.errors)
            self.more += max(error.error_count() - listed, 0)
            if listed:
                self.errors += [_in_words(place, each) for each in error.errors()[:listed]]
            return
        key = day.country, day.date
        if key in self.rows:
            self.refuse(place, f"{day.country} on {day.date} is there already, in {self.places[key]}")
            return
        counts = {column: getattr(day, column) for column in COUNTS if column in day.model_fields_set}
        self.rows[key], self.places[key] = Row(day.date, day.country, counts), place

    def refuse(self, place: str, detail: str) -> None:
        """Note an error."""
        if len(self.errors) < MOST_ERRORS:
            self.errors.append((place, detail))
        else:
            self.more += 1

    def all_valid(self) -> list[Row]:
        """All rows.

        Raises:
            RowsError: One is invalid, or there are none.
        """
        if self.errors:
            raise RowsError(self.errors, self.more)
        if not self.rows:
            raise RowsError([("", "there are no rows")])
        return list(self.rows.values())


def _in_words(place: str, error: Any) -> tuple[str, str]:
    """Where Pydantic found an error, and what to do about it."""
    column = "".join(f", {name}" for name in error["loc"][:1])
    if error["type"] == "missing":
        detail = "is missing"
    elif error["type"] == "extra_forbidden":
        detail = f"is unknown: there are {', '.join(COLUMNS)}"
    elif error["type"] == "model_type":
        detail = f"must be an object with {', '.join(COLUMNS)}"
    elif error["type"] == "invalid":  # in words of this module
        detail = error["msg"]
    else:
        detail = f"must be {MUST_BE[error['loc'][0]]}, not {error['input']!r:.60}"
    return place + column, detail
