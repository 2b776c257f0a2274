"""Cumulative cases: growth and decay of daily cases, partially pooled over countries.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from forecastle.likelihood import negative_binomial
from forecastle.observations import read, since_total
from forecastle.training import train
from forecastle.wave import WEEKDAYS, busiest_week, latest_wave, log_curve

FIRST_CASE, LEAST_CASES = 100, 2000  # a country is fitted from its 100th case if it has at least 2000
WINDOW = 42  # days: older ones would hold a curve of three numbers to a growth long past


def observe(path: Path) -> pd.DataFrame:
    """The last six weeks of the latest wave of every country with at least 2000 cases.

    The column `count` holds the running total, which is forecast; `new` the cases a day, which are fitted.
    """
    rows = since_total(read(path), "cases", start=FIRST_CASE, total=LEAST_CASES, last=WINDOW)
    waves = [group.iloc[latest_wave(group["count"]) :] for _, group in rows.groupby("country")]
    latest = pd.concat(waves, ignore_index=True)
    latest = latest.assign(new=latest["count"], count=latest["total"].mask(latest["count"].isna()))
    latest.attrs = rows.attrs
    return latest


def build(rows: pd.DataFrame) -> pm.Model:
    """Expected new cases a day rise and fall along one curve for each country; counts vary around it.

    The likelihood is of new cases, whose errors are independent, rather than of the running total, whose
    errors add up. Each country's curve is pinned on the middle of its busiest week, as in models/deaths.
    """
    reported = rows["new"].notna().to_numpy()
    country = rows.groupby("country").ngroup().to_numpy()[reported]
    day = rows.groupby("country").cumcount().to_numpy()[reported]
    day_of_week = rows["date"].dt.day_of_week.to_numpy()[reported]
    new = rows["new"].to_numpy(dtype=float, na_value=np.nan)[reported]
    reference, busiest, rising = busiest_week(rows, "new")
    with pm.Model(coords={"country": rows["country"].unique(), "day_of_week": list(WEEKDAYS)}) as model:

        def pooled(name: str, mean: float, mean_sd: float, sd: float) -> pt.TensorVariable:
            centre = pm.Normal(f"{name}_mean", mean, mean_sd)
            # Countries differ, by about `sd`; a prior that reached 0 would make a funnel there.
            spread = pm.LogNormal(f"{name}_sd", np.log(sd), 0.3)
            return pm.Normal(name, centre, spread, dims="country")

        # Over six weeks cases grow more slowly than at the very start: doubling in 3 to 20 days.
        log_growth = pooled("log_growth", np.log(0.1), 0.5, 0.5)
        # After the peak, halving in 5 to 40 days.
        log_decay = pooled("log_decay", np.log(0.05), 0.5, 0.5)
        # Variance is mean + mean² / dispersion: 5 adds a standard deviation of 45 % of the mean to Poisson's.
        log_dispersion = pooled("log_dispersion", np.log(5), 1, 1)
        # Around the busiest week's mean, within a factor of e either way: the data decide.
        log_level = pm.Normal("log_level", np.log(busiest), 1, dims="country")
        # Near the reference day, or if the last week is the busiest, still to come: 1 is five to ten days.
        scaled_delay = pm.Normal("scaled_delay", np.where(rising, 1, 0), 1, dims="country")
        # Fewer tests at weekends: 0.3 is a third more or less.
        weekday = pm.ZeroSumNormal("weekday", 0.3, dims="day_of_week")
        # 1 is as in most countries, 0 is none, and few have it the other way round.
        weekday_strength = pm.Normal("weekday_strength", 1, 0.7, dims="country")

        growth = pm.Deterministic("growth", pt.exp(log_growth), dims="country")
        decay = pm.Deterministic("decay", pt.exp(log_decay), dims="country")
        delay = pm.Deterministic("delay", scaled_delay / (growth + decay), dims="country")
        pm.Deterministic("dispersion", pt.exp(log_dispersion), dims="country")

        log_mean = log_curve(
            pt.softplus,
            lambda values: values[country],
            day - reference[country],
            *(log_level, delay, growth, decay),
        )
        log_mean += weekday_strength[country] * weekday[day_of_week]
        pm.Potential("cases", negative_binomial(country, new, log_mean, log_dispersion))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of cumulative cases, shape (draw, country, day).

    New cases are drawn for each day and added to the total of the last one; before that day they are
    taken away from it.
    """
    reference, *_ = busiest_week(rows, "new")
    last_day = rows.groupby("country").size().to_numpy() - 1
    names = ("log_level", "delay", "growth", "decay", "weekday_strength", "dispersion")
    *curve, strength, dispersion = (posterior[name].to_numpy()[:, :, None] for name in names)
    day = (last_day - reference)[:, None] + days
    day_of_week = (rows.groupby("country")["date"].last().dt.day_of_week.to_numpy()[:, None] + days) % 7
    log_mean = log_curve(lambda x: np.logaddexp(0, x), lambda values: values, day, *curve)
    mean = np.exp(log_mean + strength * posterior["weekday"].to_numpy()[:, day_of_week])
    running = np.cumsum(rng.poisson(rng.gamma(dispersion, mean / dispersion)), axis=-1)
    known = running[:, :, days <= 0][:, :, -1:] if (days <= 0).any() else 0
    return rows.groupby("country")["total"].last().to_numpy()[:, None] + running - known


if __name__ == "__main__":
    train(observe, build, predict, target="cumulative cases", unit="cases", cumulative=True, draws=2000)
