"""The command: a file that the hub takes, or lines that say why there is none."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from forecastle.project.hub.__main__ import main

from ...project.conftest import Docker
from .conftest import DRAWS, HUBS, Forecast

MAPPING = """team_abbr = "ours"
model_abbr = "wave"
target = "wk inc covid hosp"

[locations]
US-CA = "06"
US-NY = "36"
"""
Run = Callable[..., int]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The folder of the US hub."""
    (tmp_path / "hub/hub-config").mkdir(parents=True)
    shutil.copy(HUBS["us-covid19"], tmp_path / "hub/hub-config/tasks.json")
    return tmp_path / "hub"


@pytest.fixture
def root(tmp_path: Path, forecast: Forecast) -> Path:
    """A project with the model `wave`."""
    folder = tmp_path / "models/wave"
    folder.mkdir(parents=True)
    shutil.copytree(forecast().folder, folder / "artifact")
    (folder / "hub.toml").write_text(MAPPING)
    return tmp_path


def test_a_submission_is_written_where_the_hub_looks_for_it(
    root: Path, hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wave", "--hub", str(hub)], root) == 0
    path = hub / "model-output/ours-wave/2024-11-23-ours-wave.csv"
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [
        f"wave: {path}: 1,784 rows, which the hub's tasks.json allows",
        "wave: the hub takes it from 2024-11-17 to 2024-11-20",
    ]
    assert "wave: left out, horizon -1: it was reported by 2024-11-19" in said
    rows = list(csv.DictReader(path.open()))
    assert (
        rows[0].items()
        >= {
            "reference_date": "2024-11-23",
            "horizon": "0",
            "location": "06",
            "target_end_date": "2024-11-23",
            "output_type": "quantile",
            "output_type_id": "0.01",
        }.items()
    )
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_written_where_output_says(
    root: Path, hub: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    file, name = str(hub / "hub-config/tasks.json"), "2024-11-30-ours-wave.csv"
    for output, path in (("", name), ("out", f"out/{name}"), ("my.csv", "my.csv")):
        arguments = ["wave", "--hub", file, "--output", output, "--reference", "2024-11-30"]
        assert main(arguments, root) == 0
        assert (root / path).is_file(), capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which hub with HUB=: its folder, or its tasks.json"),
        (["--hub", "nowhere"], "nowhere is neither a tasks.json nor the folder of a hub"),
        (["--hub", "hub", "--reference", "May"], "REFERENCE=May is not a date such as 2020-06-13"),
        (["--hub", "hub", "--reference", "2024-11-22"], "the hub has no round of 2024-11-22: its dates are"),
        (
            ["--hub", "hub", "--output", "models/wave/hub.toml"],
            "models/wave/hub.toml/2024-11-23-ours-wave.csv",
        ),
    ],
)
def test_what_cannot_be_done_is_a_line(
    arguments: list[str],
    message: str,
    root: Path,
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(root)
    assert main(["wave", *arguments], root) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"wave: {message}")
    assert not (hub / "model-output").exists()


def test_what_the_hub_would_refuse_is_not_written(
    root: Path, hub: Path, forecast: Forecast, capsys: pytest.CaptureFixture[str]
) -> None:
    falling = forecast(np.full((DRAWS, 3, 28), -40.0), real=True, minimum=None)
    shutil.rmtree(root / "models/wave/artifact")
    shutil.copytree(falling.folder, root / "models/wave/artifact")
    assert main(["wave", "--hub", str(hub)], root) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "wave: nothing is written, since the hub would refuse it:"
    assert "wave: a quantile's value is -280.0, less than the hub's minimum 0" in lines
    assert not (hub / "model-output").exists()


def test_without_an_artifact_the_images_is_taken(
    root: Path, hub: Path, docker: Docker, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = root / "models/wave/artifact"
    docker("exit 1")
    shutil.move(artifact, root / "artifact")
    assert main(["wave", "--hub", str(hub)], root) == 1
    assert capsys.readouterr().err == (
        "wave: it has no artifact and no image: `make train` makes one, `make build` the other\n"
    )
    script = f"""case "$1" in
        image) exit 0 ;;
        create) echo 0123456789ab ;;
        cp) cp -r {root}/artifact "$3" ;;
    esac"""
    (root / "bin/docker").write_text(f"#!/bin/sh\n{script}\n")
    assert main(["wave", "--hub", str(hub)], root) == 0
