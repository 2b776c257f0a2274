"""Scores of probabilistic forecasts, and the naive forecast that they are held against: arrays alone.

Weighted interval score: Bracher, Ray, Gneiting and Reich, "Evaluating epidemic forecasts in an interval
format", PLOS Computational Biology 17 (2021).
"""

from statistics import NormalDist

import numpy as np

# The 23 quantiles in which forecast hubs exchange forecasts.
HUB_QUANTILES = (0.01, 0.025, *(round(0.05 * i, 2) for i in range(1, 20)), 0.975, 0.99)
QUANTILES = np.array(HUB_QUANTILES)
MIDDLE = len(QUANTILES) // 2
# Levels of the central intervals between them, from the widest to the narrowest.
INTERVAL_LEVELS = (1 - 2 * QUANTILES[:MIDDLE]).round(3)
COVERAGE_LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the central intervals whose coverage is reported
PAST_ERRORS = 28  # periods whose errors give the naive forecast its spread
SAMPLED, SEED = 5000, 20200423  # sums of changes that the hub's baseline adds up


def naive(
    values: np.ndarray,
    periods: int,
    total: float | None = None,
    *,
    cycle: int = 7,
    minimum: float | None = 0,
) -> np.ndarray:
    """The mean of the last cycle, such as a week of days, with the spread of the same forecast's past errors.

    The quantiles are those of a normal distribution around the mean of the last `cycle` values, or for a
    running total around `total` plus that mean for each period ahead. Its standard deviation is the root mean
    square of the errors that the same forecast made at the same horizon in the last 28 periods. A horizon
    that is longer than the past takes the longest known one's. Values are at least `minimum`, running totals
    `total`.

    Of nine such rules that were tried on the spring of 2020 (empirical quantiles of the errors, symmetric or
    not, of relative errors, of 14, 21, 28 or all days) this one has the least weighted interval score.

    Args:
        values: Of a series, one a period up to the origin, nan where there was no report; at least two.
        periods: How many periods ahead.
        total: The running total at the origin, if that is what is forecast.
        cycle: Of how many values the mean is taken: `Frequency.cycle`.
        minimum: The least value that there can be; None if there is none.

    Returns:
        Shape (periods, quantile).
    """
    means = _means(values, cycle)
    totals, normal = np.nancumsum(values), np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
    quantiles, error = np.empty((periods, len(QUANTILES))), 0.0
    for horizon in range(1, periods + 1):
        past = means[:-horizon]
        if total is None:
            centre, errors = means[-1], values[horizon:] - past
        else:
            centre = total + horizon * means[-1]
            errors = totals[horizon:] - totals[:-horizon] - horizon * past
        errors = errors[~np.isnan(errors)][-PAST_ERRORS:]
        if len(errors):
            error = float(np.sqrt(np.mean(errors**2)))
        quantiles[horizon - 1] = centre + error * normal
    least = minimum if total is None else total
    return quantiles if least is None else np.maximum(quantiles, least)


def naive_sums(values: np.ndarray, ends: np.ndarray, *, minimum: float | None = 0) -> np.ndarray:
    """The naive forecast (`naive`) of sums over seven days: seven times the mean of the last seven.

    Its spread is that of the errors which the same forecast made of seven days as far ahead, of those that
    ended in the last 28 days.

    Args:
        values: Of a series, one a day up to the origin, nan where there was no report; at least two.
        ends: How many days ahead the last of the seven days lies; ascending, at least 7.
        minimum: The least sum that there can be; None if there is none.

    Returns:
        Shape (sum, quantile).
    """
    days = 7
    expected = days * _means(values, days)
    sums = np.convolve(values, np.ones(days), "valid") if len(values) >= days else np.empty(0)
    normal = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
    quantiles, error = np.empty((len(ends), len(QUANTILES))), 0.0
    for i, end in enumerate(ends):
        later = sums[end - days + 1 :]
        errors = later - expected[: len(later)]
        errors = errors[~np.isnan(errors)][-PAST_ERRORS:]
        if len(errors):
            error = float(np.sqrt(np.mean(errors**2)))
        quantiles[i] = expected[-1] + error * normal
    return quantiles if minimum is None else np.maximum(quantiles, minimum)


