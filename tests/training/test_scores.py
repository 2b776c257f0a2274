"""training/scores.py: summaries of many forecasts' scores."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from forecastle.scores import COVERAGE_LEVELS, QUANTILES, least_interval, weighted_interval_score
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
        },
        {
            "series": ("forecast", np.arange(len(observed)).astype(str)),
            "origin": ("forecast", np.full(len(observed), "2020-04-07")),
        },
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


def test_the_parts_of_the_score_add_up_and_ratios_are_those_of_means() -> None:
    observed = np.random.default_rng(1).normal(10, size=500)
    forecasts = normal(observed, 9.5)
    forecasts["baseline"] = forecasts["naive"] + 1
    forecasts["baseline"][0] = np.nan  # of one forecast there is none
    summary = scores.summarise(forecasts)
    total = summary["dispersion"] + summary["overprediction"] + summary["underprediction"]
    assert total == pytest.approx(summary["wis"], rel=1e-3)
    assert summary["underprediction"] > 2 * summary["overprediction"]
    own, other = (
        weighted_interval_score(observed[1:], forecasts[name].values[1:])
        for name in ("quantiles", "baseline")
    )
    assert summary["wis_ratio_baseline"] == pytest.approx(own.mean() / other.mean(), rel=1e-3)
    assert scores.summarise(forecasts.drop_vars("baseline"))["wis_ratio_baseline"] is None


def test_an_interval_of_one_origin_is_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(10, 2, size=400)
    one = np.ones(400)
    low, high = scores.resampled(values, one, np.arange(400).astype(str), one) or (0, 0)
    spread = 1.645 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - spread, values.mean() + spread), abs=0.03)


def test_origins_are_resampled_too() -> None:
    """Series that all have the same values leave the origins' spread alone."""
    by_origin = np.random.default_rng(2).normal(10, 2, size=100)
    values = np.repeat(by_origin, 50)
    origin, series = np.repeat(np.arange(100), 50), np.tile(np.arange(50), 100)
    low, high = scores.resampled(values, np.ones(5000), series, origin) or (0, 0)
    assert high - low == pytest.approx(2 * 1.645 * by_origin.std() / 10, rel=0.1)


def test_one_series_and_origin_have_no_interval() -> None:
    known = normal(np.array([1.0, 2.0])).assign_coords(series=("forecast", ["a", "a"]))
    found = scores.intervals(known)
    assert found["wis_ratio"] is None and found["coverage_pit"]["0.9"] is None


def test_intervals_of_perfect_forecasts_hold_the_level() -> None:
    found = scores.intervals(normal(np.random.default_rng(1).normal(size=2000)))
    for level in COVERAGE_LEVELS:
        low, high = found["coverage_pit"][str(level)]
        assert low < level < high and high - low < 0.05
    assert found["wis_ratio"][1] < 1 and found["wis_ratio_baseline"] is None


def test_what_the_largest_series_weigh() -> None:
    """Their errors are 10, 20, ... 70: so is what they weigh."""
    certain = np.zeros((7, len(QUANTILES)))
    known = normal(10 * np.arange(1.0, 8))
    known["quantiles"][:] = certain
    known["naive"][:] = certain + 15  # whose errors are 5, 5, 15, 25, ...
    found = scores.largest(known)
    assert found["series"] == ["6", "5", "4", "3", "2"]
    assert found["share"] == pytest.approx(25 / 28, abs=1e-3)
    assert found["worse"] == 7
    entries = scores.by_series(known)
    assert [entry["wis_ratio"] for entry in entries[:2]] == pytest.approx([2, 4])
    assert entries[-1]["share"] == pytest.approx(7 / 28)


def test_a_histogram_of_the_pit_is_flat_for_counts_too() -> None:
    observed = np.random.default_rng(1).poisson(1, 20_000).astype(float)
    quantiles = np.tile(scipy.stats.poisson.ppf(QUANTILES, 1), (len(observed), 1))
    assert scores.pit_histogram(observed, quantiles) == pytest.approx(np.full(10, 0.1), abs=0.015)
    too_low = scores.pit_histogram(observed + 3, quantiles)
    assert sum(too_low) == pytest.approx(1, abs=1e-3) and too_low[-1] > 0.5
