"""Fixtures of the reference models: the ECDC's file, a way to sample, and data with much that is wrong."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

from forecastle import observations
from forecastle.training.progress import silent
from forecastle.training.sampling import Build, Sampling

from ..conftest import load

ROOT = Path(__file__).resolve().parents[2]
RARE = 1e-5  # probability that a test fails by chance: seeds fix draws on one kind of processor only
Sample = Callable[[pd.DataFrame, Build], xr.DataTree]


def least_covered(intervals: int, level: float = 0.9) -> int:
    """Of so many intervals of this level at least so many hold the truth, but for once in 100,000 times."""
    return int(scipy.stats.binom.ppf(RARE, intervals, level))


@pytest.fixture(scope="session")
def ecdc() -> Path:
    """The ECDC's file, which the published figures come from."""
    if not (file := os.environ.get("ECDC_FILE")):
        pytest.skip("ECDC_FILE does not name the ECDC's file")
    return Path(file)


@pytest.fixture(scope="session")
def published() -> ModuleType:
    """benchmarks/published.py, which prints what the READMEs tell."""
    return load(ROOT / "benchmarks/published.py")


@pytest.fixture(scope="session")
def sample() -> Sample:
    """`sample(rows, build)` fits a model to each country, as training does."""
    sampling = Sampling(each_series=True, draws=1000, tune=400, seed=1)

    return lambda rows, build: sampling.fit(rows, build, silent)


@pytest.fixture
def sound_and_all(tmp_path: Path) -> tuple[Path, Path]:
    """Two files: of two sound countries, and of these among others with something wrong in each."""
    rng, day = np.random.default_rng(2), np.arange(28)
    curve = 20_000 / (1 + 150 * np.exp(-0.25 * day))
    cases = np.diff(np.rint(curve), prepend=0) + rng.poisson(20, len(day))
    still = np.where(day == 0, 187, 0)
    jump = np.where(day == 10, 1000 * cases[:10].sum(), cases)
    revised = np.where(day == 15, -50, cases)
    last_partial = np.where(day == 27, 1, cases)
    counts = {
        **{"FRA": cases, "ITA": cases * 2, "AND": cases[:1] + 500, "MCO": cases * 0, "FRO": still},
        **{"LIE": jump, "DEU": revised, "ESP": cases, "GBR": last_partial, "PRT": cases},
    }
    dates = pd.date_range("2020-03-01", periods=len(day))
    frames = [
        pd.DataFrame({"date": dates[-len(count) :], "country": code, "cases": count.astype(int), "deaths": 0})
        for code, count in counts.items()
    ]
    everything = pd.concat(frames, ignore_index=True).astype({"cases": "Int64"})
    everything = everything[~((everything["country"] == "ESP") & everything["date"].isin(dates[8:13]))]
    last_missing = (everything["country"] == "PRT") & (everything["date"] == dates[-1])
    everything["cases"] = everything["cases"].mask(last_missing)
    sound, all_countries = tmp_path / "sound.csv", tmp_path / "all.csv"
    observations.write(everything[everything["country"].isin(["FRA", "ITA"])], sound)
    observations.write(everything, all_countries)
    return sound, all_countries


@pytest.fixture
def assert_bad_input_harms_no_other_country(
    sound_and_all: tuple[Path, Path], sample: Sample
) -> Callable[[ModuleType], None]:
    """Of a model's `train.py`: what is wrong is named, and the fits to the sound countries stay the same."""

    def check(train: ModuleType) -> None:
        sound, every = map(train.observe, sound_and_all)
        rows = every.frame
        reasons = {code: entry.reason for code, entry in every.excluded.items()}
        assert reasons.keys() == {"AND", "MCO", "FRO", "LIE"}
        assert reasons["AND"].startswith("fewer than")
        assert reasons["MCO"] == "fewer than 100 cases: 0"
        assert reasons["FRO"] == "no new cases from 2020-03-01 to 2020-03-28"
        assert reasons["LIE"].startswith("cases jump from") and reasons["LIE"].endswith("on 2020-03-11")
        changes = "; ".join(every.changes)
        assert "Germany (DEU) on 2020-03-16: -50 cases" in changes
        assert "days without a row, now missing: 5, most of them in Spain (5)" in changes
        assert "reported in part, left out: United Kingdom (GBR) on 2020-03-28: 1, where" in changes
        last_days = rows.groupby("country")["date"].max().dt.day
        assert last_days.to_dict() == {"DEU": 28, "ESP": 28, "FRA": 28, "GBR": 27, "ITA": 28, "PRT": 27}

        alone, together = sample(sound.frame, train.build), sample(rows, train.build)
        assert not together.attrs["failed"]
        for code in ("FRA", "ITA"):
            xr.testing.assert_equal(
                alone["posterior"].dataset.sel(country=code), together["posterior"].dataset.sel(country=code)
            )
        posterior = together["posterior"].dataset.stack(all=("chain", "draw")).reset_index("all", drop=True)
        posterior = posterior.rename(all="draw").transpose("draw", ...)
        days = np.arange(-27, 29)
        assert np.isfinite(train.predict(posterior, rows, days, np.random.default_rng(1))).all()

    return check
