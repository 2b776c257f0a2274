"""The middleware around any ASGI app: metrics, request ids, prefixes, errors, logs."""

import asyncio
import json
import logging
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from forecastle.logs import JsonFormatter
from forecastle.metrics import AllProcesses, keep_totals
from forecastle.monitoring import Monitoring

from .conftest import Ask


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


def series(ask: Ask, app: Any) -> dict[str, float]:
    """The metrics by name and labels, without histograms' buckets."""
    lines = ask(app, "/metrics").text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line[0] != "#" and "_bucket{" not in line]
    return {name: float(value) for name, value in pairs}


def requests(method: str, route: str, status: int) -> str:
    return (
        f'http_server_request_duration_seconds_count{{http_request_method="{method}",'
        f'http_response_status_code="{status}",http_route="{route}"}}'
    )


def test_requests_are_counted_by_method_route_and_status(app: Monitoring, ask: Ask) -> None:
    for path in ("/items/1", "/items/2", "/flu/items/3", "/items/x", "/people/ann", "/nowhere", "/elsewhere"):
        ask(app, path)
    ask(app, "/nowhere", "BREW")
    counted = series(ask, app)
    assert counted[requests("GET", "/items/{number}", 200)] == 3
    assert counted[requests("GET", "/items/{number}", 422)] == 1
    assert counted[requests("GET", "/people/{name}", 200)] == 1  # with the prefix of its router
    assert counted[requests("GET", "unmatched", 404)] == 2
    assert counted[requests("_OTHER", "unmatched", 404)] == 1
    assert not any("nowhere" in name for name in counted)


def test_requests_in_flight_and_what_is_served(app: Monitoring, ask: Ask) -> None:
    ask(app, "/fails")
    counted = series(ask, app)
    assert counted["http_server_active_requests"] == 1  # the one that asks
    assert counted['forecastle_build_info{model="flu",version="v1"}'] == 1


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
    assert series(ask, app)[requests("GET", "/fails", 500)] == 1


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


def test_other_scopes_pass_through() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(Monitoring(app, model="flu")({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]


def test_an_event_is_one_line_of_json_with_the_requests_id(
    app: Monitoring, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(model="other"))
    for name in ("app", "forecastle.monitoring"):
        logging.getLogger(name).addHandler(handler)
    try:
        ask(app, "/items/1", headers={"X-Request-ID": "one"})
        ask(app, "/fails", headers={"X-Request-ID": "two"})
    finally:
        for name in ("app", "forecastle.monitoring"):
            logging.getLogger(name).removeHandler(handler)
    looked, failed = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert looked.items() >= {"level": "warning", "message": "looked at", "request_id": "one"}.items()
    assert looked.items() >= {"logger": "app", "model": "flu", "version": "v1"}.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", looked["time"])
    assert failed["request_id"] == "two"
    assert failed["exception"].startswith("Traceback")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of metrics as several processes have it."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def worker(files: Path, pid: int, count: float) -> None:
    """The files of a worker that counted so many."""
    for kind, name in [("counter", "requests_total"), ("gauge_livesum", "active"), ("gauge_all", "memory")]:
        file = MmapedDict(str(files / f"{kind}_{pid}.db"))
        file.write_value(mmap_key(name.removesuffix("_total"), name, ["a"], ["b"], "help"), count, 0)
        file.close()


def total() -> float:
    metrics = AllProcesses().collect()
    return sum(sample.value for metric in metrics if metric.name == "requests" for sample in metric.samples)


def test_totals_of_ended_workers_are_kept_and_their_files_are_not(files: Path) -> None:
    for pid in range(1, 6):
        worker(files, pid, 10)
    for pid in range(1, 6):
        keep_totals(pid)
        assert total() == 50
    assert sorted(path.name for path in files.iterdir()) == ["counter_ended.db", "lock"]


def test_no_scrape_sees_totals_fall_or_doubled(files: Path) -> None:
    worker(files, 1, 10)
    seen: list[float] = []

    def scrape() -> None:
        while not done.is_set():
            seen.append(total())

    done = threading.Event()
    thread = threading.Thread(target=scrape)
    thread.start()
    for pid in range(2, 100):
        keep_totals(pid - 1)
        worker(files, pid, 0)  # like a new worker, which has counted nothing yet
    done.set()
    thread.join()
    assert set(seen) == {10}


def test_the_file_of_a_worker_that_has_just_started_may_be_empty(files: Path) -> None:
    worker(files, 1, 10)
    (files / "counter_2.db").touch()
    assert total() == 10
    keep_totals(2)
    assert total() == 10
