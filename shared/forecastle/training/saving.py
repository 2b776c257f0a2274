"""Saving a forecast that any sampler made: the artifact that `train` would write, from draws.

save_forecast(draws, observed, target="daily deaths", unit="deaths")

The last line of a `train.py`, or the last cell of a notebook.
"""

import datetime
import importlib.metadata
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import forecastle
from forecastle import artifact
from forecastle.folder import sources
from forecastle.frequency import Frequency
from forecastle.frequency import plural as plural_of
from forecastle.observations.provenance import Provenance, file_name
from forecastle.training import backtest, card, contract, diagnostics, files
from forecastle.training.backtest import Forecasts, Gap
from forecastle.training.contract import ContractError
from forecastle.training.diagnostics import FitError
from forecastle.training.recipe import Shape

Draws = xr.DataArray | np.ndarray
LIBRARIES = (
    "numpy",
    "pandas",
    "xarray",
)  # whose versions the manifest names, beside those that are asked for
_IMPORTED = time.perf_counter()  # about when a script began


def save_forecast(
    draws: Draws,
    observed: pd.DataFrame,
    *,
    target: str,
    unit: str,
    series: str = "country",
    plural: str | None = None,
    measure: str | None = None,
    frequency: str = "D",
    real: bool = False,
    minimum: float | None = 0,
    title: str = "",
    cumulative: bool = False,
    reference: bool = False,
    posterior: xr.DataTree | xr.Dataset | None = None,
    forecast_from: Callable[[datetime.date], Draws] | None = None,
    data: Path | str | None = None,
    libraries: tuple[str, ...] = (),
    seed: int = 0,
    folder: Path | str = "artifact",
) -> str:
    """Write an artifact of these draws, with a card and a backtest as `train` gives it; returns its version.

    If anything is wrong, nothing is written, and the last artifact stays.

    Args:
        draws: Of the coming periods, shape (draw, series, date): the first date is one period after a series'
            last row. An array has the series in alphabetical order of their codes; a DataArray has the
            dimensions draw, the noun and date, in any order, and its coordinates are checked.
        observed: What was fitted: columns `date`, the noun (such as `country`) and `count`, a row for each
            series and date, with a missing value where there is no report. Optional are `name`, the series',
            and `total`, the running total of its counts.
        target: What is forecast, such as "daily deaths".
        unit: Of the numbers, such as "deaths".
        series: The noun that says what a series is about, such as "store".
        plural: Of the noun, by default by the rules of English: a part of the routes.
        measure: What is measured, by which forecasts are scored later; by default the unit's name.
        frequency: Of the dates, by pandas' alias: see `forecastle.frequency`.
        real: Whether the values are real numbers, of which there is no running total, rather than counts.
        minimum: The least value that there can be; None if there is none.
        title: What the model is, in a line; by default its name.
        cumulative: Whether the target is a running total. Then `count` is still what was new each period.
        reference: Whether the model is there to be compared with. Then its backtest does not decide.
        posterior: The sampler's draws, dimensions chain and draw besides those of each variable, as ArviZ
            gives them: a DataTree with the group `posterior` and perhaps `sample_stats`, or a Dataset. They
            tell whether the sampler has converged. Without chains that is said to be unknown.
        forecast_from: `forecast_from(origin)` gives the draws that would have been saved on that day, known
            what `observed` holds up to it: shape (draw, series, date) again, of the series that had a row
            by then, or in a DataArray of some of them. With it the model is backtested.
        data: The file that the observations come from, whose hash the manifest names.
        libraries: Names of installed packages whose versions the manifest names.
        seed: Of all randomness, for the manifest.
        folder: The artifact's; its parent is the model's folder.

    Raises:
        ArtifactError: It cannot be written.
        ContractError: An argument is not as it should be.
        FitError: The chains have not converged, or the backtest is worse than the naive forecast.
    """
    folder = Path(folder).resolve()
    try:
        of_dates = Frequency.of(frequency)
    except ValueError as error:
        raise ContractError(str(error)) from None
    shape = Shape(
        noun=series,
        plural=plural or plural_of(series),
        measure=measure or unit,
        frequency=of_dates,
        real=real,
        minimum=minimum,
        cumulative=cumulative,
    )
    contract.check_nouns(shape.noun, shape.plural)
    rows = _rows(observed, shape)
    known = files.series(rows, real)
    values = _checked(draws, {code: one.origin_date for code, one in known.items()}, shape)
    totals = None if real else np.array([one.total for one in known.values()], dtype=float)
    values = files.exact(values, totals, cumulative)
    fit, summary, found = _convergence(posterior)
    forecasts, scored = _backtest(rows, shape, forecast_from)
    if scored is None:
        print(
            f"{folder.parent.name}: nothing is known of how good past forecasts were: give forecast_from",
            file=sys.stderr,
        )
    elif not reference:
        backtest.check(forecasts, scored)
    manifest = artifact.Manifest(
        model=folder.parent.name,
        title=title or folder.parent.name,
        target=target,
        unit=unit,
        cumulative=cumulative,
        reference=reference,
        created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        seed=seed,
        training_seconds=round(time.perf_counter() - _IMPORTED, 1),
        noun=shape.noun,
        plural=shape.plural,
        measure=shape.measure,
        real=real,
        minimum=minimum,
        frequency=of_dates.alias,
        horizon=values.shape[2],
        data=_data(data, max(one.origin_date for one in known.values())),
        series=known,
        excluded={},
        versions=versions(libraries),
        sources=sources(folder.parent, Path(forecastle.__file__).parent),
        diagnostics=found,
        backtest=backtest.summary(scored),
    )
    if cumulative:  # what is observed of the target
        rows["count"] = rows["total"].where(rows["count"].notna())
    write(folder, manifest, rows, values, forecasts, scored, fit, summary)
    return artifact.Artifact.load(folder).version


