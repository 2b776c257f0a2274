"""scores.py: the naive forecast, and scores with known values."""

import numpy as np
import pytest
import scipy.stats
import scoringrules
from hypothesis import given
from hypothesis import strategies as st

from forecastle import scores
from forecastle.scores import QUANTILES

counts = st.lists(st.one_of(st.integers(0, 10**6), st.none()), min_size=2, max_size=60)


def forecasts(number: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Counts, and 23 quantiles around them with many ties."""
    rng = np.random.default_rng(seed)
    observed = rng.poisson(6, number).astype(float)
    return observed, np.sort(rng.poisson(6, (number, len(QUANTILES))), axis=1).astype(float)


def test_the_score_is_twice_the_mean_pinball_loss() -> None:
    """Bracher et al., equation 3: with their weights the two are one."""
    rng = np.random.default_rng(1)
    observed, quantiles = rng.normal(size=50), np.sort(rng.normal(size=(50, len(QUANTILES))))
    above = observed[:, None] >= quantiles
    loss = np.where(above, QUANTILES, QUANTILES - 1) * (observed[:, None] - quantiles)
    assert scores.weighted_interval_score(observed, quantiles) == pytest.approx(2 * loss.mean(axis=1))


def test_a_forecast_of_one_value_is_scored_by_its_absolute_error() -> None:
    certain = np.full((1, len(QUANTILES)), 10.0)
    assert scores.weighted_interval_score(np.array([13.0]), certain) == pytest.approx(3)


def test_the_weighted_interval_score_is_that_of_scoringrules() -> None:
    observed, quantiles = forecasts(500)
    ours = scores.weighted_interval_score(observed, quantiles)
    middle = len(QUANTILES) // 2
    theirs = scoringrules.weighted_interval_score(
        observed,
        quantiles[:, middle],
        quantiles[:, :middle],
        quantiles[:, :middle:-1],
        2 * QUANTILES[:middle],
        backend="numba",  # in scoringrules 0.11 the one for NumPy takes the median for its error
    )
    assert ours == pytest.approx(theirs)


def test_the_least_interval_is_the_narrowest_that_holds_the_count() -> None:
    quantiles = np.tile(np.arange(23.0), (5, 1))
    observed = np.array([11, 10, 0, -1, 22])  # the median, in 10 %, the widest interval's bounds, below it
    assert scores.least_interval(observed, quantiles) == pytest.approx([0, 0.1, 0.98, 1, 0.98])


def test_bias_tells_how_much_of_the_forecast_was_too_high() -> None:
    quantiles = np.tile(np.arange(23.0), (7, 1))
    observed = np.array([-1, 0, 6.5, 11, 15.5, 22, 23])
    assert scores.bias(observed, quantiles) == pytest.approx([1, 0.98, 0.5, 0, -0.5, -0.98, -1])


def test_bias_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(2)
    draws = rng.gamma(4, 25, 100_000)
    observed = rng.gamma(4, 25, 200)
    quantiles = np.tile(np.quantile(draws, QUANTILES), (len(observed), 1))
    shares = np.array([(draws > count).mean() - (draws < count).mean() for count in observed])
    assert np.abs(scores.bias(observed, quantiles) - shares).max() < 0.1  # 5 % to a quantile


def test_the_naive_forecast_is_last_weeks_mean_with_the_spread_of_its_errors() -> None:
    count = np.array([10.0] * 7 + [17.0])  # the only error other than 0 at a horizon of one day is 7
    quantiles = scores.naive(count, 2)
    middle = len(QUANTILES) // 2
    assert quantiles[:, middle] == pytest.approx([11, 11])  # (6 x 10 + 17) / 7
    sd = np.sqrt(7**2 / 7)
    assert quantiles[0] == pytest.approx(11 + sd * scipy.stats.norm.ppf(QUANTILES))
    total = scores.naive(count, 2, total=500)
    assert total[:, middle] == pytest.approx([511, 522])
    assert total[0] == pytest.approx(np.maximum(500, 511 + sd * scipy.stats.norm.ppf(QUANTILES)))


def test_days_without_a_report_are_no_errors_of_the_naive_forecast() -> None:
    count = np.array([5.0] * 20)
    count[[3, 10, 19]] = np.nan
    assert scores.naive(count, 3) == pytest.approx(np.full((3, len(QUANTILES)), 5.0))


def test_the_naive_forecast_of_weekly_values_is_the_last_one_known() -> None:
    weekly = np.array([3.0, 5, 4, np.nan])
    quantiles = scores.naive(weekly, 2, cycle=1)
    assert quantiles[:, len(QUANTILES) // 2] == pytest.approx([4, 4])
    sd = np.sqrt((2**2 + 1) / 2)
    assert quantiles[0] == pytest.approx(np.maximum(0, 4 + sd * scipy.stats.norm.ppf(QUANTILES)))


def test_the_naive_forecast_is_no_less_than_the_least_value_there_can_be() -> None:
    real = np.array([-3.0, 4, -6, 5, -7])
    assert scores.naive(real, 2, cycle=1, minimum=-8).min() == -8
    free = scores.naive(real, 2, cycle=1, minimum=None)
    assert free[:, len(QUANTILES) // 2] == pytest.approx([-7, -7])
    assert free.min() < -20


@given(counts, st.booleans())
def test_the_naive_forecast_is_finite_and_in_order(count: list[int | None], cumulative: bool) -> None:
    history = np.array([np.nan if value is None else value for value in count], dtype=float)
    total = float(np.nansum(history)) if cumulative else None
    quantiles = scores.naive(history, 14, total)
    assert quantiles.shape == (14, len(QUANTILES))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles) >= 0).all()
    assert (quantiles >= (total or 0)).all()


def test_the_parts_of_the_score_are_those_of_the_interval_score() -> None:
    """Bracher et al., equation 1: an interval's width, and 2 / alpha times how far a value is outside."""
    observed, quantiles = forecasts(200)
    width, over, under = scores.parts(observed, quantiles)
    assert width + over + under == pytest.approx(scores.weighted_interval_score(observed, quantiles))
    below = np.tile(np.arange(23.0), (1, 1))
    width, over, under = scores.parts(np.array([-1.0]), below)
    # Lower ends 0 to 10 lie 1 to 11 above the value, and the median 12, with half a weight.
    assert (over, under) == (pytest.approx((66 + 6) / 11.5), 0)
    alphas = 2 * QUANTILES[:11]
    assert width == pytest.approx(np.sum(alphas / 2 * (22 - 2 * np.arange(11))) / 11.5)


@pytest.mark.parametrize("mean", [0.3, 1, 3, 20, 500])
def test_the_pit_of_counts_covers_what_it_should(mean: float) -> None:
    """The levels of 23 quantiles are that far apart: exact within two points and a half."""
    observed = np.random.default_rng(1).poisson(mean, 50_000).astype(float)
    ranges = scores.pit(observed, np.tile(scipy.stats.poisson.ppf(QUANTILES, mean), (len(observed), 1)))
    for level in (0.5, 0.8, 0.9, 0.95):
        share = scores.within(ranges, (1 - level) / 2, (1 + level) / 2).mean()
        assert share == pytest.approx(level, abs=0.03)


def test_the_pit_lies_between_the_levels_around_a_value() -> None:
    quantiles = np.tile(np.repeat([0.0, 5.0, 9.0], [6, 10, 7]), (5, 1))
    ends = scores.pit(np.array([-1.0, 0, 2, 5, 10]), quantiles)
    # 0 up to the level 0.2, 5 from 0.25 to 0.7, 9 from 0.75 on.
    known = np.array([(0, 0.01), (0.005, 0.225), (0.2, 0.25), (0.225, 0.725), (0.99, 1)])
    np.testing.assert_allclose(ends.T, known)
    assert scores.within(ends, 0, 1) == pytest.approx(1)
    assert scores.within(np.array([[0.2, 0.5], [0.4, 0.5]]), 0.3, 0.6) == pytest.approx([0.5, 1])


def test_naive_sums_are_seven_means_with_the_errors_of_past_sums() -> None:
    values = np.tile([0.0, 7, 14, 21, 28, 35, 42], 8)
    values[-7:] += 7.0  # each: the last week's sum is 196, those before it 147
    quantiles = scores.naive_sums(values, np.array([7, 14]))
    assert quantiles[:, 11] == pytest.approx(196)
    # The last 28 forecasts of the next seven days were wrong by the last week's rise alone, bit by bit.
    errors = [7.0 * max(0, 7 - ahead) for ahead in range(28)]
    assert quantiles[0, 16] - 196 == pytest.approx(
        scipy.stats.norm.ppf(0.75) * np.sqrt(np.mean(np.square(errors)))
    )
    assert np.isfinite(scores.naive_sums(np.array([3.0, 4.0]), np.array([7, 13]))).all()


def test_the_hubs_baseline_is_the_last_week_and_symmetric_changes() -> None:
    weeks = np.array([70.0, 140.0, 105.0])  # changes of 70 and -35, so that of 35 and -70 too
    values = np.repeat(weeks / 7, 7)
    one, two, three = scores.hub_baseline(values, np.array([7, 13, 21]), minimum=None)
    changes = np.quantile([-70, -35, 35, 70], QUANTILES)
    assert one == pytest.approx(105 + changes, abs=1)
    assert one + one[::-1] == pytest.approx(np.full(23, 210.0), abs=1)
    spread = [(each[20] - each[2]) for each in (one, two, three)]
    assert spread[0] < spread[1] < spread[2] < 3 * spread[0]
    assert scores.hub_baseline(values, np.array([28]))[0, 0] == 0
    assert np.isnan(scores.hub_baseline(values[:5], np.array([7]))).all()


def test_a_week_that_was_not_reported_is_no_change_for_the_hubs_baseline() -> None:
    values = np.repeat([10.0, 20.0, np.nan, 100.0, 110.0], 7)
    quantiles = scores.hub_baseline(values, np.array([7]), minimum=None)
    assert quantiles[0] == pytest.approx(770 + np.quantile([-70, -70, 70, 70], QUANTILES), abs=1)
    late = scores.hub_baseline(np.repeat([10.0, 20.0, np.nan], 7), np.array([7]), minimum=None)
    two = scores.hub_baseline(np.repeat([10.0, 20.0], 7), np.array([14]), minimum=None)
    np.testing.assert_array_equal(late, two)  # the last week's change is one more that is unknown


def test_the_same_weekday_comes_again() -> None:
    rng = np.random.default_rng(1)
    values = np.tile(np.arange(7.0), 12) + rng.normal(100, 2, 84)
    quantiles = scores.same_weekday(values, 14)
    assert quantiles[:, 11] == pytest.approx(np.tile(values[-7:], 2))
    for horizon, lag in ((1, 7), (8, 14)):
        errors = (values[lag:] - values[:-lag])[-28:]
        assert quantiles[horizon - 1, 16] - quantiles[horizon - 1, 11] == pytest.approx(
            scipy.stats.norm.ppf(0.75) * np.sqrt(np.mean(errors**2))
        )
    totals = scores.same_weekday(values, 14, 1000.0)
    assert totals[:, 11] == pytest.approx(1000 + np.cumsum(np.tile(values[-7:], 2)))
    running = values.cumsum()
    past = [running[t + 14] - running[t] - 2 * values[t - 6 : t + 1].sum() for t in range(6, 70)][-28:]
    assert totals[13, 16] - totals[13, 11] == pytest.approx(
        scipy.stats.norm.ppf(0.75) * np.sqrt(np.mean(np.square(past)))
    )
