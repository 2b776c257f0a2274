"""any_app.py: what an app that create_app did not make answers in its container."""

from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException

from forecastle.runtime.any_app import AnyApp
from forecastle.sealing import seal

from ..conftest import Ask


@pytest.fixture
def any_app(tmp_path: Path) -> AnyApp:
    """A plain app with one route, and an artifact that was sealed."""
    (tmp_path / "train.py").write_text('"""Which <iris> it is."""\n')
    (tmp_path / "README.md").write_text("# Iris\n\nBy its *petals*.\n")
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/model.json").write_text("{}")
    seal(tmp_path, tmp_path, "iris", 1)
    app = FastAPI(title="Irises")

    @app.get("/iris/{number}")
    async def iris(number: int) -> str:
        if number:
            raise HTTPException(404, "my own words")
        return "setosa"

    return AnyApp(app, tmp_path)


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
