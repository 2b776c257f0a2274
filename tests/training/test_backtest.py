"""backtest.py: nothing of the future is known at an origin, and what is scored is what then happened."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from forecastle import observations
from forecastle.artifact import ArtifactError
from forecastle.frequency import Frequency
from forecastle.observations import Observations
from forecastle.places import NAMES
from forecastle.training import backtest
from forecastle.training.diagnostics import FitError
from forecastle.training.recipe import Recipe

from .. import tiny

CODES = ("DEU", "ESP", "FRA", "GBR", "ITA", "USA")
LAST = datetime.date(2020, 4, 29)
DAYS = 60
ORIGINS = [datetime.date(2020, 4, 7), datetime.date(2020, 4, 15)]


def observe(path: Path) -> Observations:
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


def predict_nothing(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    return np.nan * predict(posterior, rows, days, rng)


def build_that_fails_early(rows: pd.DataFrame) -> pm.Model:
    """Up to the first origin no sampler can start; of later data it is the true model."""
    with build(rows) as model:
        if rows["date"].max() <= pd.Timestamp(ORIGINS[0]):
            pm.Potential("impossible", pm.math.log(-1.0 * pm.math.exp(model["level"][0])))
    return model


def observe_a_plain_frame(path: Path) -> pd.DataFrame:
    return observe(path).frame.copy()


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


def recipe(**options: Any) -> Recipe:
    return tiny.recipe(**{"observe": observe, "build": build, "predict": predict, **options})


DAILY = Frequency.of("D")


def forecast(path: Path, origins: list[datetime.date] = ORIGINS, **options: Any) -> backtest.Forecasts:
    reported = observations.parse(path)
    truth = reported.cleaned().frame
    return backtest.forecast(recipe(**options), [reported], truth, origins, lambda fraction: None)


def scored_of(forecasts: backtest.Forecasts) -> dict[str, Any]:
    scored = backtest.score(forecasts, "short")
    assert scored is not None
    return scored


@pytest.fixture(scope="module")
def forecasts(path: Path) -> backtest.Forecasts:
    return forecast(path)


@pytest.fixture(scope="module")
def scored(forecasts: backtest.Forecasts) -> dict[str, Any]:
    return scored_of(forecasts)


def test_origins_leave_all_days_to_be_scored_and_are_no_whole_weeks_apart() -> None:
    assert backtest.origins(datetime.date(2020, 6, 8), "short", 92, DAILY) == [
        datetime.date(2020, 4, 23),
        datetime.date(2020, 5, 9),
        datetime.date(2020, 5, 25),
    ]
    full = backtest.origins(datetime.date(2020, 6, 8), "full", 92, DAILY)
    assert len(full) == 11 and full[-1] == datetime.date(2020, 5, 25)
    assert len({day.weekday() for day in full[:7]}) == 7


def test_few_countries_have_more_origins() -> None:
    for countries, number in ((5, 3), (4, 4), (2, 8), (1, 15)):
        origins = backtest.origins(datetime.date(2020, 6, 8), "short", countries, DAILY)
        assert len(origins) == number
        assert (origins[1] - origins[0]).days == (16 if countries == 5 else 8)
    assert len(backtest.origins(datetime.date(2020, 6, 8), "full", 1, DAILY)) == 15


def test_the_true_model_is_calibrated_and_beats_the_naive_forecast(
    forecasts: backtest.Forecasts, scored: dict[str, Any]
) -> None:
    assert scored["origins"] == ["2020-04-07", "2020-04-15"]
    assert scored["forecasts"] == 2 * len(CODES) * backtest.PERIODS
    assert (scored["failed"], scored["skipped"]) == ([], [])
    assert [entry["horizon"] for entry in scored["by_horizon"]] == list(range(1, backtest.PERIODS + 1))
    assert all(entry["forecasts"] == 2 * len(CODES) for entry in scored["by_horizon"])
    assert [entry["series"] for entry in scored["by_origin"]] == [len(CODES)] * 2
    summary = scored["scores"]
    assert summary["wis_ratio"] < 1
    assert summary["coverage"]["0.9"] == pytest.approx(0.9, abs=0.06)
    assert abs(summary["bias"]) < 0.15
    # The expected absolute error of a Poisson count of 45 is about 0.8 of its standard deviation.
    assert summary["absolute_percentage_error"] == pytest.approx(0.8 / np.sqrt(45), abs=0.06)
    backtest.check(forecasts, scored)


def test_weeks_are_scored_as_days_are(forecasts: backtest.Forecasts, scored: dict[str, Any]) -> None:
    weekly = scored["weekly"]
    assert weekly["forecasts"] == forecasts.weeks.sizes["forecast"] == 3 * len(CODES)
    assert [(entry["horizon"], entry["forecasts"]) for entry in weekly["by_horizon"]] == [(1, 12), (2, 6)]
    assert [entry["origin"] for entry in weekly["by_origin"]] == ["2020-04-07", "2020-04-15"]
    for each in (scored, weekly):
        assert [entry["series"] for entry in each["by_series"]] == list(CODES)
        assert sum(entry["share"] for entry in each["by_series"]) == pytest.approx(1, abs=1e-3)
        assert each["scores"]["wis_ratio_baseline"] < 1
        low, high = each["scores"]["intervals"]["wis_ratio_baseline"]
        assert low < each["scores"]["wis_ratio_baseline"] < high
        assert sum(each["pit"]) == pytest.approx(1, abs=1e-3)


def test_months_have_no_weeks_and_no_weekday() -> None:
    dates = pd.date_range("2018-01-01", periods=24, freq="MS")
    rows = pd.DataFrame({"date": dates, "country": "DEU", "deaths": np.arange(24.0)})
    known, draws = rows[:21], np.full((50, 1, 3), 22.0)
    shape = recipe(frequency=Frequency.of("MS"), horizon=3)
    made = backtest.compared(known, draws, known, rows, dates[20].date(), shape)
    assert len(made) == 3 and made.weeks.sizes["forecast"] == 0
    scored = scored_of(made)
    assert scored["weekly"] is None and scored["scores"]["wis_ratio_baseline"] is None
    backtest.show(scored)


def test_nothing_after_an_origin_changes_its_forecasts(
    path: Path, forecasts: backtest.Forecasts, tmp_path: Path
) -> None:
    """Counts and revisions of later days give other scores, and the very same forecasts."""
    frame = observations.read(path).frame
    later = frame["date"] > pd.Timestamp(ORIGINS[0])
    revised = frame["date"] == pd.Timestamp(ORIGINS[0]) + pd.Timedelta(3, unit="D")
    deaths = frame["deaths"].mask(later, frame["deaths"] + 1000).mask(revised, -100)
    observations.write(frame.assign(deaths=deaths), tmp_path / "changed.csv")
    changed = forecast(tmp_path / "changed.csv", ORIGINS[:1]).made
    known = forecasts.made.isel(forecast=forecasts.made["origin"] == str(ORIGINS[0]))
    known = known.isel(forecast=np.isin(known["date"], changed["date"]))
    assert changed.sizes["forecast"] == len(CODES) * (backtest.PERIODS - 1)  # without the day of the revision
    for name in ("quantiles", "naive", "baseline", "mean", "date", "series", "horizon"):
        np.testing.assert_array_equal(changed[name].values, known[name].values, err_msg=name)
    assert (changed["observed"].values > known["observed"].values + 900).all()


def test_all_forecasts_are_kept_in_a_file_that_numpy_reads(
    forecasts: backtest.Forecasts, tmp_path: Path
) -> None:
    backtest.save(forecasts, tmp_path / "backtest.npz")
    with np.load(tmp_path / "backtest.npz", allow_pickle=False) as arrays:
        kept = dict(arrays)
    assert kept["origin"].tolist() == ORIGINS
    assert kept["series"].tolist() == list(CODES)
    assert kept["horizon"].tolist() == list(range(1, backtest.PERIODS + 1))
    axes = (2, len(CODES), backtest.PERIODS)
    assert kept["quantiles"].shape == kept["naive"].shape == (*axes, len(kept["quantile"]))
    assert kept["quantiles"].dtype == np.float32
    for name in ("date", "observed", "mean", "bias"):
        assert kept[name].shape == axes
    assert kept["date"][1, 0, 13].item() == LAST
    last = forecasts.made.isel(forecast=-1)
    np.testing.assert_array_equal(kept["quantiles"][1, -1, -1], last["quantiles"].astype(np.float32))
    assert kept["observed"][1, -1, -1] == last["observed"]


def test_what_was_not_forecast_is_nan_in_the_file(forecasts: backtest.Forecasts, tmp_path: Path) -> None:
    some = forecasts.made.isel(forecast=slice(1, None))
    none = some.isel(forecast=slice(0))
    backtest.save(backtest.Forecasts(some, none, some), tmp_path / "some.npz")
    backtest.save(backtest.Forecasts(none, none, none), tmp_path / "none.npz")
    with np.load(tmp_path / "some.npz") as kept:
        assert np.isnan(kept["quantiles"][0, 0, 0]).all() and np.isnan(kept["observed"][0, 0, 0])
        assert np.isnat(kept["date"][0, 0, 0])
        assert np.isfinite(kept["quantiles"]).sum() == some["quantiles"].size
    with np.load(tmp_path / "none.npz") as kept:
        assert kept["quantiles"].shape == (0, 0, 0, 23)


def test_weeks_are_sums_from_sunday_to_saturday(path: Path, forecasts: backtest.Forecasts) -> None:
    """The first origin is a Tuesday, the second a Wednesday; the last day is a Wednesday two weeks later."""
    weeks = forecasts.weeks
    assert set(zip(weeks["origin"].values, weeks["horizon"].values, strict=True)) == {
        ("2020-04-07", 1),
        ("2020-04-07", 2),
        ("2020-04-15", 1),
    }
    assert set(weeks["date"].dt.dayofweek.values) == {5}
    first = weeks.isel(forecast=0)
    assert (first["series"], first["date"]) == ("DEU", np.datetime64("2020-04-18"))
    known = observations.read(path).frame.query("country == 'DEU'").set_index("date")["deaths"]
    assert first["observed"] == known["2020-04-12":"2020-04-18"].sum()
    assert first["mean"] == pytest.approx(7 * 20, rel=0.1)
    # Of independent days: the standard deviation of a sum of 140 is 12.
    assert first["quantiles"][[2, 20]].diff("quantile").item() == pytest.approx(2 * 1.645 * 12, rel=0.3)


def test_increments_of_running_totals_are_the_daily_values(path: Path) -> None:
    daily = forecast(path, ORIGINS[:1])
    totals = forecast(path, ORIGINS[:1], predict=predict_running_totals, cumulative=True)
    assert daily.increments is daily.made
    for name in ("observed", "date", "horizon", "series"):
        np.testing.assert_array_equal(totals.increments[name].values, daily.made[name].values)
    np.testing.assert_allclose(totals.increments["mean"], daily.made["mean"])
    np.testing.assert_allclose(totals.increments["naive"], daily.made["naive"])
    np.testing.assert_allclose(totals.weeks["quantiles"], daily.weeks["quantiles"])
    np.testing.assert_array_equal(totals.weeks["observed"], daily.weeks["observed"])


@pytest.mark.parametrize("cumulative", [False, True])
def test_a_file_of_forecasts_is_read_back(path: Path, tmp_path: Path, cumulative: bool) -> None:
    function = predict_running_totals if cumulative else predict
    forecasts = forecast(path, predict=function, cumulative=cumulative)
    backtest.save(forecasts, tmp_path / "backtest.npz")
    known = backtest.load(tmp_path / "backtest.npz")
    for name in ("made", "weeks", "increments"):
        before, after = getattr(forecasts, name), getattr(known, name)
        assert set(before.variables) == set(after.variables)
        for variable in before.variables:
            if before[variable].dtype.kind == "f":
                np.testing.assert_allclose(after[variable], before[variable], rtol=1e-6)
            else:
                np.testing.assert_array_equal(after[variable], before[variable])
    assert (known.increments is known.made) == (not cumulative)


def test_no_file_of_forecasts_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "backtest.npz", origin=np.empty(0))
    for name in ("backtest.npz", "none.npz"):
        with pytest.raises(ArtifactError, match=f"{name} cannot be read .*train the model again"):
            backtest.load(tmp_path / name)


def test_running_totals_are_scored_as_such(path: Path) -> None:
    scored = scored_of(forecast(path, predict=predict_running_totals, cumulative=True))
    assert scored["scores"]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.1)
    # Errors add up over two weeks, so they are small beside a total of hundreds.
    assert scored["scores"]["absolute_percentage_error"] < 0.03


def test_worse_than_naive_is_refused_in_words(path: Path) -> None:
    forecasts = forecast(path, predict=predict_far_too_many)
    scored = scored_of(forecasts)
    assert scored["scores"]["bias"] == 1
    with pytest.raises(FitError, match=r"wis_ratio is \d.*at most 1\.0.*worse than the naive forecast"):
        backtest.check(forecasts, scored)


def with_coverage(scored: dict[str, Any], share: float, ends: list[float] | None, paths: int) -> dict:
    """The scores, if 90 % intervals had held so much, from so many series and one origin."""
    intervals = scored["scores"]["intervals"] | {"coverage_pit": {"0.9": ends}}
    found = scored["scores"] | {"wis_ratio": 0.9, "coverage_pit": {"0.9": share}, "intervals": intervals}
    return scored | {"scores": found, "by_origin": [scored["by_origin"][0] | {"series": paths}]}


@pytest.mark.parametrize(
    ("share", "ends", "paths", "said"),
    [
        (0.7, [0.6, 0.79], 200, "hold 70.0% .60.0% to 79.0% by resampling.*80% to 97%: .* too narrow"),
        (0.7, [0.6, 0.81], 200, ""),
        (0.99, [0.98, 1], 500, "hold 99.0% .98.0% to 100.0% by.* too wide"),
        (1, [1, 1], 12, ""),  # of so few paths a calibrated model may hold all
        (0.7, [0.65, 0.75], 10, ""),
        (0.5, None, 40, "hold 50.0% .37.3% to 62.7%.* too narrow"),
        (0.9, [0.88, 0.92], 300, ""),
    ],
)
@pytest.mark.parametrize("weekly", [False, True])
def test_intervals_that_surely_hold_too_little_or_too_much_are_refused(
    forecasts: backtest.Forecasts,
    scored: dict[str, Any],
    weekly: bool,
    share: float,
    ends: list[float] | None,
    paths: int,
    said: str,
) -> None:
    right = with_coverage(scored, 0.9, [0.88, 0.92], 100)
    if weekly:
        changed = right | {"weekly": with_coverage(scored["weekly"], share, ends, paths)}
    else:
        changed = with_coverage(scored, share, ends, paths) | {"weekly": None}
    if not said:
        backtest.check(forecasts, changed)
        return
    with pytest.raises(FitError, match=("intervals of sums by week " if weekly else "intervals ") + said):
        backtest.check(forecasts, changed)


def test_too_few_days_are_no_backtest_and_refused_with_the_reason(path: Path) -> None:
    forecasts = forecast(path, [datetime.date(2020, 2, 1), LAST])
    assert len(forecasts) == 0 and backtest.score(forecasts, "short") is None
    assert [gap.origin for gap in forecasts.skipped] == ["2020-02-01", "2020-04-29"]
    with pytest.raises(FitError, match=r"no past day could be forecast \(2020-02-01: .* has nothing"):
        backtest.check(forecasts, None)


def test_one_country_is_enough(path: Path, tmp_path: Path) -> None:
    frame = observations.read(path).frame
    observations.write(frame[frame["country"] == "GBR"], tmp_path / "one.csv")
    forecasts = forecast(tmp_path / "one.csv", observe=observe_a_plain_frame)
    assert set(forecasts.made["series"].values) == {"GBR"}
    assert len(forecasts) == 2 * backtest.PERIODS


def test_a_fit_that_fails_is_counted_and_shown(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forecasts = forecast(path, build=build_that_fails_early)
    assert [(gap.origin, gap.series) for gap in forecasts.failed] == [(str(ORIGINS[0]), "")]
    scored = scored_of(forecasts)
    assert scored["origins"] == [str(ORIGINS[1])]
    assert scored["failed"][0]["reason"].startswith("the sampler fails")
    backtest.show(scored)
    assert f"1 fits failed:\n  {ORIGINS[0]}: the sampler fails" in capsys.readouterr().out
    worse = {**scored, "scores": {**scored["scores"], "wis_ratio": 2}}
    with pytest.raises(FitError, match=f"fits that failed: 1 \\({ORIGINS[0]}: the sampler fails"):
        backtest.check(forecasts, worse)


def test_a_prediction_that_is_not_finite_is_a_failure(path: Path) -> None:
    forecasts = forecast(path, ORIGINS[:1], predict=predict_nothing)
    assert not len(forecasts)
    with pytest.raises(
        FitError, match=r"no past day could be forecast .*predict gave values that are not finite"
    ):
        backtest.check(forecasts, None)


def test_the_summary_and_the_tables_show_the_scores(
    scored: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    summary = backtest.summary(scored)
    assert summary and summary.scores == scored["scores"] and summary.bounds == backtest.BOUNDS
    assert backtest.summary(None) is None
    backtest.show(scored)
    printed = capsys.readouterr().out
    assert "2020-04-07" in printed and f"{scored['scores']['wis_ratio']:.2f}" in printed
    low, high = scored["weekly"]["scores"]["intervals"]["wis_ratio_baseline"]
    assert f"{scored['weekly']['scores']['wis_ratio_baseline']:.2f} [{low:.2f} to {high:.2f}]" in printed
    assert f"{scored['largest']['worse']} of {len(CODES)}" in printed
