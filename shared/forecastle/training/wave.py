"""A model of one wave of daily counts of each series: growth, peak and decay, partially pooled.

u days after its peak a series expects h (g + d) / (d exp(-g u) + g exp(d u)) a day, times a factor for the
day of the week, with negative binomial noise. `models/deaths` and `models/hierarchical` are this model, with
their own observations and priors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import scipy.special
import scipy.stats
import xarray as xr
from scipy.interpolate import RectBivariateSpline
from scipy.signal import find_peaks

from forecastle.observations import noun_of
from forecastle.training.likelihood import negative_binomial

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WEEKS = 6  # the last ones, which tell how far a series' weeks and days lie off its curve
PAST = np.arange(1 - 7 * WEEKS, 1)  # their days; 0 is the last
DEVIATION_DAYS = 60  # after which a deviation is down to a third
DAMPING = 0.95  # of the trend, a day: what is left of it is halved in two weeks
# Of the growth that is ahead, a day: its error today, and what a day adds. However well a curve fits the
# past, its growth over the next weeks is known no better.
GROWTH_ERROR, GROWTH_DRIFT = 0.05, 0.012
TRANSFORMED = 200  # draws, which are enough for a probability
RAREST = 1e-4  # probability of noise that is drawn
SMALLEST = 1e-300  # quantile of noise that has a logarithm

# A trough divides two waves if the count at least doubles after it, with so many a day added to both,
# lest a lull between a few counts look like one. At least so many days must have passed since.
TROUGH_RISE, TROUGH_OFFSET, TROUGH_DAYS = 2.0, 5.0, 14


def latest_wave(count: pd.Series) -> int:
    """The position of the trough that the latest wave began with; 0 if there was one wave only."""
    # The median ignores a day on which weeks of deaths were added at once; that is not a wave.
    median = count.astype(float).rolling(15, center=True, min_periods=1).median()
    smooth = median.interpolate(limit_direction="both").rolling(7, center=True, min_periods=1).mean()
    troughs, _ = find_peaks(-np.log(smooth + TROUGH_OFFSET), prominence=np.log(TROUGH_RISE))
    return max((int(day) for day in troughs if day <= len(count) - TROUGH_DAYS), default=0)


def build(rows: pd.DataFrame, column: str, *, growth: float, decay: float, delay: float) -> pm.Model:
    """The model of all series.

    Growth, decay and dispersion are pooled on the log scale. A series' curve is pinned where its data are:
    by the expected count on its reference day (the middle of its busiest week) and by the days from then to
    the curve's peak, in units of 1 / (growth + decay). Height and day of the peak itself would be strongly
    correlated for every series whose peak lies outside its data, and take twice the steps to sample.
    All series share the shape of a week, and each has it more or less.

    Args:
        rows: A row for each series and day: `date`, the noun and the counts.
        column: Of the counts a day; missing is no report.
        growth: A day, before the peak; the prior's median over series.
        decay: A day, after it; likewise.
        delay: Standard deviation of the scaled delay from the reference day to the peak, and its mean where
            the last week is the busiest, so that the peak is still to come.
    """
    noun = noun_of(rows)
    reported = rows[column].notna().to_numpy()
    series = rows.groupby(noun).ngroup().to_numpy()[reported]
    day = rows.groupby(noun_of(rows)).cumcount().to_numpy()[reported]
    day_of_week = rows["date"].dt.day_of_week.to_numpy()[reported]
    count = rows[column].to_numpy(dtype=float, na_value=np.nan)[reported]
    reference, busiest, rising = busiest_week(rows, column)
    with pm.Model(coords={noun: rows[noun].unique(), "day_of_week": list(WEEKDAYS)}) as model:

        def pooled(name: str, mean: float, mean_sd: float, sd: float) -> pt.TensorVariable:
            centre = pm.Normal(f"{name}_mean", mean, mean_sd)
            # Series differ, by about `sd`; a prior that reached 0 would make a funnel there.
            spread = pm.LogNormal(f"{name}_sd", np.log(sd), 0.3)
            return pm.Normal(name, centre, spread, dims=noun)

        log_growth = pooled("log_growth", np.log(growth), 0.5, 0.5)
        log_decay = pooled("log_decay", np.log(decay), 0.5, 0.5)
        # Variance is mean + mean² / dispersion: 5 adds a standard deviation of 45 % of the mean to Poisson's.
        log_dispersion = pooled("log_dispersion", np.log(5), 1, 1)
        # Around the busiest week's mean, within a factor of e either way: the data decide.
        log_level = pm.Normal("log_level", np.log(busiest), 1, dims=noun)
        scaled_delay = pm.Normal("scaled_delay", np.where(rising, delay, 0), delay, dims=noun)
        # Registries and laboratories rest at weekends: 0.3 is a third more or less.
        weekday = pm.ZeroSumNormal("weekday", 0.3, dims="day_of_week")
        # 1 is as in most series, 0 is none, and few have it the other way round.
        weekday_strength = pm.Normal("weekday_strength", 1, 0.7, dims=noun)

        rates = [
            pm.Deterministic("growth", pt.exp(log_growth), dims=noun),
            pm.Deterministic("decay", pt.exp(log_decay), dims=noun),
        ]
        days_to_peak = pm.Deterministic("delay", scaled_delay / sum(rates), dims=noun)
        pm.Deterministic("dispersion", pt.exp(log_dispersion), dims=noun)

        log_mean = log_curve(
            pt.softplus,
            lambda values: values[series],
            day - reference[series],
            *(log_level, days_to_peak, *rates),
        )
        log_mean += weekday_strength[series] * weekday[day_of_week]
        pm.Potential("counts", negative_binomial(series, count, log_mean, log_dispersion))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily counts, shape (draw, series, day); day 0 is the last of `rows`.

    Coming days go on deviating from the curve as the last weeks did, growth may turn out other than the
    curve's, and noise is as the last weeks' was: see `deviation`, `growth_error` and `noise`.
    """
    log_mean = _log_mean(posterior, rows, column, days)
    dispersion = posterior["dispersion"].to_numpy()[:, :, None]
    factor = rng.gamma(dispersion, 1 / dispersion, log_mean.shape)
    ahead = days > 0
    if ahead.any():
        last = int(days.max())
        off = deviation(posterior, rows, column, last, rng)
        off += growth_error(log_mean.shape[:2], last, rng)
        log_mean[:, :, ahead] += off[:, :, days[ahead] - 1]
        factor[:, :, ahead] = noise(posterior, rows, column, last, rng)[:, :, days[ahead] - 1]
    return rng.poisson(np.exp(log_mean) * factor)


