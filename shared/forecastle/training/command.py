"""Training: from observations to a checked artifact. What every `train.py` ends in.

if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths")

`python models/deaths/train.py` fits, checks and saves (`make train MODEL=deaths`); with `--backtest` it runs
the long backtest and adds it to the artifact (`make backtest MODEL=deaths`); with `--held-out DAY FILE` it
writes what a fit to the data up to that day forecasts of the days after it (`make retrain MODEL=deaths`).
"""

import argparse
import datetime
import importlib.metadata
import inspect
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from forecastle import artifact, observations
from forecastle.training import backtest, card, diagnostics
from forecastle.training.progress import Step, steps
from forecastle.training.sampling import Build, Observe, Predict, Sampling, thinned

HORIZON = 28  # days
CHECKED_DAYS = 120  # at most, of the posterior predictive check: each country's last
CHECK_DRAWS = 1000  # of it, and of the prior
PREDICTIVE_DRAWS = 2000  # kept for the forecasts: a Monte Carlo error of at most 0.011 in any probability
FAILED_COUNTRIES = 0.1  # at most, of a model that is fitted to each country
# Origins, and weeks between them. Every training has the short one; on the first wave's data the full one
# begins in mid-March.
BACKTESTS = {"short": (3, 2), "full": (11, 1)}


def train(
    observe: Observe,
    build: Build,
    predict: Predict,
    *,
    target: str,
    unit: str,
    cumulative: bool = False,
    each_country: bool = False,
    reference: bool = False,
    draws: int = 1000,
    tune: int = 400,
    seed: int = 20200423,
    arguments: Sequence[str] | None = None,
) -> None:
    """Load, clean, fit, check, backtest, save: the artifact in the folder of the `train.py` that calls this.

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
        unit: Of the forecast numbers, `cases` or `deaths`: the column of the observations that the backtest
            scores them on.
        cumulative: Whether the target is a running total.
        each_country: Whether `build` makes a model of one country. It is compiled once and refitted with
            the data (`pm.Data`) of each; a country whose fit fails is left out, and more than a tenth of them
            fail the whole. Its variables get the dimension `country` afterwards.
        reference: Whether the model is there to be compared with and not for use. Then its backtest is told,
            but does not decide.
        draws: Kept draws of each of the four chains.
        tune: Draws of each that adapt the sampler.
        seed: Of all randomness.
        arguments: The command line's, if they are not those of the program.
    """
    started = time.perf_counter()
    script = Path(inspect.getfile(build)).resolve()
    model = script.parent.name
    title = (inspect.getdoc(inspect.getmodule(build)) or model).splitlines()[0].rstrip(".")
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument(
        "--backtest", action="store_true", help="score forecasts of many past days, fit nothing else"
    )
    parser.add_argument(
        "--held-out",
        nargs=2,
        metavar=("DAY", "FILE"),
        help="fit the data up to DAY, write forecasts of the days after it to FILE, fit nothing else",
    )
    options = parser.parse_args(arguments)
    path = observations.default_path()
    sampling = Sampling(each_country, draws, tune, seed)

    def forecast(
        step: Step, description: str, origins: Sequence[datetime.date], days: int = backtest.DAYS
    ) -> xr.Dataset | None:
        with step(description) as report:
            return backtest.forecast(
                observe,
                build,
                predict,
                path=path,
                column=unit,
                cumulative=cumulative,
                sampling=sampling,
                origins=origins,
                report=report,
                days=days,
            )

    def backtested(step: Step, kind: str) -> dict[str, Any] | None:
        origins = backtest.weekly(observations.read(path).attrs["last_day"], *BACKTESTS[kind])
        forecasts = forecast(step, "backtest", origins)
        return None if forecasts is None else {"kind": kind, **backtest.score(forecasts)}

    try:
        with steps(model) as step:
            if options.held_out:
                day, file = options.held_out
                origin = datetime.date.fromisoformat(day)
                forecasts = forecast(step, "forecasting held-out days", [origin], HORIZON)
                if forecasts is not None:
                    forecasts.assign_attrs(target=target, unit=unit).to_netcdf(file, engine="h5netcdf")
                return
            if options.backtest:
                _add_backtest(script.with_name("artifact"), path, backtested(step, "full"))
                return
            with step("reading observations"):
                rows = observe(path)
            fit = sampling.fit(rows, build, step)
            with step("checking"):
                summary = diagnostics.summarise(fit)
                fit, summary, rows, worst = _checked(fit, summary, rows, each_country)
            with step("predicting"):
                posterior = thinned(fit, PREDICTIVE_DRAWS, seed)
                days, rng = np.arange(1, HORIZON + 1), np.random.default_rng(seed)
                predicted = predict(posterior, rows, days, rng).astype(np.float32)
                countries = _countries(rows)
                if predicted.shape != (PREDICTIVE_DRAWS, len(countries), HORIZON):
                    raise diagnostics.FitError(f"  predict gave the shape {predicted.shape}")
                if not np.isfinite(predicted).all():
                    raise diagnostics.FitError("  predict gave values that are not finite")
                checked = posterior.isel(draw=slice(CHECK_DRAWS))
                replicated = predict(checked, rows, np.arange(1 - CHECKED_DAYS, 1), rng)
            scored = backtested(step, "short")
            if scored and not reference:
                backtest.check(scored)
            manifest = artifact.Manifest(
                model=model,
                title=title,
                target=target,
                unit=unit,
                cumulative=cumulative,
                reference=reference,
                created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
                seed=seed,
                training_seconds=round(time.perf_counter() - started, 1),
                horizon=HORIZON,
                data=artifact.Data(
                    path.name, artifact.sha256(path), rows.attrs["last_day"], rows.attrs["changes"]
                ),
                series=countries,
                excluded={code: artifact.Excluded(**one) for code, one in rows.attrs["excluded"].items()},
                versions=_versions(),
                diagnostics=artifact.Diagnostics(diagnostics.BOUNDS, worst),
                posterior_predictive=card.calibration(rows, replicated),
                backtest=backtest.summary(scored),
            )
            with artifact.write(script.with_name("artifact"), manifest) as folder:
                with step("drawing the card"):
                    card.write(
                        folder / "card.html",
                        manifest=manifest,
                        fit=fit,
                        summary=summary,
                        prior=_prior(rows, build, each_country, seed),
                        rows=rows,
                        replicated=replicated,
                        draws=predicted,
                        backtest=scored,
                    )
                with step("saving"):
                    np.save(folder / "draws.npy", predicted)
                    artifact.write_json(folder / "parameters.json", diagnostics.parameters(summary))
                    observed = rows[["date", "country", "count"]].rename(columns={"count": "observed"})
                    observed.to_csv(folder / "observations.csv", index=False, date_format="%Y-%m-%d")
                    _save_posterior(fit, observed, folder / "posterior.nc")
                    artifact.write_json(folder / "backtest.json", scored)
    except diagnostics.FitError as error:
        sys.exit(f"{model}: the fit is not to be used, and the last artifact stays\n{error}")
    except (observations.ObservationsError, artifact.ArtifactError) as error:
        sys.exit(f"{model}: {error}")


