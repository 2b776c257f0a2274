"""Daily cases of {{model}}: a growth rate for each country over the last two weeks, partially pooled.

A start to be replaced: observe, build and predict are yours, `train` does the rest.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, read, since_total
from forecastle.training import train

WINDOW = 14  # days that are fitted: in more, growth long past would speak too loudly


def observe(path: Path) -> Observations:
    """The last two weeks of every country with at least 10,000 cases."""
    return since_total(read(path), "cases", start=100, total=10_000, last=WINDOW)


def build(rows: pd.DataFrame) -> pm.Model:
    """Expected cases grow by a constant rate a day; counts vary around them as a negative binomial."""
    reported = rows[rows["count"].notna()]
    country = reported.groupby("country").ngroup().to_numpy()
    days = rows.groupby("country").cumcount() - WINDOW / 2  # from the middle, where level and growth part
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        level = pm.Normal("level", np.log(100), 3, dims="country")  # log of the cases a day
        growth_mean = pm.Normal("growth_mean", 0, 0.1)  # a day: 0.1 doubles in a week
        growth_sd = pm.LogNormal("growth_sd", np.log(0.03), 0.5)  # away from 0, where a funnel would be
        growth = pm.Normal("growth", growth_mean, growth_sd, dims="country")
        dispersion = pm.Gamma("dispersion", 2, 0.5, dims="country")
        mean = pm.math.exp(level[country] + growth[country] * days[reported.index].to_numpy())
        count = reported["count"].to_numpy(dtype=int)
        pm.NegativeBinomial("cases", mu=mean, alpha=dispersion[country], observed=count)
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of daily cases, shape (draw, country, day)."""
    last_day = rows.groupby("country").size().to_numpy() - 1 - WINDOW / 2
    level, growth, dispersion = (
        posterior[name].to_numpy()[:, :, None] for name in ("level", "growth", "dispersion")
    )
    mean = np.exp(level + growth * (last_day[:, None] + days))
    return rng.poisson(rng.gamma(dispersion, mean / dispersion))


if __name__ == "__main__":
    train(observe, build, predict, target="daily cases", unit="cases", draws=2000)
