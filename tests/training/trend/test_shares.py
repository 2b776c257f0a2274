"""shares.py: how a week falls on its days."""

import numpy as np
import pytest

from forecastle.training.trend.shares import CONCENTRATIONS, Shares

SHARE = np.array([0.1, 0.17, 0.18, 0.18, 0.17, 0.13, 0.07])  # from Monday on


def simulated(concentration: float, series: int = 30, weeks: int = 12, total: int = 500) -> np.ndarray:
    """Counts of weeks that end on a Sunday, shape (series, week, 7)."""
    rng = np.random.default_rng(1)
    return rng.multinomial(total, rng.dirichlet(concentration * SHARE, (series, weeks))).astype(float)


def flat(by_day: np.ndarray) -> np.ndarray:
    return np.zeros(by_day.shape[:2])


@pytest.mark.parametrize("last", [6, 2])
def test_the_shares_are_found_whatever_day_is_the_last(last: int) -> None:
    by_day = np.roll(simulated(200), last - 6, axis=2)
    shares = Shares.of(by_day, flat(by_day), np.full(len(by_day), last))
    np.testing.assert_allclose(shares.share, np.broadcast_to(np.roll(SHARE, last - 6), (30, 7)), atol=0.02)


@pytest.mark.parametrize("concentration", [10, 100])
def test_draws_scatter_as_the_days_did(concentration: float) -> None:
    by_day = simulated(concentration)
    shares = Shares.of(by_day, flat(by_day), np.full(len(by_day), 6))
    total = np.full((400, 30, 3), 500)
    drawn = shares.draw(total, np.zeros(total.shape), np.random.default_rng(2))
    assert drawn.shape == (400, 30, 21)
    np.testing.assert_array_equal(drawn.reshape(400, 30, 3, 7).sum(axis=3), total)
    spread = drawn.reshape(-1, 7).std(axis=0)
    np.testing.assert_allclose(spread, by_day.reshape(-1, 7).std(axis=0), rtol=0.15)


def test_counts_that_grow_within_a_week_tilt_it() -> None:
    by_day = simulated(200)
    shares = Shares.of(by_day, flat(by_day), np.full(len(by_day), 6))
    total = np.full((500, 30, 1), 700)
    growing = shares.draw(total, np.full(total.shape, 0.1), np.random.default_rng(3)).mean(axis=(0, 1))
    expected = SHARE * np.exp(0.1 * np.arange(7))
    np.testing.assert_allclose(growing / 700, expected / expected.sum(), atol=0.01)


def test_a_series_that_differs_keeps_its_week_and_one_with_few_counts_takes_the_others() -> None:
    by_day = simulated(200)
    by_day[0] = np.roll(by_day[0], 3, axis=1)
    by_day[1] = np.random.default_rng(4).multinomial(2, SHARE, 12)
    by_day[2] = np.nan
    by_day[3, ::2, 4] = np.nan
    shares = Shares.of(by_day, flat(by_day), np.full(len(by_day), 6)).share
    assert np.abs(shares[0] - np.roll(SHARE, 3)).max() < 0.03
    for few in (1, 2, 3):
        assert np.abs(shares[few] - SHARE).max() < 0.05


def test_nothing_but_zeros_gives_days_all_the_same() -> None:
    none = np.zeros((2, 12, 7))
    shares = Shares.of(none, flat(none), np.array([6, 0]))
    assert shares.share == pytest.approx(np.full((2, 7), 1 / 7))
    zero = np.zeros((5, 2, 4), dtype=int)
    assert not shares.draw(zero, np.zeros(zero.shape), np.random.default_rng(1)).any()


def test_missing_days_make_a_series_no_noisier() -> None:
    by_day = simulated(100)
    whole = Shares.of(by_day, flat(by_day), np.full(len(by_day), 6))
    by_day[:, ::2, 2:5] = np.nan
    some = Shares.of(by_day, flat(by_day), np.full(len(by_day), 6))
    means = [np.exp((shares.weight @ np.log(CONCENTRATIONS)).mean()) for shares in (whole, some)]
    assert means[1] == pytest.approx(means[0], rel=0.2)
