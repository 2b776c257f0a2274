"""The files of an artifact that hold a fit: draws, parameters, observations and the posterior."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from forecastle import artifact
from forecastle.observations import noun_of
from forecastle.training import diagnostics

STATISTICS = ("diverging", "energy", "n_steps")  # of the sampler, that are kept
EXACT = 2**24  # below it float32 holds every whole number


def exact(draws: np.ndarray, total: np.ndarray | None, cumulative: bool) -> np.ndarray:
    """Whole draws as float64 if float32 does not hold them and their running totals exactly; else float32.

    Seven digits, which float32 has, are more than the Monte Carlo error leaves of draws that are no counts.

    Args:
        draws: Shape (draw, series, period).
        total: The running total of each series on its last date; None if the values are no counts.
        cumulative: Whether the draws are running totals themselves.
    """
    if total is None:
        return draws.astype(np.float32)
    running = draws if cumulative else total[:, None] + np.cumsum(draws, axis=-1, dtype=float)
    largest = max(np.abs(draws).max(), np.abs(running).max())
    whole = np.array_equal(draws, np.rint(draws))
    return draws.astype(np.float64 if whole and largest >= EXACT else np.float32)


def series(rows: pd.DataFrame, real: bool = False) -> dict[str, artifact.Series]:
    """What is forecast, by code in alphabetical order, of rows that are sorted by series and date."""
    return {
        str(code): artifact.Series(
            str(code),
            str(group["name"].iloc[0]),
            group["date"].iloc[0].date(),
            group["date"].iloc[-1].date(),
            None if real else _whole(group["total"].iloc[-1]),
        )
        for code, group in rows.groupby(noun_of(rows))
    }


def _whole(total: float) -> float:
    return int(total) if float(total).is_integer() else float(total)


def write(
    folder: Path,
    fit: xr.DataTree | None,
    summary: xr.Dataset | None,
    rows: pd.DataFrame,
    draws: np.ndarray,
) -> None:
    """Write `draws.npy`, `parameters.json`, `observations.csv` and `posterior.nc`.

    Without a fit there are no parameters, and `posterior.nc` holds the observations alone.
    """
    noun = noun_of(rows)
    np.save(folder / "draws.npy", draws)
    parameters = {} if summary is None else diagnostics.parameters(summary, noun)
    artifact.write_json(folder / "parameters.json", parameters)
    observed = rows[["date", noun, "count"]].rename(columns={"count": "observed"})
    observed.to_csv(folder / "observations.csv", index=False, date_format="%Y-%m-%d")
    _write_posterior(fit, observed, folder / "posterior.nc")


def _write_posterior(fit: xr.DataTree | None, observed: pd.DataFrame, path: Path) -> None:
    """NetCDF in ArviZ's schema, with five digits, which are more than the Monte Carlo error leaves."""
    noun = noun_of(observed)
    groups = {
        **_groups(fit),
        "observed_data": xr.Dataset(
            {"observed": ("observation", observed["observed"].to_numpy(dtype=float, na_value=np.nan))},
            {
                "date": ("observation", observed["date"].to_numpy()),
                noun: ("observation", observed[noun].to_numpy(dtype="U")),
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


def _groups(fit: xr.DataTree | None) -> dict[str, xr.Dataset]:
    """The posterior and what is kept of the sampler's statistics, as far as there are any."""
    if fit is None:
        return {}
    groups = {"posterior": fit["posterior"].dataset}
    if "sample_stats" in fit.children:
        statistics = fit["sample_stats"].dataset
        groups["sample_stats"] = statistics[[name for name in STATISTICS if name in statistics]]
    return groups


def _five_digits(values: xr.DataArray) -> xr.DataArray:
    """Floats as float32 whose last 7 of 23 bits are 0, which compresses them by a third."""
    if values.dtype.kind != "f":
        return values
    bits = values.to_numpy().astype(np.float32).view(np.uint32)
    return values.copy(data=((bits + np.uint32(1 << 6)) & np.uint32(0xFFFFFF80)).view(np.float32))
