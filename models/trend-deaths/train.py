"""Daily deaths: a damped trend that may change every week, with each country's own noise.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, read, since_total, without_catching_up
from forecastle.training import train, trend

FIRST_DEATH, LEAST_DEATHS = 10, 50  # a country is fitted from its 10th death if it has at least 50


def observe(path: Path) -> Observations:
    """The last six weeks of every country with at least 50 deaths, without days of catching up."""
    selected = since_total(read(path), "deaths", start=FIRST_DEATH, total=LEAST_DEATHS, last=trend.DAYS)
    return without_catching_up(selected)


def build(rows: pd.DataFrame) -> pm.Model:
    """The log of a week's expected deaths is a damped trend: see `forecastle.training.trend`."""
    return trend.build(rows, "count")


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily deaths, shape (draw, series, day)."""
    return trend.predict(posterior, rows, "count", days, rng)


if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths", draws=2000)
