"""Draws from a model's prior."""

import pandas as pd
import pymc as pm
import xarray as xr

from forecastle.observations import noun_of
from forecastle.training.sampling import Build


def draw(model: pm.Model, draws: int, seed: int) -> xr.Dataset:
    """So many prior draws of all parameters, dimensions draw and those of the model.

    A prior that is no distribution, such as pm.Flat, cannot be drawn from: then the dataset is empty.
    """
    variables = [*model.free_RVs, *model.deterministics]
    try:
        # Compiling for speed would take longer than drawing slowly.
        values = pm.draw(variables, draws, random_seed=seed, mode="FAST_COMPILE")
    except NotImplementedError:
        return xr.Dataset()
    drawn = {}
    for variable, array in zip(variables, values, strict=True):
        unnamed = [f"{variable.name}_dim_{i}" for i in range(array.ndim - 1)]
        drawn[variable.name] = (("draw", *model.named_vars_to_dims.get(variable.name, unnamed)), array)
    prior = xr.Dataset(drawn)
    return prior.assign_coords(
        {str(dim): list(model.coords[dim]) for dim in prior.dims if dim in model.coords}
    )


def of_each(rows: pd.DataFrame, build: Build, codes: list[str], draws: int, seed: int) -> xr.Dataset:
    """The same of a model that is built for each series, of these series: the noun's dimension besides."""
    noun = noun_of(rows)
    groups = [rows[rows[noun] == code].reset_index(drop=True) for code in codes]
    return xr.concat([draw(build(group), draws, seed) for group in groups], pd.Index(codes, name=noun))
