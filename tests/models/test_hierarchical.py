"""models/hierarchical: it finds what simulated the data, and the ladder of pooling ranks what it should."""

from pathlib import Path
from types import ModuleType

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest

from forecastle import observations
from forecastle.places import NAMES
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling, thinned
from forecastle.training.wave import log_curve

from ..conftest import load
from .conftest import least_covered

ROOT = Path(__file__).resolve().parents[2]

train = load(ROOT / "models/hierarchical/train.py")
DAYS, COUNTRIES = train.WINDOW, 12
SAMPLING = Sampling(each_series=False, draws=300, tune=400, seed=1)


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "growth": 0.12 * np.exp(0.3 * rng.normal(size=COUNTRIES)),
        "decay": 0.05 * np.exp(0.3 * rng.normal(size=COUNTRIES)),
        "dispersion": np.full(COUNTRIES, 20.0),
        "peak": rng.integers(12, 28, size=COUNTRIES),
    }


@pytest.fixture(scope="module")
def rows(truth: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Counts that curves of these parameters bring about, read as any data.

    A day before them has the 100 cases from which countries are fitted, and is itself too early to be fitted.
    """
    rng, day = np.random.default_rng(6), np.arange(DAYS)
    weekday = np.array([0.8, 0.95, 1.05, 1.1, 1.1, 1.1, 0.9])
    dates = pd.date_range("2020-03-02", periods=DAYS)
    frames = []
    for i, code in enumerate(sorted(NAMES)[:COUNTRIES]):
        level = np.log(400.0)
        curve = log_curve(
            lambda x: np.logaddexp(0, x),
            lambda x: x,
            day - truth["peak"][i],
            level,
            0.0,
            truth["growth"][i],
            truth["decay"][i],
        )
        mean = np.exp(curve) * weekday[dates.day_of_week]
        cases = [100, *rng.poisson(rng.gamma(20, mean / 20))]
        known = dates.insert(0, dates[0] - pd.Timedelta(1, unit="D"))
        frames.append(pd.DataFrame({"date": known, "country": code, "cases": cases, "deaths": 0}))
    path = tmp_path_factory.mktemp("data") / "simulated.csv"
    observations.write(pd.concat(frames).assign(name="x"), path)
    return train.observe(path).frame


def test_it_finds_what_simulated_the_data(rows: pd.DataFrame, truth: dict[str, np.ndarray]) -> None:
    fit = SAMPLING.fit(rows, train.build, silent)
    assert fit["sample_stats"]["diverging"].mean() < 0.01
    posterior = thinned(fit, 1000)
    covered = {}
    for name in ("growth", "decay", "dispersion"):
        lower, upper = np.quantile(posterior[name].values, [0.05, 0.95], axis=0)
        covered[name] = int(((lower <= truth[name]) & (truth[name] <= upper)).sum())
    assert min(covered.values()) >= least_covered(COUNTRIES), covered
    assert sum(covered.values()) >= least_covered(3 * COUNTRIES), covered
    # 0.8 and 1.1 of a day's mean: they lie 0.32 apart on the log scale, with a standard error of 0.042.
    # Of the product, as a chain may hold both factors with the other sign.
    weekday = posterior["weekday"] * posterior["weekday_strength"].mean("country")
    low, high = weekday.mean("draw").values[[0, 3]]
    assert low < -0.08 and high - low > 0.13
    drawn = train.predict(posterior, rows, np.arange(-5, 3), np.random.default_rng(1))
    total = rows.groupby("country")["total"].last().to_numpy()
    assert (drawn[:, :, 5] == total).all()  # day 0 is the last known one
    assert (np.diff(drawn, axis=-1) >= 0).all()


def test_what_is_fitted_is_new_cases_and_what_is_forecast_the_total(rows: pd.DataFrame) -> None:
    france = rows[rows["country"] == rows["country"].iloc[0]]
    assert (france["count"].diff().iloc[1:] == france["new"].iloc[1:]).all()
    assert (france["count"] == france["total"]).all()


def test_bad_input_harms_no_other_country(sound_and_all: tuple[Path, Path]) -> None:
    """One observation, zeros, a thousandfold jump, negative counts, gaps, a partial last day."""
    sound, selected = (train.observe(path) for path in sound_and_all)
    every = selected.frame
    assert {"AND", "MCO", "FRO"} <= selected.excluded.keys()
    for code in ("FRA", "ITA"):
        alone, among = (rows[rows["country"] == code].reset_index(drop=True) for rows in (sound.frame, every))
        pd.testing.assert_frame_equal(alone, among)
    changes = "; ".join(selected.changes)
    assert "Germany (DEU) on 2020-03-16: -50 cases" in changes
    assert "cases were reported in part, left out: United Kingdom (GBR) on 2020-03-28" in changes
    fit = SAMPLING.within(draws=50, cores=2).fit(every, train.build, silent)
    drawn = train.predict(thinned(fit, 100), every, np.arange(1, 29), np.random.default_rng(1))
    assert np.isfinite(drawn).all()
    # The forecasts of sound countries stay near what they report, whatever the others do.
    codes = list(every.groupby("country").groups)
    growth = drawn[:, codes.index("FRA"), 0] - every[every["country"] == "FRA"]["total"].iloc[-1]
    assert 0 <= np.median(growth) < 1000


def test_the_ladder_prefers_what_each_country_needs(ecdc: Path, tmp_path: Path) -> None:
    """K and r of each country's own, or partially pooled, beat one for all, as in the series."""
    compare: ModuleType = load(ROOT / "models/hierarchical/compare.py")
    cut = observations.read(ecdc, until=compare.UNTIL)
    every = observations.since_total(cut, "cases", start=500, total=500).frame
    chosen = every[every["country"].isin(["CHN", "FRA", "GBR", "ITA", "TUN", "USA"])].reset_index(drop=True)
    elpd = {}
    for name in ("pooled", "hierarchical"):
        pooling = compare.LADDER[name]
        fit = SAMPLING.fit(chosen, lambda rows, pooling=pooling: compare.build(rows, pooling), silent)  # type: ignore[misc]
        with compare.build(chosen, pooling):
            pm.compute_log_likelihood(fit, progressbar=False)
        elpd[name] = az.loo(fit).elpd
    assert elpd["hierarchical"] > elpd["pooled"] + 100
