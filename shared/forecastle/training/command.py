"""Training: from observations to a checked artifact. What every `train.py` ends in.

if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths")

`python models/deaths/train.py` fits, checks and saves (`make train MODEL=deaths`). Instead,

- `--backtest` runs the long backtest and adds it to the artifact (`make backtest MODEL=deaths`);
- `--vintages PATH ...` runs it on data as they were known, and prints it (`make backtest ... VINTAGES=PATH`);
- `--held-out DAY FILE` fits the data up to a day, and writes forecasts of later days (`make retrain`).
"""

import argparse
import dataclasses
import datetime
import importlib.metadata
import inspect
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import forecastle
from forecastle import artifact, observations
from forecastle.folder import sources
from forecastle.frequency import Frequency
from forecastle.frequency import plural as plural_of
from forecastle.observations import Observations, Reported
from forecastle.observations.provenance import Provenance, file_name
from forecastle.training import backtest, card, contract, diagnostics, files, fitting, prior, vintages
from forecastle.training.backtest import Forecasts
from forecastle.training.progress import Step, steps
from forecastle.training.recipe import Recipe
from forecastle.training.sampling import CHAINS, Build, Observe, Predict, Sampling, thinned

HORIZON = 28  # periods
CHECKED = 120  # periods at most of the posterior predictive check: each series' last
CHECK_DRAWS = 1000  # of it, and of the prior
PREDICTIVE_DRAWS = 2000  # kept for the forecasts: a Monte Carlo error of at most 0.011 in any probability
LIBRARIES = ("pymc", "nutpie", "arviz", "numpy", "pandas")  # whose versions the manifest names