def write(
    folder: Path,
    manifest: artifact.Manifest,
    rows: pd.DataFrame,
    draws: np.ndarray,
    forecasts: Forecasts,
    scored: dict[str, Any] | None,
    fit: xr.DataTree | None = None,
    summary: xr.Dataset | None = None,
) -> None:
    """Write an artifact, with its card and its backtest, whole or not at all.

    Args:
        folder: The artifact's.
        manifest: What it says about itself.
        rows: What was fitted: columns `date`, the noun, `name` and `count`, which holds what is observed of
            the target.
        draws: Of the coming periods, shape (draw, series, period).
        forecasts: Those of past days.
        scored: Their scores; None if there are none.
        fit: The sampler's draws, if there are any.
        summary: Of the fit.

    Raises:
        ArtifactError: It cannot be written.
    """
    with artifact.write(folder, manifest) as scratch:
        card.write(
            scratch / "card.html",
            manifest=manifest,
            fit=fit,
            summary=summary,
            prior=xr.Dataset(),
            rows=rows,
            replicated=None,
            draws=draws,
            backtest=scored,
        )
        files.write(scratch, fit, summary, rows, draws)
        artifact.write_json(scratch / "backtest.json", scored)
        backtest.save(forecasts, scratch / "backtest.npz")


def versions(libraries: tuple[str, ...] = ()) -> dict[str, str]:
    """The versions of Python, of what every artifact is written with, and of these packages.

    Raises:
        ContractError: One is not installed.
    """
    try:
        found = {name: importlib.metadata.version(name) for name in (*LIBRARIES, *libraries)}
    except importlib.metadata.PackageNotFoundError as error:
        raise ContractError(f"libraries names {error.name}, which is not installed") from None
    return {"python": platform.python_version(), **found}


def _rows(observed: pd.DataFrame, shape: Shape) -> pd.DataFrame:
    """The observations with the columns that are optional, sorted."""
    noun = shape.noun
    if missing := [column for column in ("date", noun, "count") if column not in observed]:
        raise ContractError(
            f"the observations lack the columns {', '.join(missing)}: expected are date, {noun} and count"
        )
    rows = observed.sort_values([noun, "date"], ignore_index=True)
    if "name" not in rows:
        rows["name"] = rows[noun]
    if "total" not in rows and not shape.real:
        rows["total"] = rows["count"].fillna(0).groupby(rows[noun]).cumsum()
    return contract.observed(shape, rows, set(rows[noun]))[0].frame


def _checked(draws: Draws, origins: dict[str, datetime.date], shape: Shape) -> np.ndarray:
    """The draws of these series, shape (draw, series, period ahead).

    Raises:
        ContractError: They are of other series or dates, or no finite numbers.
    """
    if isinstance(draws, xr.DataArray):
        draws = _by_position(draws, origins, shape)
    values = np.asarray(draws)
    if values.ndim != 3 or values.shape[1] != len(origins) or 0 in values.shape:
        raise ContractError(
            f"the draws have the shape {values.shape}, expected is (draw, {shape.noun}, date) with "
            f"{len(origins)} {shape.plural}"
        )
    return contract.predicted(values, (values.shape[0], len(origins), values.shape[2]))


