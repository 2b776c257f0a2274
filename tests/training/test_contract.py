"""contract.py: what observe, build and predict return is refused in words, before anything is sampled."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from forecastle.frequency import Frequency
from forecastle.observations import Observations
from forecastle.training import contract
from forecastle.training.contract import ContractError
from forecastle.training.recipe import Recipe
from forecastle.training.sampling import Sampling

from .. import tiny

CODES = {"FRA", "GBR", "ITA"}


def rows(days: int = 10) -> pd.DataFrame:
    """Two countries with a count of 20 a day."""
    dates = pd.date_range("2020-03-01", periods=days)
    parts = [pd.DataFrame({"date": dates, "country": code, "name": code}) for code in ("FRA", "GBR")]
    frame = pd.concat(parts, ignore_index=True).assign(count=20)
    return frame.assign(total=frame.groupby("country")["count"].cumsum())


def build(rows: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        pm.LogNormal("level", 3, 1, dims="country")
    return model


def build_of_one(rows: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        pm.Data("count", rows["count"].to_numpy())
        pm.LogNormal("level", 3, 1)
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    level = posterior["level"].to_numpy()[:, :, None]
    return rng.poisson(level, size=(*level.shape[:2], len(days)))


NOTHING = pd.DataFrame(columns=["date", "country"])  # is known ahead


def recipe(each_series: bool = False, **functions: Any) -> Recipe:
    sampling = Sampling(each_series, draws=100, tune=100, seed=1)
    return tiny.recipe(
        sampling=sampling, **{"observe": None, "build": build, "predict": predict, **functions}
    )


def observed(returned: Any, **members: Any) -> Observations:
    return contract.observed(recipe(**members), returned, CODES)[0]


def test_good_rows_are_observations_numbered_from_0() -> None:
    plain = observed(rows().set_index(np.arange(20) % 10))
    assert plain.frame.index.tolist() == list(range(20))
    known = Observations(rows(), plain.last_day, "ECDC", ["a change"])
    assert observed(known).changes == ["a change"]
    missing = rows().assign(count=rows()["count"].astype("Int64").mask(rows()["date"] == "2020-03-05"))
    assert observed(missing).frame["count"].isna().sum() == 2


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "observe returned None, expected are Observations"),
        ([1], "observe returned a list"),
        (rows().drop(columns=["name", "total"]), "lack the columns name, total: expected are date, country"),
        (rows()[:0], "observe returned no rows, expected is at least one country"),
        (rows().assign(date="2020-03-01"), "observe's column date holds str, expected are dates"),
        (rows().assign(count="many"), "observe's column count holds str, expected are numbers"),
        (rows().assign(count=np.inf), "observe's column count has values that are not finite"),
        (rows().assign(total=np.nan), "observe's column total has values that are not finite"),
        (rows().assign(name=None), "date, country and name must have no missing values"),
        (rows().replace("GBR", "UKK"), "the country UKK, which is not in the observations"),
        (rows()[::-1], "observe's rows must be sorted"),
        (rows().drop(index=3), "observe's rows of FRA go wrong on 2020-03-05: expected is one row for each"),
        (pd.concat([rows()[:4], rows()[3:]]), "observe's rows of FRA go wrong on 2020-03-04"),
    ],
)
def test_rows_that_cannot_be_fitted_are_one_line(returned: Any, message: str) -> None:
    with pytest.raises(ContractError, match=re.escape(message)) as refused:
        observed(returned)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"minimum": 21},
            "have 20 for FRA on 2020-03-01, less than the minimum 21: train(...",
        ),
        (
            {"frequency": Frequency.of("W-SUN")},
            'value of FRA on 2020-03-02, which is no date of the frequency "W-',
        ),
        ({"noun": "store"}, "observe's rows lack the columns store"),
        ({"covariates": ("price",)}, "observe's rows lack the columns price"),
    ],
)
def test_rows_that_contradict_what_train_was_told_are_one_line(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=re.escape(message)):
        observed(rows(), **members)


def test_a_value_of_a_day_to_come_is_refused() -> None:
    late = rows().assign(date=rows()["date"] + pd.Timedelta(20_000, unit="D"))
    with pytest.raises(ContractError, match="in the future"):
        observed(late)


COLUMNS = ["date", "country", "name", "cases", "deaths"]


def test_what_is_measured_is_a_column_of_the_observations() -> None:
    contract.check_columns(recipe(), COLUMNS)
    for members, message in (
        ({"measure": "beds"}, "measure=beds is no column of the observations, which have cases, deaths"),
        ({"covariates": ("price",)}, "covariates=price is no column of the observations, which have cases"),
        ({"noun": "store", "plural": "stores"}, "series='store' is no column of the observations"),
        ({"noun": "a/b"}, "series='a/b' must be small letters, digits and _"),
        ({"plural": "forecast"}, "plural='forecast' must be small letters"),
    ):
        with pytest.raises(ContractError, match="^" + re.escape(message)):
            contract.check_columns(recipe(**members), COLUMNS)


def test_functions_that_return_what_they_should_pass() -> None:
    contract.try_out(recipe(), rows(), NOTHING)
    contract.try_out(recipe(each_series=True, build=build_of_one), rows(), NOTHING)


def flat(rows: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        pm.Flat("level")
    return model


def test_a_prior_that_cannot_be_drawn_from_leaves_predict_untried() -> None:
    def fail(*arguments: Any) -> np.ndarray:
        raise AssertionError("predict was called")

    contract.try_out(recipe(build=flat, predict=fail), rows(), NOTHING)


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"build": lambda rows: None}, "build returned None, expected is a pm.Model"),
        ({"build": lambda rows: rows}, "build returned a DataFrame, expected is a pm.Model"),
        ({"each_series": True}, "build puts no data into pm.Data, expected with each_series=True"),
        (
            {"predict": lambda *arguments: predict(*arguments)[:, :, 0]},
            "predict gave the shape (3, 2), expected is (draw, series, period): (3, 2, 7)",
        ),
        (
            {"predict": lambda *arguments: predict(*arguments) / 0.0},
            "values that are not finite",
        ),
        ({"predict": lambda *arguments: predict(*arguments).astype(str)}, "expected are numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_functions_that_return_something_else_are_one_line(functions: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=re.escape(message)):
        contract.try_out(recipe(**functions), rows(), NOTHING)
