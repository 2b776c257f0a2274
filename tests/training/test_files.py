"""files.py: draws lose no whole number, and the posterior keeps five digits."""

from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest

from forecastle.training import diagnostics, files


@pytest.mark.parametrize(
    ("largest", "total", "cumulative", "dtype"),
    [
        (2**24 - 1, 0, True, np.float32),
        (2**24 + 1, 0, True, np.float64),
        (1000, 2**24 - 28_001, False, np.float32),
        (1000, 2**24 - 27_000, False, np.float64),  # the running total after 28 days
        (-(2**25), 0, True, np.float64),
    ],
)
def test_whole_numbers_are_kept_exactly(largest: int, total: int, cumulative: bool, dtype: type) -> None:
    draws = np.full((2, 1, 28), largest)
    kept = files.exact(draws, np.array([float(total)]), cumulative)
    assert kept.dtype == dtype
    assert (kept == draws).all()


def test_draws_that_are_no_counts_take_half_the_room_however_large_they_are() -> None:
    assert files.exact(np.full((2, 1, 28), 2.0**30 + 0.5), np.zeros(1), True).dtype == np.float32


def test_the_files_of_a_fit_hold_what_was_fitted(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    stats = {name: rng.normal(size=(4, 100)) for name in ("diverging", "energy", "n_steps")}
    fit = az.from_dict({"posterior": {"level": rng.normal(1000, 1, size=(4, 100))}, "sample_stats": stats})
    dates = pd.date_range("2020-03-01", periods=2)
    rows = pd.DataFrame({"date": dates, "country": "FRA", "name": "France", "count": [5, None], "total": 5})
    rows = rows.astype({"count": "Int64"})
    draws = np.zeros((3, 1, 28), np.float32)
    files.write(tmp_path, fit, diagnostics.summarise(fit), rows, draws)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "draws.npy",
        "observations.csv",
        "parameters.json",
        "posterior.nc",
    ]
    assert (np.load(tmp_path / "draws.npy") == draws).all()
    assert (tmp_path / "observations.csv").read_text() == (
        "date,country,observed\n2020-03-01,FRA,5\n2020-03-02,FRA,\n"
    )
    again = az.from_netcdf(tmp_path / "posterior.nc")
    np.testing.assert_allclose(again["posterior"]["level"], fit["posterior"]["level"], rtol=2e-5)
    assert np.isnan(again["observed_data"]["observed"].values).tolist() == [False, True]
