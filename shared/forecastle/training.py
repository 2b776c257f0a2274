"""Training: from observations to a checked artifact. What every `train.py` ends in.

if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths")
"""

import datetime
import importlib.metadata
import inspect
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import rich.console
import rich.progress
import xarray as xr

from forecastle import artifact, card, diagnostics, observations

HORIZON = 28  # days
CHAINS = 4
CHECKED_DAYS = 120  # at most, of the posterior predictive check: each country's last
CHECK_DRAWS = 1000  # of it, and of the prior
PREDICTIVE_DRAWS = 2000  # kept for the forecasts: a Monte Carlo error of at most 0.011 in any probability
TREE_DEPTH = (
    8  # at most 255 steps a draw: good fits take 31, and only the first warm-up draws would take more
)
FAILED_COUNTRIES = 0.1  # at most, of a model that is fitted to each country

# Machine code from the cache rounds differently than fresh code, and so would give other draws.
pytensor.config.numba__cache = False

Observe = Callable[[Path], pd.DataFrame]
Build = Callable[[pd.DataFrame], pm.Model]
Predict = Callable[[xr.Dataset, pd.DataFrame, np.ndarray, np.random.Generator], np.ndarray]
Report = Callable[[float], None]


def train(
    observe: Observe,
    build: Build,
    predict: Predict,
    *,
    target: str,
    unit: str,
    cumulative: bool = False,
    each_country: bool = False,
    draws: int = 1000,
    tune: int = 400,
    seed: int = 20200423,
) -> None:
    """Load, clean, fit, check and save: the artifact in the folder of the `train.py` that calls this.

    The same data, code and library versions give the same draws, byte for byte. A fit that fails its check,
    or anything else that goes wrong, ends the program with a message, and the last artifact stays as it was.

    Args:
        observe: From a file to what is fitted: rows as `observations.since_total` gives them.
        build: From these rows to a PyMC model. Variables of a value for each country have the dimension
            `country`, with the codes as coordinates, in the rows' order.
        predict: `predict(posterior, rows, days, rng)` gives posterior predictive draws of the target, shape
            (draw, country, day); `posterior` has the dimension `draw` alone instead of chain and draw, and
            `days` counts from 1, the day after a country's last row; 0 is that row's day, and negative days
            are before it, for the posterior predictive check. Days before a country's first are not used.
        target: What is forecast, such as "daily deaths".
        unit: Of the forecast numbers, such as "deaths".
        cumulative: Whether the target is a running total.
        each_country: Whether `build` makes a model of one country. It is compiled once and refitted with
            the data (`pm.Data`) of each; a country whose fit fails is left out, and more than a tenth of them
            fail the whole. Its variables get the dimension `country` afterwards.
        draws: Kept draws of each of the four chains.
        tune: Draws of each that adapt the sampler.
        seed: Of all randomness.
    """
    started = time.perf_counter()
    script = Path(inspect.getfile(build)).resolve()
    title = (inspect.getdoc(inspect.getmodule(build)) or script.parent.name).splitlines()[0].rstrip(".")
    path = observations.default_path()
    try:
        with _steps(script.parent.name) as step:
            with step("reading observations"):
                rows = observe(path)
            fit_all = _fit_each_country if each_country else _fit
            fit = fit_all(rows, build, {"draws": draws, "tune": tune, "seed": seed}, step)
            with step("checking"):
                summary = diagnostics.summarise(fit)
                fit, summary, rows, worst = _checked(fit, summary, rows, each_country)
            with step("predicting"):
                rng = np.random.default_rng(seed)
                posterior = az.extract(fit, num_samples=PREDICTIVE_DRAWS, combined=True, random_seed=seed)
                posterior = posterior.reset_index("sample", drop=True).rename(sample="draw")
                days = np.arange(1, HORIZON + 1)
                predicted = predict(posterior.transpose("draw", ...), rows, days, rng).astype(np.float32)
                countries = _countries(rows)
                if predicted.shape != (PREDICTIVE_DRAWS, len(countries), HORIZON):
                    raise diagnostics.FitError(f"predict gave the shape {predicted.shape}")
                if not np.isfinite(predicted).all():
                    raise diagnostics.FitError("predict gave values that are not finite")
                checked = posterior.isel(draw=slice(CHECK_DRAWS)).transpose("draw", ...)
                replicated = predict(checked, rows, np.arange(1 - CHECKED_DAYS, 1), rng)
            manifest = {
                "model": script.parent.name,
                "title": title,
                "target": target,
                "unit": unit,
                "cumulative": cumulative,
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "seed": seed,
                "training_seconds": round(time.perf_counter() - started, 1),
                "horizon": HORIZON,
                "data": {
                    "file": path.name,
                    "sha256": artifact.sha256(path),
                    "last_day": rows.attrs["last_day"].isoformat(),
                    "changes": rows.attrs["changes"],
                },
                "countries": countries,
                "excluded": rows.attrs["excluded"],
                "versions": _versions(),
                "diagnostics": {"bounds": diagnostics.BOUNDS, "worst": worst},
                "posterior_predictive": card.calibration(rows, replicated),
            }
            with artifact.write(script.with_name("artifact"), manifest) as folder:
                with step("drawing the card"):
                    card.write(
                        folder / "card.html",
                        manifest=manifest,
                        fit=fit,
                        prior=_prior(rows, build, each_country, seed),
                        rows=rows,
                        replicated=replicated,
                        draws=predicted,
                        backtest=None,
                    )
                with step("saving"):
                    np.save(folder / "draws.npy", predicted)
                    artifact.write_json(folder / "parameters.json", diagnostics.parameters(summary))
                    observed = rows[["date", "country", "count"]].rename(columns={"count": "observed"})
                    observed.to_csv(folder / "observations.csv", index=False, date_format="%Y-%m-%d")
                    _save_posterior(fit, observed, folder / "posterior.nc")
    except diagnostics.FitError as error:
        sys.exit(f"{script.parent.name}: the fit is not to be used, and the last artifact stays\n{error}")
    except (observations.ObservationsError, artifact.ArtifactError) as error:
        sys.exit(f"{script.parent.name}: {error}")


