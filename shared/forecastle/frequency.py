"""Frequencies: how far the dates of a series lie apart, by pandas' aliases, without pandas.

| alias              | a date is                                              |
|--------------------|--------------------------------------------------------|
| `D`                | a day                                                  |
| `W-SUN` to `W-SAT` | the last day of a week; `W` is `W-SUN`                 |
| `MS`, `QS`, `YS`   | the first day of a month, of a quarter, of a year      |
"""

import datetime
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
LONGEST_DAYS = {1: 31, 3: 92, 12: 366}  # of so many months
KNOWN = "D, W-SUN to W-SAT, MS, QS or YS"

Adjective = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]


@dataclass(frozen=True)
class Frequency:
    """How far the dates of a series lie apart.

    Attributes:
        alias: pandas' name, such as "D".
        period: What lies between two dates, in a word, such as "day".
        adjective: Of what happens once a period, such as "daily".
        days: In a period; 0 if it is made of months.
        months: In a period; 0 if it is made of days.
        weekday: Of each date, from 0, a Monday, to 6; None if they may be any.
        cycle: How many periods a moving mean takes, so that the weekdays even out: 7 days, or one period.
    """

    alias: str
    period: str
    adjective: Adjective
    days: int = 0
    months: int = 0
    weekday: int | None = None
    cycle: int = 1

    @classmethod
    def of(cls, alias: str) -> Self:
        """The frequency of that alias.

        Raises:
            ValueError: It is none of those above; the message is a line that lists them.
        """
        if (known := _known(alias)) is None:
            raise ValueError(f"frequency {alias!r} is unknown: it must be {KNOWN}")
        return cls(**known)

    @property
    def cycle_days(self) -> int:
        """How many days a cycle takes, at most: 7 of a daily series, 31 of a monthly one."""
        return self.cycle * (self.days or LONGEST_DAYS[self.months])

    def after(self, date: datetime.date, periods: int) -> datetime.date:
        """The date so many periods after another one, or before it if they are negative."""
        if self.days:
            return date + datetime.timedelta(self.days * periods)
        month = date.year * 12 + date.month - 1 + self.months * periods
        return date.replace(year=month // 12, month=month % 12 + 1)

    def between(self, first: datetime.date, last: datetime.date) -> int:
        """How many whole periods the last date lies after the first; negative if it lies before."""
        if self.days:
            return (last - first).days // self.days
        return ((last.year - first.year) * 12 + last.month - first.month) // self.months

    def has(self, date: datetime.date) -> bool:
        """Whether a series of this frequency may have that date."""
        if self.days:
            return self.weekday in (None, date.weekday())
        return date.day == 1 and (date.month - 1) % self.months == 0

    def periods(self, number: int) -> str:
        """So many periods, in words: "1 day", "14 days"."""
        return f"{number:,} {self.period}{'s' if number != 1 else ''}"


@lru_cache
def _known(alias: str) -> dict | None:
    if alias == "D":
        return {"alias": "D", "period": "day", "adjective": "daily", "days": 1, "cycle": 7}
    if alias in ("MS", "QS", "YS"):
        period, adjective, months = {
            "MS": ("month", "monthly", 1),
            "QS": ("quarter", "quarterly", 3),
            "YS": ("year", "yearly", 12),
        }[alias]
        return {"alias": alias, "period": period, "adjective": adjective, "months": months}
    if week := re.fullmatch(r"W(?:-([A-Z]{3}))?", alias):
        ends = week[1] or "SUN"
        if ends in WEEKDAYS:
            weekday = WEEKDAYS.index(ends)
            return {
                "alias": f"W-{ends}",
                "period": "week",
                "adjective": "weekly",
                "days": 7,
                "weekday": weekday,
            }
    return None


def plural(noun: str) -> str:
    """The plural of an English noun, such as "countries", by the rules that hold for most."""
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")
