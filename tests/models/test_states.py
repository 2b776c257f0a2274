"""The model of models/deaths, of states in the place of countries, with no file of the library changed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from forecastle.artifact import Artifact

from ..panels import DEATHS, STATES, states, write


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("of-states") / "states"
    write(folder, DEATHS, "states.csv", states())
    command = [sys.executable, folder / "train.py"]
    environment = os.environ | {"FORECASTLE_DATA": str(folder / "nothing.csv")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr
    return Artifact.load(folder / "artifact")


def test_states_are_forecast_as_countries_are(artifact: Artifact) -> None:
    manifest = artifact.manifest
    assert (manifest.noun, manifest.plural, manifest.measure) == ("state", "states", "deaths")
    assert {code: one.name for code, one in artifact.series.items()} == {
        code: name for code, (name, _) in STATES.items()
    }
    assert artifact.draws.shape[1:] == (len(STATES), 28)
    assert artifact.parameters.keys() == {*STATES, ""}
    assert {entry["parameter"] for entry in artifact.parameters["US-NY"]} >= {"growth", "decay", "delay"}
    # The week after the data is as the last one, within a factor of three.
    for code in STATES:
        last_week = [count for _, count in artifact.observations[code][-7:] if count is not None]
        expected = np.median(artifact.forecast_draws(code)[:, :7].mean(axis=1))
        assert np.mean(last_week) / 3 < expected < 3 * np.mean(last_week)


def test_days_of_catching_up_are_named_by_state(artifact: Artifact) -> None:
    changes = "; ".join(artifact.manifest.data.changes)
    assert "US-TX on 2020-04-04" in changes  # France's