def _fit(rows: pd.DataFrame, build: Build, settings: dict[str, int], step: "_Step") -> xr.DataTree:
    with step("compiling"):
        compiled = nutpie.compile_pymc_model(build(rows))
    with step("sampling") as report:
        try:
            return _sample(compiled, settings, report)
        except (RuntimeError, ValueError) as error:
            raise diagnostics.FitError(f"  the sampler fails: {error}") from None


def _fit_each_country(
    rows: pd.DataFrame, build: Build, settings: dict[str, int], step: "_Step"
) -> xr.DataTree:
    groups = [(str(code), group.reset_index(drop=True)) for code, group in rows.groupby("country")]
    with step("compiling"):
        compiled = nutpie.compile_pymc_model(build(groups[0][1]))
    fits, failed = {}, {}
    with step("sampling") as report:
        for i, (code, group) in enumerate(groups):
            data = {variable.name: variable.get_value() for variable in build(group).data_vars}
            try:
                fits[code] = _sample(compiled.with_data(**data), settings)
            except (RuntimeError, ValueError) as error:
                failed[code] = (f"the sampler fails: {error}",)
            report((i + 1) / len(groups))
    if not fits:
        raise diagnostics.FitError(f"  no country can be fitted, {next(iter(failed.items()))}")
    countries = pd.Index(fits, name="country")
    fit = xr.DataTree.from_dict(
        {
            group: xr.concat([fit[group].dataset for fit in fits.values()], countries).transpose(
                "chain", "draw", ...
            )
            for group in ("posterior", "sample_stats")
        }
    )
    fit.attrs["failed"] = failed
    return fit


def _sample(compiled: Any, settings: dict[str, int], report: Report | None = None) -> xr.DataTree:
    def callback(chains: list[Any]) -> None:
        if report:
            report(sum(chain.finished_draws for chain in chains) / sum(chain.total_draws for chain in chains))

    return nutpie.sample(
        compiled,
        chains=CHAINS,
        cores=min(CHAINS, os.cpu_count() or 1),
        maxdepth=TREE_DEPTH,
        save_warmup=False,
        progress_bar=False,
        progress_callback=callback,
        **settings,
    )


def _checked(
    fit: xr.DataTree, summary: xr.Dataset, rows: pd.DataFrame, each_country: bool
) -> tuple[xr.DataTree, xr.Dataset, pd.DataFrame, dict[str, float]]:
    """The fit, or what is left of it without the countries that failed, and its worst diagnostics.

    Raises:
        FitError: It fails; or too many countries do.
    """
    if each_country:
        codes = summary["country"].values
        verdicts = {
            str(code): diagnostics.check(fit.sel(country=code), summary.sel(country=[code])) for code in codes
        }
        failed = {code: verdict.reasons for code, verdict in verdicts.items() if verdict.reasons}
        failed |= fit.attrs.pop("failed")
        tried = rows["country"].nunique()
        if len(failed) > FAILED_COUNTRIES * tried:
            lines = [f"{len(failed)} of {tried} countries failed, more than {FAILED_COUNTRIES:.0%}:"]
            raise diagnostics.FitError(
                "\n".join(lines + [f"  {reason}" for reasons in failed.values() for reason in reasons])
            )
        names = rows.groupby("country")["name"].first()
        excluded = {code: {"name": names[code], "reason": "; ".join(failed[code])} for code in failed}
        attrs = {**rows.attrs, "excluded": {**rows.attrs["excluded"], **excluded}}
        rows = rows[~rows["country"].isin(list(failed))].reset_index(drop=True)
        rows.attrs = attrs
        kept = [code for code in codes if code not in failed]
        fit, summary = fit.sel(country=kept), summary.sel(country=kept)
    verdict = diagnostics.check(fit, summary)
    if verdict.reasons:
        raise diagnostics.FitError("\n".join(f"  {reason}" for reason in verdict.reasons))
    return fit, summary, rows, verdict.worst


