"""Days and instants: how they are written, and which day is the newest that can have counts."""

import datetime
import re

ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ISO_INSTANT = re.compile(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
EASTERNMOST = datetime.timezone(datetime.timedelta(hours=14))  # Kiribati, where each day begins first


def newest_day() -> datetime.date:
    """The date in UTC+14. Counts of a later day lie in the future everywhere on Earth."""
    return datetime.datetime.now(EASTERNMOST).date()


def iso_day(text: str) -> datetime.date:
    """The day that is written as 2020-04-24; other forms of ISO 8601, such as 2020-W17-5, are refused.

    Raises:
        ValueError: The text is not a day in this form.
    """
    if not ISO_DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not a date such as 2020-04-24")
    return datetime.date.fromisoformat(text)


def iso_instant(text: str) -> datetime.datetime:
    """The instant that is written as 2020-04-24T06:00:00Z, in UTC; one without a time zone is refused.

    Raises:
        ValueError: The text is not an instant in this form.
    """
    if not ISO_INSTANT.fullmatch(text):
        raise ValueError(f"{text!r} is not an instant such as 2020-04-24T06:00:00Z")
    try:
        return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    except OverflowError:  # in UTC it is in no year from 1 to 9999
        raise ValueError(f"{text!r} is out of range") from None


def written(instant: datetime.datetime) -> str:
    """An instant in the form that `iso_instant` reads, in UTC."""
    return f"{instant.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
