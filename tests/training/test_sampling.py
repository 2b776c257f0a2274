"""sampling.py: real fits of tiny models, together and for each country."""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr

from forecastle.training.diagnostics import FitError
from forecastle.training.progress import silent
from forecastle.training.sampling import CHAINS, Sampling, thinned

RATES = {"FRA": 20, "GBR": 60}
ROWS = pd.DataFrame(
    {
        "country": np.repeat(list(RATES), 50),
        "count": np.random.default_rng(1).poisson(np.repeat([*RATES.values()], 50)),
    }
)
TOGETHER = Sampling(each_series=False, draws=250, tune=250, seed=1)
EACH = Sampling(each_series=True, draws=250, tune=250, seed=1)


def build(rows: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        rate = pm.LogNormal("rate", 3, 1, dims="country")
        country = rows.groupby("country").ngroup().to_numpy()
        pm.Poisson("deaths", rate[country], observed=rows["count"].to_numpy())
    return model


def build_of_one(rows: pd.DataFrame) -> pm.Model:
    with pm.Model() as model:
        rate = pm.LogNormal("rate", 3, 1)
        pm.Poisson("deaths", rate, observed=pm.Data("count", rows["count"].to_numpy()))
    return model


def near_the_truth(posterior: xr.Dataset) -> bool:
    """Whether each mean lies within 5 standard errors of 50 Poisson counts' mean."""
    means = {code: float(posterior["rate"].sel(country=code).mean()) for code in RATES}
    return all(abs(means[code] - rate) < 5 * np.sqrt(rate / 50) for code, rate in RATES.items())


@pytest.fixture(scope="module")
def fit() -> xr.DataTree:
    return TOGETHER.fit(ROWS, build, silent)


def test_all_countries_are_fitted_together(fit: xr.DataTree) -> None:
    posterior = fit["posterior"].dataset
    assert posterior["rate"].dims == ("chain", "draw", "country")
    assert dict(posterior.sizes) == {"chain": CHAINS, "draw": 250, "country": 2}
    assert {"diverging", "energy", "n_steps"} <= set(fit["sample_stats"].data_vars)
    assert near_the_truth(posterior)


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores(fit: xr.DataTree) -> None:
    again = TOGETHER.within(draws=250, cores=1).fit(ROWS, build, silent)
    xr.testing.assert_equal(again["posterior"].dataset, fit["posterior"].dataset)


def test_a_shorter_run_warms_up_no_longer_than_it_draws() -> None:
    assert TOGETHER.within(draws=100, cores=1).tune == 100
    assert TOGETHER.within(draws=900, cores=1).tune == TOGETHER.tune


def test_each_country_is_fitted_by_itself_whatever_its_length() -> None:
    fit = EACH.fit(ROWS.drop(index=range(10)), build_of_one, silent)
    posterior = fit["posterior"].dataset
    assert posterior["rate"].dims == ("chain", "draw", "country")
    assert near_the_truth(posterior)
    assert fit.attrs["failed"] == {}


def test_a_country_that_cannot_be_fitted_is_named_and_the_others_are_kept() -> None:
    """A negative count is impossible for a Poisson distribution."""
    spoiled = ROWS.assign(count=ROWS["count"].mask((ROWS["country"] == "GBR") & (ROWS.index % 2 == 0), -1))
    fit = EACH.fit(spoiled, build_of_one, silent)
    assert fit["posterior"]["country"].values.tolist() == ["FRA"]
    assert fit.attrs["failed"].keys() == {"GBR"}
    assert fit.attrs["failed"]["GBR"][0].startswith("the sampler fails")
    with pytest.raises(FitError, match="no series can be fitted"):
        EACH.fit(spoiled[spoiled["country"] == "GBR"], build_of_one, silent)
    with pytest.raises(FitError, match="the sampler fails"):
        TOGETHER.fit(spoiled, build, silent)


def test_progress_reaches_the_end() -> None:
    fractions: list[float] = []
    descriptions: list[str] = []

    class step:
        def __init__(self, description: str) -> None:
            descriptions.append(description)

        def __enter__(self) -> Any:
            return fractions.append

        def __exit__(self, *error: object) -> None:
            pass

    EACH.fit(ROWS, build_of_one, step)
    assert descriptions == ["compiling", "sampling"]
    assert fractions == [0.5, 1.0]


def test_thinned_draws_are_some_of_the_posteriors(fit: xr.DataTree) -> None:
    some = thinned(fit, 100)
    assert some["rate"].dims == ("draw", "country")
    assert some.sizes["draw"] == 100
    every = {tuple(pair) for pair in fit["posterior"]["rate"].values.reshape(-1, 2)}
    assert {tuple(pair) for pair in some["rate"].values} <= every


def test_a_long_sum_is_compiled_without_a_warning_where_there_is_no_compiler(
    recwarn: pytest.WarningsRecorder,
) -> None:
    """As in the images: PyTensor would warn of loops with more operands than NumPy takes."""

    def build_of_many(rows: pd.DataFrame) -> pm.Model:
        with pm.Model() as model:
            terms = [pm.Normal(f"x{i}", shape=3) for i in range(40)]
            pm.Potential("sum", -pm.math.sum(pm.math.exp(sum(terms))))
        return model

    with pytensor.config.change_flags(cxx=""):
        TOGETHER.within(draws=10, cores=1).fit(ROWS, build_of_many, silent)
    assert not [warning for warning in recwarn if "fusion" in str(warning.message)]
