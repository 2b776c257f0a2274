"""training/scores.py: summaries of many forecasts' scores."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from forecastle.scores import COVERAGE_LEVELS, QUANTILES, least_interval
from forecastle.training import scores


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


def test_calibrated_forecasts_cover_what_they_say() -> None:
    observed = np.random.default_rng(1).normal(10, size=20_000)
    summary = scores.summarise(normal(observed, 10))
    for level in COVERAGE_LEVELS:
        assert summary["coverage"][str(level)] == pytest.approx(level, abs=0.01)
    assert summary["coverage_naive"]["0.5"] > 0.75
    assert summary["wis_ratio"] < 1  # too wide is worse
    below = scores.calibration(observed, normal(observed, 10)["quantiles"].values)
    assert [entry["share_below"] for entry in below] == pytest.approx(QUANTILES, abs=0.01)


def forecasts(number: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Counts, and 23 quantiles around them with many ties."""
    rng = np.random.default_rng(seed)
    observed = rng.poisson(6, number).astype(float)
    return observed, np.sort(rng.poisson(6, (number, len(QUANTILES))), axis=1).astype(float)


def test_coverage_is_the_share_of_forecasts_whose_least_interval_is_no_wider() -> None:
    observed, quantiles = forecasts(500)
    least = least_interval(observed, quantiles)
    for level, share in scores.coverage(observed, quantiles).items():
        assert np.mean(least <= float(level) + 1e-6) == pytest.approx(share)