def _prior(rows: pd.DataFrame, build: Build, each_country: bool, seed: int) -> xr.Dataset:
    """Prior draws of all parameters, for the card; of a model of each country for a few countries."""
    if not each_country:
        return _draw_prior(build(rows), seed)
    codes = card.largest(rows, card.EXAMPLES)
    groups = [rows[rows["country"] == code].reset_index(drop=True) for code in codes]
    return xr.concat([_draw_prior(build(group), seed) for group in groups], pd.Index(codes, name="country"))


def _draw_prior(model: pm.Model, seed: int) -> xr.Dataset:
    variables = [*model.free_RVs, *model.deterministics]
    try:
        values = pm.draw(variables, CHECK_DRAWS, random_seed=seed)
    except NotImplementedError:  # a prior that is no distribution, such as pm.Flat
        return xr.Dataset()
    drawn = {}
    for variable, array in zip(variables, values, strict=True):
        unnamed = [f"{variable.name}_dim_{i}" for i in range(array.ndim - 1)]
        drawn[variable.name] = (("draw", *model.named_vars_to_dims.get(variable.name, unnamed)), array)
    prior = xr.Dataset(drawn)
    return prior.assign_coords(
        {str(dim): list(model.coords[dim]) for dim in prior.dims if dim in model.coords}
    )


def _countries(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        str(code): {
            "name": group["name"].iloc[0],
            "first_day": group["date"].iloc[0].date().isoformat(),
            "origin_date": group["date"].iloc[-1].date().isoformat(),
            "total": int(group["total"].iloc[-1]),
        }
        for code, group in rows.groupby("country")
    }


def _versions() -> dict[str, str]:
    libraries = ("pymc", "nutpie", "arviz", "numpy", "pandas")
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def _save_posterior(fit: xr.DataTree, observed: pd.DataFrame, path: Path) -> None:
    """NetCDF in ArviZ's schema; float32 holds more digits than the Monte Carlo error leaves."""
    groups = {
        "posterior": fit["posterior"].dataset,
        "sample_stats": fit["sample_stats"].dataset[["diverging", "energy", "n_steps"]],
        "observed_data": xr.Dataset(
            {"observed": ("observation", observed["observed"].to_numpy(dtype=float, na_value=np.nan))},
            {
                "date": ("observation", observed["date"].to_numpy()),
                "country": ("observation", observed["country"].to_numpy(dtype="U3")),
            },
        ),
    }
    encoding = {
        f"/{group}": {
            str(name): {"zlib": True, "dtype": "float32"} if values.dtype.kind == "f" else {"zlib": True}
            for name, values in dataset.data_vars.items()
            if values.dtype.kind in "fiub"
        }
        for group, dataset in groups.items()
    }
    xr.DataTree.from_dict(groups).to_netcdf(path, engine="h5netcdf", encoding=encoding)


_Step = Callable[[str], Any]  # a context manager that yields a Report


@contextmanager
def _steps(model: str) -> Iterator[_Step]:
    """A progress bar for each step in a terminal; elsewhere (a build's log) a line for every tenth."""
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        @contextmanager
        def step(description: str) -> Iterator[Report]:
            task = bars.add_task(f"{model}: {description}", total=None)
            started, tenths = time.perf_counter(), 0

            def report(fraction: float) -> None:
                nonlocal tenths
                bars.update(task, total=1.0, completed=fraction)
                if not console.is_terminal and int(10 * fraction) > tenths:
                    tenths = int(10 * fraction)
                    print(f"{model}: {description} {tenths}0 %", file=sys.stderr, flush=True)

            yield report
            bars.update(task, total=1.0, completed=1.0)
            if not console.is_terminal:
                seconds = time.perf_counter() - started
                print(f"{model}: {description} took {seconds:.1f} s", file=sys.stderr, flush=True)

        yield step
