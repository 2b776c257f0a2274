"""Daily deaths: a growth-and-decay curve with negative binomial noise, partially pooled over countries.

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

FIRST_DEATH, LEAST_DEATHS = 10, 50  # a country is fitted from its 10th death if it has at least 50
LONGEST_WINDOW = 180  # days; the first wave has at most 142
# A day of catching up has more than 4 times the deaths of the days around it, with a few added to those, lest
# one death be more than four times none; and is rare.
LATE_FACTOR, LATE_OFFSET, LATE_SHARE = 4.0, 5.0, 0.1


def observe(path: Path) -> pd.DataFrame:
    """The latest wave of every country with at least 50 deaths, without days of catching up."""
    rows = since_total(read(path), "deaths", start=FIRST_DEATH, total=LEAST_DEATHS, last=LONGEST_WINDOW)
    waves, left_out = [], []
    for code, group in rows.groupby("country"):
        late = catching_up(group["count"])
        left_out += [f"{code} on {day:%Y-%m-%d}" for day in group["date"][late]]
        wave = group.iloc[latest_wave(group["count"]) :]
        waves.append(wave.assign(count=wave["count"].mask(late)))
    latest = pd.concat(waves, ignore_index=True)
    latest.attrs = rows.attrs
    if left_out:
        change = f"days of catching up, not fitted: {len(left_out)} ({', '.join(left_out)})"
        latest.attrs["changes"] = [*rows.attrs["changes"], change]
    return latest


def catching_up(count: pd.Series) -> pd.Series:
    """Which days added deaths of many days before them: they say nothing of that day's.

    As China's 17 April 2020 (1290 deaths) or the United Kingdom's 30 April (5093). A country that reports so
    all the time has no other days to go by, and keeps them.
    """
    median = count.astype(float).rolling(15, center=True, min_periods=1).median()
    late = (count > LATE_FACTOR * (median + LATE_OFFSET)).fillna(False).astype(bool)
    return late if late.mean() <= LATE_SHARE else late & False


def build(rows: pd.DataFrame) -> pm.Model:
    """Expected deaths rise at a growth rate and fall at a decay rate, in one smooth curve for each country.

    Growth, decay and dispersion are pooled on the log scale. A country's curve is pinned where its data are:
    by the expected deaths on its reference day (the middle of its deadliest week) and by the days from then
    to the curve's peak, in units of 1 / (growth + decay). Height and day of the peak itself would be strongly
    correlated for every country whose peak lies outside its data, and take twice the steps to sample.
    All countries share the shape of a week, and each has it more or less.
    """
    reported = rows["count"].notna().to_numpy()
    country = rows.groupby("country").ngroup().to_numpy()[reported]
    day = rows.groupby("country").cumcount().to_numpy()[reported]
    day_of_week = rows["date"].dt.day_of_week.to_numpy()[reported]
    count = rows["count"].to_numpy(dtype=float, na_value=np.nan)[reported]
    reference, deadliest, rising = busiest_week(rows, "count")
    codes = rows["country"].unique()
    with pm.Model(coords={"country": codes, "day_of_week": list(WEEKDAYS)}) as model:

        def pooled(name: str, mean: float, mean_sd: float, sd: float) -> pt.TensorVariable:
            centre = pm.Normal(f"{name}_mean", mean, mean_sd)
            # Countries differ, by about `sd`; a prior that reached 0 would make a funnel there.
            spread = pm.LogNormal(f"{name}_sd", np.log(sd), 0.3)
            return pm.Normal(name, centre, spread, dims="country")

        # A day before the peak and after it: doubling in 2 to 13 days, halving in 5 to 40.
        log_growth = pooled("log_growth", np.log(0.15), 0.5, 0.5)
        log_decay = pooled("log_decay", np.log(0.05), 0.5, 0.5)
        # Variance is mean + mean² / dispersion: 5 adds a standard deviation of 45 % of the mean to Poisson's.
        log_dispersion = pooled("log_dispersion", np.log(5), 1, 1)
        # Around the deadliest week's mean, within a factor of e either way: the data decide.
        log_level = pm.Normal("log_level", np.log(deadliest), 1, dims="country")
        # Near the reference day, or if the last week is the deadliest, still to come: 2 is about ten days.
        scaled_delay = pm.Normal("scaled_delay", np.where(rising, 2, 0), 2, dims="country")
        # Registries and laboratories rest at weekends: 0.3 is a third more or less.
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
        pm.Potential("deaths", negative_binomial(country, count, log_mean, log_dispersion))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily deaths, shape (draw, country, day)."""
    reference, *_ = busiest_week(rows, "count")
    last_day = rows.groupby("country").size().to_numpy() - 1
    names = ("log_level", "delay", "growth", "decay", "weekday_strength", "dispersion")
    *curve, strength, dispersion = (posterior[name].to_numpy()[:, :, None] for name in names)
    day = (last_day - reference)[:, None] + days
    day_of_week = (rows.groupby("country")["date"].last().dt.day_of_week.to_numpy()[:, None] + days) % 7
    log_mean = log_curve(lambda x: np.logaddexp(0, x), lambda values: values, day, *curve)
    mean = np.exp(log_mean + strength * posterior["weekday"].to_numpy()[:, day_of_week])
    return rng.poisson(rng.gamma(dispersion, mean / dispersion))


if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths", draws=2000)
