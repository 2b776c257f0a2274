"""Simulation-based calibration: does inference find what simulated the data, as surely as it says?

    .venv/bin/python benchmarks/simulation_based_calibration.py deaths 40

Draws parameters from the prior, simulates data with them, fits, and ranks the true value among the
posterior's draws, 40 times. Over many simulations the ranks are uniform if model, sampler and `predict`
agree. Prints the p-value of a Kolmogorov-Smirnov test of that, and the coverage of central intervals.
Talts, Betancourt, Simpson, Vehtari and Gelman, "Validating Bayesian inference algorithms with
simulation-based calibration" (2018).

A model of all countries is fitted to six of them. What its priors are centred on (the busiest week of each)
is held as it is in the real data. A model of each country is fitted to as many simulated countries.
"""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import rich.progress
import scipy.stats
import xarray as xr
from published import load

from forecastle.observations import default_path
from forecastle.training import prior, wave
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling, thinned

ROOT = Path(__file__).resolve().parents[1]
COUNTRIES = ("BEL", "DEU", "FRA", "GBR", "ITA", "USA")
DAYS = 60  # at most
RANKED = 99  # draws: ranks go from 0 to 99
LEVELS = (0.5, 0.9)


def main(model: str, simulations: int) -> None:
    """Print the table."""
    train = load(model)
    rows = train.observe(default_path()).frame
    rows = rows[rows["country"].isin(COUNTRIES)].groupby("country").tail(DAYS).reset_index(drop=True)
    pooled = "country" in train.build(rows).coords
    ranks = of_all_countries(train, rows, simulations) if pooled else of_each(train, rows, simulations)
    print(f"{model}: {simulations} simulations, {DAYS} days")
    print(f"  {'parameter':24} {'p':>6} " + " ".join(f"{level:>5.0%}" for level in LEVELS))
    for name, values in sorted(ranks.items()):
        share = (np.array(values) + np.random.default_rng(1).uniform(size=len(values))) / (RANKED + 1)
        p = scipy.stats.kstest(share, "uniform").pvalue
        inside = [np.mean(np.abs(share - 0.5) <= level / 2) for level in LEVELS]
        print(f"  {name:24} {p:6.3f} " + " ".join(f"{part:5.0%}" for part in inside))


def of_all_countries(train: ModuleType, rows: pd.DataFrame, simulations: int) -> dict[str, list[int]]:
    """Ranks of the pooled parameters and of the first country's, a fit for each simulation."""
    centre = wave.busiest_week(rows, "new" if "new" in rows else "count")
    wave.busiest_week = lambda *_: centre
    truths = prior.draw(train.build(rows), simulations, seed=1)
    ranks: dict[str, list[int]] = {}
    for i in rich.progress.track(range(simulations), "simulations"):
        truth = truths.isel(draw=[i])
        simulated = simulate(train, rows, truth, seed=i)
        fit = Sampling(False, draws=250, tune=400, seed=i).fit(simulated, train.build, silent)
        posterior = thinned(fit, RANKED)
        for name in posterior.data_vars:
            place = dict.fromkeys(set(posterior[name].dims) - {"draw"}, 0)
            drawn, true = posterior[name].isel(place), truth[name].isel(place).item()
            ranks.setdefault(str(name), []).append(int((drawn < true).sum()))
    return ranks


def of_each(train: ModuleType, rows: pd.DataFrame, simulations: int) -> dict[str, list[int]]:
    """Ranks of the parameters of as many simulated countries, each with the days of the first real one."""
    one = rows[rows["country"] == rows["country"].iloc[0]].reset_index(drop=True)
    truths = prior.draw(train.build(one), simulations, seed=1)
    frames = []
    for i in range(simulations):
        truth = truths.isel(draw=[i]).expand_dims(country=1, axis=1)
        frames.append(simulate(train, one, truth, seed=i).assign(country=f"S{i:04}"))
    possible = [i for i, frame in enumerate(frames) if np.isfinite(frame["count"].astype(float)).all()]
    simulated = pd.concat([frames[i] for i in possible], ignore_index=True)
    fit = Sampling(True, draws=500, tune=500, seed=1).fit(simulated, train.build, silent)
    posterior = thinned(fit, RANKED)
    return {
        str(name): [
            int((posterior[name].sel(country=f"S{i:04}") < truths[name].isel(draw=i).item()).sum())
            for i in possible
            if f"S{i:04}" in posterior["country"]
        ]
        for name in posterior.data_vars
    }


def simulate(train: ModuleType, rows: pd.DataFrame, truth: xr.Dataset, seed: int) -> pd.DataFrame:
    """The rows with counts that these parameters bring about."""
    before = rows.groupby("country").cumcount(ascending=False).to_numpy()
    days = np.arange(-before.max() - 1, 1)
    drawn = train.predict(truth, rows, days, np.random.default_rng(seed))[0]
    country = rows.groupby("country").ngroup().to_numpy()
    count = drawn[country, len(days) - 1 - before]
    simulated = rows.assign(count=count)
    if "new" in rows:  # of a running total
        simulated["new"] = count - drawn[country, len(days) - 2 - before]
    return simulated


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