def train(
    observe: Observe,
    build: Build,
    predict: Predict,
    *,
    target: str,
    unit: str,
    series: str = "country",
    plural: str | None = None,
    measure: str | None = None,
    frequency: str = "D",
    horizon: int = HORIZON,
    real: bool = False,
    minimum: float | None = 0,
    data: Path | str | None = None,
    covariates: Sequence[str] = (),
    cumulative: bool = False,
    each_series: bool = False,
    reference: bool = False,
    draws: int = 1000,
    tune: int = 400,
    seed: int = 20200423,
) -> None:
    """Load, clean, fit, check, backtest, save: the artifact in the folder of the script that calls this.

    The same data, code and library versions give the same draws, byte for byte. A fit that fails its check,
    or anything else that goes wrong, ends the program with a message, and the last artifact stays as it was.
    A series that the model cannot be fitted to is left out; if more than a tenth are, the whole fit fails.

    Args:
        observe: From a file to what is fitted: Observations as `observations.since_total` gives them, or a
            plain frame of these columns, sorted by series and date with a row for every date: `date`, the
            noun (such as `country`), `name`, `count` (the values, missing where there is no report) and, for
            counts, `total` (the running total).
        build: From these rows, a frame, to a PyMC model. Variables of a value for each series have the
            noun's dimension, with the codes as coordinates, in the rows' order.
        predict: `predict(posterior, rows, periods, rng)` gives posterior predictive draws of the target,
            shape (draw, series, period); `posterior` has the dimension `draw` alone instead of chain and
            draw, and `periods` counts from 1, the date after a series' last row; 0 is that row's date, and
            negative ones are before it, for the posterior predictive check. Those before a series' first are
            not used. With covariates it gets a fifth argument: see there.
        target: What is forecast, such as "daily deaths".
        unit: Of the forecast numbers, such as "deaths".
        series: The noun that says what a series is about, such as "store": a column of the observations.
        plural: Of the noun, by default by the rules of English: a part of the routes.
        measure: The column of the observations that forecasts are scored on; by default the unit's name.
        frequency: Of the dates, by pandas' alias: see `forecastle.frequency`.
        horizon: How many periods ahead forecasts reach.
        real: Whether the values are real numbers, of which there is no running total, rather than counts.
        minimum: The least value that there can be; None if there is none.
        data: A file of the model's own folder to read instead of the data in use, as
            `observations.read` does.
        covariates: Columns of the observations that are known ahead. `observe` leaves them in its rows, also
            for coming periods, where `count` is missing. Then `predict` gets one argument more, a frame of
            the noun, `date` and the covariates, with a row for each series and coming period.
        cumulative: Whether the target is a running total.
        each_series: Whether `build` makes a model of one series. It is compiled once and refitted with
            the data (`pm.Data`) of each. Its variables get the noun's dimension afterwards.
        reference: Whether the model is there to be compared with and not for use. Then its backtest is shown,
            but does not decide.
        draws: Kept draws of each of the four chains.
        tune: Draws of each that adapt the sampler.
        seed: Of all randomness.
    """
    started = time.perf_counter()
    script = _script()
    options = _options()
    try:
        of_dates = Frequency.of(frequency)
    except ValueError as error:
        sys.exit(f"{script.parent.name}: {error}")
    recipe = Recipe(
        folder=script.parent,
        title=_title(script.parent.name),
        observe=observe,
        build=build,
        predict=predict,
        target=target,
        unit=unit,
        noun=series,
        plural=plural or plural_of(series),
        measure=measure or unit,
        frequency=of_dates,
        horizon=horizon,
        real=real,
        minimum=minimum,
        data=None if data is None else script.parent / data,
        covariates=tuple(covariates),
        cumulative=cumulative,
        reference=reference,
        sampling=Sampling(each_series, draws, tune, seed),
    )
    path = recipe.data or observations.default_path()
    try:
        with steps(recipe.model) as step:
            with step("reading observations"):
                reported = observations.parse(path)
                contract.check_columns(recipe, list(reported.frame.columns))
            if options.held_out:
                day, file = options.held_out
                _write_held_out(recipe, path, reported, datetime.date.fromisoformat(day), file, step)
            elif options.vintages:
                _score_vintages(recipe, options.vintages, step)
            elif options.backtest:
                _add_full_backtest(recipe, path, reported, step)
            else:
                _make_artifact(recipe, path, reported, step, started)
    except diagnostics.FitError as error:
        sys.exit(f"{recipe.model}: the fit is not to be used, and the last artifact stays\n{error}")
    except (contract.ContractError, observations.ObservationsError, artifact.ArtifactError) as error:
        sys.exit(f"{recipe.model}: {error}")


def published_priors() -> bool:
    """Whether the environment asks a model of the series for its priors as published: PRIORS=published.

    Any other value ends the program with a line.
    """
    priors = os.environ.get("PRIORS", "")
    if priors not in ("", "published"):
        sys.exit(f"PRIORS={priors} is unknown: PRIORS=published takes the published priors, no PRIORS ours")
    return priors == "published"


def _script() -> Path:
    """The `train.py` that runs. Its folder is the model's, wherever the three functions come from."""
    if not (file := getattr(sys.modules["__main__"], "__file__", None)):
        sys.exit("train() finds no script: call it from a file, such as models/deaths/train.py")
    return Path(file).resolve()


def _title(otherwise: str) -> str:
    """The first line of the script's docstring."""
    return (inspect.getdoc(sys.modules["__main__"]) or otherwise).splitlines()[0].rstrip(".")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=_title("Train a model."))
    parser.add_argument(
        "--backtest", action="store_true", help="score forecasts of many past days, fit nothing else"
    )
    parser.add_argument(
        "--vintages",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="score as --backtest does, but fit each origin to the oldest of these files (or of a folder's) "
        "that reaches it, and compare with the newest; save nothing",
    )
    parser.add_argument(
        "--held-out",
        nargs=2,
        metavar=("DAY", "FILE"),
        help="fit the data up to DAY, write forecasts of the days after it to FILE, fit nothing else",
    )
    return parser.parse_args()


