"""HEAD, OPTIONS, limits to bodies and other origins."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from forecastle.artifact import Artifact
from forecastle.service import create_app
from forecastle.web import middleware

from ..conftest import Ask, MakeArtifact

ORIGIN = "https://dashboard.example"


def test_head_answers_as_get_without_a_body(app: FastAPI, ask: Ask) -> None:
    for path in (
        "/",
        "/countries/GBR/forecast",
        "/readyz",
        "/docs",
        "/nowhere",
        "/card",
        "/posterior.nc",
        "/forecast?format=ndjson",
    ):
        head, get = ask(app, path, "HEAD"), ask(app, path)
        assert (head.status_code, head.headers) == (get.status_code, get.headers)
        assert head.content == b""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/countries/GBR/forecast", "GET, HEAD, OPTIONS"),
        ("/decisions", "OPTIONS, POST"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/static-offline-docs/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tells_what_other_methods_are_refused_with(
    app: FastAPI, ask: Ask, path: str, allowed: str
) -> None:
    response = ask(app, path, "OPTIONS")
    assert (response.status_code, response.headers["allow"], response.content) == (204, allowed, b"")
    for method in {"POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"} - set(allowed.split(", ")):
        refused = ask(app, path, method)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.headers["content-type"] == "application/problem+json"
    assert ask(app, "/nowhere", "OPTIONS").status_code == 404


def test_methods_of_one_path_may_be_in_several_routes(ask: Ask) -> None:
    app, router = FastAPI(), APIRouter(prefix="/things")
    middleware.install(app)

    @router.get("")
    async def things() -> str:
        return "things"

    @app.post("/things")
    async def new_thing() -> str:
        return "new"

    app.include_router(router)
    assert ask(app, "/things", "DELETE").headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert ask(app, "/things", "OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS, POST"


# Bodies


@pytest.mark.parametrize("path", ["/probability", "/decisions"])
def test_a_body_that_is_too_long_is_refused_at_once(app: FastAPI, path: str) -> None:
    """Whether its length is given or not, most of it is never read."""
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    async def post(**options: object) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, content=chunks(), **options)  # type: ignore[arg-type]

    json = {"Content-Type": "application/json"}
    for headers, most in ((json, 66), ({**json, "Content-Length": str(1000 * 1024)}, 0)):
        sent = 0
        response = asyncio.run(post(headers=headers))
        assert response.status_code == 413
        assert response.json()["detail"] == "The body is longer than 64 KiB."
        assert response.json()["type"] == "/docs/problems/content-too-large"
        assert sent <= most * 1024


def test_a_body_of_the_most_bytes_is_read(app: FastAPI, ask: Ask) -> None:
    body = b'{"events": [{"country": "GBR", "peak_by": "2020-05-01"}]}'.ljust(middleware.LONGEST_BODY)
    headers = {"Content-Type": "application/json"}
    assert ask(app, "/probability", "POST", content=body, headers=headers).status_code == 200
    assert ask(app, "/probability", "POST", content=body + b" ", headers=headers).status_code == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 60_000, b'{"events": 1' + b"0" * 5000 + b"}", b'{"events": "\\ud800"}'],
)
@pytest.mark.parametrize("path", ["/probability", "/decisions"])
def test_a_body_that_is_no_json_is_a_problem(app: FastAPI, ask: Ask, path: str, body: bytes) -> None:
    response = ask(app, path, "POST", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.json()["detail"]


# Other origins


@pytest.fixture
def cors(monkeypatch: pytest.MonkeyPatch, make_artifact: MakeArtifact) -> FastAPI:
    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN}, https://other.example")
    return create_app(Artifact.load(make_artifact()))


def test_no_origin_is_allowed_without_the_setting(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/countries", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["vary"] == "Accept"


def test_an_allowed_origin_is_named_and_no_cache_gives_its_answer_to_others(cors: FastAPI, ask: Ask) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://third.example", None), (None, None)):
        headers = {"Origin": origin} if origin else {}
        for path in ("/countries/GBR/forecast", "/nowhere", "/forecast?format=ndjson"):
            response = ask(cors, path, headers=headers)
            assert response.headers.get("access-control-allow-origin") == allowed
            assert "Origin" in response.headers["vary"].split(", ")
    known = ask(cors, "/countries").headers["etag"]
    again = ask(cors, "/countries", headers={"Origin": ORIGIN, "If-None-Match": known})
    assert (again.status_code, again.headers["access-control-allow-origin"]) == (304, ORIGIN)
    assert again.headers["vary"] == "Accept, Origin"


def test_a_browser_may_ask_before_it_posts(cors: FastAPI, ask: Ask) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    response = ask(cors, "/decisions", "OPTIONS", headers={"Origin": ORIGIN, **asked})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.headers["access-control-allow-methods"]
    assert ask(cors, "/decisions", "OPTIONS").headers["allow"] == "OPTIONS, POST"  # not a browser


def test_every_origin_may_be_allowed(
    monkeypatch: pytest.MonkeyPatch, make_artifact: MakeArtifact, ask: Ask
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "*")
    app = create_app(Artifact.load(make_artifact()))
    response = ask(app, "/countries", headers={"Origin": ORIGIN})
    assert response.headers["access-control-allow-origin"] == "*"
