"""Exponential growth of cumulative cases, fitted to each country by itself.

The first model of the series (Winder Research, "COVID-19 exponential Bayesian model", 2020), as published. A
reference, not for use: nothing grows like this for long. See README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import read, since_total
from forecastle.training import train

FIRST_CASE = 100  # growth is fitted from the day of the 100th case
GROWTH_PHASE = 28  # days at most: later, measures and reporting have bent the curve


def observe(path: Path) -> pd.DataFrame:
    """The growth phase of every country with at least 100 cases."""
    rows = since_total(read(path), "cases", start=FIRST_CASE, total=FIRST_CASE)
    growth = rows.groupby("country").head(GROWTH_PHASE).reset_index(drop=True)
    growth["count"] = growth["total"].mask(growth["count"].isna())  # the target is the running total
    growth.attrs = rows.attrs
    return growth


def build(rows: pd.DataFrame) -> pm.Model:
    """The series' model of one country's cumulative cases C on day t since the 100th.

    C_t ~ LogNormal(log(a (1 + b)^t), eps)
    """
    with pm.Model() as model:
        reported = rows["count"].notna().to_numpy()
        day = pm.Data("day", np.flatnonzero(reported).astype(float))
        cumulative = pm.Data("cumulative", rows["count"].to_numpy(dtype=float, na_value=np.nan)[reported])

        # Cases on the first day: the threshold, give or take what a day adds.
        a = pm.Normal("a", 100, 10)
        # Growth a day: the literature of the time had 0.18 to 0.24; wide enough for a decline too.
        b = pm.Normal("b", 0.2, 0.5)
        # Spread around the curve on the log scale: 1 would be a factor of 2.7.
        eps = pm.HalfNormal("eps", 1)

        pm.LogNormal("cases", pm.math.log(a) + day * pm.math.log1p(b), eps, observed=cumulative)
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of cumulative cases, shape (draw, country, day)."""
    last_day = rows.groupby("country").size().to_numpy() - 1
    a, b, eps = (posterior[name].to_numpy()[:, :, None] for name in ("a", "b", "eps"))
    log_cases = np.log(a) + np.log1p(b) * (last_day[:, None] + days)
    return np.exp(rng.normal(log_cases, eps))


if __name__ == "__main__":
    train(
        observe,
        build,
        predict,
        target="cumulative cases",
        unit="cases",
        cumulative=True,
        each_country=True,
        reference=True,
    )
