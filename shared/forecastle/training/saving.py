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
from forecastle.observations.provenance import Provenance
from forecastle.training import backtest, card, contract, diagnostics, files
from forecastle.training.backtest import Forecasts, Gap
from forecastle.training.contract import ContractError
from forecastle.training.diagnostics import FitError

Draws = xr.DataArray | np.ndarray
LIBRARIES = (
    "numpy",
    "pandas",
    "xarray",
)  # whose versions the manifest names, beside those that are asked for
DIMENSIONS = ("draw", "country", "date")
_IMPORTED = time.perf_counter()  # about when a script began


def save_forecast(
    draws: Draws,
    observed: pd.DataFrame,
    *,
    target: str,
    unit: str,
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
        draws: Of the coming days, shape (draw, country, date): the first date is the day after a country's
            last row. An array has the countries in alphabetical order of their codes; a DataArray has the
            dimensions draw, country and date, in any order, and its coordinates are checked.
        observed: What was fitted: columns `date`, `country` and `count`, a row for each country and day, with
            a missing count where there is no report. Optional are `name`, the country's, and `total`, the
            running total of its counts.
        target: What is forecast, such as "daily deaths".
        unit: Of the numbers, such as "deaths".
        title: What the model is, in a line; by default its name.
        cumulative: Whether the target is a running total. Then `count` is still what was new each day.
        reference: Whether the model is there to be compared with. Then its backtest does not decide.
        posterior: The sampler's draws, dimensions chain and draw besides those of each variable, as ArviZ
            gives them: a DataTree with the group `posterior` and perhaps `sample_stats`, or a Dataset. They
            tell whether the sampler has converged. Without chains that is said to be unknown.
        forecast_from: `forecast_from(origin)` gives the draws that would have been saved on that day, known
            what `observed` holds up to it: shape (draw, country, date) again, of the countries that had a row
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
    rows = _rows(observed)
    series = files.series(rows)
    values = _checked(draws, {code: one.origin_date for code, one in series.items()})
    totals = np.array([one.total for one in series.values()], dtype=float)
    values = files.exact(values, totals, cumulative)
    fit, summary, found = _convergence(posterior)
    forecasts, scored = _backtest(rows, unit, cumulative, forecast_from)
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
        horizon=values.shape[2],
        data=_data(data, max(one.origin_date for one in series.values())),
        series=series,
        excluded={},
        versions=_versions(libraries),
        sources=sources(folder.parent, Path(forecastle.__file__).parent),
        diagnostics=found,
        backtest=backtest.summary(scored),
    )
    if cumulative:  # what is observed of the target
        rows["count"] = rows["total"].where(rows["count"].notna())
    with artifact.write(folder, manifest) as scratch:
        card.write(
            scratch / "card.html",
            manifest=manifest,
            fit=fit,
            summary=summary,
            prior=xr.Dataset(),
            rows=rows,
            replicated=None,
            draws=values,
            backtest=scored,
        )
        files.write(scratch, fit, summary, rows, values)
        artifact.write_json(scratch / "backtest.json", scored)
        backtest.save(forecasts, scratch / "backtest.npz")
    return artifact.Artifact.load(folder).version


def _rows(observed: pd.DataFrame) -> pd.DataFrame:
    """The observations with the columns that are optional, sorted."""
    if missing := [column for column in ("date", "country", "count") if column not in observed]:
        raise ContractError(
            f"the observations lack the columns {', '.join(missing)}: expected are date, country and count"
        )
    rows = observed.sort_values(["country", "date"], ignore_index=True)
    if "name" not in rows:
        rows["name"] = rows["country"]
    if "total" not in rows:
        rows["total"] = rows["count"].fillna(0).groupby(rows["country"]).cumsum()
    return contract.observed(rows, set(rows["country"])).frame


