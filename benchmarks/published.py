"""The figures that the series published, and what its priors and ours make of the same data.

    ECDC_FILE=path .venv/bin/python benchmarks/published.py exponential
    ECDC_FILE=path .venv/bin/python benchmarks/published.py logistic

The ECDC's file is cut where the articles' data ended: on 7 April 2020, of which the backtests held out the
last five days. Errors are those of the posterior predictive mean, in per cent of the reported totals. Then
the same for all countries, and how many of their fits fail the check.
"""

import datetime
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import xarray as xr

from forecastle import observations
from forecastle.training import diagnostics
from forecastle.training.progress import Report, Step
from forecastle.training.sampling import Sampling, thinned

ROOT = Path(__file__).resolve().parents[1]
LAST_DAY = datetime.date(2020, 4, 7)  # of the articles' data: their held-out totals are those of 3 to 7 April
ORIGIN = datetime.date(2020, 4, 2)
DAYS = np.arange(1, 6)  # held out
SAMPLING = Sampling(each_series=True, draws=1500, tune=400, seed=20200423)

# By model: of the backtests the errors in per cent after 1 and 5 days, of the fit to all days mean and sd.
ERRORS = {
    "exponential": {"GBR": (60.6, 145.6)},
    "logistic": {"CHN": (-6.8, -6.4), "GBR": (-9.9, -25.4)},
}
PARAMETERS = {"a": "127.2 (8.1)", "b": "0.23", "eps": "0.27 (0.04)"}


@dataclass(frozen=True)
class Fit:
    """One model, fitted to each country.

    Attributes:
        rows: What was fitted, without the countries that the sampler failed for.
        posterior: All draws, dimension `draw`, `country` in the rows' order.
        failed: Of each country that is not to be used, the reasons.
        tried: How many countries there were.
        seconds: Of sampling.
    """

    rows: pd.DataFrame
    posterior: xr.Dataset
    failed: dict[str, tuple[str, ...]]
    tried: int
    seconds: float


def load(model: str) -> ModuleType:
    """The `train.py` of a model."""
    spec = importlib.util.spec_from_file_location(f"{model}_train", ROOT / "models" / model / "train.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def fit(
    train: ModuleType,
    path: Path,
    until: datetime.date,
    *,
    published: bool,
    countries: tuple[str, ...] = (),
    whole: bool = False,
) -> Fit:
    """Fit a model to the data up to a day.

    Args:
        train: The model's `train.py`.
        path: The ECDC's file.
        until: The last day.
        published: Whether with the published priors.
        countries: These alone; all without.
        whole: Whether to all days since the 100th case, as published, and not to the model's window alone.
    """
    known = observations.read(path, until=until).frame
    if countries:
        known = known[known["country"].isin(countries)]
    with tempfile.TemporaryDirectory() as folder, _priors(published):
        observations.write(known, Path(folder) / "known.csv")
        rows = train.observe(Path(folder) / "known.csv", **({"longest": None} if whole else {})).frame
        seconds: dict[str, float] = {}
        fitted = SAMPLING.fit(rows, train.build, _timer(seconds))
    summary = diagnostics.summarise(fitted)
    failed = dict(fitted.attrs["failed"])
    tried = rows["country"].nunique()
    rows = rows[~rows["country"].isin(list(failed))].reset_index(drop=True)
    for code in summary["country"].values:
        verdict = diagnostics.check(fitted.sel(country=code), summary.sel(country=[code]))
        if verdict.reasons:
            failed[str(code)] = verdict.reasons
    draws = fitted["posterior"].sizes["chain"] * SAMPLING.draws
    return Fit(rows, thinned(fitted, draws), failed, tried, seconds["sampling"])


def errors(train: ModuleType, path: Path, fitted: Fit) -> pd.DataFrame:
    """Of each country and held-out day the mean prediction, the reported total and the error in per cent.

    Columns `country`, `horizon`, `predicted`, `reported`, `error`, and `covered`: whether the reported total
    lies in the 90 % interval. Days are those after a country's last fitted day.
    """
    with np.errstate(invalid="ignore"):  # the published prior lets K be negative
        draws = train.predict(fitted.posterior, fitted.rows, DAYS, np.random.default_rng(SAMPLING.seed))
    truth = observations.read(path).frame.set_index(["country", "date"])["cases"]
    totals = truth.fillna(0).groupby("country").cumsum()
    parts = []
    for i, (code, group) in enumerate(fitted.rows.groupby("country")):
        dates = group["date"].iloc[-1] + pd.to_timedelta(DAYS, unit="D")
        reported = totals.reindex([(code, date) for date in dates]).to_numpy(dtype=float)
        lower, upper = np.quantile(draws[:, i], [0.05, 0.95], axis=0)
        part = pd.DataFrame(
            {"country": code, "horizon": DAYS, "predicted": draws[:, i].mean(axis=0), "reported": reported}
        )
        parts.append(part.assign(covered=(lower <= reported) & (reported <= upper)))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(error=100 * (table["predicted"] / table["reported"] - 1))


