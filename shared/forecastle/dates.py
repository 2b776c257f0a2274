"""Days: how they are written, and which one is the newest that can have counts."""

import datetime
import re

ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
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
