"""backtests.py: what training found of past days is answered beside the scores in use."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.store.engine import Store
from forecastle.service import create_app
from forecastle.training import save_forecast

from ..conftest import Ask
from .test_models import Switch, broken, client

CODES, DAYS, HORIZON, DRAWS, RATE = ("AUT", "BEL", "CHE"), 60, 14, 200, 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of a model with a backtest of days and of weeks."""
    rng = np.random.default_rng(1)
    dates = pd.date_range(end="2020-04-29", periods=DAYS)
    observed = pd.concat(
        pd.DataFrame({"date": dates, "country": code, "count": rng.poisson(RATE, DAYS)}) for code in CODES
    )

    def draws(_: Any) -> np.ndarray:
        return np.random.default_rng(2).poisson(RATE, (DRAWS, len(CODES), HORIZON))

    folder = tmp_path_factory.mktemp("models") / "flu/artifact"
    named = {"target": "daily deaths", "unit": "deaths"}
    save_forecast(draws(None), observed, forecast_from=draws, folder=folder, **named)
    return folder


def test_a_backtest_is_answered_beside_the_scores_in_use(folder: Path, store: Store, ask: Ask) -> None:
    expected = json.loads((folder / "backtest.json").read_bytes())
    app = create_app(Artifact.load(folder))
    assert ask(app, "/backtest.json").content == (folder / "backtest.json").read_bytes()

    for query in ("", "?since=2020-05-01"):
        answer = ask(
            create_catalogue({"flu": client(app, "flu")}, store), f"/models/flu/scores{query}"
        ).json()
        found = answer["backtest"]
        assert answer["scores"] is None
        assert (found["kind"], found["origins"]) == ("short", expected["origins"])
        for part, of in ((found["scores"], expected), (found["weekly"], expected["weekly"])):
            assert part["pit"] == of["pit"] and sum(part["pit"]) == pytest.approx(1, abs=0.01)
            for name in part.keys() - {"pit"}:
                assert part[name] == of["scores"][name], name
        low, high = found["weekly"]["intervals"]["wis_ratio_baseline"]
        assert low <= found["weekly"]["wis_ratio_baseline"] <= high


@pytest.mark.parametrize("content", [None, [1], {"scores": 1}, {"scores": {}, "pit": [], "weekly": None}])
def test_whatever_else_an_app_answers_there_is_no_backtest(content: Any, store: Store, ask: Ask) -> None:
    app = FastAPI()
    app.get("/backtest.json")(lambda: content)
    asked = Switch(app)
    catalogue = create_catalogue({"flu": client(asked, "flu")}, store)
    assert ask(catalogue, "/models/flu/scores").json()["backtest"] is None
    assert asked.statuses == [200]


def test_a_model_that_went_down_keeps_its_backtest(folder: Path, store: Store, ask: Ask) -> None:
    goes_down = Switch(create_app(Artifact.load(folder)))
    catalogue = create_catalogue({"flu": client(goes_down, "flu")}, store)
    before = ask(catalogue, "/models/flu/scores").json()["backtest"]
    goes_down.app = broken
    assert before and ask(catalogue, "/models/flu/scores").json()["backtest"] == before
