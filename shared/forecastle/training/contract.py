"""What `observe`, `build` and `predict` must return, checked before anything is sampled."""

import dataclasses
import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm

from forecastle.dates import newest_day
from forecastle.observations import Observations
from forecastle.training import prior
from forecastle.training.recipe import Recipe, Shape

PRIOR_DRAWS = 50  # whose median stands for a posterior
TRIED_DRAWS = 3  # of that posterior
NOUN = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Members of answers, columns and routes.
RESERVED = (
    *("card", "count", "counts", "date", "decisions", "docs", "draw", "forecast", "horizon", "issue"),
    *("livez", "mean", "median", "model", "name", "observed", "probability", "readyz", "series", "target"),
    *("total", "unit", "v2", "version"),
)
TRIED_PERIODS = 7  # before the last date and after it


class ContractError(Exception):
    """A function of a `train.py` returned something else than `train` needs; the message is one line."""


def check_columns(recipe: Recipe, columns: Collection[str]) -> None:
    """Refuse a measure or covariates that the observations do not have.

    Raises:
        ContractError: One is missing.
    """
    check_nouns(recipe.noun, recipe.plural)
    if recipe.noun not in columns:
        raise ContractError(
            f"series={recipe.noun!r} is no column of the observations, which have {', '.join(columns)}"
        )
    for option, names in (("measure", (recipe.measure,)), ("covariates", recipe.covariates)):
        if missing := [name for name in names if name not in columns]:
            others = [column for column in columns if column not in ("date", "name", recipe.noun)]
            raise ContractError(
                f"{option}={', '.join(missing)} is no column of the observations, which have "
                f"{', '.join(others)}"
            )


def check_nouns(noun: str, plural: str) -> None:
    """Refuse nouns that cannot be a part of a route, or are one of another meaning.

    Raises:
        ContractError: They are.
    """
    for option, word in (("series", noun), ("plural", plural)):
        if not NOUN.fullmatch(word) or word in RESERVED:
            raise ContractError(
                f"{option}={word!r} must be small letters, digits and _, a letter first, and none of "
                f"{', '.join(RESERVED)}"
            )


def observed(shape: Shape, returned: Any, codes: set[str]) -> tuple[Observations, pd.DataFrame]:
    """What `observe` returned, if it can be fitted, its rows numbered from 0; and the covariates ahead.

    Args:
        shape: What the rows must be like: a model's recipe says it, too.
        returned: By `observe`.
        codes: The series in the file, of which those of the rows must be.

    Returns:
        What is fitted. If the model has covariates, each series ends with its last value, and the rows after
        that are the second frame: the noun, `date` and the covariates. Else this is empty.

    Raises:
        ContractError: It cannot be fitted.
        ObservationsError: No row has a value.
    """
    if not isinstance(returned, Observations | pd.DataFrame):
        raise ContractError(
            f"observe returned {_kind(returned)}, expected are Observations, as since_total gives them, or a "
            "DataFrame"
        )
    noun, rows = shape.noun, returned.frame if isinstance(returned, Observations) else returned
    expected = ("date", noun, "name", "count", *(() if shape.real else ("total",)), *shape.covariates)
    if missing := [column for column in expected if column not in rows]:
        raise ContractError(
            f"observe's rows lack the columns {', '.join(missing)}: expected are {', '.join(expected)}"
        )
    if rows.empty:
        raise ContractError(f"observe returned no rows, expected is at least one {noun}")
    _check_values(shape, rows)
    if unknown := set(rows[noun]) - codes:
        raise ContractError(
            f"observe's rows name the {noun} {min(map(str, unknown))}, which is not in the observations"
        )
    # The noun first, by which a frame says what its series are about.
    rows = rows[["date", noun, *rows.columns.drop(["date", noun])]].reset_index(drop=True)
    _check_dates(shape, rows)
    known = Observations.of(returned).with_frame(rows)
    if not shape.covariates:
        return known, rows.iloc[:0]
    with_value = rows.index.to_series().where(rows["count"].notna()).groupby(rows[noun]).transform("max")
    ahead = rows.index > with_value.fillna(-1)
    fitted = rows[~ahead].reset_index(drop=True)
    if fitted.empty:
        raise ContractError("observe's rows have no value in the column count")
    last_day = fitted["date"][fitted["count"].notna()].max().date()
    known = dataclasses.replace(known, frame=fitted, last_day=last_day)
    return known, rows[ahead][["date", noun, *shape.covariates]].reset_index(drop=True)


def _check_values(shape: Shape, rows: pd.DataFrame) -> None:
    noun = shape.noun
    if not pd.api.types.is_datetime64_any_dtype(rows["date"]):
        raise ContractError(f"observe's column date holds {rows['date'].dtype}, expected are dates")
    for column in ("count", *(() if shape.real else ("total",))):
        if not pd.api.types.is_numeric_dtype(rows[column]):
            raise ContractError(f"observe's column {column} holds {rows[column].dtype}, expected are numbers")
        values = rows[column].to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(values).any() or (column == "total" and np.isnan(values).any()):
            raise ContractError(f"observe's column {column} has values that are not finite")
    if rows[["date", noun, "name"]].isna().any(axis=None):
        raise ContractError(f"observe's columns date, {noun} and name must have no missing values")
    if shape.minimum is not None and (below := (rows["count"] < shape.minimum).fillna(False)).any():
        row = rows[below.astype(bool)].iloc[0]
        raise ContractError(
            f"observe's rows have {row['count']:g} for {row[noun]} on {row['date']:%Y-%m-%d}, less than the "
            f"minimum {shape.minimum:g}: train(..., minimum=None) has none"
        )
    if (late := (rows["date"] > pd.Timestamp(newest_day())) & rows["count"].notna()).any():
        row = rows[late].iloc[0]
        raise ContractError(
            f"observe's rows have a value of {row[noun]} on {row['date']:%Y-%m-%d}, in the future"
        )


