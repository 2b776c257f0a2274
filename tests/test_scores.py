"""scores.py: the naive forecast, and scores with known values."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from forecastle import scores
from forecastle.scores import QUANTILES

counts = st.lists(st.one_of(st.integers(0, 10**6), st.none()), min_size=2, max_size=60)


def normal(observed: np.ndarray, mean: float = 0.0, sd: float = 1.0) -> xr.Dataset:
    """Forecasts of a normal distribution's quantiles, the naive one's twice as wide."""
    quantiles, wide = (
        np.tile(scipy.stats.norm.ppf(QUANTILES, mean, width), (len(observed), 1)) for width in (sd, 2 * sd)
    )
    return xr.Dataset(
        {
            "quantiles": (("forecast", "quantile"), quantiles),
            "naive": (("forecast", "quantile"), wide),
            "observed": ("forecast", observed),
            "mean": ("forecast", np.full(len(observed), mean)),
            "bias": ("forecast", np.zeros(len(observed))),
        }
    )


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


def test_calibrated_forecasts_cover_what_they_say() -> None:
    observed = np.random.default_rng(1).normal(10, size=20_000)
    told = scores.summarise(normal(observed, 10))
    for level in scores.LEVELS:
        assert told["coverage"][str(level)] == pytest.approx(level, abs=0.01)
    assert told["coverage_naive"]["0.5"] > 0.75
    assert told["wis_ratio"] < 1  # too wide is worse
    below = scores.calibration(observed, normal(observed, 10)["quantiles"].values)
    assert [entry["share_below"] for entry in below] == pytest.approx(QUANTILES, abs=0.01)


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


@given(counts, st.booleans())
def test_the_naive_forecast_is_finite_and_in_order(count: list[int | None], cumulative: bool) -> None:
    history = np.array([np.nan if value is None else value for value in count], dtype=float)
    total = float(np.nansum(history)) if cumulative else None
    quantiles = scores.naive(history, 14, total)
    assert quantiles.shape == (14, len(QUANTILES))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles) >= 0).all()
    assert (quantiles >= (total or 0)).all()
