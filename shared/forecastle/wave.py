"""A model of one wave of daily counts in each country: growth, peak and decay, partially pooled.

u days after its peak a country expects h (g + d) / (d exp(-g u) + g exp(d u)) a day, times a factor for the
day of the week, with negative binomial noise. `models/deaths` and `models/hierarchical` are this model, with
their own observations and priors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.signal import find_peaks

from forecastle.likelihood import negative_binomial

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

DEVIATION_WEEKS = 6  # that tell how far a country's weeks lie off its curve
DEVIATION_DAYS = 21  # after which a deviation is down to a third

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
    """The model of all countries.

    Growth, decay and dispersion are pooled on the log scale. A country's curve is pinned where its data are:
    by the expected count on its reference day (the middle of its busiest week) and by the days from then to
    the curve's peak, in units of 1 / (growth + decay). Height and day of the peak itself would be strongly
    correlated for every country whose peak lies outside its data, and take twice the steps to sample.
    All countries share the shape of a week, and each has it more or less.

    Args:
        rows: A row for each country and day: `date`, `country` and the counts.
        column: Of the counts a day; missing is no report.
        growth: A day, before the peak; the prior's median over countries.
        decay: A day, after it; likewise.
        delay: Standard deviation of the scaled delay from the reference day to the peak, and its mean where
            the last week is the busiest, so that the peak is still to come.
    """
    reported = rows[column].notna().to_numpy()
    country = rows.groupby("country").ngroup().to_numpy()[reported]
    day = rows.groupby("country").cumcount().to_numpy()[reported]
    day_of_week = rows["date"].dt.day_of_week.to_numpy()[reported]
    count = rows[column].to_numpy(dtype=float, na_value=np.nan)[reported]
    reference, busiest, rising = busiest_week(rows, column)
    with pm.Model(coords={"country": rows["country"].unique(), "day_of_week": list(WEEKDAYS)}) as model:

        def pooled(name: str, mean: float, mean_sd: float, sd: float) -> pt.TensorVariable:
            centre = pm.Normal(f"{name}_mean", mean, mean_sd)
            # Countries differ, by about `sd`; a prior that reached 0 would make a funnel there.
            spread = pm.LogNormal(f"{name}_sd", np.log(sd), 0.3)
            return pm.Normal(name, centre, spread, dims="country")

        log_growth = pooled("log_growth", np.log(growth), 0.5, 0.5)
        log_decay = pooled("log_decay", np.log(decay), 0.5, 0.5)
        # Variance is mean + mean² / dispersion: 5 adds a standard deviation of 45 % of the mean to Poisson's.
        log_dispersion = pooled("log_dispersion", np.log(5), 1, 1)
        # Around the busiest week's mean, within a factor of e either way: the data decide.
        log_level = pm.Normal("log_level", np.log(busiest), 1, dims="country")
        scaled_delay = pm.Normal("scaled_delay", np.where(rising, delay, 0), delay, dims="country")
        # Registries and laboratories rest at weekends: 0.3 is a third more or less.
        weekday = pm.ZeroSumNormal("weekday", 0.3, dims="day_of_week")
        # 1 is as in most countries, 0 is none, and few have it the other way round.
        weekday_strength = pm.Normal("weekday_strength", 1, 0.7, dims="country")

        rates = [
            pm.Deterministic("growth", pt.exp(log_growth), dims="country"),
            pm.Deterministic("decay", pt.exp(log_decay), dims="country"),
        ]
        days_to_peak = pm.Deterministic("delay", scaled_delay / sum(rates), dims="country")
        pm.Deterministic("dispersion", pt.exp(log_dispersion), dims="country")

        log_mean = log_curve(
            pt.softplus,
            lambda values: values[country],
            day - reference[country],
            *(log_level, days_to_peak, *rates),
        )
        log_mean += weekday_strength[country] * weekday[day_of_week]
        pm.Potential("counts", negative_binomial(country, count, log_mean, log_dispersion))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily counts, shape (draw, country, day); day 0 is the last of `rows`.

    Coming days go on deviating from the curve as the last weeks did: see `deviation`.
    """
    log_mean = _log_mean(posterior, rows, column, days)
    coming = days[days > 0]
    if len(coming):
        deviates = deviation(posterior, rows, column, int(coming.max()), rng)
        log_mean[:, :, days > 0] += deviates[:, :, coming - 1]
    dispersion = posterior["dispersion"].to_numpy()[:, :, None]
    return rng.poisson(rng.gamma(dispersion, np.exp(log_mean) / dispersion))