def _check_dates(shape: Shape, rows: pd.DataFrame) -> None:
    noun, frequency = shape.noun, shape.frequency
    valued = rows[rows["count"].notna()].drop_duplicates("date")
    for date, code in zip(valued["date"], valued[noun], strict=True):
        if not frequency.has(date.date()):
            raise ContractError(
                f"observe's rows have a value of {code} on {date:%Y-%m-%d}, which is no date of the "
                f'frequency "{frequency.alias}": train(..., frequency=...) must fit the dates'
            )
    if not rows[noun].is_monotonic_increasing:
        raise ContractError(f'observe\'s rows must be sorted: rows.sort_values(["{noun}", "date"])')
    for code, dates in rows.groupby(noun)["date"]:
        expected = pd.date_range(dates.iloc[0], periods=len(dates), freq=frequency.alias)
        if (wrong := dates.to_numpy() != expected.to_numpy()).any():
            day = dates.iloc[int(wrong.argmax())]
            raise ContractError(
                f"observe's rows of {code!s} go wrong on {day:%Y-%m-%d}: expected is one row for each "
                f"{frequency.period}, in order, with a missing count where there is no report"
            )


def covariates(recipe: Recipe, rows: pd.DataFrame, ahead: pd.DataFrame, periods: int) -> pd.DataFrame:
    """The covariates of the coming periods: a row for each series and period, sorted.

    Args:
        recipe: The model.
        rows: What is fitted.
        ahead: What is known of later periods: the second frame of `observed`.
        periods: How many periods ahead.

    Raises:
        ContractError: One is not known: which, of which series, when.
    """
    noun = recipe.noun
    if not recipe.covariates:
        return ahead
    last = rows.groupby(noun)["date"].last()
    parts = [
        pd.DataFrame(
            {"date": pd.date_range(day, periods=periods + 1, freq=recipe.frequency.alias)[1:], noun: code}
        )
        for code, day in last.items()
    ]
    coming = pd.concat(parts, ignore_index=True).merge(ahead, how="left", on=["date", noun])
    for name in recipe.covariates:
        if (missing := coming[name].isna()).any():
            row = coming[missing].iloc[0]
            raise ContractError(
                f"the observations lack {name} of {row[noun]} on {row['date']:%Y-%m-%d}: covariates must be "
                f"known for {recipe.frequency.periods(periods)} after the last value"
            )
    return coming


def try_out(recipe: Recipe, rows: pd.DataFrame, coming: pd.DataFrame) -> None:
    """Build the model, and predict from a posterior of a few draws, each the median of the prior.

    A prior that cannot be drawn from (pm.Flat) leaves `predict` untried.

    Raises:
        ContractError: `build` or `predict` does not return what it should.
    """
    noun = recipe.noun
    if recipe.sampling.each_series:
        code = rows[noun].iloc[0]
        rows = rows[rows[noun] == code].reset_index(drop=True)
        coming = coming[coming[noun] == code].reset_index(drop=True)
    model = recipe.build(rows)
    if not isinstance(model, pm.Model):
        raise ContractError(f"build returned {_kind(model)}, expected is a pm.Model")
    if recipe.sampling.each_series and not model.data_vars:
        raise ContractError("build puts no data into pm.Data, expected with each_series=True")
    drawn = prior.draw(model, PRIOR_DRAWS, seed=recipe.sampling.seed)
    if not drawn:
        return
    # The median, as a draw from a vague prior may well be absurd.
    middle = drawn.map(lambda values: values.median("draw").astype(values.dtype))
    posterior = middle.expand_dims(draw=TRIED_DRAWS)
    if recipe.sampling.each_series:
        posterior = posterior.expand_dims({noun: [rows[noun].iloc[0]]}, axis=1)
    shape = (TRIED_DRAWS, rows[noun].nunique())
    tried = min(TRIED_PERIODS, recipe.horizon)
    for periods in (np.arange(1, tried + 1), np.arange(1 - tried, 1)):
        drawn_ahead = recipe.draw(posterior, rows, coming, periods, np.random.default_rng(1))
        predicted(drawn_ahead, (*shape, len(periods)))


def predicted(returned: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """What `predict` returned, if it is draws of this shape: (draw, series, period).

    Raises:
        ContractError: It is not, or holds values that are not finite.
    """
    draws = np.asarray(returned)
    if draws.shape != shape:
        raise ContractError(
            f"predict gave the shape {draws.shape}, expected is (draw, series, period): {shape}"
        )
    if draws.dtype.kind not in "iuf":
        raise ContractError(f"predict gave {draws.dtype}, expected are numbers")
    if not np.isfinite(draws).all():
        raise ContractError("predict gave values that are not finite")
    return draws


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
