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