def deviation(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws of the log of the factor between the curve and what is expected, shape (draw, country, day).

    A country's weeks lie off its curve by more than the noise of counts, and one week much as the one before.
    What is ahead starts from the last week's deviation, or the share of it that is no noise, and follows an
    autoregressive process, whose standard deviation is that of the last weeks' beside the noise. To shift a
    forecast by its latest errors is known as intercept correction: Clements and Hendry, "Intercept
    corrections and structural change", Journal of Applied Econometrics 11 (1996).
    """
    past = np.arange(1 - 7 * DEVIATION_WEEKS, 1)
    count = np.full((rows["country"].nunique(), len(past)), np.nan)
    for i, (_, group) in enumerate(rows.groupby("country")):
        latest = group[column].astype(float).to_numpy()[-len(past) :]
        count[i, len(past) - len(latest) :] = latest
    reported = ~np.isnan(count)

    def weekly(daily: np.ndarray) -> np.ndarray:
        return np.where(reported, daily, 0).reshape(*daily.shape[:-1], DEVIATION_WEEKS, 7).sum(axis=-1)

    expected = weekly(np.exp(_log_mean(posterior, rows, column, past)))
    off = np.log((weekly(count) + 1) / (expected + 1))
    noise = 1 / (7 * posterior["dispersion"].to_numpy()) + 1 / (expected[:, :, -1] + 1)
    known = reported.reshape(len(count), DEVIATION_WEEKS, 7).any(axis=-1)
    variance = np.maximum((off**2 * known).sum(axis=-1) / known.sum(axis=-1) - noise, 0)

    kept = np.exp(-1 / DEVIATION_DAYS)
    state, path = off[:, :, -1] * variance / (variance + noise), []
    for _ in range(days):
        state = kept * state + np.sqrt((1 - kept**2) * variance) * rng.standard_normal(state.shape)
        path.append(state)
    return np.stack(path, axis=-1)


def _log_mean(posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: np.ndarray) -> np.ndarray:
    """Log of what the curve and the day of the week let expect, shape (draw, country, day)."""
    reference, *_ = busiest_week(rows, column)
    last_day = rows.groupby("country").size().to_numpy() - 1
    names = ("log_level", "delay", "growth", "decay", "weekday_strength")
    *curve, strength = (posterior[name].to_numpy()[:, :, None] for name in names)
    day = (last_day - reference)[:, None] + days
    day_of_week = (rows.groupby("country")["date"].last().dt.day_of_week.to_numpy()[:, None] + days) % 7
    log_mean = log_curve(lambda x: np.logaddexp(0, x), lambda values: values, day, *curve)
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
    `for_each` takes countries' values to those of the days: late, so that little is computed for each day.
    """
    turn = np.log(growth / decay) - (growth + decay) * delay
    bend = softplus(for_each(turn) + for_each(growth + decay) * day)
    return for_each(log_level + softplus(turn)) + for_each(growth) * day - bend


def busiest_week(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each country the seven days with the highest counts, whose middle is the curve's reference day.

    Args:
        rows: A row for each country and day.
        column: The counts a day; missing is no report.

    Returns:
        Their middle day (0 is the country's first), their mean count (at least 0.5), and whether they are
        the last week, so that the count may still be rising. Shapes (country).
    """
    middle, mean, last = [], [], []
    for _, group in rows.groupby("country"):
        weekly = group[column].astype(float).rolling(7, center=True, min_periods=1).mean().to_numpy()
        middle.append(int(np.nanargmax(weekly)))
        mean.append(max(np.nanmax(weekly), 0.5))
        last.append(len(group) - 1 - middle[-1] <= 7)
    return np.array(middle), np.array(mean), np.array(last)
