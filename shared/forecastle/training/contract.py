"""What `observe`, `build` and `predict` must return, checked before anything is sampled."""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from forecastle.observations import Observations
from forecastle.training import prior
from forecastle.training.recipe import Recipe

COLUMNS = ("date", "country", "name", "count", "total")
UNITS = ("cases", "deaths")
PRIOR_DRAWS = 50  # whose median stands for a posterior
TRIED_DRAWS = 3  # of that posterior
TRIED_DAYS = 7  # before the last day and after it


class ContractError(Exception):
    """A function of a `train.py` returned something else than `train` needs; the message is one line."""


def check_unit(unit: str) -> None:
    """Refuse a unit that is no count of the observations.

    Raises:
        ContractError: It is none.
    """
    if unit not in UNITS:
        raise ContractError(
            f"unit={unit!r} is no column of the observations, on which forecasts are scored: expected is "
            f"{' or '.join(map(repr, UNITS))}"
        )


def observed(returned: Any, countries: set[str]) -> Observations:
    """What `observe` returned, if it can be fitted, its rows numbered from 0.

    Args:
        returned: By `observe`.
        countries: The codes in the file, of which those of the rows must be.

    Raises:
        ContractError: It cannot be fitted.
        ObservationsError: No row has a count.
    """
    if not isinstance(returned, Observations | pd.DataFrame):
        raise ContractError(
            f"observe returned {_kind(returned)}, expected are Observations, as since_total gives them, or a "
            "DataFrame"
        )
    rows = returned.frame if isinstance(returned, Observations) else returned
    if missing := [column for column in COLUMNS if column not in rows]:
        raise ContractError(
            f"observe's rows lack the columns {', '.join(missing)}: expected are {', '.join(COLUMNS)}"
        )
    if rows.empty:
        raise ContractError("observe returned no rows, expected is at least one country")
    if not pd.api.types.is_datetime64_any_dtype(rows["date"]):
        raise ContractError(f"observe's column date holds {rows['date'].dtype}, expected are dates")
    for column in ("count", "total"):
        if not pd.api.types.is_numeric_dtype(rows[column]):
            raise ContractError(f"observe's column {column} holds {rows[column].dtype}, expected are numbers")
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(values).any() or (column == "total" and np.isnan(values).any()):
            raise ContractError(f"observe's column {column} has values that are not finite")
    if rows[["date", "country", "name"]].isna().any(axis=None):
        raise ContractError("observe's columns date, country and name must have no missing values")
    if unknown := set(rows["country"]) - countries:
        raise ContractError(
            f"observe's rows name the country {min(map(str, unknown))}, which is not in the observations"
        )
    rows = rows.reset_index(drop=True)
    if not rows["country"].is_monotonic_increasing:
        raise ContractError('observe\'s rows must be sorted: rows.sort_values(["country", "date"])')
    steps = rows.groupby("country")["date"].diff().dropna()
    if (wrong := steps != pd.Timedelta(1, unit="D")).any():
        row = rows.loc[wrong.index[wrong][0]]
        raise ContractError(
            f"observe's rows of {row['country']} go wrong on {row['date']:%Y-%m-%d}: expected is one row for "
            "each day, in order, with a missing count where there is no report"
        )
    return Observations.of(returned).with_frame(rows)


def try_out(recipe: Recipe, rows: pd.DataFrame) -> None:
    """Build the model, and predict from a posterior of a few draws, each the median of the prior.

    A prior that cannot be drawn from (pm.Flat) leaves `predict` untried.

    Raises:
        ContractError: `build` or `predict` does not return what it should.
    """
    if recipe.sampling.each_country:
        rows = rows[rows["country"] == rows["country"].iloc[0]].reset_index(drop=True)
    model = recipe.build(rows)
    if not isinstance(model, pm.Model):
        raise ContractError(f"build returned {_kind(model)}, expected is a pm.Model")
    if recipe.sampling.each_country and not model.data_vars:
        raise ContractError("build puts no data into pm.Data, expected with each_country=True")
    drawn = prior.draw(model, PRIOR_DRAWS, seed=recipe.sampling.seed)
    if not drawn:
        return
    # The median, as a draw from a vague prior may well be absurd.
    middle = drawn.map(lambda values: values.median("draw").astype(values.dtype))
    posterior = middle.expand_dims(draw=TRIED_DRAWS)
    if recipe.sampling.each_country:
        posterior = posterior.expand_dims(country=[rows["country"].iloc[0]], axis=1)
    shape = (TRIED_DRAWS, rows["country"].nunique())
    for days in (np.arange(1, TRIED_DAYS + 1), np.arange(1 - TRIED_DAYS, 1)):
        predicted(recipe.predict(posterior, rows, days, np.random.default_rng(1)), (*shape, len(days)))


def predicted(returned: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """What `predict` returned, if it is draws of this shape: (draw, country, day).

    Raises:
        ContractError: It is not, or holds values that are not finite.
    """
    draws = np.asarray(returned)
    if draws.shape != shape:
        raise ContractError(
            f"predict gave the shape {draws.shape}, expected is (draw, country, day): {shape}"
        )
    if draws.dtype.kind not in "iuf":
        raise ContractError(f"predict gave {draws.dtype}, expected are numbers")
    if not np.isfinite(draws).all():
        raise ContractError("predict gave values that are not finite")
    return draws


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
