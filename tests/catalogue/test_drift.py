"""drift.py: what is flagged, and what is not."""

import datetime
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from forecastle.catalogue import drift
from forecastle.catalogue.drift import Flag, Measure, Series
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upload import Row
from forecastle.frequency import Frequency

from .conftest import ORIGIN, MakeIssue, day, deaths, keep, receive

NEWEST = 60  # days after the origin


DAILY, WEEKLY, MONTHLY = map(Frequency.of, ("D", "W-SAT", "MS"))
SATURDAY, JANUARY = datetime.date(2020, 1, 4), datetime.date(2016, 1, 1)


def series(counts: np.ndarray) -> Series:
    return Series(DAILY, ORIGIN, np.asarray(counts, dtype=float))


def reasons(counts: np.ndarray) -> dict[str, Flag]:
    deaths = Measure("country", "deaths", "deaths", DAILY, real=False)
    return {flag.reason: flag for flag in drift.of_reports("GBR", deaths, series(counts))}


def of_others(frequency: Frequency, first: datetime.date, values: np.ndarray, real: bool) -> dict[str, str]:
    """The reasons and the words of what is flagged in a store's sales."""
    sales = Measure("store", "sales", "EUR" if real else "items", frequency, real)
    one = Series(frequency, first, np.asarray(values, dtype=float))
    return {flag.reason: flag.detail for flag in drift.of_reports("s1", sales, one)}


def noisy(mean: np.ndarray, seed: int) -> np.ndarray:
    """Counts that spread more than Poisson's do, by a negative binomial distribution."""
    return np.random.default_rng(seed).negative_binomial(20, 20 / (20 + mean)).astype(float)


def test_the_bound_for_weekdays_is_that_of_the_f_distribution() -> None:
    weeks, days = drift.WEEKS, drift.WEEK
    bound = scipy.stats.f.ppf(0.999, days - 1, 2 * (weeks - 1) * (days - 1))
    assert pytest.approx(bound, abs=0.001) == drift.WEEKDAYS


@pytest.mark.parametrize("growth", [-0.05, 0.0, 0.1])
def test_a_steady_epidemic_is_flagged_for_nothing(growth: float) -> None:
    """Also not while it grows or declines, nor with a pattern of weekdays that stays."""
    days = np.arange(60)
    pattern = np.array([1.2, 1.1, 1.1, 1.0, 1.0, 0.9, 0.7])[days % 7]
    mean = (
        400 * np.exp(growth * (days - 60)) * pattern if growth > 0 else 400 * np.exp(growth * days) * pattern
    )
    flagged = [seed for seed in range(200) if reasons(noisy(mean, seed))]
    assert len(flagged) <= 4


def test_a_day_that_is_far_from_the_week_before_is_a_jump() -> None:
    counts = noisy(np.full(60, 50.0), 1)
    counts[57] = 1290
    flag = reasons(counts)["jump"]
    assert flag.date == ORIGIN + datetime.timedelta(57)
    assert flag.detail.startswith("1,290 deaths after ")
    counts = noisy(np.full(60, 400.0), 1)
    counts[58] = 0
    assert reasons(counts)["jump"].date == ORIGIN + datetime.timedelta(58)


def test_a_jump_is_flagged_for_a_week() -> None:
    counts = noisy(np.full(60, 50.0), 1)
    counts[52] = 1290
    assert "jump" not in reasons(counts)
    assert "jump" in reasons(counts[:59])


def test_few_counts_do_not_jump() -> None:
    counts = np.zeros(60)
    counts[59] = 6
    assert reasons(counts) == {}


def test_reports_that_are_given_up_on_weekends_are_flagged() -> None:
    counts = noisy(np.full(60, 300.0), 1)
    weekends = [index for index in range(32, 60) if index % 7 in (3, 4)]
    counts[weekends] = 20
    flag = reasons(counts)["weekdays"]
    assert flag.detail.startswith("deaths spread over the days of the week differently")


def test_a_day_without_a_report_leaves_weekdays_alone() -> None:
    counts = noisy(np.full(60, 300.0), 1)
    counts[30] = np.nan
    assert np.isnan(drift.weekdays(counts))


