"""drift.py: what is flagged, and what is not."""

import datetime
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from forecastle.catalogue import drift
from forecastle.catalogue.drift import Flag, Series
from forecastle.catalogue.store.engine import Store

from .conftest import ORIGIN, MakeIssue, day, deaths, keep, receive

NEWEST = 60  # days after the origin


def series(counts: np.ndarray) -> Series:
    return Series(ORIGIN, np.asarray(counts, dtype=float))


def reasons(counts: np.ndarray) -> dict[str, Flag]:
    return {flag.reason: flag for flag in drift.of_reports("GBR", "deaths", series(counts))}


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
    return {model: [(flag.country, flag.reason) for flag in of_model] for model, of_model in found.items()}


def test_an_empty_store_has_no_flags(store: Store, make_issue: MakeIssue) -> None:
    assert flags(store) == {}
    keep(store, make_issue())
    assert flags(store) == {}


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
    version = SimpleNamespace(data_through=ORIGIN, cumulative=False, unit="deaths")
    fitted = SimpleNamespace(country="GBR", counts=[trained] * 30)
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
