"""Frequencies, held against pandas' own dates."""

import datetime

import pandas as pd
import pytest

from forecastle.frequency import Frequency, plural

ALIASES = ["D", "W-SUN", "W-SAT", "W-WED", "MS", "QS", "YS"]


@pytest.mark.parametrize("alias", ALIASES)
def test_dates_are_those_of_pandas(alias: str) -> None:
    frequency = Frequency.of(alias)
    dates = [date.date() for date in pd.date_range("2019-01-01", periods=30, freq=alias)]
    assert [frequency.after(dates[0], ahead) for ahead in range(30)] == dates
    assert [frequency.after(dates[-1], -ahead) for ahead in range(30)] == dates[::-1]
    assert [frequency.between(dates[0], date) for date in dates] == list(range(30))
    assert frequency.between(dates[3], dates[0]) == -3
    days = [date.date() for date in pd.date_range(dates[0], dates[-1])]
    assert [day for day in days if frequency.has(day)] == dates


def test_a_week_without_a_day_ends_on_sunday() -> None:
    assert Frequency.of("W") == Frequency.of("W-SUN")
    assert Frequency.of("W").has(datetime.date(2020, 6, 7))


@pytest.mark.parametrize("alias", ["", "d", "W-XYZ", "2D", "M", "h"])
def test_another_alias_is_refused_with_those_that_are_known(alias: str) -> None:
    with pytest.raises(ValueError, match="is unknown: it must be D, W-SUN to W-SAT, MS, QS or YS"):
        Frequency.of(alias)


def test_words() -> None:
    assert [Frequency.of(alias).adjective for alias in ALIASES[:2]] == ["daily", "weekly"]
    assert Frequency.of("MS").periods(1) == "1 month"
    assert Frequency.of("W").periods(1200) == "1,200 weeks"


def test_a_cycle_takes_so_many_days_at_most() -> None:
    assert [Frequency.of(alias).cycle_days for alias in ("D", "W", "MS", "QS", "YS")] == [7, 7, 31, 92, 366]
    for alias in ("MS", "QS", "YS"):
        dates = pd.date_range("2019-01-01", "2021-01-01", freq=alias)
        assert dates.to_series().diff().dt.days.max() == Frequency.of(alias).cycle_days


@pytest.mark.parametrize(
    ("noun", "nouns"),
    [
        ("country", "countries"),
        ("store", "stores"),
        ("state", "states"),
        ("day", "days"),
        ("branch", "branches"),
    ],
)
def test_plurals(noun: str, nouns: str) -> None:
    assert plural(noun) == nouns
