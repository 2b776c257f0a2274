"""Summaries of many forecasts' scores, for backtests and comparisons.

Scores on the log scale: Bosse et al., "Scoring epidemiological forecasts on transformed scales", PLOS
Computational Biology 19 (2023).
"""

import itertools
from typing import Any

import numpy as np
import xarray as xr

from forecastle.scores import COVERAGE_LEVELS, QUANTILES, parts, pit, weighted_interval_score, within

RESAMPLES, SEED = 1000, 20200423
INTERVAL = (0.05, 0.95)  # of the resamples: 90 % of them
BINS = 10  # of the histogram
LARGEST = 5  # series, whose share of the score is told


def summarise(forecasts: xr.Dataset) -> dict[str, Any]:
    """Mean scores of many forecasts.

    Args:
        forecasts: Dimensions `forecast` and `quantile` (the 23). Variables `quantiles`, `naive` and perhaps
            `baseline` (forecast, quantile), of the model and what it is held against; `observed`, `mean` and
            `bias` (forecast). `bias` is the share of draws above what was observed less the share below: 1 is
            always too high, -1 too low.

    Returns:
        `forecasts`, how many; `wis`, `wis_naive` and `wis_ratio`, their quotient (below 1 is better than
        naive); `wis_ratio_baseline`, the same of the baseline where there is one, otherwise None;
        `wis_ratio_log`, that of the scores of log(1 + count), in which small series weigh as much
        as large ones, and which is None if a value is negative; `dispersion`, `overprediction` and
        `underprediction`, which add up to `wis`; `coverage` and `coverage_naive` by level, and
        `coverage_pit`, by the randomised probability integral transform: the shares of a perfect forecast
        are the levels, also of small counts; `bias`; `absolute_percentage_error` of the
        mean, as a fraction, the median over forecasts whose observed count is not 0.
    """
    observed, quantiles = forecasts["observed"].values, forecasts["quantiles"].values
    each = _scores(forecasts)
    known = observed > 0
    errors = np.abs(forecasts["mean"].values[known] / observed[known] - 1)
    numbers: dict[str, float] = {
        "wis": each["wis"].mean(),
        "wis_naive": each["wis_naive"].mean(),
        "wis_ratio": _quotient(each["wis"], each["wis_naive"]),
        "wis_ratio_baseline": _quotient(each["wis"], each["wis_baseline"]),
        "wis_ratio_log": _quotient(each["log"], each["log_naive"]),
        **dict(
            zip(
                ("dispersion", "overprediction", "underprediction"),
                parts(observed, quantiles).mean(axis=1),
                strict=True,
            )
        ),
        "bias": forecasts["bias"].values.mean(),
        "absolute_percentage_error": np.median(errors) if len(errors) else np.nan,
    }
    unknown = {name: None for name in ("wis_ratio_baseline", "wis_ratio_log") if np.isnan(numbers[name])}
    return {
        "forecasts": len(observed),
        **{name: _rounded(value) for name, value in numbers.items()},
        **unknown,
        "coverage": coverage(observed, quantiles),
        "coverage_pit": {
            str(level): _rounded(_covered(forecasts, level).mean()) for level in COVERAGE_LEVELS
        },
        "coverage_naive": coverage(observed, forecasts["naive"].values),
    }


def intervals(forecasts: xr.Dataset) -> dict[str, Any]:
    """Between what 90 % of resamples of series and origins lie: pairs by the names of `summarise`.

    Each resample draws as many series and as many origins as there are, with replacement, and takes the
    forecasts of both: Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1 (2007). None where
    there is but one series and one origin, or no such score.
    """
    each = _scores(forecasts)
    one = np.ones(forecasts.sizes["forecast"])

    def of(numerator: np.ndarray, denominator: np.ndarray) -> list[float] | None:
        return resampled(numerator, denominator, forecasts["series"].values, forecasts["origin"].values)

    return {
        "wis_ratio": of(each["wis"], each["wis_naive"]),
        "wis_ratio_baseline": of(each["wis"], each["wis_baseline"]),
        "wis_ratio_log": of(each["log"], each["log_naive"]),
        "coverage_pit": {str(level): of(_covered(forecasts, level), one) for level in COVERAGE_LEVELS},
    }


