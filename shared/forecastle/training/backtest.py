"""Backtests with rolling origins: how good would the forecasts of past days have been?

A model is fitted to the data up to each origin, forecasts the days after it, and is scored on what then was
reported, beside a naive forecast (`scores.naive`).
"""

import datetime
import inspect
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import rich.box
import rich.console
import rich.table
import xarray as xr

from forecastle import observations
from forecastle.artifact import Backtest
from forecastle.scores import COVERAGE_LEVELS, QUANTILES, naive
from forecastle.training import scores
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import Report, silent
from forecastle.training.sampling import Build, Observe, Predict, Sampling, thinned

DAYS = 14  # ahead that are scored
LEAST_COUNTRIES = 5  # at an origin
DRAWS = 250  # of each chain: quantiles need fewer than the tails of the artifact's draws
LATEST = 7  # days: a country's last fitted day may lie so long before the origin
WIS_RATIO = 1.0  # at most: no worse than the naive forecast
WIDTH = 120  # of the tables

BOUNDS = {"wis_ratio": WIS_RATIO}


def forecast(
    observe: Observe,
    build: Build,
    predict: Predict,
    *,
    path: Path,
    column: str,
    cumulative: bool,
    sampling: Sampling,
    origins: Sequence[datetime.date],
    report: Report,
    days: int = DAYS,
) -> xr.Dataset | None:
    """Refit at each origin, in as many processes as there are cores, and forecast.

    Refits run through joblib: `joblib.parallel_config(backend="ray")` or "dask" takes them to other machines.

    Args:
        observe: As of `training.train`; it gets a file that ends on the origin.
        build: As of `training.train`.
        predict: As of `training.train`.
        path: The observations.
        column: Of the observations that is forecast: `cases` or `deaths`.
        cumulative: Whether it is forecast as a running total.
        sampling: How the artifact is sampled; here with `DRAWS` draws.
        origins: Last days of the data to be fitted.
        report: Takes the fraction that is done.
        days: How far ahead of a country's last fitted day.

    Returns:
        The forecasts of all counts that are known by now, as `scores.summarise` takes them, with their
        `country`, `origin`, `date` and `horizon`. None if no origin leaves enough to fit and to score.
    """
    truth = observations.read(path)
    sampling = sampling.within(draws=DRAWS, cores=1)
    # Workers cannot import a train.py, which is no module on their path.
    if (module := inspect.getmodule(build)) and module.__name__ != "__main__":
        cloudpickle.register_pickle_by_value(module)
    task = joblib.delayed(_forecasts)
    tasks = [
        task(observe, build, predict, path, truth, column, cumulative, sampling, origin, days)
        for origin in origins
    ]
    workers = min(os.cpu_count() or 1, max(1, len(tasks)))
    parts = []
    for part in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(tasks):
        parts.append(part)
        report(len(parts) / len(tasks))
    kept = [part for part in parts if part is not None]
    return xr.concat(kept, "forecast") if kept else None


def score(forecasts: xr.Dataset) -> dict[str, Any]:
    """Scores (as of `scores.summarise`) of all forecasts, by horizon and by origin, and their calibration."""
    by_origin = [
        {
            "origin": str(origin),
            "countries": len(np.unique(group["country"])),
            **scores.summarise(group),
        }
        for origin, group in forecasts.groupby("origin")
    ]
    by_horizon = [
        {"horizon": int(horizon), **scores.summarise(group)}
        for horizon, group in forecasts.groupby("horizon")
    ]
    return {
        "origins": [entry["origin"] for entry in by_origin],
        "forecasts": forecasts.sizes["forecast"],
        "scores": scores.summarise(forecasts),
        "by_horizon": by_horizon,
        "by_origin": by_origin,
        "quantiles": scores.calibration(forecasts["observed"].values, forecasts["quantiles"].values),
    }


def weekly(last_day: datetime.date, origins: int, weeks: int = 1) -> list[datetime.date]:
    """So many origins, so many weeks apart, the last of them with all `DAYS` scored days after it."""
    last = last_day - datetime.timedelta(DAYS)
    return sorted(last - datetime.timedelta(weeks=weeks * i) for i in range(origins))


def check(scored: dict[str, Any]) -> None:
    """Refuse a model that forecasts worse than the naive forecast.

    Raises:
        FitError: By how much, where most, and what to try.
    """
    ratio = scored["scores"]["wis_ratio"]
    if ratio <= WIS_RATIO:
        return
    horizon = max(scored["by_horizon"], key=lambda entry: entry["wis_ratio"])
    origin = max(scored["by_origin"], key=lambda entry: entry["wis_ratio"])
    raise FitError(
        f"  wis_ratio is {ratio:.4g}, should be at most {WIS_RATIO}: the backtest is worse than the naive "
        f"forecast, most so {horizon['horizon']} days ahead ({horizon['wis_ratio']:.4g}) and from "
        f"{origin['origin']} on ({origin['wis_ratio']:.4g}); 90 % intervals cover "
        f"{scored['scores']['coverage']['0.9']:.0%}: give later days more weight, widen what is too narrow, "
        "or declare the model a reference (train(..., reference=True))"
    )


