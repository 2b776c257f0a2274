"""trend: a model of weeks is fitted by its sampler, and forecasts what its own simulations did."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle.training import trend
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling, thinned

SERIES, AHEAD = 60, 14
DAMPING, CHANGE, NOISE = 0.7, 0.2, 0.1


def simulated() -> tuple[pd.DataFrame, np.ndarray]:
    """Six weeks of daily counts by the model itself, and the two weeks after them, shape (series, day)."""
    rng = np.random.default_rng(5)
    level, growth, weeks = rng.normal(6, 0.5, SERIES), rng.normal(0.2, 0.2, SERIES), []
    for _ in range(trend.WEEKS + AHEAD // 7):
        growth = DAMPING * growth + CHANGE * rng.normal(size=SERIES)
        level = level + growth
        mean = np.exp(level + NOISE * rng.normal(size=SERIES))
        weeks.append(rng.multinomial(rng.poisson(mean), np.full(7, 1 / 7)))
    count = np.concatenate(weeks, axis=1)
    parts = [
        pd.DataFrame(
            {
                "date": pd.date_range("2020-03-02", periods=trend.DAYS),
                "country": f"C{i:02}",
                "name": f"C{i:02}",
                "count": pd.Series(one[: trend.DAYS], dtype="Int64"),
            }
        )
        for i, one in enumerate(count)
    ]
    return pd.concat(parts, ignore_index=True), count[:, trend.DAYS :]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return simulated()[0]


@pytest.fixture(scope="module")
def fit(rows: pd.DataFrame) -> xr.DataTree:
    sampling = Sampling(each_series=False, draws=500, tune=300, seed=1)
    return sampling.fit(rows, lambda given: trend.build(given, "count"), silent)


def test_the_parameters_are_found(fit: xr.DataTree) -> None:
    posterior = fit["posterior"]
    for name, value in (("damping", DAMPING), ("log_change_mean", np.log(CHANGE))):
        lower, upper = np.quantile(posterior[name], [0.005, 0.995])
        assert lower < value < upper, name
    assert float(np.exp(posterior["log_noise_mean"].mean())) == pytest.approx(NOISE, rel=0.5)
    assert fit["sample_stats"]["diverging"].mean() < 0.01


def test_what_came_lies_where_it_was_forecast(rows: pd.DataFrame, fit: xr.DataTree) -> None:
    draws = trend.predict(
        thinned(fit, 1000), rows, "count", np.arange(1, AHEAD + 1), np.random.default_rng(2)
    )
    assert draws.shape == (1000, SERIES, AHEAD)
    came = simulated()[1]
    for forecast, observed in ((draws, came), (draws[:, :, 7:].sum(axis=2), came[:, 7:].sum(axis=1))):
        lower, upper = np.quantile(forecast, [0.05, 0.95], axis=0)
        assert 0.75 < ((lower <= observed) & (observed <= upper)).mean() < 0.99


def test_fitted_days_are_replicated_and_earlier_ones_are_not_asked_for(
    rows: pd.DataFrame, fit: xr.DataTree
) -> None:
    past = np.arange(1 - 120, 1)
    replicated = trend.predict(thinned(fit, 400), rows, "count", past, np.random.default_rng(3))
    assert replicated.shape == (400, SERIES, 120)
    lower, upper = np.quantile(replicated[:, :, -trend.DAYS :], [0.05, 0.95], axis=0)
    observed = rows["count"].to_numpy(dtype=float).reshape(SERIES, trend.DAYS)
    assert 0.88 < ((lower <= observed) & (observed <= upper)).mean() < 0.99  # wide, as they were fitted


def test_series_without_a_whole_week_or_without_counts_do_no_harm(rows: pd.DataFrame) -> None:
    none = rows["country"] == "C00"
    few = (rows["country"] == "C01") & (rows["date"] < rows["date"].max() - pd.Timedelta(days=3))
    some = rows.assign(count=rows["count"].mask(none, 0))[~few].reset_index(drop=True)
    model = trend.build(some, "count")
    assert np.isfinite(model.compile_logp()(model.initial_point()))
