"""Homes sold a month: season, working days and a slowly moving level, partially pooled over cities.

What it assumes, why, and where it fails: README.md.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from forecastle.artifact import Excluded
from forecastle.observations import Observations, ObservationsError, read
from forecastle.training import train

YEAR = 12  # months, whose mean has no season
WINDOW = 5 * YEAR  # months that are fitted, or whose sales stand before one that is
USUAL_DAYS = 21  # working days of a month


def observe(path: Path) -> Observations:
    """The last five years of every city that sold homes in each of their months, and the months to come."""
    known = read(path)
    last = known.frame["date"][known.frame["sales"].notna()].max()
    first = last - pd.DateOffset(months=WINDOW - 1)
    kept, excluded = [], dict(known.excluded)
    for city, rows in known.frame.groupby("city"):
        rows = rows.assign(count=rows["sales"], total=rows["sales"].fillna(0).cumsum())
        months = rows["date"].between(first, last)
        without = rows["date"][months & ~(rows["sales"] > 0).fillna(False)]
        if (short := WINDOW - months.sum()) or len(without):
            when = without.iloc[-1] if len(without) else first
            reason = f"{short + len(without)} of the last {WINDOW} months have no sales, such as {when:%Y-%m}"
            excluded[str(city)] = Excluded(rows["name"].iloc[0], reason)
        else:
            kept.append(rows[rows["date"] >= first])
    if not kept:
        raise ObservationsError(f"{path}: no city has sales in each of {WINDOW} months")
    selected = known.with_frame(pd.concat(kept, ignore_index=True))
    return dataclasses.replace(selected, excluded=excluded)


def build(rows: pd.DataFrame) -> pm.Model:
    """Sales are the level of the months before, times factors of season and working days, times noise."""
    sales, days = log_by_city(rows, "count"), log_by_city(rows, "working_days")[0]
    month = rows["date"].dt.month.to_numpy()[:WINDOW] - 1
    sales_of_year, days_of_year = mean_of_year_before(sales), mean_of_year_before(days)
    now, before = slice(YEAR, None), slice(YEAR - 1, -1)
    with pm.Model(coords={"city": rows["city"].unique(), "month": np.arange(1, 13)}) as model:
        season = pm.ZeroSumNormal("season", 0.3, dims="month")  # a third more or less
        # 1 is as in the state, 0 is no season. The priors of both spreads stay away from 0, where a
        # funnel would be.
        strength_sd = pm.LogNormal("strength_sd", np.log(0.3), 0.3)
        strength = pm.Normal("strength", 1, strength_sd, dims="city")
        working_days = pm.Normal("working_days", 0.5, 0.5)  # 0: no effect; 1: sales in proportion to them
        memory = pm.Beta("memory", 2, 2)  # of the last month's sales in the level; the rest is of the year's
        log_noise_mean = pm.Normal("log_noise_mean", np.log(0.1), 0.5)  # 10 %
        log_noise_sd = pm.LogNormal("log_noise_sd", np.log(0.4), 0.3)
        log_noise = pm.Normal("log_noise", log_noise_mean, log_noise_sd, dims="city")

        def effect(months: slice) -> pt.TensorVariable:
            return strength[:, None] * season[month[months]] + working_days * days[months]

        last_month = sales[:, before] - effect(before)
        last_year = sales_of_year - working_days * days_of_year
        level = memory * last_month + (1 - memory) * last_year
        noise = pm.math.exp(log_noise)[:, None]
        pm.Normal("sales", level + effect(now), noise, observed=sales[:, now])
    return model


def predict(
    posterior: xr.Dataset,
    rows: pd.DataFrame,
    months: np.ndarray,
    rng: np.random.Generator,
    coming: pd.DataFrame,
) -> np.ndarray:
    """Posterior predictive draws of homes sold, shape (draw, city, month).

    Coming months follow one another, as each is part of the level of those after it. A month that is fitted
    follows the sales before it; the first year follows its own mean.
    """
    sales = log_by_city(rows, "count")
    days = np.hstack([log_by_city(rows, "working_days"), log_by_city(coming, "working_days")])
    month = (rows["date"].iloc[0].month - 1 + np.arange(days.shape[1])) % YEAR
    strength, log_noise = (posterior[name].to_numpy() for name in ("strength", "log_noise"))
    memory, working_days = (posterior[name].to_numpy()[:, None] for name in ("memory", "working_days"))
    season = posterior["season"].to_numpy()[:, month]
    effect = strength[:, :, None] * season[:, None] + working_days[:, :, None] * days
    adjusted = np.zeros(effect.shape)
    adjusted[:, :, :WINDOW] = sales - effect[:, :, :WINDOW]

    drawn = np.zeros(effect.shape)
    positions = np.maximum(months + WINDOW - 1, 0)
    for i in range(positions.min(), positions.max() + 1):
        year = adjusted[:, :, max(i - YEAR, 0) : max(i, YEAR)]
        level = memory * year[:, :, -1] + (1 - memory) * year.mean(axis=-1)
        drawn[:, :, i] = rng.normal(level, np.exp(log_noise))
        if i >= WINDOW:
            adjusted[:, :, i] = drawn[:, :, i]
    return np.rint(np.exp(drawn + effect)[:, :, positions])


def log_by_city(rows: pd.DataFrame, column: str) -> np.ndarray:
    """The log of this column, shape (city, month); that of working days is 0 in a usual month."""
    values = rows[column].to_numpy(dtype=float).reshape(rows["city"].nunique(), -1)
    return np.log(values / USUAL_DAYS if column == "working_days" else values)


def mean_of_year_before(values: np.ndarray) -> np.ndarray:
    """Of each month from the second year on, the mean of the twelve before it, along the last axis."""
    return np.lib.stride_tricks.sliding_window_view(values, YEAR, axis=-1).mean(axis=-1)[..., :-1]


if __name__ == "__main__":
    train(
        observe,
        build,
        predict,
        target="homes sold a month",
        unit="homes",
        series="city",
        measure="sales",
        frequency="MS",
        horizon=12,
        data="data/home-sales.csv",
        covariates=["working_days"],
        draws=2000,
    )
