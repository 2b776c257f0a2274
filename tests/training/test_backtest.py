"""backtest.py: nothing of the future is known at an origin, and what is scored is what then happened."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from forecastle import observations
from forecastle.places import NAMES
from forecastle.training import backtest
from forecastle.training.diagnostics import FitError
from forecastle.training.sampling import Sampling

CODES = ("DEU", "ESP", "FRA", "GBR", "ITA", "USA")
LAST = datetime.date(2020, 4, 29)
DAYS = 60
SAMPLING = Sampling(each_country=False, draws=250, tune=200, seed=1)


def observe(path: Path) -> pd.DataFrame:
    return observations.since_total(observations.read(path), "deaths", start=10, total=50)


def build(rows: pd.DataFrame) -> pm.Model:
    """A constant rate for each country, which is the truth."""
    country = rows.groupby("country").ngroup().to_numpy()
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        level = pm.Normal("level", 3, 1, dims="country")
        pm.Poisson("deaths", pm.math.exp(level[country]), observed=rows["count"].to_numpy(dtype=int))
    return model


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    level = posterior["level"].to_numpy()[:, :, None]
    return rng.poisson(np.exp(level), size=(*level.shape[:2], len(days)))


def predict_far_too_many(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    return 10 * predict(posterior, rows, days, rng)


def predict_running_totals(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    total = rows.groupby("country")["total"].last().to_numpy()[:, None]
    return total + np.cumsum(predict(posterior, rows, days, rng), axis=-1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six countries whose deaths are Poisson counts of a constant rate."""
    rng = np.random.default_rng(1)
    dates = pd.date_range(end=pd.Timestamp(LAST), periods=DAYS)
    frames = [
        pd.DataFrame(
            {
                "date": dates,
                "country": code,
                "name": NAMES[code],
                "cases": 100,
                "deaths": rng.poisson(20 + 10 * i, size=DAYS),
            }
        )
        for i, code in enumerate(CODES)
    ]
    path = tmp_path_factory.mktemp("data") / "data.csv"
    observations.write(pd.concat(frames, ignore_index=True), path)
    return path


def run(path: Path, predict: object = predict, **options: object) -> dict | None:
    named = {
        "path": path,
        "column": "deaths",
        "cumulative": False,
        "sampling": SAMPLING,
        "origins": backtest.weekly(LAST, 2),
        "report": lambda fraction: None,
    }
    forecasts = backtest.forecast(observe, build, predict, **{**named, **options})  # type: ignore[arg-type]
    return None if forecasts is None else {"kind": "short", **backtest.score(forecasts)}


@pytest.fixture(scope="module")
def scored(path: Path) -> dict:
    told = run(path)
    assert told is not None
    return told


def test_origins_are_weekly_and_leave_all_days_to_be_scored() -> None:
    assert backtest.weekly(datetime.date(2020, 6, 8), 3) == [
        datetime.date(2020, 5, day) for day in (11, 18, 25)
    ]
    assert backtest.weekly(datetime.date(2020, 6, 8), 2, weeks=2)[0] == datetime.date(2020, 5, 11)


def test_the_true_model_is_calibrated_and_beats_the_naive_forecast(scored: dict) -> None:
    assert scored["origins"] == ["2020-04-08", "2020-04-15"]
    assert scored["forecasts"] == 2 * len(CODES) * backtest.DAYS
    assert [entry["horizon"] for entry in scored["by_horizon"]] == list(range(1, backtest.DAYS + 1))
    assert all(entry["forecasts"] == 2 * len(CODES) for entry in scored["by_horizon"])
    assert [entry["countries"] for entry in scored["by_origin"]] == [len(CODES)] * 2
    told = scored["scores"]
    assert told["wis_ratio"] < 1
    assert told["coverage"]["0.9"] == pytest.approx(0.9, abs=0.06)
    assert abs(told["bias"]) < 0.15
    # The expected absolute error of a Poisson count of 45 is about 0.8 of its standard deviation.
    assert told["absolute_percentage_error"] == pytest.approx(0.8 / np.sqrt(45), abs=0.06)
    backtest.check(scored)


def test_the_last_days_change_nothing_that_was_known_before(path: Path, scored: dict, tmp_path: Path) -> None:
    """The future is read once, to be scored: other counts there give other scores and the same forecasts."""
    frame = observations.read(path)
    later = frame["date"] > pd.Timestamp(2020, 4, 15)
    changed = tmp_path / "data.csv"
    observations.write(frame.assign(deaths=frame["deaths"].mask(later, frame["deaths"] + 1000)), changed)
    told = run(changed)
    assert told is not None
    assert told["by_origin"][1]["bias"] == -1  # all forecasts are far too low
    assert told["by_horizon"][0]["coverage"]["0.9"] == pytest.approx(
        scored["by_origin"][0]["coverage"]["0.9"] / 2, abs=0.3
    )


def test_running_totals_are_scored_as_such(path: Path) -> None:
    told = run(path, predict_running_totals, cumulative=True)
    assert told is not None
    assert told["scores"]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.1)
    # Errors add up over two weeks, so they are small beside a total of hundreds.
    assert told["scores"]["absolute_percentage_error"] < 0.03


def test_worse_than_naive_is_refused_in_words(path: Path) -> None:
    told = run(path, predict_far_too_many)
    assert told is not None
    assert told["scores"]["bias"] == 1
    with pytest.raises(FitError, match=r"wis_ratio is \d.*at most 1\.0.*worse than the naive forecast"):
        backtest.check(told)


def test_too_few_days_or_countries_are_no_backtest(path: Path, tmp_path: Path) -> None:
    assert run(path, origins=[datetime.date(2020, 2, 1)]) is None
    few = tmp_path / "few.csv"
    frame = observations.read(path)
    observations.write(frame[frame["country"].isin(CODES[:4])], few)
    assert run(few) is None


def test_the_summary_and_the_tables_tell_the_scores(scored: dict, capsys: pytest.CaptureFixture[str]) -> None:
    told = backtest.summary(scored)
    assert told and told["scores"] == scored["scores"] and told["bounds"] == {"wis_ratio": 1.0}
    assert backtest.summary(None) is None
    backtest.show(scored)
    printed = capsys.readouterr().out
    assert "2020-04-08" in printed and f"{scored['scores']['wis_ratio']:.2f}" in printed
