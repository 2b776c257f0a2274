"""Summaries of many forecasts' scores, for backtests and comparisons.

Scores on the log scale: Bosse et al., "Scoring epidemiological forecasts on transformed scales", PLOS
Computational Biology 19 (2023).
"""

from typing import Any

import numpy as np
import xarray as xr

from forecastle.scores import COVERAGE_LEVELS, QUANTILES, weighted_interval_score


def summarise(forecasts: xr.Dataset) -> dict[str, Any]:
    """Mean scores of many forecasts.

    Args:
        forecasts: Dimensions `forecast` and `quantile` (the 23). Variables `quantiles` and `naive` (forecast,
            quantile); `observed`, `mean` and `bias` (forecast). `bias` is the share of draws above what was
            observed less the share below: 1 is always too high, -1 too low.

    Returns:
        `forecasts`, how many; `wis`, `wis_naive` and `wis_ratio`, their quotient (below 1 is better than
        naive); `wis_ratio_log`, that of the scores of log(1 + count), in which small series weigh as much
        as large ones, and which is None if a value is negative; `coverage` and
        `coverage_naive` by level; `bias`; `absolute_percentage_error` of the
        mean, as a fraction, the median over forecasts whose observed count is not 0.
    """
    observed = forecasts["observed"].values
    quantiles, of_naive = forecasts["quantiles"].values, forecasts["naive"].values
    wis, wis_naive = (np.mean(weighted_interval_score(observed, values)) for values in (quantiles, of_naive))
    counted = min(observed.min(), quantiles.min(), of_naive.min()) >= 0
    log, log_naive = (
        np.mean(weighted_interval_score(np.log1p(observed), np.log1p(values))) if counted else np.nan
        for values in (quantiles, of_naive)
    )
    known = observed > 0
    errors = np.abs(forecasts["mean"].values[known] / observed[known] - 1)
    scores: dict[str, Any] = {
        "wis": wis,
        "wis_naive": wis_naive,
        "wis_ratio": wis / wis_naive if wis_naive else np.nan,
        "wis_ratio_log": log / log_naive if log_naive and counted else np.nan,
        "bias": forecasts["bias"].values.mean(),
        "absolute_percentage_error": np.median(errors) if len(errors) else np.nan,
    }
    return {
        "forecasts": len(observed),
        **{name: _rounded(value) for name, value in scores.items()},
        **({} if counted else {"wis_ratio_log": None}),
        "coverage": coverage(observed, quantiles),
        "coverage_naive": coverage(observed, of_naive),
    }


def coverage(observed: np.ndarray, quantiles: np.ndarray) -> dict[str, float]:
    """The share of forecasts whose central interval holds what was observed, by level."""
    shares = {}
    for level in COVERAGE_LEVELS:
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


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
