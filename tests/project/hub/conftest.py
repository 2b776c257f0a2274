"""Hubs, and models of states whose forecasts they take.

The files beside this one hold what is needed of the public tasks.json of cdcepi/FluSight-forecast-hub,
CDCgov/covid19-forecast-hub and european-modelling-hubs/RespiCast-Covid19, with a few of their locations.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.project.hub import tasks
from forecastle.project.hub.mapping import Mapping
from forecastle.project.hub.tasks import Tasks

from ...conftest import MakeArtifact

HUBS = {
    name: Path(__file__).with_name(f"{name}.json") for name in ("flusight", "us-covid19", "respicast-covid19")
}
TUESDAY = datetime.date(2024, 11, 19)
STATES = {"US-CA": 60, "US-NY": 30, "US-WY": 1}  # admissions on each day that was reported
PAST, DRAWS, HORIZON = 30, 400, 28

Forecast = Callable[..., Artifact]


@pytest.fixture
def forecast(make_artifact: MakeArtifact) -> Forecast:
    """`forecast(draws)`: a daily model of states, which knows a month to Tuesday; members of the manifest."""

    def made(
        draws: np.ndarray | None = None, reported: dict[str, float] = STATES, **members: Any
    ) -> Artifact:
        if draws is None:
            rates = np.array(list(reported.values()))[:, None]
            draws = np.random.default_rng(1).poisson(rates, (DRAWS, len(reported), HORIZON))
        step = 7 if members.get("frequency", "D").startswith("W") else 1
        origin = members.pop("origin", TUESDAY)
        dates = [origin - datetime.timedelta(step * before) for before in reversed(range(PAST))]
        series = {
            code: {
                "name": code,
                "first_day": dates[0].isoformat(),
                "origin_date": origin.isoformat(),
                "total": value * PAST,
            }
            for code, value in reported.items()
        }
        usual = {"noun": "state", "plural": "states", "measure": "admissions", "unit": "admissions"}
        data = {"file": "x.csv", "sha256": "0" * 64, "last_day": origin.isoformat(), "changes": []}
        rows = [f"{date},{code},{value}" for code, value in reported.items() for date in dates]
        lines = ["date,state,observed", *rows]
        members = {"horizon": draws.shape[2], "data": data, "excluded": {}, **usual, **members}
        return Artifact.load(make_artifact("wave", draws=draws, series=series, observations=lines, **members))

    return made


@pytest.fixture
def us() -> Tasks:
    return tasks.read(HUBS["us-covid19"])


@pytest.fixture
def flusight() -> Tasks:
    return tasks.read(HUBS["flusight"])


@pytest.fixture
def european() -> Tasks:
    return tasks.read(HUBS["respicast-covid19"])


def called(**members: Any) -> Mapping:
    """What the model is called at the US hub, but for these members."""
    usual = {
        "team_abbr": "ours",
        "model_abbr": "wave",
        "target": "wk inc covid hosp",
        "locations": {"US-CA": "06", "US-NY": "36"},
    }
    return Mapping(**usual | members)
