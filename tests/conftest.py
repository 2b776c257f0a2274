"""Fixtures that many tests share: small synthetic artifacts, and a way to ask an app without a server."""

import asyncio
import csv
import datetime
import importlib.util
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from forecastle import artifact, manifest
from forecastle.project import train
from forecastle.service import create_app

from .served import Receiver, Served, eventually

ROOT = Path(__file__).resolve().parents[1]
TRAINED = ROOT / ".cache/trained"  # artifacts by model: of images that tests/e2e built, or trained by a test
NAMES = {"DEU": "Germany", "FRA": "France", "GBR": "United Kingdom", "GRC": "Greece"}
ORIGIN = datetime.date(2020, 4, 24)
OBSERVED_DAYS = 5
TOTAL = 1000  # at the origin, in every country
DRAWS, HORIZON = 200, 28

MakeArtifact = Callable[..., Path]
Ask = Callable[..., httpx.Response]
Get = Callable[..., httpx.Response]


def pytest_configure() -> None:
    """Ctrl-C means what it says also where these tests are a background job, in which it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def load(script: Path) -> ModuleType:
    """A script as a module: a `train.py` is on no path. Its functions reach other processes all the same."""
    name = f"{script.parent.name}_{script.stem}"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where inspect finds the docstring
    spec.loader.exec_module(module)
    return module


def borrow_environment(tree: Path) -> None:
    """Give a copy of the project the environment of these tests, as one that is up to date.

    Python finds the library of the copy only by `PYTHONPATH`.
    """
    (tree / ".venv").mkdir()
    for entry in (ROOT / ".venv").iterdir():
        if entry.name not in ("serve", "run", "test", "fetch", "checkout"):
            (tree / ".venv" / entry.name).symlink_to(entry)
    # Or Make would install what a new model needs, and change these tests' own.
    tomorrow = time.time() + 86_400
    for stamp in ("serve", "run", "test", "fetch"):
        (tree / ".venv" / stamp).touch()
        os.utime(tree / ".venv" / stamp, (tomorrow, tomorrow))


def keep(artifact: Path, model: str) -> None:
    """Let later tests have this artifact of a model, and need no training."""
    kept = TRAINED / model / "artifact"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(artifact, kept)


def take(folder: Path) -> bool:
    """Give a copy of a model's folder an artifact of its sources and data, if there is one."""
    of_model = (TRAINED / folder.name / "artifact", ROOT / "models" / folder.name / "artifact")
    for trained in filter(Path.is_dir, of_model):
        shutil.copytree(trained, folder / "artifact")
        if not train.is_stale(folder):
            return True
        shutil.rmtree(folder / "artifact")
    return False