def _checked(draws: Draws, origins: dict[str, datetime.date]) -> np.ndarray:
    """The draws of these countries, shape (draw, country, day ahead).

    Raises:
        ContractError: They are of other countries or days, or no finite numbers.
    """
    if isinstance(draws, xr.DataArray):
        draws = _by_position(draws, origins)
    values = np.asarray(draws)
    if values.ndim != 3 or values.shape[1] != len(origins) or 0 in values.shape:
        raise ContractError(
            f"the draws have the shape {values.shape}, expected is (draw, country, date) with {len(origins)} "
            "countries"
        )
    return contract.predicted(values, (values.shape[0], len(origins), values.shape[2]))


def _by_position(draws: xr.DataArray, origins: dict[str, datetime.date]) -> xr.DataArray:
    if set(draws.dims) != set(DIMENSIONS):
        raise ContractError(
            f"the draws have the dimensions {', '.join(map(str, draws.dims))}, expected are "
            f"{', '.join(DIMENSIONS)}"
        )
    if "country" in draws.coords:
        codes = [str(code) for code in draws["country"].values]
        if sorted(codes) != sorted(origins):
            odd = sorted(set(codes) ^ set(origins)) or codes
            raise ContractError(
                f"the draws and the observations differ in the countries: {', '.join(odd[:5])}"
            )
        draws = draws.isel(country=np.argsort(codes))
    if "date" in draws.coords:
        dates = pd.DatetimeIndex(draws["date"].values)
        for code, origin in origins.items():
            expected = pd.date_range(pd.Timestamp(origin) + pd.Timedelta(1, unit="D"), periods=len(dates))
            if len(wrong := np.flatnonzero(dates != expected)):
                raise ContractError(
                    f"the draws of {code} have the date {dates[wrong[0]]:%Y-%m-%d} where "
                    f"{expected[wrong[0]]:%Y-%m-%d} is expected: they start the day after its last row"
                )
    return draws.transpose(*DIMENSIONS)


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
    unit: str,
    cumulative: bool,
    forecast_from: Callable[[datetime.date], Draws] | None,
) -> tuple[Forecasts, dict[str, Any] | None]:
    """Forecasts from the origins that `train` would take, and their scores."""
    if forecast_from is None:
        return backtest.gathered([]), None
    last_day = rows["date"][rows["count"].notna()].max().date()
    origins = backtest.origins(last_day, "short", rows["country"].nunique())
    forecasts = backtest.gathered(list(_past(rows, unit, cumulative, forecast_from, origins)))
    scored = backtest.score(forecasts, "short")
    if scored is None:
        raise backtest.nothing(forecasts)
    return forecasts, scored


def _past(
    rows: pd.DataFrame,
    unit: str,
    cumulative: bool,
    forecast_from: Callable[[datetime.date], Draws],
    origins: list[datetime.date],
) -> Iterator[Forecasts]:
    truth = rows.rename(columns={"count": unit})
    for origin in origins:
        known = rows[rows["date"] <= pd.Timestamp(origin)]
        if known.empty:
            yield backtest.gap(Gap(origin.isoformat(), "", "there are no observations before it"))
            continue
        draws = forecast_from(origin)
        if isinstance(draws, xr.DataArray) and "country" in draws.coords:
            known = known[known["country"].isin(draws["country"].values)]
        known = known.reset_index(drop=True)
        values = _checked(draws, {code: one.origin_date for code, one in files.series(known).items()})
        values = values[:, :, : backtest.DAYS]
        yield backtest.compared(
            known, values, known.rename(columns={"count": unit}), truth, origin, unit, cumulative
        )


def _data(path: Path | str | None, last_day: datetime.date) -> artifact.Data:
    if path is None:
        return artifact.Data("", "", last_day, [])
    path = Path(path)
    if not path.is_file():
        raise ContractError(f"data names {path}, which is no file")
    return artifact.Data(path.name, artifact.sha256(path), last_day, [], **vars(Provenance.of(path)))


def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    try:
        versions = {name: importlib.metadata.version(name) for name in (*LIBRARIES, *libraries)}
    except importlib.metadata.PackageNotFoundError as error:
        raise ContractError(f"libraries names {error.name}, which is not installed") from None
    return {"python": platform.python_version(), **versions}