def test_silence_is_flagged_after_a_week() -> None:
    counts = noisy(np.full(60, 300.0), 1)
    counts[-7:] = np.nan
    assert "silence" not in reasons(counts)
    counts[-8:] = np.nan
    flag = reasons(counts)["silence"]
    assert flag.date == ORIGIN + datetime.timedelta(51)
    assert flag.detail == "no report of deaths for 8 days"
    assert reasons(np.full(60, np.nan)) == {}  # nothing was ever reported


def flags(store: Store) -> dict[str, list[tuple[str, str]]]:
    with store.reading() as connection:
        found = drift.by_model(connection)
    return {model: [(flag.series, flag.reason) for flag in of_model] for model, of_model in found.items()}


def test_an_empty_store_has_no_flags(store: Store, make_issue: MakeIssue) -> None:
    assert flags(store) == {}
    keep(store, make_issue())
    assert flags(store) == {"flu": []}


def test_counts_beyond_those_of_training_are_flagged(store: Store, make_issue: MakeIssue) -> None:
    """Ten deaths a day were fitted, and nothing else."""
    keep(store, make_issue())
    keep(store, make_issue(model="totals", cumulative=True))
    receive(
        store, [*deaths("GBR", 1, [10] * 7), *deaths("FRA", 1, [15] * 7), *deaths("ITA", 1, [99] * 7)]
    )  # of no model
    assert flags(store) == {"flu": [("FRA", "range")], "totals": [("FRA", "range")]}
    with store.reading() as connection:
        (flag,) = drift.by_model(connection)["flu"]
    assert flag.date == day(7)
    words = "15.0 deaths a day in the last week, above the 10.0 of the highest week that was trained with"
    assert flag.detail == words


@pytest.mark.parametrize(
    ("trained", "now", "flagged"),
    [(10, 12, False), (10, 13, True), (10, 8, False), (10, 7, True), (1, 1.5, False), (2, 0, True)],
)
def test_what_is_a_little_beyond_is_not_flagged(trained: int, now: float, flagged: bool) -> None:
    version = SimpleNamespace(data_through=ORIGIN, cumulative=False, unit="deaths", real=False)
    fitted = SimpleNamespace(series="GBR", counts=[trained] * 30)
    assert bool(list(drift.of_range(version, fitted, series(np.full(8, now))))) is flagged


def test_what_was_trained_with_is_not_flagged(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue(data_through=day(7)))
    receive(store, deaths("FRA", 1, [15] * 7))
    assert flags(store) == {"flu": []}