def deviation(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws of the log of the factor between the curve and what is expected, shape (draw, series, day).

    A series' weeks lie off its curve by more than the noise of counts, and one week much as the one before.
    What is ahead starts from the last week's deviation, or the share of it that is no noise, and follows an
    autoregressive process, whose standard deviation is that of the last weeks' beside the noise. To shift a
    forecast by its latest errors is known as intercept correction: Clements and Hendry, "Intercept
    corrections and structural change", Journal of Applied Econometrics 11 (1996).
    """
    count = _latest(rows, column)
    expected = np.exp(_log_mean(posterior, rows, column, PAST))
    off = _off(count, expected)
    of_counts = 1 / (7 * posterior["dispersion"].to_numpy())
    of_counts += 1 / (np.where(np.isnan(count), 0, expected)[:, :, -7:].sum(axis=-1) + 1)
    known = ~np.isnan(count).reshape(len(count), WEEKS, 7).all(axis=-1)
    # Two degrees of freedom went into the curve's own level and slope over these weeks.
    free = np.maximum(known.sum(axis=-1) - 2, 1)
    variance = np.maximum((off**2 * known).sum(axis=-1) / free - of_counts, 0)

    share = variance / (variance + of_counts)
    state = rng.normal(off[:, :, -1] * share, np.sqrt(of_counts * share))
    kept, path = np.exp(-1 / DEVIATION_DAYS), []
    for _ in range(days):
        state = rng.normal(kept * state, np.sqrt((1 - kept**2) * variance))
        path.append(state)
    return np.stack(path, axis=-1)


def growth_error(shape: tuple[int, int], days: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of how far growth that was not as expected takes the log of a count, shape (*shape, day).

    The error of growth is a random walk from day to day, which is damped as the trend is: a local linear
    trend, as in Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter" (1989).
    """
    first = rng.normal(0, GROWTH_ERROR, (*shape, 1))
    error = first + np.cumsum(rng.normal(0, GROWTH_DRIFT, (*shape, days)), axis=-1)
    return np.cumsum(error * DAMPING ** np.arange(1, days + 1), axis=-1)


def noise(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws of the factor between a day and what is expected of it, shape (draw, series, day).

    The likelihood has them follow a gamma distribution; a series' days may lie closer together with more
    of them far off. So each is the quantile of that distribution at which one of the last weeks' days was,
    smoothed by a kernel: the forecast is recalibrated by its probability integral transforms, as in Gneiting
    and Ranjan, "Combining predictive distributions", Electronic Journal of Statistics 7 (2013).
    """
    count = _latest(rows, column)
    some = posterior.isel(draw=slice(None, None, max(1, posterior.sizes["draw"] // TRANSFORMED)))
    expected = np.exp(_log_mean(some, rows, column, PAST))
    expected *= np.exp(np.repeat(_off(count, expected), 7, axis=-1))
    dispersion = some["dispersion"].to_numpy()[:, :, None]
    probability = dispersion / (dispersion + expected)
    # Randomised, as counts are whole.
    below = scipy.stats.nbinom.cdf(count - 1, dispersion, probability).mean(axis=0)
    up_to = scipy.stats.nbinom.cdf(count, dispersion, probability).mean(axis=0)
    transform = below + (up_to - below) * rng.random(count.shape)
    score = scipy.special.ndtri(np.clip(transform, RAREST, 1 - RAREST))

    dispersion = posterior["dispersion"].to_numpy()
    quantiles = _quantiles(dispersion)
    draws = []
    for i in range(len(count)):
        own = score[i][~np.isnan(score[i])]
        kernels = scipy.stats.gaussian_kde(own if len(own) >= 7 else score[~np.isnan(score)])
        drawn = kernels.resample(len(dispersion) * days, seed=rng).reshape(len(dispersion), days)
        draws.append(quantiles(dispersion[:, i, None], drawn))
    return np.stack(draws, axis=1)


def _quantiles(dispersion: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The quantile of the gamma distribution with mean 1, of a dispersion and a normal score, as a function.

    Scores beyond those of `RAREST` count as these. It is interpolated: exact quantiles of all draws take
    three times as long. It is within 1e-3 of them, relatively, for dispersions from 0.02.

    Args:
        dispersion: All that the function is asked for.
    """
    rarest = scipy.special.ndtri(RAREST)
    lowest, highest = np.log(dispersion.min()) - 0.3, np.log(dispersion.max()) + 0.3
    logs = np.linspace(lowest, highest, 2 + int(10 * (highest - lowest)))
    scores = np.linspace(rarest, -rarest, 60)
    shape = np.exp(logs)[:, None]
    exact = scipy.special.gammaincinv(shape, scipy.special.ndtr(scores)) / shape
    # Times the dispersion, so that the logs of near-zero quantiles stay small.
    table = RectBivariateSpline(logs, scores, shape * np.log(np.maximum(exact, SMALLEST)))

    def quantiles(dispersion: np.ndarray, score: np.ndarray) -> np.ndarray:
        log, score = np.broadcast_arrays(np.log(dispersion), np.clip(score, rarest, -rarest))
        return np.exp(table(log, score, grid=False) / dispersion)

    return quantiles


def _latest(rows: pd.DataFrame, column: str) -> np.ndarray:
    """The counts of each series' last weeks, shape (series, day); nan where there is none."""
    count = np.full((rows[noun_of(rows)].nunique(), len(PAST)), np.nan)
    for i, (_, group) in enumerate(rows.groupby(noun_of(rows))):
        latest = group[column].astype(float).to_numpy()[-len(PAST) :]
        count[i, len(PAST) - len(latest) :] = latest
    return count


def _off(count: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Log of the factor between the last weeks' counts and what was expected, shape (draw, series, week)."""

    def weekly(daily: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(count), 0, daily).reshape(*daily.shape[:-1], WEEKS, 7).sum(axis=-1)

    return np.log((weekly(count) + 1) / (weekly(expected) + 1))


def _log_mean(posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: np.ndarray) -> np.ndarray:
    """Log of what the curve and the day of the week let expect, shape (draw, series, day).

    The curve's trend is damped on coming days, as exponential growth and decay last less long than they seem
    to: Gardner and McKenzie, "Forecasting trends in time series", Management Science 31 (1985).
    """
    reference, *_ = busiest_week(rows, column)
    last_day = rows.groupby(noun_of(rows)).size().to_numpy() - 1
    names = ("log_level", "delay", "growth", "decay", "weekday_strength")
    *curve, strength = (posterior[name].to_numpy()[:, :, None] for name in names)

    def trend(days: np.ndarray) -> np.ndarray:
        day = (last_day - reference)[:, None] + days
        return log_curve(lambda x: np.logaddexp(0, x), lambda values: values, day, *curve)

    log_mean = trend(days)
    ahead = days > 0
    if ahead.any():
        until = np.arange(int(days.max()) + 1)
        undamped = trend(until)
        change = np.cumsum(np.diff(undamped) * DAMPING ** until[1:], axis=-1)
        log_mean[:, :, ahead] = undamped[:, :, :1] + change[:, :, days[ahead] - 1]
    day_of_week = (rows.groupby(noun_of(rows))["date"].last().dt.day_of_week.to_numpy()[:, None] + days) % 7
    return log_mean + strength * posterior["weekday"].to_numpy()[:, day_of_week]


def log_curve(
    softplus: Callable[[Any], Any],
    for_each: Callable[[Any], Any],
    day: Any,
    log_level: Any,
    delay: Any,
    growth: Any,
    decay: Any,
) -> Any:
    """Log of expected counts, `day` days after the reference day; the same for PyTensor and for NumPy.

    h (g + d) / (d exp(-g u) + g exp(d u)), u = day - delay, written from the level on the reference day.
    `for_each` takes series' values to those of the days: late, so that little is computed for each day.
    """
    turn = np.log(growth / decay) - (growth + decay) * delay
    bend = softplus(for_each(turn) + for_each(growth + decay) * day)
    return for_each(log_level + softplus(turn)) + for_each(growth) * day - bend


def busiest_week(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each series the seven days with the highest counts, whose middle is the curve's reference day.

    Args:
        rows: A row for each series and day.
        column: The counts a day; missing is no report.

    Returns:
        Their middle day (0 is the series' first), their mean count (at least 0.5), and whether they are
        the last week, so that the count may still be rising. Shapes (series).
    """
    middle, mean, last = [], [], []
    for _, group in rows.groupby(noun_of(rows)):
        weekly = group[column].astype(float).rolling(7, center=True, min_periods=1).mean().to_numpy()
        middle.append(int(np.nanargmax(weekly)))
        mean.append(max(np.nanmax(weekly), 0.5))
        last.append(len(group) - 1 - middle[-1] <= 7)
    return np.array(middle), np.array(mean), np.array(last)
