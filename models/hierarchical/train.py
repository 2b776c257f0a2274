"""Cumulative cases: growth and decay of daily cases, partially pooled over countries.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, noun_of, read, since_total
from forecastle.training import train, wave

FIRST_CASE, LEAST_CASES = 100, 2000  # a country is fitted from its 100th case if it has at least 2000
WINDOW = 42  # days: older ones would hold a curve of three numbers to a growth long past


def observe(path: Path) -> Observations:
    """The last six weeks of the latest wave of every country with at least 2000 cases.

    The column `count` holds the running total, which is forecast; `new` the cases a day, which are fitted.
    """
    selected = since_total(read(path), "cases", start=FIRST_CASE, total=LEAST_CASES, last=WINDOW)
    series = selected.frame.groupby(selected.noun)
    waves = [group.iloc[wave.latest_wave(group["count"]) :] for _, group in series]
    latest = pd.concat(waves, ignore_index=True)
    running = latest["total"].mask(latest["count"].isna())
    return selected.with_frame(latest.assign(new=latest["count"], count=running))


def build(rows: pd.DataFrame) -> pm.Model:
    """Expected new cases a day rise and fall along one curve for each country: see `training.wave`.

    The likelihood is of new cases, whose errors are nearly independent, rather than of the running total,
    whose errors add up.
    """
    return wave.build(
        rows,
        "new",
        growth=0.1,  # over six weeks cases grow more slowly than at the very start: doubling in 3 to 20 days
        decay=0.05,  # halving in 5 to 40 days
        delay=1,  # some five to ten days
    )


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of cumulative cases, shape (draw, series, day).

    New cases are drawn for each day and added to the total of the last one; before that day they are
    taken away from it.
    """
    running = np.cumsum(wave.predict(posterior, rows, "new", days, rng), axis=-1)
    known = running[:, :, days <= 0][:, :, -1:] if (days <= 0).any() else 0
    return rows.groupby(noun_of(rows))["total"].last().to_numpy()[:, None] + running - known


if __name__ == "__main__":
    train(observe, build, predict, target="cumulative cases", unit="cases", cumulative=True, draws=2000)
