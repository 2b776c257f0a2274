"""models/deaths: the pieces of its train.py, and a fit to other data than the default's."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastle import observations
from forecastle.places import NAMES
from forecastle.training import fitting
from forecastle.training.fitting import Fitted
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling, thinned
from forecastle.training.wave import log_curve

from ..conftest import load
from ..tiny import recipe
from .conftest import least_covered

ROOT = Path(__file__).resolve().parents[2]
train = load(ROOT / "models/deaths/train.py")


def test_countries_that_stopped_or_seldom_report_do_no_harm(tmp_path: Path) -> None:
    """As in WHO's file since 2023: a count one day a week, and countries that have fallen silent."""
    days = pd.date_range("2020-03-01", periods=365)
    daily = pd.DataFrame({"date": days, "country": "FRA", "name": "France", "cases": 90, "deaths": 30})
    weekly = daily.assign(country="GBR", deaths=daily["deaths"].where(days.day_of_week == 6))
    silent = daily.assign(country="ITA", deaths=daily["deaths"].where(days < "2020-08-01"))
    late = daily.assign(country="ESP", deaths=daily["deaths"].where(days < "2021-02-20"))
    frame = pd.concat([daily, weekly, silent, late]).astype({"cases": "Int64", "deaths": "Int64"})
    observations.write(frame, tmp_path / "seldom.csv")
    selected = train.observe(tmp_path / "seldom.csv")
    rows = selected.frame
    assert rows.groupby("country")["date"].max().dt.strftime("%Y-%m-%d").to_dict() == {
        "ESP": "2021-02-19",  # forecasts start the day after the last report
        "FRA": "2021-02-28",
        "GBR": "2021-02-28",
    }
    assert selected.excluded["ITA"].reason == "no report of deaths since 2020-07-31"
    train.build(rows)


def test_days_of_catching_up_are_found_and_named() -> None:
    selected = train.observe(observations.DATA / observations.DEFAULT)
    unfitted = selected.frame[selected.frame["count"].isna()].set_index(["country", "date"]).index
    for code, day in (
        ("CHN", "2020-04-16"),
        ("GBR", "2020-04-30"),
        ("FRA", "2020-04-04"),
        ("ESP", "2020-05-31"),
    ):
        assert (code, pd.Timestamp(day)) in unfitted
    assert "CHN on 2020-04-16" in selected.changes[-1]


def test_of_long_data_the_last_days_are_fitted(tmp_path: Path) -> None:
    days = pd.date_range("2020-03-01", periods=400)
    frame = pd.DataFrame({"date": days, "country": "GBR", "name": "x", "cases": 100, "deaths": 30})
    observations.write(frame.astype({"cases": "Int64", "deaths": "Int64"}), tmp_path / "long.csv")
    rows = train.observe(tmp_path / "long.csv").frame
    assert len(rows) == train.LONGEST_WINDOW
    assert rows["total"].iloc[-1] == 400 * 30


def test_no_country_of_the_default_data_is_cut() -> None:
    """The first wave is one wave: no fitted series begins later than its 10th death."""
    rows = train.observe(observations.DATA / observations.DEFAULT).frame
    whole = observations.since_total(
        observations.read(observations.DATA / observations.DEFAULT), "deaths", start=10, total=50
    ).frame
    assert len(rows) == len(whole)
    assert rows["country"].nunique() == 92


def test_it_finds_what_simulated_the_data(tmp_path: Path) -> None:
    rng, day, codes = np.random.default_rng(7), np.arange(70), sorted(NAMES)[:12]
    growth, decay = (rate * np.exp(0.3 * rng.normal(size=len(codes))) for rate in (0.15, 0.05))
    weekday = np.array([0.7, 0.9, 1.1, 1.15, 1.1, 1.1, 0.95])
    dates = pd.date_range("2020-03-02", periods=len(day))
    frames = []
    for i, code in enumerate(codes):
        since_peak = day - int(rng.integers(15, 40))
        rates = growth[i], decay[i]
        curve = log_curve(lambda x: np.logaddexp(0, x), lambda x: x, since_peak, np.log(150.0), 0.0, *rates)
        mean = np.exp(curve) * weekday[dates.day_of_week]
        deaths = rng.poisson(rng.gamma(15, mean / 15))
        frames.append(pd.DataFrame({"date": dates, "country": code, "name": code, "deaths": deaths}))
    observations.write(pd.concat(frames).assign(cases=0), tmp_path / "simulated.csv")
    rows = train.observe(tmp_path / "simulated.csv").frame
    fit = Sampling(each_series=False, draws=300, tune=400, seed=1).fit(rows, train.build, silent)
    assert fit["sample_stats"]["diverging"].mean() < 0.01
    posterior = thinned(fit, 1000)
    covered = {}
    for name, truth in (("growth", growth), ("decay", decay), ("dispersion", np.full(len(codes), 15.0))):
        lower, upper = np.quantile(posterior[name].values, [0.05, 0.95], axis=0)
        covered[name] = int(((lower <= truth) & (truth <= upper)).sum())
    assert min(covered.values()) >= least_covered(len(codes)), covered
    assert sum(covered.values()) >= least_covered(3 * len(codes)), covered
    # The product of both in each draw, as a chain may hold both with the other sign.
    shape = (posterior["weekday"] * posterior["weekday_strength"].mean("country")).mean("draw").values
    expected = np.log(weekday) - np.log(weekday).mean()
    # Ten weeks of twelve countries leave a standard error of 0.025 for each day of the week.
    assert shape == pytest.approx(expected, abs=0.12)