def resampled(
    numerator: np.ndarray, denominator: np.ndarray, series: np.ndarray, origin: np.ndarray
) -> list[float] | None:
    """Between what the quotient of two sums over forecasts lies in 90 % of resamples, as of `intervals`."""
    known = np.isfinite(numerator) & np.isfinite(denominator)
    rows, i = np.unique(series[known], return_inverse=True)
    columns, j = np.unique(origin[known], return_inverse=True)
    if len(rows) * len(columns) < 2:
        return None
    rng = np.random.default_rng(SEED)
    weights = [
        rng.multinomial(number, np.full(number, 1 / number), RESAMPLES).astype(float)
        for number in (len(rows), len(columns))
    ]
    sums = []
    for values in (numerator[known], denominator[known]):
        table = np.zeros((len(rows), len(columns)))
        np.add.at(table, (i, j), values)
        sums.append(((weights[0] @ table) * weights[1]).sum(axis=1))
    above, below = sums
    if not (below > 0).any():
        return None
    low, high = np.quantile(above[below > 0] / below[below > 0], INTERVAL)
    return [_rounded(low), _rounded(high)]


def by_series(forecasts: xr.Dataset) -> list[dict[str, Any]]:
    """Of each series the number of forecasts, some scores of `summarise`, and its `share` of all WIS."""
    each, bias = _scores(forecasts), forecasts["bias"].values
    covered, total = _covered(forecasts, 0.9), each["wis"].sum()
    codes, position = np.unique(forecasts["series"].values, return_inverse=True)
    entries = []
    for k, code in enumerate(codes):
        own = position == k
        ratio = _quotient(each["wis"][own], each["wis_naive"][own])
        entries.append(
            {
                "series": str(code),
                "forecasts": int(own.sum()),
                "wis": _rounded(each["wis"][own].mean()),
                "wis_ratio": None if np.isnan(ratio) else _rounded(ratio),
                "share": _rounded(each["wis"][own].sum() / total) if total else None,
                "coverage_pit": {"0.9": _rounded(covered[own].mean())},
                "bias": _rounded(bias[own].mean()),
            }
        )
    return entries


def largest(forecasts: xr.Dataset) -> dict[str, Any]:
    """What the series with the most WIS weigh, and how many are worse than naive.

    `series`, their codes, the largest first; `share`, of all WIS; `worse`, the number of series with a ratio
    above 1.
    """
    entries = sorted(by_series(forecasts), key=lambda entry: -(entry["share"] or 0))
    shares = [entry["share"] for entry in entries[:LARGEST]]
    return {
        "series": [entry["series"] for entry in entries[:LARGEST]],
        "share": None if None in shares else _rounded(sum(shares)),
        "worse": sum((entry["wis_ratio"] or 0) > 1 for entry in entries),
    }


def pit_histogram(observed: np.ndarray, quantiles: np.ndarray) -> list[float]:
    """Shares of the randomised PIT in ten equal parts from 0 to 1: each 0.1 of a perfect forecast."""
    ranges, edges = pit(observed, quantiles), np.linspace(0, 1, BINS + 1)
    return [_rounded(within(ranges, *ends).mean()) for ends in itertools.pairwise(edges)]


def _scores(forecasts: xr.Dataset) -> dict[str, np.ndarray]:
    """Of each forecast the WIS and that of what it is held against, and of the logs; nan if unknown."""
    observed = forecasts["observed"].values
    quantiles, of_naive = forecasts["quantiles"].values, forecasts["naive"].values
    unknown = np.full(len(observed), np.nan)
    found = {
        "wis": weighted_interval_score(observed, quantiles),
        "wis_naive": weighted_interval_score(observed, of_naive),
        "wis_baseline": unknown,
        "log": unknown,
        "log_naive": unknown,
    }
    if "baseline" in forecasts:
        found["wis_baseline"] = weighted_interval_score(observed, forecasts["baseline"].values)
    if min(observed.min(), quantiles.min(), of_naive.min()) >= 0:
        for name, values in (("log", quantiles), ("log_naive", of_naive)):
            found[name] = weighted_interval_score(np.log1p(observed), np.log1p(values))
    return found


def _quotient(numerator: np.ndarray, denominator: np.ndarray) -> float:
    """Of the sums, where both are known; nan if that of the denominator is 0."""
    known = np.isfinite(numerator) & np.isfinite(denominator)
    below = denominator[known].sum()
    return float(numerator[known].sum() / below) if below else np.nan


def _covered(forecasts: xr.Dataset, level: float) -> np.ndarray:
    """Of each forecast, the share of its randomised PIT that lies within the central interval."""
    ranges = pit(forecasts["observed"].values, forecasts["quantiles"].values)
    return within(ranges, (1 - level) / 2, (1 + level) / 2)


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