def _make_artifact(recipe: Recipe, path: Path, reported: Reported, step: Step, started: float) -> None:
    """Fit, check, backtest, save.

    Raises:
        ArtifactError: It cannot be written.
        ContractError: A function of the recipe does not return what it should.
        FitError: The fit or the backtest is not good enough.
        ObservationsError: There is nothing to fit.
    """
    selected, ahead = _observed(recipe, path, reported)
    coming = contract.covariates(recipe, selected.frame, ahead, recipe.horizon)
    with step("trying build and predict"):
        contract.try_out(recipe, selected.frame, coming)
    fit, summary, selected, worst = fitting.fit(recipe, selected, step)
    rows = selected.frame
    coming = coming[coming[recipe.noun].isin(rows[recipe.noun])].reset_index(drop=True)
    with step("predicting"):
        draws, replicated = _predict(recipe, fit, rows, coming)
    forecasts, scored = _backtest(recipe, [reported], selected, "short", step)
    if not recipe.reference:
        backtest.check(forecasts, scored)
    manifest = artifact.Manifest(
        model=recipe.model,
        title=recipe.title,
        target=recipe.target,
        unit=recipe.unit,
        cumulative=recipe.cumulative,
        reference=recipe.reference,
        created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        seed=recipe.sampling.seed,
        training_seconds=round(time.perf_counter() - started, 1),
        noun=recipe.noun,
        plural=recipe.plural,
        measure=recipe.measure,
        real=recipe.real,
        minimum=recipe.minimum,
        frequency=recipe.frequency.alias,
        horizon=recipe.horizon,
        data=artifact.Data(
            file_name(path),
            artifact.sha256(path),
            selected.last_day,
            selected.changes,
            **dataclasses.asdict(Provenance.of(path)),
        ),
        series=files.series(rows, recipe.real),
        excluded=selected.excluded,
        versions=_versions(),
        sources=sources(recipe.folder, Path(forecastle.__file__).parent),
        diagnostics=artifact.Diagnostics(diagnostics.BOUNDS, worst),
        posterior_predictive=card.calibration(rows, replicated, recipe.noun),
        backtest=backtest.summary(scored),
    )
    with artifact.write(recipe.folder / "artifact", manifest) as folder:
        with step("drawing the card"):
            card.write(
                folder / "card.html",
                manifest=manifest,
                fit=fit,
                summary=summary,
                prior=_prior(recipe, rows),
                rows=rows,
                replicated=replicated,
                draws=draws,
                backtest=scored,
            )
        with step("saving"):
            files.write(folder, fit, summary, rows, draws)
            artifact.write_json(folder / "backtest.json", scored)
            backtest.save(forecasts, folder / "backtest.npz")


def _add_full_backtest(recipe: Recipe, path: Path, reported: Reported, step: Step) -> None:
    """Print the scores of the long backtest, and put them into the artifact, which otherwise stays as it is.

    Raises:
        ArtifactError: There is no artifact, or it was trained with other data.
        FitError: There is nothing to score.
    """
    selected, _ = _observed(recipe, path, reported)
    forecasts, scored = _backtest(recipe, [reported], selected, "full", step)
    if scored is None:
        raise backtest.nothing(forecasts)
    backtest.show(scored)
    folder = recipe.folder / "artifact"
    trained = artifact.Artifact.load(folder)
    if trained.manifest.data.sha256 != artifact.sha256(path):
        raise artifact.ArtifactError(f"{folder} was trained with other data: train the model again")
    with artifact.amend(folder, backtest=backtest.summary(scored)) as scratch:
        artifact.write_json(scratch / "backtest.json", scored)
        backtest.save(forecasts, scratch / "backtest.npz")
        card.replace_backtest(scratch / "card.html", trained.manifest, scored)


