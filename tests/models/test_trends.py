"""models/trend-deaths and models/trend-cases converge on other data than the default's, and on bad ones."""

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from forecastle.training import fitting, trend
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling, thinned

from ..conftest import load
from ..tiny import recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["trend-deaths", "trend-cases"])
def train(request: pytest.FixtureRequest) -> ModuleType:
    return load(ROOT / "models" / request.param / "train.py")


def test_it_converges_on_the_ecdc_file_too(train: ModuleType) -> None:
    """Other data, with most countries before their peak, and the same bounds: nobody is left out."""
    if not (file := os.environ.get("ECDC_FILE")):
        pytest.skip("ECDC_FILE does not name the ECDC's file")
    selected = train.observe(Path(file))
    of_trend = recipe(
        folder=Path(train.__file__).parent,
        sampling=Sampling(each_series=False, draws=1000, tune=400, seed=1),
        **{name: getattr(train, name) for name in ("observe", "build", "predict")},
    )
    fitted = fitting.fit(of_trend, selected, silent)
    assert fitted.selected.frame["country"].nunique() == selected.frame["country"].nunique()


def test_bad_input_harms_no_forecast(train: ModuleType, sound_and_all: tuple[Path, Path]) -> None:
    """One observation, zeros, a thousandfold jump, negative counts, gaps, a partial last day."""
    _, path = sound_and_all
    frame = pd.read_csv(path)
    frame.assign(deaths=frame["cases"]).to_csv(path, index=False)
    rows = train.observe(path).frame
    assert {"FRA", "ITA", "DEU", "ESP", "GBR", "PRT"} <= set(rows["country"])
    assert rows.groupby("country").size().max() <= trend.DAYS
    fit = Sampling(each_series=False, draws=50, tune=200, seed=1).fit(rows, train.build, silent)
    drawn = train.predict(thinned(fit, 200), rows, np.arange(1, 29), np.random.default_rng(1))
    assert (drawn >= 0).all()
    assert np.isfinite(drawn).all()