def hub_baseline(values: np.ndarray, ends: np.ndarray, *, minimum: float | None = 0) -> np.ndarray:
    """The baseline of the COVID-19 Forecast Hub for sums over seven days: the last seven, ever less surely.

    Cramer et al., "Evaluation of individual and ensemble probabilistic forecasts of COVID-19 mortality in the
    United States", PNAS 119 (2022), COVIDhub-baseline. The median is the last week's sum. Around it lies, for
    each week ahead, one more change from a week to the next: of all past ones and their negatives, with
    quantiles interpolated between them, and independent of the others. The weeks here are the last seven
    days, the seven before them and so on, so that the baseline knows all that the forecast does; a sum of
    which the last day is 8 to 14 days ahead is two changes away.

    Args:
        values: Of a series, one a day up to the origin, nan where there was no report.
        ends: How many days ahead the last of the seven days lies.
        minimum: The least sum that there can be; None if there is none.

    Returns:
        Shape (sum, quantile); nan if no week is wholly known.
    """
    days = 7
    weeks = values[len(values) % days :].reshape(-1, days).sum(axis=1)
    known = np.flatnonzero(~np.isnan(weeks))
    if not len(known):
        return np.full((len(ends), len(QUANTILES)), np.nan)
    last, since = weeks[known[-1]], len(weeks) - 1 - known[-1]
    changes = np.diff(weeks)
    changes = changes[~np.isnan(changes)] if np.isfinite(changes).any() else np.zeros(1)
    each = np.quantile(np.concatenate([changes, -changes]), (np.arange(SAMPLED) + 0.5) / SAMPLED)
    rng, away, steps = np.random.default_rng(SEED), np.zeros(SAMPLED), 0
    quantiles = np.empty((len(ends), len(QUANTILES)))
    for i, end in enumerate(ends):
        while steps < since - (-end // days):
            away, steps = away + rng.permutation(each), steps + 1
        quantiles[i] = last + np.quantile(away - np.median(away), QUANTILES)
    return quantiles if minimum is None else np.maximum(quantiles, minimum)


def same_weekday(
    values: np.ndarray, periods: int, total: float | None = None, *, minimum: float | None = 0
) -> np.ndarray:
    """The value of the same weekday in the last week, with the spread of the same forecast's past errors.

    Quantiles, the arguments and what is returned are as of `naive`. A day of the last week without a report
    is taken to be its mean.
    """
    week = np.concatenate([np.full(7, np.nan), values])[-7:]
    week = np.where(np.isnan(week), _means(values, 7)[-1], week)
    normal = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
    quantiles, error, centre = np.empty((periods, len(QUANTILES))), 0.0, total or 0.0
    known, summed = np.nan_to_num(values), np.zeros(len(values))
    for horizon in range(1, periods + 1):
        lag = 7 * -(-horizon // 7)
        if total is None:
            centre, errors = week[(horizon - 1) % 7], _since(values, lag)
        else:
            centre += week[(horizon - 1) % 7]
            day = np.full(len(values), np.nan)  # of each past origin, the error of this day alone
            day[: max(0, len(values) - horizon)] = _since(known, lag)[horizon:]
            summed = summed + day
            errors = summed
        errors = errors[~np.isnan(errors)][-PAST_ERRORS:]
        if len(errors):
            error = float(np.sqrt(np.mean(errors**2)))
        quantiles[horizon - 1] = centre + error * normal
    least = minimum if total is None else total
    return quantiles if least is None else np.maximum(quantiles, least)


def parts(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """What `weighted_interval_score` adds up: dispersion, overprediction and underprediction.

    The widths of the intervals, and how far what was observed lay below them and above them (Bracher et al.
    2021). Shape (3, forecast).
    """
    value, tail = observed[:, None], QUANTILES[:MIDDLE]
    lower, upper = quantiles[:, :MIDDLE], quantiles[:, :MIDDLE:-1]
    median = quantiles[:, MIDDLE]
    width = (tail * (upper - lower)).sum(axis=1)
    over = np.maximum(lower - value, 0).sum(axis=1) + np.maximum(median - observed, 0) / 2
    under = np.maximum(value - upper, 0).sum(axis=1) + np.maximum(observed - median, 0) / 2
    return np.stack([width, over, under]) / (MIDDLE + 0.5)


def pit(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The probability integral transform of each forecast, as the range that it is spread over evenly.

    Czado, Gneiting and Held, "Predictive model assessment for count data", Biometrics 65 (2009): of counts it
    lies anywhere between the probabilities of less and of no more than what was observed. Of these, the
    quantiles tell between which two levels they lie; taken is the middle.

    Returns:
        The lower and the upper ends, shape (2, forecast).
    """
    padded = np.array([0, *QUANTILES, 1])
    value = observed[:, None]
    less, no_more = np.sum(quantiles < value, axis=1), np.sum(quantiles <= value, axis=1)
    lower, upper = padded[less], padded[no_more + 1]
    tied = no_more > less
    ends = (
        np.where(tied, (lower + padded[less + 1]) / 2, lower),
        np.where(tied, (padded[no_more] + upper) / 2, upper),
    )
    return np.stack(ends)


def within(ranges: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """The share of each range of `pit` that lies between two probabilities, shape (forecast)."""
    start, end = ranges
    inside = np.minimum(end, upper) - np.maximum(start, lower)
    point = (start >= lower) & (start < upper)
    width = end - start
    return np.where(width > 0, np.maximum(inside, 0) / np.where(width > 0, width, 1), point)


def weighted_interval_score(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Of each forecast, in the unit of the values; shapes (forecast) and (forecast, quantile).

    With the weights of Bracher, Ray, Gneiting and Reich, "Evaluating epidemic forecasts in an interval
    format", PLOS Computational Biology 17 (2021), it is twice the mean quantile loss (their equation 3).
    """
    error = observed[:, None] - quantiles
    return 2 * np.mean(np.where(error >= 0, QUANTILES, QUANTILES - 1) * error, axis=1)


def bias(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Of each forecast: 1 if it is all too high, -1 if it is all too low, 0 if its median was right.

    1 - 2 p, where p is the greatest level of a quantile that is no greater than what was observed if that
    lies below the median, or the least level of one that is no less if it lies above. Funk et al., "Assessing
    the performance of real-time epidemic forecasts", PLOS Computational Biology 15 (2019), in the form for
    quantiles of Bosse et al., "Evaluating Forecasts with scoringutils in R" (2022).
    """
    value, padded = observed[:, None], np.array([0, *QUANTILES, 1])
    at_most = padded[np.sum(quantiles <= value, axis=1)]
    at_least = padded[1 + np.sum(quantiles < value, axis=1)]
    median = quantiles[:, MIDDLE]
    return np.select([observed < median, observed > median], [1 - 2 * at_most, 1 - 2 * at_least], 0.0)


def least_interval(observed: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Of each forecast, the level of its narrowest central interval that holds what was observed.

    0 if the median is what was observed, 1 if no interval holds it. So those that are at most 0.9 are what
    the 90 % intervals cover.
    """
    value = observed[:, None]
    inside = (quantiles[:, :MIDDLE] <= value) & (value <= quantiles[:, :MIDDLE:-1])
    levels = np.array([1, *INTERVAL_LEVELS])[inside.sum(axis=1)]  # they lie within each other
    return np.where(observed == quantiles[:, MIDDLE], 0.0, levels)


def _means(values: np.ndarray, cycle: int) -> np.ndarray:
    """The mean of the cycle up to each value; without a report in it that of the cycle before, or 0."""
    means, mean = [], 0.0
    for end in range(1, len(values) + 1):
        window = values[max(0, end - cycle) : end]
        if np.isfinite(window).any():
            mean = float(np.nanmean(window))
        means.append(mean)
    return np.array(means)


def _since(values: np.ndarray, lag: int) -> np.ndarray:
    """How far each value lies above that so many before it; nan where there is none."""
    changes = np.full(len(values), np.nan)
    changes[lag:] = values[lag:] - values[: max(0, len(values) - lag)]
    return changes