def test_the_latest_version_is_who_is_asked(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    keep(store, make_issue(data_through=day(7)))
    receive(store, deaths("FRA", 1, [15] * 7))
    assert flags(store) == {"flu": []}


def test_reports_that_are_lowered_are_flagged_for_a_week(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue(data_through=day(NEWEST)))
    receive(store, [*deaths("GBR", 1, [10] * 30), *deaths("FRA", 1, [10] * 30)])
    receive(store, [*deaths("GBR", 1, [10] * 10), *deaths("FRA", 31, [10] * 7)])
    assert flags(store) == {"flu": []}
    receive(store, [*deaths("GBR", 1, [5] * 10), *deaths("GBR", 31, [10] * 7)])
    assert flags(store) == {"flu": [("GBR", "negative_revision")]}
    with store.reading() as connection:
        (flag,) = drift.by_model(connection)["flu"]
    assert flag.detail == f"deaths lowered by 50 (16.7% of all reported by {day(30)})"
    receive(store, [*deaths("GBR", 38, [10] * 7), *deaths("FRA", 38, [10] * 7)])
    assert flags(store) == {"flu": []}


def test_small_corrections_are_not_flagged(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue(data_through=day(NEWEST)))
    receive(store, deaths("GBR", 1, [1000] * 30))
    receive(store, [*deaths("GBR", 1, [990]), *deaths("GBR", 31, [1000] * 8)])
    assert flags(store) == {"flu": []}


@pytest.mark.parametrize(("frequency", "first"), [(WEEKLY, SATURDAY), (MONTHLY, JANUARY)])
@pytest.mark.parametrize("real", [False, True])
def test_steady_sales_are_flagged_for_nothing(frequency: Frequency, first: datetime.date, real: bool) -> None:
    """Also not those that have a season. Days of the week say nothing of weeks and months."""
    season = 400 + 100 * np.sin(np.arange(56) * 2 * np.pi / 12)
    flagged = [seed for seed in range(100) if of_others(frequency, first, noisy(season, seed), real)]
    assert len(flagged) <= 1


def test_a_jump_of_the_last_week_is_flagged() -> None:
    values = noisy(np.full(56, 100.0), 1)
    values[-8:] = [100, 90, 95, 105, 110, 100, 98, 900]
    flag = of_others(WEEKLY, SATURDAY, values, real=False)["jump"]
    assert flag.startswith("900 items after 100 a week in the 7 weeks before (+")
    values[-8:] = [100, 90, 95, 900, 110, 100, 98, 102]  # it was the last one four weeks ago
    assert of_others(WEEKLY, SATURDAY, values, real=False) == {}


def test_real_numbers_may_be_negative() -> None:
    values = np.random.default_rng(1).normal(-2, 1, 56)
    assert of_others(MONTHLY, JANUARY, values, real=True) == {}
    values[-1] = -40
    assert of_others(MONTHLY, JANUARY, values, real=True)["jump"].startswith("-40.0 EUR after -")
    assert of_others(MONTHLY, JANUARY, np.full(56, -2.0), real=True) == {}


@pytest.mark.parametrize(
    ("frequency", "first", "words"), [(WEEKLY, SATURDAY, "2 weeks"), (MONTHLY, JANUARY, "2 months")]
)
def test_two_periods_without_a_report_are_silence(
    frequency: Frequency, first: datetime.date, words: str
) -> None:
    values = np.full(56, 5.0)
    values[-1] = np.nan
    assert of_others(frequency, first, values, real=False) == {}
    values[-2] = np.nan
    silence = of_others(frequency, first, values, real=False)
    assert silence == {"silence": f"no report of items for {words}"}


def sales(frequency: Frequency, last: datetime.date, code: str, values: list[float | None]) -> list[Row]:
    """So many periods after a date."""
    return [
        Row(frequency.after(last, ahead), code, {"sales": value}) for ahead, value in enumerate(values, 1)
    ]


@pytest.mark.parametrize(("alias", "last"), [("W-SAT", SATURDAY), ("MS", JANUARY)])
def test_sales_beyond_those_of_training_are_flagged(
    alias: str, last: datetime.date, store: Store, make_issue: MakeIssue
) -> None:
    """Beside daily deaths, whose newest day is another."""
    frequency = Frequency.of(alias)
    about = {"noun": "store", "unit": "EUR", "measure": "sales", "frequency": alias, "real": True}
    fitted = [-20.0, 10.0, 20.0, *[15.0] * 40]
    keep(store, make_issue(data_through=last, codes=("s1", "s2", "s3"), fitted=fitted, **about))
    keep(store, make_issue(model="cold", data_through=day(7)))
    receive(store, deaths("GBR", 1, [10] * 7))
    rows = [*sales(frequency, last, "s1", [10, 31]), *sales(frequency, last, "s2", [10, 29])]
    receive(store, [*rows, *sales(frequency, last, "s3", [0, -31])], "store")
    assert flags(store) == {"cold": [], "flu": [("s1", "range"), ("s3", "range")]}
    with store.reading() as connection:
        above, below = drift.by_model(connection)["flu"]
    period = frequency.period
    end = f"{period} that was trained with"
    assert above.detail == f"31.0 EUR a {period} in the last {period}, above the 20.0 of the highest {end}"
    assert below.detail == f"-31.0 EUR a {period} in the last {period}, below the -20.0 of the lowest {end}"
    assert above.date == frequency.after(last, 2)


def test_items_that_are_lowered_are_flagged_for_a_week(store: Store, make_issue: MakeIssue) -> None:
    """Receipts about another noun are none of theirs."""
    last = WEEKLY.after(SATURDAY, 10)
    about = {"noun": "store", "unit": "items", "measure": "sales", "frequency": "W-SAT"}
    keep(store, make_issue(data_through=last, codes=("s1",), **about))
    receive(store, sales(WEEKLY, SATURDAY, "s1", [10] * 9), "store")
    receive(store, deaths("GBR", 1, [10] * 7))
    receive(store, sales(WEEKLY, SATURDAY, "s1", [4, *[10] * 9]), "store")
    assert flags(store) == {"flu": [("s1", "negative_revision")]}
    receive(store, sales(WEEKLY, last, "s1", [10, 10]), "store")
    assert flags(store) == {"flu": []}
