"""The catalogue: what it says of models that are up, down, or of another kind."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.monitoring import Monitoring
from forecastle.service import create_app

from .conftest import Ask, MakeArtifact


def client(app: ASGIApp, name: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Monitoring(app, model=name, prefix=f"/{name}"))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("no answer")


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


def entry(app: ASGIApp, ask: Ask) -> dict[str, Any]:
    """What the catalogue says of this app, the model `flu`."""
    (only,) = ask(create_catalogue({"flu": client(app, "flu")}), "/models").json()["models"]
    return only


def test_a_model_is_listed_with_its_version_and_data(make_artifact: MakeArtifact, ask: Ask) -> None:
    artifact = Artifact.load(make_artifact("flu"))
    listed = entry(create_app(artifact), ask)
    assert (listed["model"], listed["health"]) == ("flu", "ready")
    assert (listed["version"], listed["data_through"]) == (artifact.version, "2020-04-24")
    assert listed["links"]["docs"] == "/flu/docs"
    assert listed["reference"] is False
    assert listed["backtest"] == {
        "origins": ["2020-04-10"],
        "wis_ratio": 0.8,
        "coverage": {"0.5": 0.48, "0.9": 0.91},
    }


@pytest.mark.parametrize("path", ["/", "/models"])
def test_one_that_is_down_leaves_the_others_listed(path: str, make_artifact: MakeArtifact, ask: Ask) -> None:
    apps = {"flu": create_app(Artifact.load(make_artifact("flu"))), "worse": broken}
    catalogue = create_catalogue({name: client(app, name) for name, app in apps.items()})
    listed = ask(catalogue, path).json()["models"]
    assert [(one["model"], one["health"]) for one in listed] == [("flu", "ready"), ("worse", "down")]
    assert listed[1]["version"] is None


def test_one_that_refuses_connections_is_down(ask: Ask) -> None:
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    (listed,) = ask(create_catalogue({"flu": nobody}), "/models").json()["models"]
    assert listed["health"] == "down"


def test_a_plain_app_that_says_nothing_of_itself_is_ready(ask: Ask) -> None:
    plain = FastAPI()

    @plain.get("/")
    def hello() -> str:
        return "hello"

    assert entry(plain, ask)["health"] == "ready"
    assert entry(FastAPI(), ask)["health"] == "ready"


def test_unknown_paths_are_problems_that_name_the_list(ask: Ask) -> None:
    answer = ask(create_catalogue({}), "/nosuch/countries")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET /models" in answer.json()["detail"]


def test_its_documentation_loads_nothing_from_elsewhere(ask: Ask) -> None:
    catalogue = create_catalogue({})
    page = ask(catalogue, "/docs").text
    assert "//" not in page.replace("// ", "").replace("://test", "").replace("<!--", "")
    assert ask(catalogue, "/docs/static/swagger-ui-bundle.js").status_code == 200