def main(model: str, path: Path) -> None:
    """Print the tables."""
    train = load(model)
    if model == "exponential":
        _print_parameters(train, path)
    _print_errors(model, train, path)
    _print_all_countries(train, path)


def _print_parameters(train: ModuleType, path: Path) -> None:
    print(f"United Kingdom, all days to {LAST_DAY}: mean (sd)")
    fits = [
        fit(train, path, LAST_DAY, published=published, countries=("GBR",), whole=True).posterior
        for published in (True, False)
    ]
    for name, figure in PARAMETERS.items():
        again, ours = (f"{float(p[name].mean()):.4g} ({float(p[name].std()):.2g})" for p in fits)
        print(f"  {name}: published {figure}; published priors {again}, our priors {ours}")
    for days in (-1, 1):
        until = LAST_DAY + datetime.timedelta(days)
        eps = fit(train, path, until, published=True, countries=("GBR",), whole=True).posterior["eps"]
        print(f"  to {until} instead, published priors: eps {float(eps.mean()):.4g} ({float(eps.std()):.2g})")


def _print_errors(model: str, train: ModuleType, path: Path) -> None:
    print(f"fitted to all days to {ORIGIN}: predicted total and error after 1 and 5 days")
    figures = ERRORS[model]
    for published in (True, False):
        fitted = fit(train, path, ORIGIN, published=published, countries=tuple(figures), whole=True)
        table = errors(train, path, fitted)
        for code, figure in figures.items():
            of_country = table[table["country"] == code].set_index("horizon")
            predicted, error = of_country["predicted"], of_country["error"]
            cells = (
                f"{predicted[day]:,.0f} {error[day]:+.1f} % (published {of_day:+.1f} %)"
                for day, of_day in zip((1, 5), figure, strict=True)
            )
            print(f"  {code}, {'published' if published else 'our'} priors: {', '.join(cells)}")


def _print_all_countries(train: ModuleType, path: Path) -> None:
    print("all countries, the days that the model fits:")
    for until in (observations.read(path).last_day, ORIGIN):
        fits = {
            "published priors": fit(train, path, until, published=True),
            "our priors": fit(train, path, until, published=False),
        }
        for priors, fitted in fits.items():
            print(
                f"  to {until}, {priors}: {len(fitted.failed)} of {fitted.tried} fits fail the check, "
                f"sampling took {fitted.seconds:.1f} s"
            )
    good = set.intersection(*(set(fitted.rows["country"]) - set(fitted.failed) for fitted in fits.values()))
    print(f"the {len(good)} countries whose fits to {ORIGIN} pass with both:")
    for priors, fitted in fits.items():
        table = errors(train, path, fitted)
        table = table[table["country"].isin(good)]
        for horizon in (1, 5):
            of_day = table[table["horizon"] == horizon]
            print(
                f"  {priors}, {horizon} days ahead: "
                f"median absolute error {of_day['error'].abs().median():.1f} %, "
                f"90 % intervals cover {of_day['covered'].mean():.0%}"
            )


@contextmanager
def _priors(published: bool) -> Iterator[None]:
    before = os.environ.get("PRIORS", "")
    os.environ["PRIORS"] = "published" if published else ""
    try:
        yield
    finally:
        os.environ["PRIORS"] = before


def _timer(seconds: dict[str, float]) -> Step:
    """Steps that say nothing and note how long each took."""

    @contextmanager
    def step(description: str) -> Iterator[Report]:
        started = time.perf_counter()
        yield lambda fraction: None
        seconds[description] = time.perf_counter() - started

    return step


if __name__ == "__main__":
    if not os.environ.get("ECDC_FILE") or sys.argv[1:] not in (["exponential"], ["logistic"]):
        sys.exit("usage: ECDC_FILE=path python benchmarks/published.py exponential|logistic")
    main(sys.argv[1], Path(os.environ["ECDC_FILE"]))
