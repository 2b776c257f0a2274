"""A series of anything: stores' revenue a week, real numbers that follow a price known ahead."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle.artifact import Artifact, sha256

from .panels import ELASTICITY, HORIZON, LAST, SALES, STORES, sales, write

ORIGIN = LAST - pd.Timedelta(HORIZON, unit="W")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder, outside the project, with data of its own."""
    folder = tmp_path_factory.mktemp("any") / "sales"
    write(folder, SALES, "sales.csv", sales())
    return folder


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What its user runs. No data are in use: only its own are read."""
    command = [sys.executable, folder / "train.py", *arguments]
    environment = os.environ | {"FORECASTLE_DATA": str(folder / "nothing.csv")}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)


@pytest.fixture(scope="module")
def artifact(folder: Path) -> Artifact:
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return Artifact.load(folder / "artifact")


def test_the_manifest_says_what_a_series_is(artifact: Artifact, folder: Path) -> None:
    manifest = artifact.manifest
    assert (manifest.noun, manifest.plural, manifest.measure) == ("store", "stores", "revenue")
    assert (manifest.unit, manifest.target) == ("euros", "revenue a week")
    assert (manifest.frequency, manifest.horizon) == ("W-SAT", HORIZON)
    assert manifest.real and manifest.minimum is None
    assert manifest.data.file == "sales.csv"
    assert manifest.data.sha256 == sha256(folder / "data/sales.csv")
    assert manifest.data.last_day == LAST.date()
    assert {code: one.name for code, one in artifact.series.items()} == STORES
    assert {one.origin_date for one in artifact.series.values()} == {LAST.date()}
    assert {one.total for one in artifact.series.values()} == {None}
    # A price tells more than last week.
    assert manifest.backtest and manifest.backtest.scores["wis_ratio"] < 0.5


def test_what_was_observed_is_kept_as_it_was(artifact: Artifact) -> None:
    known = sales()
    for store in STORES:
        expected = known[(known["store"] == store) & known["revenue"].notna()]
        days, values = zip(*artifact.observations[store], strict=True)
        assert list(days) == list(expected["date"].dt.date)
        assert list(values) == pytest.approx(expected["revenue"].tolist())


def test_forecasts_follow_the_price_that_is_known(artifact: Artifact) -> None:
    assert artifact.draws.shape == (2000, len(STORES), HORIZON)
    assert (artifact.draws < 0).any()
    coming = sales()[lambda frame: frame["date"] > LAST].set_index(["store", "date"])
    for i, store in enumerate(STORES):
        price = coming.loc[store, "price"].to_numpy()
        expected = 20 - 30 * i + ELASTICITY * (price - 5)
        assert artifact.forecast_draws(store).mean(axis=0) == pytest.approx(expected, abs=6)


def test_a_price_that_is_missing_for_a_coming_week_is_named(tmp_path: Path) -> None:
    frame, third = sales(), LAST + pd.Timedelta(3, unit="W")
    missing = (frame["store"] == "s2") & (frame["date"] == third)
    write(tmp_path, SALES, "sales.csv", frame.assign(price=frame["price"].mask(missing)))
    done = run(tmp_path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert all(word in line for word in ("price", "s2", f"{third:%Y-%m-%d}")), line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "artifact").exists()


def forecasts(folder: Path, frame: pd.DataFrame) -> xr.Dataset:
    """Those from the origin that a folder with these observations makes, sorted by series and date."""
    write(folder, SALES, "sales.csv", frame)
    done = run(folder, "--held-out", ORIGIN.date().isoformat(), folder / "made.nc")
    assert done.returncode == 0, done.stderr
    made = xr.load_dataset(folder / "made.nc", engine="h5netcdf")
    assert made.sizes["forecast"] == len(STORES) * HORIZON
    return made


def test_a_backtest_sees_the_price_after_its_origin_and_not_the_revenue(tmp_path: Path) -> None:
    frame = sales()
    later = frame["date"] > ORIGIN
    as_it_was = forecasts(tmp_path / "a", frame)
    other_revenue = forecasts(
        tmp_path / "b", frame.assign(revenue=frame["revenue"].mask(later, frame["revenue"] + 500))
    )
    other_price = forecasts(
        tmp_path / "c", frame.assign(price=frame["price"].mask(later, frame["price"] + 1))
    )
    np.testing.assert_array_equal(other_revenue["quantiles"], as_it_was["quantiles"])
    np.testing.assert_allclose(other_revenue["observed"], as_it_was["observed"] + 500)
    moved = (other_price["quantiles"] - as_it_was["quantiles"]).mean()
    assert float(moved) == pytest.approx(ELASTICITY, abs=4)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('measure="revenue"', 'measure="sales"', ("measure=sales", "revenue", "price")),
        ('series="store"', 'series="shop"', ("shop",)),
        ('covariates=["price"]', 'covariates=["weather"]', ("weather",)),
        ('frequency="W-SAT"', 'frequency="W-SUN"', ("2019-01-05", "W-SUN")),
        ('frequency="W-SAT"', 'frequency="weekly"', ("weekly", "W-SUN to W-SAT")),
        ("minimum=None", "minimum=0", ("minimum 0",)),
        ('data="data/sales.csv"', 'data="data/gone.csv"', ("gone.csv is not there",)),
    ],
)
def test_what_does_not_fit_the_data_is_one_line(
    before: str, after: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    write(tmp_path, SALES.replace(before, after), "sales.csv", sales())
    done = run(tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert all(word in line for word in words), line
    assert not (tmp_path / "artifact").exists()
