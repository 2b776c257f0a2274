"""forecastle.project.retraining: a better challenger replaces the incumbent; else all stays as it was."""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastle import observations
from forecastle.artifact import Artifact, sha256
from forecastle.places import NAMES
from forecastle.project.retraining.__main__ import main
from forecastle.project.retraining.data import held_out, merged

from ...conftest import MakeArtifact
from ...tiny import CODES, KNOWN, KNOWN_DAYS, LAST, NEW, NEW_DAYS, RATE, THROUGH, TRAIN, TRUTH, as_csv


@dataclass
class Project:
    """A folder with data, a model `tiny` and its incumbent; `received` is what its gateway tells."""

    folder: Path
    url: str
    received: dict[str, bytes] = field(default_factory=dict)

    @property
    def artifact(self) -> Path:
        return self.folder / "models/tiny/artifact"

    @property
    def current(self) -> Path:
        return self.folder / "data/current.csv"

    def train_with(self, factor: int) -> None:
        """Change train.py, which then forecasts so many times too much."""
        (self.folder / "models/tiny/train.py").write_text(TRAIN.replace("FACTOR = 1", f"FACTOR = {factor}"))

    def run(self, *arguments: str) -> int:
        return main(["tiny", "--url", self.url, *arguments], self.folder)

    def state(self) -> dict[str, str]:
        """The hash of every file."""
        files = [
            path for path in self.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        return {str(path.relative_to(self.folder)): sha256(path) for path in sorted(files)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A gateway that has received the days after the incumbent's last one, over real HTTP."""
    monkeypatch.delenv("FORECASTLE_DATA", raising=False)
    monkeypatch.setenv("TAG", "no-such-tag")  # images of this machine are none of ours
    answer = {"body": as_csv(NEW).encode()}

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/observations" and self.headers["Accept"] == "text/csv"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(answer["body"]) + int(answer.get("missing", b"0"))))
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/first-wave-2020.csv").write_text(as_csv(KNOWN))
    (tmp_path / "models/tiny").mkdir(parents=True)
    project = Project(tmp_path, f"http://127.0.0.1:{server.server_port}", answer)
    project.train_with(factor=1)
    try:
        yield project
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def incumbent(project: Project, make_artifact: MakeArtifact):  # type: ignore[no-untyped-def]
    """`incumbent(draws)` puts an artifact in place that forecasts these draws from the last known day on."""

    def put(draws: np.ndarray) -> Artifact:
        data = project.folder / "data/first-wave-2020.csv"
        shutil.copytree(
            made(make_artifact, draws, data={"file": data.name, "sha256": sha256(data)}), project.artifact
        )
        return Artifact.load(project.artifact)

    return put


def made(make_artifact: MakeArtifact, draws: np.ndarray, data: dict[str, str], **manifest: object) -> Path:
    countries = {
        code: {
            "name": NAMES[code],
            "first_day": "2020-04-20",
            "origin_date": THROUGH.isoformat(),
            "total": KNOWN_DAYS * RATE,
        }
        for code in CODES
    }
    data = {**data, "last_day": THROUGH.isoformat(), "changes": []}
    return make_artifact("tiny", draws=draws, **{"series": countries, "data": data, **manifest})


def test_a_better_challenger_replaces_the_incumbent_and_its_data_are_in_use(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    before = incumbent(10 * TRUTH)
    assert project.run() == 0
    after = Artifact.load(project.artifact)
    assert (before.data_through, after.data_through) == (THROUGH, LAST)
    retrained = after.manifest.retrained
    assert retrained["incumbent"] == before.version
    assert (retrained["first_day"], retrained["last_day"]) == ("2020-04-30", "2020-05-09")
    assert (retrained["countries"], retrained["forecasts"]) == (len(CODES), len(CODES) * NEW_DAYS)
    assert retrained["wis"] < 0.1 * retrained["wis_incumbent"]
    # What is in use is what it was fitted to, and Make finds the artifact newer.
    assert after.manifest.data.sha256 == sha256(project.current)
    assert project.current.stat().st_mtime < (project.artifact / "manifest.json").stat().st_mtime
    assert [path.name for path in project.current.parent.iterdir()] == ["first-wave-2020.csv", "current.csv"]
    in_use = observations.read(project.current).frame
    assert len(in_use) == len(KNOWN) + len(NEW)
    printed = capfd.readouterr().out
    assert "held-out days 2020-04-30 to 2020-05-09: 60 forecasts, 6 countries" in printed
    for name in ("challenger", "incumbent", "naive"):
        assert f"\n  {name}" in printed
    assert "tiny: the challenger goes on to the gate: its WIS is 0.0" in printed
    assert f"the challenger has replaced {before.version}" in printed

    assert project.run() == 0
    assert f"nothing is newer than {LAST}, so {after.version} stays" in capfd.readouterr().out


def test_a_worse_challenger_is_refused_and_all_stays(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    project.train_with(factor=2)
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "refused" in line]
    assert line.startswith("tiny: the challenger is refused, its WIS is ")
    assert line.endswith("of the incumbent's, and 1.05 is allowed; the incumbent and the data in use stay")


def test_a_challenger_that_fails_the_gate_is_refused_however_bad_the_incumbent(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    """Three days do not decide; the gate does, as the challenger forecasts worse than a naive forecast."""
    incumbent(100 * TRUTH)
    project.train_with(factor=5)
    project.received["body"] = as_csv(NEW[NEW["date"] <= pd.Timestamp(2020, 5, 2)]).encode()
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    printed = capfd.readouterr()
    assert "tiny: 3 held-out days are fewer than 7, so the gate alone decides" in printed.out
    assert "wis_ratio is" in printed.err
    assert "refused, it does not pass the gate; the incumbent and the data in use stay" in printed.err


def test_code_that_fails_is_refused(project: Project, incumbent, capfd: pytest.CaptureFixture[str]) -> None:
    incumbent(TRUTH)
    (project.folder / "models/tiny/train.py").write_text("raise SystemExit('no such prior')\n")
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    assert "tiny: the challenger is refused, it cannot be fitted" in capfd.readouterr().err


@pytest.mark.parametrize("received", [NEW.head(0), KNOWN.tail(3)], ids=["none", "known days"])
def test_nothing_new_is_said_and_nothing_is_done(
    received: pd.DataFrame, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    version = incumbent(TRUTH).version
    project.received["body"] = as_csv(received).encode()
    before = project.state()
    assert project.run() == 0
    assert project.state() == before
    assert capfd.readouterr().out == f"tiny: nothing is newer than {THROUGH}, so {version} stays\n"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": as_csv(NEW).encode()[:-3]}, "gives observations that end within a line"),
        ({"body": as_csv(NEW).encode(), "missing": b"100"}, "gives no observations (peer closed connection"),
        ({"body": b'{"observations": []}\n{}\n'}, "missing among the columns"),
        ({"body": as_csv(NEW).replace("DEU", "XYZ").encode()}, "'XYZ' is no country's"),
        ({"body": b""}, "gives observations that end within a line"),
    ],
)
def test_observations_that_are_not_whole_are_refused_in_one_line(
    answer: dict[str, bytes], message: str, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    project.received.update(answer)
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"tiny: {project.url}/observations") and message in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9/observations gives no observations ("),
        (
            ["--url", "http://ada:hunter2@127.0.0.1:9"],
            "http://127.0.0.1:9/observations gives no observations (",
        ),
        (["--url", "nowhere"], "nowhere/observations gives no observations ("),
        (["--file", "nosuch.csv"], "nosuch.csv is not there: check the path"),
        (["--file", "nosuch.csv", "--since", "May"], "SINCE=May is not a date such as 2020-04-24"),
        (["--incumbent", "image"], "there is no image to replace: `make train` makes a first artifact"),
        (["--incumbent", "champion"], "INCUMBENT=champion is unknown: choose artifact or image"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], message: str, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    before = project.state()
    assert project.run(*arguments) == 1
    assert project.state() == before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"tiny: {message}")


def test_a_gateway_without_observations_is_one_line(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    assert project.run("--url", f"{project.url}/elsewhere") == 1
    assert "/elsewhere/observations answers 404 Not Found: name another" in capfd.readouterr().err


def test_without_an_incumbent_there_is_nothing_to_retrain(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    assert project.run() == 1
    assert "there is no artifact and no image to replace" in capfd.readouterr().err


def test_data_of_the_environment_are_not_renewed(
    project: Project, incumbent, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    monkeypatch.setenv("FORECASTLE_DATA", "elsewhere.csv")
    assert project.run() == 1
    assert "FORECASTLE_DATA=elsewhere.csv is in use" in capfd.readouterr().err


def test_an_artifact_and_an_image_ask_for_a_choice(
    project: Project, incumbent, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    docker = project.folder / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\n[ "$*" = "image inspect forecastle/tiny:1.2" ]\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TAG", "1.2")
    assert project.run() == 1
    assert "choose which to replace, with INCUMBENT=artifact or INCUMBENT=image" in capfd.readouterr().err
    project.received["body"] = as_csv(KNOWN).encode()
    assert project.run("--incumbent", "artifact") == 0


def test_a_challenger_is_compared_on_what_the_incumbent_knew(project: Project, incumbent) -> None:
    """Later revisions of those days are not for it to know, as long as the data of then are there."""
    known = incumbent(TRUTH)
    revised = merged(KNOWN, KNOWN.assign(deaths=KNOWN["deaths"] + 1000))
    new = pd.concat([revised, NEW], ignore_index=True)
    rows = held_out(known, new, project.folder)
    until = rows["date"] <= pd.Timestamp(THROUGH)
    assert rows[until]["deaths"].sum() == KNOWN["deaths"].sum()
    assert rows[~until]["deaths"].sum() == NEW["deaths"].sum()
    with (project.folder / "data/first-wave-2020.csv").open("a") as file:
        file.write("\n")
    assert held_out(known, new, project.folder)["deaths"].max() > 1000