@pytest.fixture(scope="session")
def make_artifact(tmp_path_factory: pytest.TempPathFactory) -> MakeArtifact:
    """`make_artifact("flu", cumulative=True)` writes an artifact into a new folder `flu/artifact`: its path.

    Keywords take the place of members of its manifest, in JSON. The draws of every country are
    0 to 199 on every day, unless others are given, shape (draw, country, day ahead). `observations` are the
    lines of that file, of series other than these countries.
    """

    def make(
        model: str = "flu",
        *,
        draws: np.ndarray | None = None,
        posterior: bytes = b"not read by the server",
        observations: list[str] | None = None,
        **members: Any,
    ) -> Path:
        days = [ORIGIN - datetime.timedelta(before) for before in reversed(range(OBSERVED_DAYS))]
        if draws is None:
            draws = np.broadcast_to(np.arange(DRAWS)[:, None, None], (DRAWS, len(NAMES), HORIZON))
        complete = {
            "model": model,
            "title": f"A synthetic model of {model}",
            "target": "daily deaths",
            "unit": "deaths",
            "measure": "deaths",
            "cumulative": False,
            "reference": False,
            "created": "2020-04-25T06:00:00+00:00",
            "seed": 1,
            "training_seconds": 1.0,
            "horizon": HORIZON,
            "data": {"file": "data.csv", "sha256": "0" * 64, "last_day": ORIGIN.isoformat(), "changes": []},
            "series": {
                code: {
                    "name": name,
                    "first_day": days[0].isoformat(),
                    "origin_date": ORIGIN.isoformat(),
                    "total": TOTAL,
                }
                for code, name in NAMES.items()
            },
            "excluded": {"AND": {"name": "Andorra", "reason": "it has 40 deaths, and 50 are needed"}},
            "versions": {"numpy": np.__version__},
            "diagnostics": {"bounds": {"r_hat": 1.01}, "worst": {"r_hat": 1.0}},
            "backtest": {
                "kind": "short",
                "bounds": {"wis_ratio": 1.0},
                "origins": ["2020-04-10"],
                "forecasts": 56,
                "scores": {"wis_ratio": 0.8, "coverage": {"0.5": 0.48, "0.9": 0.91}},
            },
            **members,
        }
        summary = {"mean": 0.5, "sd": 0.1, "hdi_probability": 0.9, "hdi_lower": 0.3, "hdi_upper": 0.7}
        convergence = {"r_hat": 1.001, "ess_bulk": 1500.0, "ess_tail": 1400.0}
        parameters = {code: [{"parameter": "growth", **summary, **convergence}] for code in NAMES}
        parameters[""] = [{"parameter": "dispersion", **summary, **convergence}]
        rows = observations or [
            "date,country,observed",
            *(
                f"{day},{code},{'' if code == 'GRC' and day == ORIGIN else 10 * index}"
                for code in NAMES
                for index, day in enumerate(days)
            ),
        ]
        folder = tmp_path_factory.mktemp("models") / model / "artifact"
        with artifact.write(folder, artifact.Manifest.of(complete)) as scratch:
            np.save(scratch / "draws.npy", draws.astype(np.float32))
            (scratch / "observations.csv").write_text("\n".join(rows) + "\n")
            (scratch / "parameters.json").write_text(json.dumps(parameters))
            (scratch / "posterior.nc").write_bytes(posterior)
            (scratch / "backtest.json").write_text("null")
            np.savez(scratch / "backtest.npz")
            (scratch / "card.html").write_text(
                f"<h1>A synthetic card</h1>\n{artifact.PROSE}\n<h2>Data</h2>\n"
            )
        return folder

    return make


def tamper(folder: Path, **members: Any) -> None:
    """Change members of a manifest, and its hash with them; a member that is None is removed."""
    path = folder / "manifest.json"
    content = json.loads(path.read_bytes()) | members
    content = {name: value for name, value in content.items() if members.get(name, "") is not None}
    manifest.write_json(path, {**content, "manifest_sha256": manifest.digest(content)})


@pytest.fixture(scope="session")
def ask() -> Ask:
    """`ask(app, "/countries", headers={...})` sends an ASGI app a request and gives its answer."""

    def send(app: Any, url: httpx.URL | str, method: str = "GET", **options: Any) -> httpx.Response:
        async def answered() -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, url, **options)

        return asyncio.run(answered())

    return send


@pytest.fixture(scope="session")
def app(make_artifact: MakeArtifact) -> FastAPI:
    """The app of a synthetic artifact."""
    return create_app(artifact.Artifact.load(make_artifact()))


@pytest.fixture(scope="session")
def get(app: FastAPI, ask: Ask) -> Get:
    """`get("/countries")` asks it."""
    return lambda path, **options: ask(app, path, **options)


def table(response: httpx.Response) -> list[dict[str, str]]:
    """The rows of an answer that is CSV."""
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Served]]:
    """`serve(folder, WORKERS="2")` starts a server for a model's folder, with these variables."""
    servers = []

    def start(folder: Path, **variables: str) -> Served:
        servers.append(server := Served(folder, **variables))
        eventually(server.answers)
        return server

    yield start
    for server in servers:
        server.process.terminate()
        server.process.wait()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of traces."""
    receiver = Receiver()
    yield receiver
    receiver.close()
