"""What the card shows of a fit: a few series, parameters and chains."""

from typing import Any, NamedTuple

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from arviz_base import xarray_sel_iter

EXAMPLES = 3  # series whose parameters are shown if no parameter is pooled
MOST_PARAMETERS = 12  # in one grid of plots


class Parameter(NamedTuple):
    """A scalar parameter: a variable of the posterior, and coordinates in it."""

    variable: str
    where: dict[str, Any]

    @property
    def label(self) -> str:
        """As in `growth[ITA]`."""
        place = ", ".join(str(label) for label in self.where.values())
        return f"{self.variable}[{place}]" if place else self.variable

    def of(self, draws: xr.Dataset) -> xr.DataArray:
        """Its draws."""
        return draws[self.variable].sel(self.where)


def largest(rows: pd.DataFrame, number: int, noun: str) -> list[str]:
    """The identifiers of the series with the largest totals, or else means, the largest first."""
    groups = rows.groupby(noun)
    sizes = groups["total"].last() if "total" in rows else groups["count"].mean()
    ordered = sizes.astype(float).sort_values(ascending=False, kind="stable")
    return [str(code) for code in ordered.index[:number]]


def pooled(posterior: xr.Dataset, noun: str) -> list[str]:
    """The variables that do not belong to a series."""
    return [str(name) for name, values in posterior.data_vars.items() if noun not in values.dims]


def comparable(posterior: xr.Dataset, prior: xr.Dataset, codes: list[str], noun: str) -> list[Parameter]:
    """The parameters whose prior and posterior are compared: the pooled ones that have prior draws.

    If none is pooled, those of the first of `codes` that have prior draws.
    """
    names = pooled(posterior, noun)
    if not names and noun in prior.dims:
        known = set(prior[noun].values.tolist())
        examples = [code for code in codes if code in known][:EXAMPLES]
        posterior, names = posterior.sel({noun: examples}), [str(name) for name in posterior.data_vars]
    return _parameters(posterior[[name for name in names if name in prior]])


def ranked(posterior: xr.Dataset, r_hat: xr.Dataset, noun: str) -> list[Parameter]:
    """The parameters whose ranks are shown: the pooled ones and the one with the largest R-hat.

    If none is pooled, of each variable the series with the largest R-hat.
    """
    worst = [_largest(str(name), values) for name, values in r_hat.data_vars.items()]
    if not (names := pooled(posterior, noun)):
        return [parameter for _, parameter in worst][:MOST_PARAMETERS]
    shown = _parameters(posterior[names])[:MOST_PARAMETERS]
    _, parameter = max(worst, key=lambda found: found[0])
    return shown if parameter in shown else [*shown, parameter]


def worst_energy(fit: xr.DataTree, noun: str) -> tuple[xr.DataTree, str]:
    """The sampler's energies, in a group `sample_stats`, and the series that they are of.

    If each series was fitted by itself, they are of the one with the smallest E-BFMI; or else the series
    is "".
    """
    energy, code = fit["sample_stats"].dataset[["energy"]], ""
    if noun in energy.dims:
        least = az.bfmi(fit)["energy"].min("chain")
        code = str(least[noun].values[int(least.values.argmin())])
        energy = energy.sel({noun: code}, drop=True)
    return xr.DataTree.from_dict({"sample_stats": energy}), code


def _parameters(posterior: xr.Dataset) -> list[Parameter]:
    found = xarray_sel_iter(posterior, skip_dims={"chain", "draw"})
    return [Parameter(variable, where) for variable, where, _ in found]


def _largest(variable: str, values: xr.DataArray) -> tuple[float, Parameter]:
    """The largest value of a variable, and the parameter that has it."""
    filled = values.fillna(-np.inf)
    index = np.unravel_index(int(filled.values.argmax()), filled.shape) if filled.ndim else ()
    where = {str(dim): values[dim].values[i] for dim, i in zip(values.dims, index, strict=True)}
    return float(filled.max()), Parameter(variable, where)
