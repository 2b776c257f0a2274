"""Daily deaths: a growth-and-decay curve with negative binomial noise, partially pooled over countries.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, read, since_total
from forecastle.training import train, wave

FIRST_DEATH, LEAST_DEATHS = 10, 50  # a country is fitted from its 10th death if it has at least 50
LONGEST_WINDOW = 180  # days; the first wave has at most 142
# A day of catching up has more than 4 times the deaths of the days around it, with a few added to those, lest
# one death be more than four times none; and is rare.
LATE_FACTOR, LATE_OFFSET, LATE_SHARE = 4.0, 5.0, 0.1


def observe(path: Path) -> Observations:
    """The latest wave of every country with at least 50 deaths, without days of catching up."""
    selected = since_total(read(path), "deaths", start=FIRST_DEATH, total=LEAST_DEATHS, last=LONGEST_WINDOW)
    waves, left_out = [], []
    for code, group in selected.frame.groupby(selected.noun):
        late = catching_up(group["count"])
        left_out += [f"{code} on {day:%Y-%m-%d}" for day in group["date"][late]]
        latest = group.iloc[wave.latest_wave(group["count"]) :]
        waves.append(latest.assign(count=latest["count"].mask(late)))
    changes = (
        [f"days of catching up, not fitted: {len(left_out)} ({', '.join(left_out)})"] if left_out else []
    )
    return selected.with_frame(pd.concat(waves, ignore_index=True), *changes)


def catching_up(count: pd.Series) -> pd.Series:
    """Which days added deaths of many days before them: they say nothing of that day's.

    As China's 17 April 2020 (1290 deaths) or the United Kingdom's 30 April (5093). A country that reports so
    all the time has no other days to go by, and keeps them.
    """
    median = count.astype(float).rolling(15, center=True, min_periods=1).median()
    late = (count > LATE_FACTOR * (median + LATE_OFFSET)).fillna(False).astype(bool)
    return late if late.mean() <= LATE_SHARE else late & False


def build(rows: pd.DataFrame) -> pm.Model:
    """Expected deaths rise and fall along one curve for each country: see `forecastle.training.wave`."""
    return wave.build(
        rows,
        "count",
        growth=0.15,  # doubling in 2 to 13 days
        decay=0.05,  # halving in 5 to 40 days
        delay=2,  # about ten days
    )


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily deaths, shape (draw, series, day)."""
    return wave.predict(posterior, rows, "count", days, rng)


if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths", draws=2000)
