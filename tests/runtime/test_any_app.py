"""any_app.py: what an app that create_app did not make answers in its container."""

from collections.abc import Callable
from pathlib import Path

import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI, HTTPException
from flask import Flask, request
from litestar import Litestar, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody
from starlette.types import ASGIApp

from forecastle.runtime.any_app import AnyApp
from forecastle.sealing import seal

from ..conftest import Ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is served beside an app: an artifact that was sealed, and a README.md."""
    (tmp_path / "train.py").write_text('"""Which <iris> it is."""\n')
    (tmp_path / "README.md").write_text("# Iris\n\nBy its *petals*.\n")
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/model.json").write_text("{}")
    seal(tmp_path, tmp_path, "iris", 1)
    return tmp_path


@pytest.fixture
def any_app(folder: Path) -> AnyApp:
    """A plain app with one route."""
    app = FastAPI(title="Irises")

    @app.get("/iris/{number}")
    async def iris(number: int) -> str:
        if number:
            raise HTTPException(404, "my own words")
        return "setosa"

    return AnyApp(app, folder)


def test_what_the_app_answers_is_left_as_it_is(any_app: AnyApp, ask: Ask) -> None:
    assert ask(any_app, "/iris/0").json() == "setosa"
    assert ask(any_app, "/iris/1").json() == {"detail": "my own words"}


def test_it_is_alive_and_ready_and_shows_its_manifest_and_card(any_app: AnyApp, ask: Ask) -> None:
    assert ask(any_app, "/livez").json() == {"status": "alive"}
    assert ask(any_app, "/readyz").json() == {"status": "ready"}
    manifest = ask(any_app, "/manifest.json")
    assert manifest.json()["title"] == "Which <iris> it is"
    assert (
        ask(any_app, "/manifest.json", headers={"If-None-Match": manifest.headers["etag"]}).status_code == 304
    )
    card = ask(any_app, "/card")
    assert "<h1>Which &lt;iris&gt; it is</h1>" in card.text and "<em>petals</em>" in card.text
    assert manifest.json()["version"] in card.text
    assert "default-src 'none'" in card.headers["content-security-policy"]


def test_its_documentation_loads_nothing_from_elsewhere(any_app: AnyApp, ask: Ask) -> None:
    page = ask(any_app, "/docs").text
    assert "https://" not in page and "Irises" in page
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/static-offline-docs/{file}" in page
        assert ask(any_app, f"/static-offline-docs/{file}").status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nosuch", 404), ("PUT", "/iris/0", 405)])
def test_what_it_has_no_route_for_is_a_problem(
    method: str, path: str, status: int, any_app: AnyApp, ask: Ask
) -> None:
    answer = ask(any_app, path, method)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)


def litestar() -> ASGIApp:
    @get("/iris/{number:int}", sync_to_thread=False)
    def iris(number: FromPath[int]) -> str:
        if number:
            raise NotFoundException("my own words")
        return "setosa"

    @post("/iris", sync_to_thread=False)
    def classify(data: JSONBody[list[float]]) -> int:
        return len(data)

    return Litestar([iris, classify])


def flask() -> ASGIApp:
    app = Flask("irises")

    @app.get("/iris/<int:number>")
    def iris(number: int) -> tuple[str | dict, int]:
        return ({"detail": "my own words"}, 404) if number else ("setosa", 200)

    @app.post("/iris")
    def classify() -> str:
        return str(len(request.get_json()))

    return WSGIMiddleware(app)


@pytest.mark.parametrize("make", [litestar, flask])
def test_apps_of_other_frameworks_answer_the_same(
    make: Callable[[], ASGIApp], folder: Path, ask: Ask
) -> None:
    app = AnyApp(make(), folder)
    assert ask(app, "/iris/0").text == "setosa"
    assert ask(app, "/iris", "POST", json=[5.1, 3.5]).text == "2"
    assert ask(app, "/livez").json() == {"status": "alive"}
    assert ask(app, "/readyz").json() == {"status": "ready"}
    assert ask(app, "/manifest.json").json()["model"] == "iris"
    assert "<em>petals</em>" in ask(app, "/card").text
    assert ask(app, "/iris/1").status_code == 404 and "my own words" in ask(app, "/iris/1").text
    page = ask(app, "/docs")
    assert page.status_code == 200 and "https://" not in page.text
    for method, path, status in (("GET", "/nosuch", 404), ("PUT", "/iris/0", 405)):
        answer = ask(app, path, method)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status


def test_the_openapi_document_of_litestar_is_where_others_have_it(folder: Path, ask: Ask) -> None:
    app = AnyApp(litestar(), folder)
    assert set(ask(app, "/openapi.json").json()["paths"]) == {"/iris", "/iris/{number}"}
    assert "/schema/openapi.json" in ask(app, "/docs").text


def test_an_app_that_answers_every_path_with_its_own_404_is_healthy(folder: Path, ask: Ask) -> None:
    plain = Flask("irises")
    plain.register_error_handler(404, lambda _: ({"error": "no such iris"}, 404))
    catches_all = FastAPI()

    @catches_all.get("/{path:path}")
    async def nothing(path: str) -> None:
        raise HTTPException(404, "no such iris")

    for app in (AnyApp(WSGIMiddleware(plain), folder), AnyApp(catches_all, folder)):
        assert ask(app, "/livez").json() == {"status": "alive"}
        assert ask(app, "/readyz").json() == {"status": "ready"}
        assert "no such iris" in ask(app, "/nosuch").text
