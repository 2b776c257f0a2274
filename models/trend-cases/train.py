"""Daily cases: a damped trend that may change every week, with each country's own noise.

What it assumes, why, and where it fails: README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, read, since_total
from forecastle.training import train, trend

FIRST_CASE, LEAST_CASES = 100, 2000  # a country is fitted from its 100th case if it has at least 2000


def observe(path: Path) -> Observations:
    """The last six weeks of every country with at least 2000 cases."""
    return since_total(read(path), "cases", start=FIRST_CASE, total=LEAST_CASES, last=trend.DAYS)


def build(rows: pd.DataFrame) -> pm.Model:
    """The log of a week's expected cases is a damped trend: see `forecastle.training.trend`."""
    return trend.build(rows, "count")


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily cases, shape (draw, series, day)."""
    return trend.predict(posterior, rows, "count", days, rng)


if __name__ == "__main__":
    train(observe, build, predict, target="daily cases", unit="cases", draws=2000)
