"""A model of counts whose growth may change every week: a damped local trend, with every series' own noise.

The log of a week's expected count changes by a growth, which itself changes from week to week:

    level' = level + growth',  growth' = damping growth / (1 + braking growth) + change

Braking is of positive growth alone: what grows fast soon grows less. A change has the variance
change² + (relative_change growth)². Damped trends: Gardner and McKenzie, "Forecasting trends in time series",
Management Science 31 (1985). An extended Kalman filter integrates the levels out (`levels`), so that the
sampler sees few parameters; the days of a week have its day-of-week shares (`shares`). The model knows
nothing of waves: it forecasts no turn, and is surprised by none.
"""

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import noun_of
from forecastle.training.trend import levels, shares
from forecastle.training.trend.levels import Weeks

WEEKS = 12  # the last ones, which are fitted
DAYS = 7 * WEEKS
LARGEST = 25.0  # log of a week's expected count: draws of a prior go beyond
STEEPEST = 0.3  # growth from day to day within a week, whichever way


def build(rows: pd.DataFrame, column: str) -> pm.Model:
    """The model of all series.

    Args:
        rows: A row for each series and day: `date`, the noun and the counts.
        column: Of the counts a day; missing is no report.
    """
    noun = noun_of(rows)
    weeks = Weeks.of(_latest(rows, column))
    with pm.Model(coords={noun: rows[noun].unique()}) as model:
        change = pm.LogNormal("change", np.log(0.15), 0.5)
        relative_change = pm.LogNormal("relative_change", np.log(0.3), 0.5)
        # 0.5 to 0.85: growth is halved in one to four weeks.
        damping = pm.LogitNormal("damping", 0.85, 0.4)
        # 0.6 takes another third of the growth of what doubles in a week.
        braking = pm.LogNormal("braking", np.log(0.6), 0.35)
        # A week's count lies off its level by some 15 % beside Poisson's noise; series differ widely.
        centre = pm.Normal("log_noise_mean", np.log(0.15), 0.7)
        scale = pm.LogNormal("log_noise_sd", np.log(0.7), 0.3)
        # Not centred, as a dozen weeks say little of a series' noise.
        own = pm.Normal("scaled_log_noise", 0, 1, dims=noun)
        noise = pm.Deterministic("noise", pm.math.exp(centre + scale * own), dims=noun)
        variances = (change**2, relative_change**2, damping, braking, noise**2)
        pm.Potential("weeks", levels.likelihood(weeks, *variances))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, column: str, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily counts, shape (draw, series, day); day 0 is the last of `rows`.

    Days before the last `WEEKS` weeks have the first one's.
    """
    count = _latest(rows, column)
    weeks = Weeks.of(count)
    number = max(0, -(-int(days.max()) // 7))
    level = levels.draw(weeks, posterior, number, rng)
    slope = np.clip(np.gradient(level, axis=2) / 7, -STEEPEST, STEEPEST)
    last = rows.groupby(noun_of(rows))["date"].last().dt.day_of_week.to_numpy()
    split = shares.Shares.of(weeks.by_day, slope[:, :, :WEEKS].mean(axis=0), last)
    noise = posterior["noise"].to_numpy()[:, :, None]
    mean = np.exp(np.minimum(level + noise * rng.standard_normal(level.shape), LARGEST))
    drawn = split.draw(rng.poisson(mean), slope, rng)
    position = np.clip(days + DAYS - 1, 0, None)
    return drawn[:, :, position]


def _latest(rows: pd.DataFrame, column: str) -> np.ndarray:
    """The counts of each series' last weeks, shape (series, day); nan where there is none."""
    count = np.full((rows[noun_of(rows)].nunique(), DAYS), np.nan)
    for i, (_, group) in enumerate(rows.groupby(noun_of(rows))):
        latest = group[column].to_numpy(dtype=float, na_value=np.nan)[-DAYS:]
        count[i, DAYS - len(latest) :] = latest
    return count