def _score_vintages(recipe: Recipe, paths: Sequence[Path], step: Step) -> None:
    """Print the scores of a long backtest in which nothing is known that was not, against the newest vintage.

    Raises:
        FitError: There is nothing to score.
        ObservationsError: A vintage cannot be read, or there is nothing to fit.
    """
    with step("reading vintages"):
        known = vintages.read(paths)
        newest = known[-1]
        selected, _ = _observed(recipe, Path(newest.source), newest)
    forecasts, scored = _backtest(recipe, known, selected, "full", step)
    if scored is None:
        raise backtest.nothing(forecasts)
    for origin in scored["origins"]:
        vintage = vintages.known_on(known, datetime.date.fromisoformat(origin))
        print(f"from {origin}, as known in {vintage.source}")
    print(f"scored against {newest.source}")
    backtest.show(scored)


def _write_held_out(
    recipe: Recipe, path: Path, reported: Reported, origin: datetime.date, file: str, step: Step
) -> None:
    """Write forecasts of the dates after an origin as NetCDF; no file if there is nothing to fit or to score.

    Raises:
        FitError: The fit fails.
    """
    with step("forecasting held-out days") as report:
        truth = backtest.measured(recipe, _observed(recipe, path, reported)[0])
        forecasts = backtest.forecast(recipe, [reported], truth, [origin], report, recipe.horizon)
    if len(forecasts):
        made = forecasts.made.assign_attrs(target=recipe.target, unit=recipe.unit)
        made.to_netcdf(file, engine="h5netcdf")
    elif forecasts.failed:
        raise diagnostics.FitError("\n".join(f"  {gap}" for gap in forecasts.failed))
    for gap in (*forecasts.failed, *forecasts.skipped):
        print(f"{recipe.model}: no forecast from {gap}", file=sys.stderr)


def _observed(recipe: Recipe, path: Path, reported: Reported) -> tuple[Observations, pd.DataFrame]:
    return contract.observed(recipe, recipe.observe(path), set(reported.frame[recipe.noun]))


def _backtest(
    recipe: Recipe, known: Sequence[Reported], selected: Observations, kind: str, step: Step
) -> tuple[Forecasts, dict | None]:
    """Forecasts of past dates, and their scores if there are any."""
    truth, number = backtest.measured(recipe, selected), selected.frame[recipe.noun].nunique()
    last_day = truth["date"][truth[recipe.measure].notna()].max().date()
    origins = backtest.origins(last_day, kind, number, recipe.frequency, recipe.horizon)
    with step("backtest") as report:
        forecasts = backtest.forecast(recipe, known, truth, origins, report)
    return forecasts, backtest.score(forecasts, kind)


def _predict(
    recipe: Recipe, fit: xr.DataTree, rows: pd.DataFrame, coming: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the coming periods, and of the fitted ones for the posterior predictive check."""
    number, rng = rows[recipe.noun].nunique(), np.random.default_rng(recipe.sampling.seed)
    posterior = thinned(fit, min(PREDICTIVE_DRAWS, CHAINS * recipe.sampling.draws))
    periods, past = np.arange(1, recipe.horizon + 1), np.arange(1 - CHECKED, 1)
    shape = (posterior.sizes["draw"], number, recipe.horizon)
    draws = contract.predicted(recipe.draw(posterior, rows, coming, periods, rng), shape)
    totals = None if recipe.real else rows.groupby(recipe.noun)["total"].last().to_numpy(dtype=float)
    replicated = recipe.draw(posterior.isel(draw=slice(CHECK_DRAWS)), rows, coming, past, rng)
    return files.exact(draws, totals, recipe.cumulative), replicated


def _prior(recipe: Recipe, rows: pd.DataFrame) -> xr.Dataset:
    """Prior draws of all parameters, for the card; of a model of each series for a few series."""
    if not recipe.sampling.each_series:
        return prior.draw(recipe.build(rows), CHECK_DRAWS, recipe.sampling.seed)
    codes = card.largest(rows, card.EXAMPLES, recipe.noun)
    return prior.of_each(rows, recipe.build, codes, CHECK_DRAWS, recipe.sampling.seed)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }
