"""Logistic growth of cumulative cases, fitted to each country by itself.

The second model of the series (Winder Research, "COVID-19 logistic Bayesian model", 2020), with priors
mended; PRIORS=published takes the published ones. A reference, not for use: see README.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from forecastle.observations import Observations, ObservationsError, noun_of, read, running_totals
from forecastle.training import published_priors, train

FIRST_CASE = 100  # growth is fitted from the day of the 100th case
FIRST_WAVE = 120  # days at most: a later wave makes the total rise again, and a logistic curve cannot
LEAST_DAYS = 10  # fewer leave three parameters and a spread to their priors, and many such fits fail
INFECTED = 5e-5  # of the population, as published: from about 80,000 cases expected in China


def observe(path: Path, longest: int | None = FIRST_WAVE) -> Observations:
    """The first wave of every country with at least 100 cases: running totals of `longest` days at most."""
    published = published_priors()
    selected = running_totals(read(path), "cases", start=FIRST_CASE, days=LEAST_DAYS, first=longest)
    if not published:
        return selected
    if "population" not in selected.frame or selected.frame["population"].isna().any():
        raise ObservationsError(f"{path} lacks populations, which PRIORS=published needs: ECDC has them")
    return selected.with_frame(selected.frame, "PRIORS=published: fitted with the published priors")


def build(rows: pd.DataFrame) -> pm.Model:
    """The series' model of one country's cumulative cases C on day t since the 100th.

    C_t ~ LogNormal(log C(t), eps), C(t) = K / (1 + A exp(-r t)), A = (K - C0) / C0
    """
    reported = rows["count"].notna().to_numpy()
    with pm.Model() as model:
        day = pm.Data("day", np.flatnonzero(reported).astype(float))
        cumulative = pm.Data("cumulative", rows["count"].to_numpy(dtype=float, na_value=np.nan)[reported])
        curve = _published_curve if published_priors() else _curve
        log_curve, eps = curve(rows, day)
        pm.LogNormal("cases", log_curve, eps, observed=cumulative)
    return model


def _curve(rows: pd.DataFrame, day: pt.TensorVariable) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    """Log C(t) and eps.

    The curve is pinned on the middle day, where its level and its growth are least correlated. Pinned by C0
    it takes nearly twice the steps a draw, and more countries fail.
    """
    total = rows["total"].to_numpy(dtype=float)
    middle = len(total) // 2
    middle_day = pm.Data("middle_day", float(middle))
    log_middle_total = pm.Data("log_middle_total", np.log(total[middle]))
    log_half_way = pm.Data("log_half_way", np.log(2 * total[-1] / total[0] - 1))

    # Offsets on the log scale, since the sampler starts all countries at the same values.
    # Cases on the curve on the middle day: the reported total, within a factor of e.
    log_level = log_middle_total + pm.Normal("level_offset", 0, 0.5)
    # A = K / C0 - 1: the curve turns on the last day, when half of K is reached, within a factor of 7 either
    # way. So K exceeds C0, and has an upper bound where the cases so far would let it be anything.
    log_a = log_half_way + pm.Normal("A_offset", 0, 1)
    # Growth a day at first, before the curve bends: doubling in 1.4 to 15 days.
    r = pm.LogNormal("r", np.log(0.15), 0.6)
    # Spread around the curve on the log scale: 10 %, within a factor of 4. No reports follow a curve of three
    # parameters exactly, and near 0 few days of data would make a corner that the sampler cannot enter.
    eps = pm.LogNormal("eps", np.log(0.1), 0.7)

    log_c0 = log_level + pt.softplus(log_a - r * middle_day) - pt.softplus(log_a)
    log_k = log_c0 + pt.softplus(log_a)
    pm.Deterministic("C0", pt.exp(log_c0))
    pm.Deterministic("K", pt.exp(log_k))
    return log_k - pt.softplus(log_a - r * day), eps


def _published_curve(
    rows: pd.DataFrame, day: pt.TensorVariable
) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    """Log C(t) and eps with the priors as published, which scale K with the population."""
    population = pm.Data("population", float(rows["population"].iloc[0]))
    c0 = pm.Normal("C0", 100, 10)
    r = pm.Normal("r", 0.2, 0.5)
    k = pm.Normal("K", INFECTED * population, 0.1 * population)
    eps = pm.HalfNormal("eps", 1)
    return pt.log(k) - pt.log1p((k - c0) / c0 * pt.exp(-r * day)), eps


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Posterior predictive draws of cumulative cases, shape (draw, series, day); `rows` end on day 0."""
    last_day = rows.groupby(noun_of(rows)).size().to_numpy() - 1
    c0, r, k, eps = (posterior[name].to_numpy()[:, :, None] for name in ("C0", "r", "K", "eps"))
    log_curve = np.log(k) - np.log1p((k - c0) / c0 * np.exp(-r * (last_day[:, None] + days)))
    return np.exp(rng.normal(log_curve, eps))


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
        draws=1200,
    )
