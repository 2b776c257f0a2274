"""The middleware around any ASGI app: metrics, request and trace ids, prefixes, errors, logs."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request

from forecastle.runtime.logs import JsonFormatter
from forecastle.runtime.monitoring import Monitoring

from ..conftest import Ask
from ..served import series


@pytest.fixture
def app() -> Monitoring:
    app = FastAPI()
    router = APIRouter()

    @app.get("/items/{number}")
    async def item(number: int, request: Request) -> dict[str, str]:
        logging.getLogger("app").warning("looked at")
        return {"root": request.scope["root_path"], "id": request.state.request_id}

    @router.get("/{name}")
    async def person(name: str) -> None: ...

    @app.get("/fails")
    def fails() -> None:
        raise RuntimeError("a secret")

    app.include_router(router, prefix="/people")
    return Monitoring(app, model="flu", version="v1", prefix="/flu")


@pytest.mark.parametrize("path", ["/items/1", "/flu/items/1"])
def test_what_a_proxy_puts_before_all_paths_is_in_the_root(app: Monitoring, ask: Ask, path: str) -> None:
    answer = ask(app, path, headers={"X-Forwarded-Prefix": "/forecasts"})
    root = "/forecasts/flu" if path.startswith("/flu") else "/forecasts"
    assert (answer.json()["root"], answer.headers["vary"]) == (root, "X-Forwarded-Prefix")
    for prefix in ("//elsewhere.example", "https://elsewhere.example", "/../x", "x", "/a b", ""):
        answer = ask(app, path, headers={"X-Forwarded-Prefix": prefix})
        assert answer.json()["root"] == root.removeprefix("/forecasts") and "vary" not in answer.headers
    two = [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")]
    assert ask(app, path, headers=two).json()["root"] == root.removeprefix("/forecasts")


def requests(method: str, route: str, status: int) -> str:
    return (
        f'http_server_request_duration_seconds_count{{http_request_method="{method}",'
        f'http_response_status_code="{status}",http_route="{route}"}}'
    )


def test_requests_are_counted_by_method_route_and_status(app: Monitoring, ask: Ask) -> None:
    for path in ("/items/1", "/items/2", "/flu/items/3", "/items/x", "/people/ann", "/nowhere", "/elsewhere"):
        ask(app, path)
    ask(app, "/nowhere", "BREW")
    counted = series(ask(app, "/metrics").text)
    assert counted[requests("GET", "/items/{number}", 200)] == 3
    assert counted[requests("GET", "/items/{number}", 422)] == 1
    assert counted[requests("GET", "/people/{name}", 200)] == 1  # with the prefix of its router
    assert counted[requests("GET", "unmatched", 404)] == 2
    assert counted[requests("_OTHER", "unmatched", 404)] == 1
    assert not any("nowhere" in name for name in counted)


def test_requests_in_flight_and_what_is_served(app: Monitoring, ask: Ask) -> None:
    ask(app, "/fails")
    counted = series(ask(app, "/metrics").text)
    assert counted["http_server_active_requests"] == 1  # the one that asks
    (info,) = [name for name in counted if name.startswith("forecastle_build_info{")]
    assert 'model="flu"' in info and 'version="v1"' in info
    assert not any(name.startswith("forecastle_data_through") for name in counted)  # it has no artifact


def test_sizes_of_bodies_are_counted_as_they_are_sent(app: Monitoring, ask: Ask) -> None:
    sizes = [len(ask(app, "/items/1").content), len(ask(app, "/items/2").content)]
    ask(app, "/items/x")
    counted = series(ask(app, "/metrics").text)
    name = "http_server_response_body_size_bytes"
    labels = '{http_request_method="GET",http_response_status_code="200",http_route="/items/{number}"}'
    assert counted[f"{name}_sum{labels}"] == sum(sizes) > 0
    assert counted[f"{name}_count{labels}"] == 2


def test_the_answer_to_head_has_no_body(ask: Ask) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"left out by the server"})

    monitored = Monitoring(app, model="flu")
    ask(monitored, "/", "HEAD")
    counted = series(ask(monitored, "/metrics").text)
    labels = '{http_request_method="HEAD",http_response_status_code="200",http_route="unmatched"}'
    assert counted[f"http_server_response_body_size_bytes_sum{labels}"] == 0


def test_metrics_are_to_be_had_in_either_format(app: Monitoring, ask: Ask) -> None:
    plain = ask(app, "/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert plain.headers["cache-control"] == "no-store"
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    openmetrics = ask(app, "/flu/metrics", headers=accept)
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


def test_a_request_id_is_passed_on(app: Monitoring, ask: Ask) -> None:
    response = ask(app, "/items/1", headers={"X-Request-ID": "my.id-1_a"})
    assert response.headers["x-request-id"] == response.json()["id"] == "my.id-1_a"


@pytest.mark.parametrize("given", [None, "", "a b", "a" * 129, 'a"', "ä".encode()])
def test_any_other_request_id_is_replaced(app: Monitoring, ask: Ask, given: Any) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    answers = [ask(app, path, headers=headers) for path in ("/items/1", "/nowhere", "/fails", "/metrics")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", fresh) for fresh in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("path", "root"), [("/items/1", ""), ("/flu/items/1", "/flu"), ("/flux/items/1", None), ("/flu", None)]
)
def test_routes_are_found_with_and_without_the_prefix(
    app: Monitoring, ask: Ask, path: str, root: str | None
) -> None:
    response = ask(app, path)
    if root is None:
        assert response.status_code == 404
    else:
        assert response.json()["root"] == root


def test_the_prefix_alone_is_the_apps_root(ask: Ask) -> None:
    app = FastAPI()

    @app.get("/")
    async def root() -> str:
        return "root"

    assert ask(Monitoring(app, model="flu", prefix="/flu"), "/flu").json() == "root"


def test_an_unhandled_exception_is_logged_once_and_answered(
    app: Monitoring, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    response = ask(app, "/fails")
    assert response.status_code == 500
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == "unhandled exception in GET /fails"
    assert series(ask(app, "/metrics").text)[requests("GET", "/fails", 500)] == 1


def test_an_app_without_any_error_handling_answers_problems(ask: Ask) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("a secret")

    response = ask(Monitoring(app, model="flu"), "/", headers={"X-Request-ID": "x"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"] == "x"
    assert "secret" not in response.text


@pytest.mark.parametrize("path", ["/%", "/%zz", "/items/%1", "/%00", "/items/1%2"])
def test_a_broken_percent_encoding_is_a_bad_request(app: Monitoring, path: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": path.encode(), "headers": []}
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["instance"] == path


@pytest.mark.parametrize(
    ("traceparent", "kept"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"00-{'a' * 32}-{'b' * 16}-00", True),
        (f"01-{'a' * 32}-{'b' * 16}-01-more", True),  # of a later version
        (f"00-{'a' * 32}-{'b' * 16}-01-more", False),
        (f"ff-{'a' * 32}-{'b' * 16}-01", False),
        (f"00-{'A' * 32}-{'b' * 16}-01", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'0' * 16}-01", False),
        (f"00-{'a' * 31}-{'b' * 16}-01", False),
        ("", False),
        (None, False),
    ],
)
def test_log_lines_have_the_trace_of_the_request_or_a_fresh_one(
    app: Monitoring, ask: Ask, capsys: pytest.CaptureFixture[str], traceparent: str | None, kept: bool
) -> None:
    with logged("app"):
        for _ in range(2):
            headers = {} if traceparent is None else {"traceparent": traceparent}
            ask(app, "/items/1", headers=headers)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    traces = {event["trace_id"] for event in events}
    assert traces == {"a" * 32} if kept else len(traces) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in traces)


def test_log_lines_of_a_request_have_its_ids_and_what_is_served(
    app: Monitoring, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with logged("app", "forecastle.runtime.monitoring"):
        ask(app, "/items/1", headers={"X-Request-ID": "one"})
        ask(app, "/fails", headers={"X-Request-ID": "two"})
    looked, failed = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert looked.items() >= {"level": "warning", "message": "looked at", "request_id": "one"}.items()
    assert looked.items() >= {"logger": "app", "model": "flu", "version": "v1"}.items()
    assert failed["request_id"] == "two"
    assert failed["exception"].startswith("Traceback")


@contextmanager
def logged(*names: str) -> Iterator[None]:
    """What these loggers get while the block lasts goes to stderr, as a server's does."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(model="other"))
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)


def test_other_scopes_pass_through() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(Monitoring(app, model="flu")({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
