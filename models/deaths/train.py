"""Daily deaths: a growth-and-decay curve with negative binomial noise, partially pooled over countries.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, read, since_total, without_catching_up
from forecastle.training import train, wave

FIRST_DEATH, LEAST_DEATHS = 10, 50  # a country is fitted from its 10th death if it has at least 50
LONGEST_WINDOW = 180  # days; the first wave has at most 142


def observe(path: Path) -> Observations:
    """The latest wave of every country with at least 50 deaths, without days of catching up."""
    selected = since_total(read(path), "deaths", start=FIRST_DEATH, total=LEAST_DEATHS, last=LONGEST_WINDOW)
    known = without_catching_up(selected)
    series = known.frame.groupby(known.noun)
    waves = [group.iloc[wave.latest_wave(group["count"]) :] for _, group in series]
    return known.with_frame(pd.concat(waves, ignore_index=True))


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