def published_priors() -> bool:
    """Whether the environment asks a model of the series for its priors as published: PRIORS=published.

    Any other value ends the program with a line.
    """
    priors = os.environ.get("PRIORS", "")
    if priors not in ("", "published"):
        sys.exit(f"PRIORS={priors} is unknown: PRIORS=published takes the published priors, no PRIORS ours")
    return priors == "published"


def _add_backtest(folder: Path, data: Path, scored: dict[str, Any] | None) -> None:
    """Print the scores, and put them into the artifact, which otherwise stays as it is.

    Raises:
        ArtifactError: There is no artifact, or it was trained with other data.
        FitError: There is nothing to score.
    """
    if scored is None:
        raise diagnostics.FitError(
            "  no origin leaves enough to fit and to score: more days of data are needed"
        )
    backtest.show(scored)
    trained = artifact.Artifact.load(folder)
    if trained.manifest.data.sha256 != artifact.sha256(data):
        raise artifact.ArtifactError(f"{folder} was trained with other data: train the model again")
    with artifact.amend(folder, backtest=backtest.summary(scored)) as scratch:
        artifact.write_json(scratch / "backtest.json", scored)
        card.replace_backtest(scratch / "card.html", trained.manifest, scored)


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
        return draw_prior(build(rows), CHECK_DRAWS, seed)
    codes = card.largest(rows, card.EXAMPLES)
    groups = [rows[rows["country"] == code].reset_index(drop=True) for code in codes]
    return xr.concat(
        [draw_prior(build(group), CHECK_DRAWS, seed) for group in groups], pd.Index(codes, name="country")
    )


def draw_prior(model: pm.Model, draws: int, seed: int) -> xr.Dataset:
    """So many prior draws of all parameters, dimensions draw and those of the model."""
    variables = [*model.free_RVs, *model.deterministics]
    try:
        values = pm.draw(variables, draws, random_seed=seed)
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


def _countries(rows: pd.DataFrame) -> dict[str, artifact.Country]:
    return {
        str(code): artifact.Country(
            str(code),
            group["name"].iloc[0],
            group["date"].iloc[0].date(),
            group["date"].iloc[-1].date(),
            int(group["total"].iloc[-1]),
        )
        for code, group in rows.groupby("country")
    }


def _versions() -> dict[str, str]:
    libraries = ("pymc", "nutpie", "arviz", "numpy", "pandas")
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def _save_posterior(fit: xr.DataTree, observed: pd.DataFrame, path: Path) -> None:
    """NetCDF in ArviZ's schema, with five digits, which are more than the Monte Carlo error leaves."""
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
            str(name): {"zlib": True, "shuffle": True}
            for name, values in dataset.data_vars.items()
            if values.dtype.kind in "fiub"
        }
        for group, dataset in groups.items()
    }
    groups = {group: dataset.map(_five_digits) for group, dataset in groups.items()}
    xr.DataTree.from_dict(groups).to_netcdf(path, engine="h5netcdf", encoding=encoding)


def _five_digits(values: xr.DataArray) -> xr.DataArray:
    """Floats as float32 whose last 7 of 23 bits are 0, which compresses them by a third."""
    if values.dtype.kind != "f":
        return values
    bits = values.to_numpy().astype(np.float32).view(np.uint32)
    return values.copy(data=((bits + np.uint32(1 << 6)) & np.uint32(0xFFFFFF80)).view(np.float32))
