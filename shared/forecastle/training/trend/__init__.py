"""A model of counts whose growth may change every week: a damped local trend, with every series' own noise.

The log of a week's expected count changes by a growth, which itself changes from week to week:

    level' = level + growth',  growth' = damping growth / (1 + braking growth) + change

Braking is of positive growth alone: what grows fast soon grows less. A change has the variance
change² + (relative_change growth)², and each series its own `change`. Damped trends: Gardner and McKenzie,
"Forecasting trends in time series", Management Science 31 (1985). An extended Kalman filter integrates the
levels out (`levels`), so that the sampler sees few parameters; the days of a week have its day-of-week shares
(`shares`). The model knows nothing of waves: it forecasts no turn, and is surprised by none.
"""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from forecastle.observations import noun_of
from forecastle.training.trend import levels, shares
from forecastle.training.trend.levels import Weeks

# The last ones, which are fitted: more would hold what is ahead to how much growth changed long ago.
WEEKS = 6
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

        def pooled(name: str, median: float, median_sd: float, sd: float) -> pt.TensorVariable:
            centre = pm.Normal(f"log_{name}_mean", np.log(median), median_sd)
            scale = pm.LogNormal(f"log_{name}_sd", np.log(sd), 0.3)
            # Not centred, as a few weeks say little of one series.
            own = pm.Normal(f"scaled_log_{name}", 0, 1, dims=noun)
            return pm.Deterministic(name, pt.exp(centre + scale * own), dims=noun)

        # Growth changes by 0.15 a week where it is near 0, and by a third of itself where it is large.
        change = pooled("change", 0.15, 0.5, 0.5)
        relative_change = pm.LogNormal("relative_change", np.log(0.3), 0.5)
        # 0.5 to 0.85 of growth are left after a week.
        damping = pm.LogitNormal("damping", 0.85, 0.4)
        # 0.6 takes a further 29 % of the growth of what doubles in a week.
        braking = pm.LogNormal("braking", np.log(0.6), 0.35)
        # A week's count lies off its level by some 15 % beside Poisson's noise; series differ widely.
        noise = pooled("noise", 0.15, 0.7, 0.7)
        of_weeks = (relative_change**2, damping, braking, change**2, noise**2)
        pm.Potential("weeks", levels.likelihood(weeks, *of_weeks))
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