def test_bad_input_harms_no_other_country(sound_and_all: tuple[Path, Path]) -> None:
    """One observation, zeros, a thousandfold jump, negative counts, gaps, a partial last day."""
    for path in sound_and_all:
        frame = pd.read_csv(path)
        frame.assign(deaths=frame["cases"]).to_csv(path, index=False)
    sound, selected = (train.observe(path) for path in sound_and_all)
    every = selected.frame
    assert {"AND", "MCO"} <= selected.excluded.keys()
    for code in ("FRA", "ITA"):
        alone, among = (rows[rows["country"] == code].reset_index(drop=True) for rows in (sound.frame, every))
        pd.testing.assert_frame_equal(alone, among)
    changes = "; ".join(selected.changes)
    assert "Germany (DEU) on 2020-03-16: -50 deaths" in changes
    assert "deaths were reported in part, left out: United Kingdom (GBR) on 2020-03-28" in changes
    assert "LIE on 2020-03-11" in changes  # the jump, as a day of catching up
    fit = Sampling(each_series=False, draws=50, tune=300, seed=1).fit(every, train.build, silent)
    drawn = train.predict(thinned(fit, 100), every, np.arange(1, 29), np.random.default_rng(1))
    assert np.isfinite(drawn).all()


def fitted(data: Path) -> Fitted:
    """The fit that train.py makes of these data, as converged as that has to be."""
    sampling = Sampling(each_series=False, draws=2000, tune=400, seed=1)
    functions = {"observe": train.observe, "build": train.build, "predict": train.predict}
    deaths = recipe(folder=ROOT / "models/deaths", sampling=sampling, **functions)
    return fitting.fit(deaths, train.observe(data), silent)


def test_it_converges_on_the_ecdc_file_too() -> None:
    """Other data, with most countries before their peak, and the same bounds."""
    if not (file := os.environ.get("ECDC_FILE")):
        pytest.skip("ECDC_FILE does not name the ECDC's file")
    fit, _, selected, _ = fitted(Path(file))
    assert str(selected.last_day) == "2020-04-24"
    rows, posterior = selected.frame, thinned(fit, 1000)
    drawn = train.predict(posterior, rows, np.arange(1, 2), np.random.default_rng(1))
    # On the file's last day, 24 April 2020, the United Kingdom reported 638 deaths.
    assert 300 < np.median(drawn[:, list(rows["country"].unique()).index("GBR"), 0]) < 1200


def test_it_converges_on_a_year_of_waves(tmp_path: Path) -> None:
    """Three waves a country, of which the latest is fitted; some countries have had none for half a year."""
    rng, day = np.random.default_rng(3), np.arange(420)
    weekday = np.array([0.7, 1.1, 1.1, 1.1, 1.1, 1.0, 0.8])[day % 7]
    frames = []
    for i, code in enumerate(list(NAMES)[:25]):
        peaks = [40 + i] if i % 6 == 5 else [40 + i, 220 + 4 * i, 400 + i]
        heights = 80 * np.exp(rng.normal(size=len(peaks)))
        mean = 0.05 + sum(
            height * np.exp(-0.5 * ((day - peak) / 18) ** 2)
            for height, peak in zip(heights, peaks, strict=True)
        )
        deaths = rng.poisson(rng.gamma(8, mean * weekday / 8))
        dates = pd.date_range("2020-03-01", periods=len(day))
        frames.append(pd.DataFrame({"date": dates, "country": code, "name": code, "deaths": deaths}))
    frame = pd.concat(frames).assign(cases=0).astype({"cases": "Int64", "deaths": "Int64"})
    observations.write(frame[["date", "country", "name", "cases", "deaths"]], tmp_path / "waves.csv")
    selected = fitted(tmp_path / "waves.csv").selected
    first = selected.frame.groupby("country")["date"].first()
    assert len(first) == 25
    assert (first > "2020-08-01").sum() >= 20
