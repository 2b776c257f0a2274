"""The catalogue: what it says of models that are up, down, or of another kind."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle import sealing
from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.models import Progress, Status
from forecastle.runtime.any_app import AnyApp
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app

from ..conftest import Ask, MakeArtifact


def client(app: ASGIApp, name: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Monitoring(app, model=name, prefix=f"/{name}"))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("no answer")


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


class Switch:
    """An app in whose place another can be put, and the statuses that were answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.statuses: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            await send(message)

        await self.app(scope, receive, noted)


def entry(app: ASGIApp, ask: Ask) -> dict[str, Any]:
    """What the catalogue says of this app, the model `flu`."""
    answer = ask(create_catalogue({"flu": client(app, "flu")}), "/models")
    assert '"minimum":0.0' not in answer.text
    (only,) = answer.json()["models"]
    return only


def test_a_model_is_listed_with_its_version_and_data(make_artifact: MakeArtifact, ask: Ask) -> None:
    artifact = Artifact.load(make_artifact("flu"))
    listed = entry(create_app(artifact), ask)
    assert (listed["model"], listed["health"]) == ("flu", "ready")
    assert (listed["version"], listed["data_through"]) == (artifact.version, "2020-04-24")
    assert listed["links"]["docs"] == "/flu/docs"
    assert (listed["first_day"], listed["series"]) == ("2020-04-20", 4)
    assert "countries" not in listed
    about = [listed[name] for name in ("noun", "plural", "measure", "frequency", "real", "minimum")]
    assert about == ["country", "countries", "deaths", "D", False, 0]
    assert listed["diagnostics"] == {"r_hat": 1.0}
    assert (listed["kind"], listed["reference"]) == ("forecast", False)
    assert listed["backtest"] == {
        "origins": ["2020-04-10"],
        "wis_ratio": 0.8,
        "coverage": {"0.5": 0.48, "0.9": 0.91},
    }


def test_one_that_is_down_leaves_the_others_listed(make_artifact: MakeArtifact, ask: Ask) -> None:
    apps = {"flu": create_app(Artifact.load(make_artifact("flu"))), "worse": broken}
    catalogue = create_catalogue({name: client(app, name) for name, app in apps.items()})
    listed = ask(catalogue, "/models").json()["models"]
    assert [(one["model"], one["health"]) for one in listed] == [("flu", "ready"), ("worse", "down")]
    assert "version" not in listed[1]


def test_a_reference_model_is_marked(make_artifact: MakeArtifact, ask: Ask) -> None:
    assert entry(create_app(Artifact.load(make_artifact("flu", reference=True))), ask)["reference"] is True


def test_a_plain_app_that_says_nothing_of_itself_is_ready(ask: Ask) -> None:
    plain = FastAPI()

    @plain.get("/")
    def hello() -> str:
        return "hello"

    assert entry(plain, ask)["health"] == "ready"
    assert entry(FastAPI(), ask)["health"] == "ready"


def test_a_model_that_forecasts_nothing_is_listed_with_its_routes(tmp_path: Path, ask: Ask) -> None:
    app = FastAPI()

    @app.get("/")
    def root() -> dict[str, int]:
        return {"version": 7, "horizon": 3}  # words of its own

    @app.post("/predict")
    def predict() -> int:
        return 1

    (tmp_path / "artifact").mkdir()
    (tmp_path / "train.py").write_text('"""Species of iris."""')
    (tmp_path / "artifact/weights.bin").write_bytes(b"1")
    version = sealing.seal(tmp_path, tmp_path, "iris", 2.5)
    (only,) = ask(create_catalogue({"iris": client(AnyApp(app, tmp_path), "iris")}), "/models").json()[
        "models"
    ]
    assert only.pop("trained_at").startswith(version[:10])
    assert only == {
        "model": "iris",
        "health": "ready",
        "kind": "plain",
        "title": "Species of iris",
        "version": version,
        "routes": ["GET /iris/", "POST /iris/predict"],
        "links": {"self": "/iris/", "docs": "/iris/docs"},
    }


def test_what_happens_to_an_artifact_is_told_if_something_does(make_artifact: MakeArtifact, ask: Ask) -> None:
    flu = client(create_app(Artifact.load(make_artifact("flu"))), "flu")
    status = Status()
    catalogue = create_catalogue({"flu": flu}, statuses={"flu": lambda: status})

    def told() -> dict[str, Any]:
        (only,) = ask(catalogue, "/models").json()["models"]
        assert only["health"] == "ready"
        return {name: only[name] for name in ("status", "progress", "verdict") if name in only}

    assert told() == {}
    status = Status(status="training", progress=Progress(step="sampling", fraction=0.25, seconds=7))
    assert told() == {
        "status": "training",
        "progress": {"step": "sampling", "fraction": 0.25, "seconds": 7},
    }
    status = Status(status="training", progress=Progress(step="training", seconds=7))
    assert told()["progress"] == {"step": "training", "seconds": 7}
    status = Status(status="failed", verdict=["no convergence"])
    assert told() == {"status": "failed", "verdict": ["no convergence"]}


def test_an_app_cannot_say_that_it_is_trained(ask: Ask) -> None:
    app = FastAPI()

    @app.get("/")
    def root() -> dict[str, Any]:
        return {"status": "training", "verdict": ["x"], "title": "Mine"}

    assert entry(app, ask) == {
        "model": "flu",
        "health": "ready",
        "title": "Mine",
        "links": {"self": "/flu/", "docs": "/flu/docs"},
    }
