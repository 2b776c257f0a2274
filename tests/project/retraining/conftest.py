"""A project with a model that is fitted in seconds, and a gateway that has received the days since."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from forecastle.artifact import Artifact, sha256
from forecastle.project.retraining.__main__ import main

from ...conftest import MakeArtifact
from ...served import Quiet, listening
from ...tiny import KNOWN, NEW, TRAIN, as_csv, made

PutIncumbent = Callable[[np.ndarray], Artifact]


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
    monkeypatch.delenv("REGISTRY", raising=False)
    monkeypatch.setenv("TAG", "no-such-tag")  # images of this machine are none of ours
    answer = {"body": as_csv(NEW).encode()}

    class Gateway(Quiet):
        def do_GET(self) -> None:
            known = self.path == "/observations?noun=country" and self.headers["Accept"] == "text/csv"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/csv")
            self.send_header("Content-Length", str(len(answer["body"]) + int(answer.get("missing", b"0"))))
            self.end_headers()
            self.wfile.write(answer["body"])

    (tmp_path / "data").mkdir()
    (tmp_path / "data/first-wave-2020.csv").write_text(as_csv(KNOWN))
    (tmp_path / "models/tiny").mkdir(parents=True)
    with listening(Gateway) as port:
        project = Project(tmp_path, f"http://127.0.0.1:{port}", answer)
        project.train_with(factor=1)
        yield project


@pytest.fixture
def incumbent(project: Project, make_artifact: MakeArtifact) -> PutIncumbent:
    """`incumbent(draws)` puts an artifact in place that forecasts these draws from the last known day on."""

    def put(draws: np.ndarray) -> Artifact:
        data = project.folder / "data/first-wave-2020.csv"
        shutil.copytree(made(make_artifact, draws, data.name, sha256(data)), project.artifact)
        return Artifact.load(project.artifact)

    return put