def _by_position(draws: xr.DataArray, origins: dict[str, datetime.date], shape: Shape) -> xr.DataArray:
    noun, frequency = shape.noun, shape.frequency
    dimensions = ("draw", noun, "date")
    if set(draws.dims) != set(dimensions):
        raise ContractError(
            f"the draws have the dimensions {', '.join(map(str, draws.dims))}, expected are "
            f"{', '.join(dimensions)}"
        )
    if noun in draws.coords:
        codes = [str(code) for code in draws[noun].values]
        if sorted(codes) != sorted(origins):
            odd = sorted(set(codes) ^ set(origins)) or codes
            raise ContractError(
                f"the draws and the observations differ in the {shape.plural}: {', '.join(odd[:5])}"
            )
        draws = draws.isel({noun: np.argsort(codes)})
    if "date" in draws.coords:
        dates = pd.DatetimeIndex(draws["date"].values)
        for code, origin in origins.items():
            expected = pd.date_range(origin, periods=len(dates) + 1, freq=frequency.alias)[1:]
            if len(wrong := np.flatnonzero(dates != expected)):
                raise ContractError(
                    f"the draws of {code} have the date {dates[wrong[0]]:%Y-%m-%d} where "
                    f"{expected[wrong[0]]:%Y-%m-%d} is expected: they start one "
                    f"{frequency.period} after its last row"
                )
    return draws.transpose(*dimensions)


def _convergence(
    posterior: xr.DataTree | xr.Dataset | None,
) -> tuple[xr.DataTree | None, xr.Dataset | None, artifact.Diagnostics]:
    """The fit, its summary and how it was judged; empty diagnostics if that is unknown.

    Raises:
        FitError: The chains have not converged.
    """
    if isinstance(posterior, xr.Dataset):
        posterior = xr.DataTree.from_dict({"posterior": posterior})
    if posterior is None or not {"chain", "draw"} <= set(posterior["posterior"].dims):
        print("convergence is unknown, as no chains were given", file=sys.stderr)
        return None, None, artifact.Diagnostics({}, {})
    summary = diagnostics.summarise(posterior)
    verdict = diagnostics.check(posterior, summary)
    if verdict.reasons:
        raise FitError("\n".join(f"  {reason}" for reason in verdict.reasons))
    bounds = {name: diagnostics.BOUNDS[name] for name in verdict.worst}
    return posterior, summary, artifact.Diagnostics(bounds, verdict.worst)


def _backtest(
    rows: pd.DataFrame,
    shape: Shape,
    forecast_from: Callable[[datetime.date], Draws] | None,
) -> tuple[Forecasts, dict[str, Any] | None]:
    """Forecasts from the origins that `train` would take, and their scores."""
    if forecast_from is None:
        return backtest.gathered([]), None
    last_day = rows["date"][rows["count"].notna()].max().date()
    origins = backtest.origins(last_day, "short", rows[shape.noun].nunique(), shape.frequency)
    forecasts = backtest.gathered(list(_past(rows, shape, forecast_from, origins)))
    scored = backtest.score(forecasts, "short")
    if scored is None:
        raise backtest.nothing(forecasts)
    return forecasts, scored


def _past(
    rows: pd.DataFrame,
    shape: Shape,
    forecast_from: Callable[[datetime.date], Draws],
    origins: list[datetime.date],
) -> Iterator[Forecasts]:
    named, noun = {"count": shape.measure}, shape.noun
    truth = rows.rename(columns=named)
    for origin in origins:
        known = rows[rows["date"] <= pd.Timestamp(origin)]
        if known.empty:
            yield backtest.gap(Gap(origin.isoformat(), "", "there are no observations before it"))
            continue
        draws = forecast_from(origin)
        if isinstance(draws, xr.DataArray) and noun in draws.coords:
            known = known[known[noun].isin(draws[noun].values)]
        known = known.reset_index(drop=True)
        origins_of = {code: one.origin_date for code, one in files.series(known, shape.real).items()}
        values = _checked(draws, origins_of, shape)[:, :, : backtest.REACH]
        yield backtest.compared(known, values, known.rename(columns=named), truth, origin, shape)


def _data(path: Path | str | None, last_day: datetime.date) -> artifact.Data:
    if path is None:
        return artifact.Data("", "", last_day, [])
    path = Path(path)
    if not path.is_file():
        raise ContractError(f"data names {path}, which is no file")
    return artifact.Data(file_name(path), artifact.sha256(path), last_day, [], **vars(Provenance.of(path)))