def summary(scored: dict[str, Any] | None) -> Backtest | None:
    """The summary of a backtest for the manifest; the whole of it stands in `backtest.json`."""
    if scored is None:
        return None
    origins = [datetime.date.fromisoformat(origin) for origin in scored["origins"]]
    return Backtest(scored["kind"], BOUNDS, origins, scored["forecasts"], scored["scores"])


def show(scored: dict[str, Any]) -> None:
    """Print the scores: a table by horizon, one by origin."""
    console = rich.console.Console()
    console.width = max(console.width, WIDTH)  # or numbers would be cut
    for kind in ("horizon", "origin"):
        table = rich.table.Table(box=rich.box.SIMPLE)
        headings = (
            "forecasts",
            "WIS",
            "naive",
            "ratio",
            "ratio of logs",
            *map("{:.0%}".format, COVERAGE_LEVELS),
        )
        for heading in (kind, *headings, "90% naive", "bias", "error"):
            table.add_column(heading, justify="right", no_wrap=heading == kind)
        for entry in [*scored[f"by_{kind}"], {kind: "all", **scored["scores"]}]:
            table.add_row(
                str(entry[kind]),
                f"{entry['forecasts']:,}",
                *(
                    f"{wis:,.0f}" if wis >= 1000 else f"{wis:.4g}"
                    for wis in (entry["wis"], entry["wis_naive"])
                ),
                f"{entry['wis_ratio']:.2f}",
                f"{entry['wis_ratio_log']:.2f}",
                *(f"{share:.0%}" for share in entry["coverage"].values()),
                f"{entry['coverage_naive']['0.9']:.0%}",
                f"{entry['bias']:+.2f}",
                f"{entry['absolute_percentage_error']:.0%}",
            )
        console.print(table)
    console.print(
        "WIS: mean weighted interval score over 23 quantiles, and its ratio to the naive forecast's;\n"
        "50% to 95%: share of counts in central intervals; bias: share of draws too high less too low;\n"
        "error: median absolute percentage error of the mean"
    )


def _forecasts(
    observe: Observe,
    build: Build,
    predict: Predict,
    path: Path,
    truth: pd.DataFrame,
    column: str,
    cumulative: bool,
    sampling: Sampling,
    origin: datetime.date,
    days: int,
) -> xr.Dataset | None:
    """The forecasts from one origin, beside the naive ones and what was observed."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "observations.csv"
            known = observations.read(path, until=origin)
            observations.write(known, file)
            rows = observe(file)
        if rows["country"].nunique() < LEAST_COUNTRIES:
            return None
        fit = sampling.fit(rows, build, silent)
    except (observations.ObservationsError, FitError):
        return None
    if failed := fit.attrs.get("failed"):
        rows = rows[~rows["country"].isin(list(failed))].reset_index(drop=True)
    posterior = thinned(fit, sampling.draws * fit["posterior"].sizes["chain"], sampling.seed)
    draws = predict(posterior, rows, np.arange(1, days + 1), np.random.default_rng(sampling.seed))
    parts = []
    for i, (code, group) in enumerate(rows.groupby("country")):
        last_day = group["date"].iloc[-1]
        if last_day <= pd.Timestamp(origin) - pd.Timedelta(LATEST, unit="D"):
            continue
        past = known[(known["country"] == code) & (known["date"] <= last_day)]
        part = _of_country(past, truth[truth["country"] == code], column, cumulative, draws[:, i, :])
        # What the data held at the origin is no forecast, also where a model ends before it.
        part = part.isel(forecast=(part["date"] > np.datetime64(origin)) & part["observed"].notnull())
        parts.append(part.assign_coords(country=("forecast", [str(code)] * part.sizes["forecast"])))
    if not any(part.sizes["forecast"] for part in parts):
        return None
    forecasts = xr.concat(parts, "forecast")
    return forecasts.assign_coords(origin=("forecast", [origin.isoformat()] * forecasts.sizes["forecast"]))


def _of_country(
    past: pd.DataFrame, truth: pd.DataFrame, column: str, cumulative: bool, draws: np.ndarray
) -> xr.Dataset:
    last_day, days = past["date"].iloc[-1], draws.shape[1]
    dates = pd.date_range(last_day, periods=days + 1)[1:]
    reported = truth.set_index("date")[column].astype(float).reindex(dates).to_numpy()
    count = past[column].astype(float).to_numpy(na_value=np.nan)
    count = count[np.argmax(count > 0) :]  # from the first case or death on
    total = float(np.nansum(count)) if cumulative else None
    observed = (
        reported if total is None else np.where(np.isnan(reported), np.nan, total + np.nancumsum(reported))
    )
    return xr.Dataset(
        {
            "quantiles": (("forecast", "quantile"), np.quantile(draws, QUANTILES, axis=0).T),
            "naive": (("forecast", "quantile"), naive(count, days, total)),
            "observed": ("forecast", observed),
            "mean": ("forecast", draws.mean(axis=0)),
            "bias": ("forecast", (draws > observed).mean(axis=0) - (draws < observed).mean(axis=0)),
        },
        {"horizon": ("forecast", np.arange(1, days + 1)), "date": ("forecast", dates)},
    )
