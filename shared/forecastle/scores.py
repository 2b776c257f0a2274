"""Scores of probabilistic forecasts, and the naive forecast that they are held against.

Weighted interval score: Bracher, Ray, Gneiting and Reich, "Evaluating epidemic forecasts in an interval
format", PLOS Computational Biology 17 (2021); on the log scale: Bosse et al., "Scoring epidemiological
forecasts on transformed scales", PLOS Computational Biology 19 (2023).
"""

from typing import Any

import numpy as np
import scipy.stats
import scoringrules
import xarray as xr

# The 23 quantiles in which forecast hubs exchange forecasts.
QUANTILES = np.array([0.01, 0.025, *(round(0.05 * i, 2) for i in range(1, 20)), 0.975, 0.99])
LEVELS = (0.5, 0.8, 0.9, 0.95)  # of central intervals whose coverage is told
WEEK = 7  # days that the naive forecast takes the mean of
PAST_ERRORS = 28  # that tell the naive forecast's spread


def naive(count: np.ndarray, days: int, total: float | None = None) -> np.ndarray:
    """Last week's daily mean, with the spread of the same forecast's past errors.

    The quantiles are those of a normal distribution around the mean of the last seven counts, or for a
    running total around `total` plus that mean for each day ahead. Its standard deviation is the root mean
    square of the errors that the same forecast made at the same horizon on the last 28 days. A horizon that
    is longer than the past takes the longest known one's. Counts are at least 0, running totals `total`.

    Of nine such rules that were tried on the spring of 2020 (empirical quantiles of the errors, symmetric or
    not, of relative errors, of 14, 21, 28 or all days) this one has the least weighted interval score.

    Args:
        count: A country's counts a day up to the origin, nan where there was no report; at least two.
        days: How many days ahead.
        total: The running total at the origin, if that is what is forecast.

    Returns:
        Shape (days, quantile).
    """
    means = np.array([_mean(count[max(0, end - WEEK) : end]) for end in range(1, len(count) + 1)])
    totals = np.nancumsum(count)
    quantiles, error = np.empty((days, len(QUANTILES))), 0.0
    for horizon in range(1, days + 1):
        past = means[:-horizon]
        if total is None:
            centre, errors = means[-1], count[horizon:] - past
        else:
            centre = total + horizon * means[-1]
            errors = totals[horizon:] - totals[:-horizon] - horizon * past
        errors = errors[~np.isnan(errors)][-PAST_ERRORS:]
        if len(errors):
            error = np.sqrt(np.mean(errors**2))
        quantiles[horizon - 1] = centre + error * scipy.stats.norm.ppf(QUANTILES)
    return np.maximum(quantiles, total or 0)


def summarise(forecasts: xr.Dataset) -> dict[str, Any]:
    """Mean scores of many forecasts.

    Args:
        forecasts: Dimensions `forecast` and `quantile` (the 23). Variables `quantiles` and `naive` (forecast,
            quantile); `observed`, `mean` and `bias` (forecast). `bias` is the share of draws above what was
            observed less the share below: 1 is always too high, -1 too low.

    Returns:
        `forecasts`, how many; `wis`, `wis_naive` and `wis_ratio`, their quotient (below 1 is better than
        naive); `wis_ratio_log`, that of the scores of log(1 + count), in which small countries weigh as much
        as large ones; `coverage` and `coverage_naive` by level; `bias`; `absolute_percentage_error` of the
        mean, as a fraction, the median over forecasts whose observed count is not 0.
    """
    observed = forecasts["observed"].values
    quantiles, of_naive = forecasts["quantiles"].values, forecasts["naive"].values
    wis, wis_naive = (np.mean(weighted_interval_score(observed, values)) for values in (quantiles, of_naive))
    log, log_naive = (
        np.mean(weighted_interval_score(np.log1p(observed), np.log1p(values)))
        for values in (quantiles, of_naive)
    )
    known = observed > 0
    errors = np.abs(forecasts["mean"].values[known] / observed[known] - 1)
    scores: dict[str, Any] = {
        "wis": wis,
        "wis_naive": wis_naive,
        "wis_ratio": wis / wis_naive if wis_naive else np.nan,
        "wis_ratio_log": log / log_naive if log_naive else np.nan,
        "bias": forecasts["bias"].values.mean(),
        "absolute_percentage_error": np.median(errors) if len(errors) else np.nan,
    }
    return {
        "forecasts": len(observed),
        **{name: _rounded(value) for name, value in scores.items()},
        "coverage": coverage(observed, quantiles),
        "coverage_naive": coverage(observed, of_naive),
    }


def weighted_interval_score(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Of each forecast, in the unit of the counts; shapes (forecast) and (forecast, quantile)."""
    middle = len(QUANTILES) // 2
    return scoringrules.weighted_interval_score(
        observed,
        quantiles[:, middle],
        quantiles[:, :middle],
        quantiles[:, :middle:-1],
        2 * QUANTILES[:middle],
        backend="numba",  # in scoringrules 0.11 the one for NumPy takes the median for its error
    )


def coverage(observed: np.ndarray, quantiles: np.ndarray) -> dict[str, float]:
    """The share of forecasts whose central interval holds what was observed, by level."""
    shares = {}
    for level in LEVELS:
        lower, upper = (
            quantiles[:, np.argmin(np.abs(QUANTILES - (1 + sign * level) / 2))] for sign in (-1, 1)
        )
        shares[str(level)] = _rounded(np.mean((lower <= observed) & (observed <= upper)))
    return shares


def calibration(observed: np.ndarray, quantiles: np.ndarray) -> list[dict[str, float]]:
    """Of each of the 23 quantiles, the share of forecasts with an observed count at or below it."""
    below = np.mean(observed[:, None] <= quantiles, axis=0)
    return [
        {"quantile": float(quantile), "share_below": _rounded(share)}
        for quantile, share in zip(QUANTILES, below, strict=True)
    ]


def _mean(count: np.ndarray) -> float:
    return float(np.nanmean(count)) if np.isfinite(count).any() else 0.0


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
