"""Exponential growth of cumulative cases, fitted to each country by itself.

The first model of the series (Winder Research, "COVID-19 exponential Bayesian model", 2020), with priors
mended; PRIORS=published takes the published ones. A reference, not for use: see README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import Observations, noun_of, read, running_totals
from forecastle.training import published_priors, train

FIRST_CASE = 100  # growth is fitted from the day of the 100th case
GROWTH_PHASE = 28  # days at most: later, measures and reporting have bent the curve


def observe(path: Path, longest: int | None = GROWTH_PHASE) -> Observations:
    """The growth phase of every country with at least 100 cases: running totals of `longest` days at most."""
    published = published_priors()
    selected = running_totals(read(path), "cases", start=FIRST_CASE, first=longest)
    if not published:
        return selected
    return selected.with_frame(selected.frame, "PRIORS=published: fitted with the published priors")


def build(rows: pd.DataFrame) -> pm.Model:
    """The series' model of one country's cumulative cases C on day t since the 100th.

    C_t ~ LogNormal(log(a (1 + b)^t), eps)
    """
    with pm.Model() as model:
        reported = rows["count"].notna().to_numpy()
        day = pm.Data("day", np.flatnonzero(reported).astype(float))
        cumulative = pm.Data("cumulative", rows["count"].to_numpy(dtype=float, na_value=np.nan)[reported])

        # Growth a day: the literature of the time had 0.18 to 0.24; wide enough for a decline too.
        b = pm.Normal("b", 0.2, 0.5)
        if published_priors():
            # Cases on the first day: the threshold, give or take what a day adds.
            a = pm.Normal("a", 100, 10)
            # Spread around the curve on the log scale: 1 would be a factor of 2.7.
            eps = pm.HalfNormal("eps", 1)
        else:
            # The first total, within a factor of e: many countries begin far beyond 100 cases. As an offset
            # on the log scale, since the sampler starts all countries at the same values.
            first_total = pm.Data("first_total", float(rows["total"].iloc[0]))
            a = pm.Deterministic("a", first_total * pm.math.exp(pm.Normal("a_offset", 0, 0.5)))
            # 10 %, within a factor of 4. No reports follow a curve of two parameters exactly, and near 0 few
            # days of data would make a corner that the sampler cannot enter.
            eps = pm.LogNormal("eps", np.log(0.1), 0.7)

        pm.LogNormal("cases", pm.math.log(a) + day * pm.math.log1p(b), eps, observed=cumulative)
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of cumulative cases, shape (draw, series, day); `rows` end on day 0."""
    last_day = rows.groupby(noun_of(rows)).size().to_numpy() - 1
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
        each_series=True,
        reference=True,
    )
