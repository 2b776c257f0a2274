"""Traces as a real receiver of OTLP gets them."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forecastle.project import compose
from forecastle.runtime import tracing
from forecastle.runtime.monitoring import Monitoring
from forecastle.runtime.settings import TraceSettings

from ..conftest import Ask, MakeArtifact
from ..served import Receiver, Served, eventually

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, ERROR = 2, 2  # SPAN_KIND_SERVER, STATUS_CODE_ERROR

Traced = Callable[..., Monitoring]


def traceparent(flags: str = "01", trace_id: str = TRACE) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{SPAN}-{flags}"}


def app() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{number}")
    async def item(number: int) -> int:
        with tracing.span("count", number=number):
            return number

    @app.get("/sync/{number}")
    def in_a_thread(number: int) -> int:
        with tracing.span("count", number=number):
            return number

    @app.post("/items")
    async def add() -> None: ...

    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("a secret")

    return app


@pytest.fixture
def traced(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    """`traced(app, OTEL_TRACES_SAMPLER="always_off")` monitors an app, with these variables set."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    started = []

    def start(app: Any, **variables: str) -> Monitoring:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        started.append(monitoring := Monitoring(app, model="flu", version="v1", prefix="/flu"))
        monitoring.start()
        return monitoring

    yield start
    for monitoring in started:
        monitoring.stop()


def test_a_request_is_a_span_of_the_trace_that_it_names(traced: Traced, receiver: Receiver, ask: Ask) -> None:
    monitored = traced(app())
    headers = {**traceparent(), "X-Forwarded-For": "203.0.113.77"}
    assert ask(monitored, "/flu/items/7?level=0.5", headers=headers).status_code == 200
    monitored.stop()
    (server_span,), (inner,) = receiver.named("GET /items/{number}"), receiver.named("count")
    assert len(receiver.spans) == 2
    assert (server_span.trace_id, server_span.parent_id, server_span.kind) == (TRACE, SPAN, SERVER)
    assert (inner.trace_id, inner.parent_id) == (TRACE, server_span.span_id)
    assert server_span.started <= inner.started <= inner.ended <= server_span.ended
    assert inner.attributes == {"number": 7}
    expected = {
        "http.request.method": "GET",
        "http.route": "/items/{number}",
        "http.response.status_code": 200,
        "url.path": "/flu/items/7",
        "url.query": "level=0.5",
        "url.scheme": "http",
        "client.address": "127.0.0.0",  # without what tells who it is
    }
    assert server_span.attributes.items() >= expected.items()
    for span in receiver.spans:
        assert span.resource.items() >= {"service.name": "flu", "service.version": "v1"}.items()


def test_a_route_that_runs_in_a_thread_has_its_spans_too(
    traced: Traced, receiver: Receiver, ask: Ask
) -> None:
    monitored = traced(app())
    ask(monitored, "/sync/7", headers=traceparent())
    monitored.stop()
    assert receiver.named("count")[0].parent_id == receiver.named("GET /sync/{number}")[0].span_id


def test_without_a_traceparent_a_trace_begins_which_the_log_has_too(
    traced: Traced, receiver: Receiver, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    from forecastle.runtime import logs

    seen = []

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        seen.append((logs.request.get() or {})["trace_id"])
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    monitored = traced(plain)
    for given in (None, "00-broken", f"00-{'0' * 32}-{SPAN}-01"):
        ask(monitored, "/anything", headers={"traceparent": given} if given else {})
    monitored.stop()
    spans = receiver.named("GET")  # a route that is not known is not in the name
    assert {span.trace_id for span in spans} == set(seen)
    assert len(set(seen)) == 3
    assert all(span.parent_id == "" and "http.route" not in span.attributes for span in spans)


def test_what_fails_is_marked(traced: Traced, receiver: Receiver, ask: Ask) -> None:
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    for broken in (app(), raises):
        monitored = traced(broken)
        assert ask(monitored, "/fails").status_code == 500
        monitored.stop()
    assert [span.attributes["http.response.status_code"] for span in receiver.spans] == [500, 500]
    assert [span.status for span in receiver.spans] == [ERROR, ERROR]


def test_the_query_of_a_post_is_not_told(traced: Traced, receiver: Receiver, ask: Ask) -> None:
    monitored = traced(app())
    ask(monitored, "/items?key=hunter2", "POST")
    monitored.stop()
    (span,) = receiver.named("POST /items")
    assert "hunter2" not in str(span)


@pytest.mark.parametrize(
    ("sampler", "argument", "flags", "sampled"),
    [
        ("traceidratio", "1", "00", True),
        ("traceidratio", "0", "01", False),
        ("parentbased_traceidratio", "0", "01", True),
        ("parentbased_traceidratio", "1", "00", False),
        ("parentbased_traceidratio", "1", None, True),
        ("parentbased_traceidratio", "0", None, False),
        ("always_off", "", "01", False),
        ("", "", "00", False),
        ("", "", "01", True),
        ("", "", None, True),
    ],
)
def test_sampling_is_the_environments(
    traced: Traced,
    receiver: Receiver,
    ask: Ask,
    sampler: str,
    argument: str,
    flags: str | None,
    sampled: bool,
) -> None:
    variables = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument} if sampler else {}
    monitored = traced(app(), **variables)
    for number in range(5):
        ask(monitored, f"/items/{number}", headers=traceparent(flags) if flags else {})
    monitored.stop()
    assert len(receiver.named("GET /items/{number}")) == len(receiver.named("count")) == 5 * sampled


def test_a_ratio_decides_by_the_traces_id_alone(traced: Traced, receiver: Receiver, ask: Ask) -> None:
    monitored = traced(app(), OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    low, high = f"{1:032x}", f"{2**64 - 1:032x}"
    for trace_id in (low, high):
        for _ in range(3):
            ask(monitored, "/items/1", headers=traceparent(trace_id=trace_id))
    for _ in range(200):
        ask(monitored, "/items/1")
    monitored.stop()
    traces = [span.trace_id for span in receiver.named("GET /items/{number}")]
    assert traces.count(low) == 3
    assert traces.count(high) == 0
    assert 60 < len(traces) - 3 < 140  # of 200; six standard deviations


def test_what_machines_ask_every_few_seconds_is_not_traced(
    traced: Traced, receiver: Receiver, ask: Ask
) -> None:
    monitored = traced(app())
    for path in ("/metrics", "/flu/metrics", "/livez", "/readyz"):
        ask(monitored, path)
    monitored.stop()
    assert receiver.spans == []


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
def test_traces_are_wanted_if_there_is_a_receiver(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TraceSettings().traces_wanted == wanted


def test_outside_of_a_request_a_span_is_nothing() -> None:
    with tracing.span("anything", number=1):
        pass


# What follows is about real servers.


@pytest.fixture
def newcomer(make_artifact: MakeArtifact, tmp_path: Path) -> Path:
    """A folder as `make new` makes it, with an artifact."""
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/template").symlink_to(root / "shared/template")
    (tmp_path / "models").mkdir()
    (tmp_path / "docker-compose.yml").write_text("services:\n")
    compose.new("newcomer", tmp_path)
    folder = tmp_path / "models/newcomer"
    (folder / "artifact").symlink_to(make_artifact("newcomer"))
    return folder


def test_a_folder_from_make_new_has_traces_metrics_and_logs_as_it_stands(
    newcomer: Path, serve: Callable[..., Served], receiver: Receiver
) -> None:
    """With two workers, each of which sends its own spans; the span of the start is sent once."""
    server = serve(
        newcomer,
        MODEL="newcomer",
        WORKERS="2",
        LOG_LEVEL="debug",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_BSP_SCHEDULE_DELAY="100",  # milliseconds
    )
    path = "/newcomer/countries/GBR/forecast"

    def both_have_sent() -> bool:
        assert server.get(f"{path}?level=0.5", **traceparent()).status_code == 200
        instances = {span.resource["service.instance.id"] for span in receiver.named(f"GET {route}")}
        return len(instances) == 2

    route = path.removeprefix("/newcomer").replace("GBR", "{code}")
    eventually(both_have_sent)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0  # the rest is sent

    version = json.loads((newcomer / "artifact/manifest.json").read_text())["version"]
    for span in receiver.spans:
        assert (span.resource["service.name"], span.resource["service.version"]) == ("newcomer", version)
    (load,) = receiver.named("load")
    assert 0 < load.ended - load.started < 20e9
    requests = {span.span_id: span for span in receiver.named(f"GET {route}")}
    assert {(span.trace_id, span.parent_id) for span in requests.values()} == {(TRACE, SPAN)}
    computed = receiver.named("summarise forecast")
    assert len(computed) == 2  # by each worker once, the rest from its memory
    assert all(span.parent_id in requests for span in computed)

    events = server.events()
    assert {event["model"] for event in events} == {"newcomer"}
    assert all(event["version"] == version for event in events[-10:])
    assert "Booting worker" in server.log.read_text()


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "keeps-silent"])
def test_a_receiver_that_is_down_costs_no_answer_and_no_time(
    newcomer: Path, serve: Callable[..., Served], silent: bool
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:  # connections are made, and nothing is ever said
            listener.listen()
        port = listener.getsockname()[1]
        server = serve(
            newcomer,
            MODEL="newcomer",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_BSP_MAX_QUEUE_SIZE="10",
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5",
        )
        slowest = 0.0
        with httpx.Client(base_url=server.url) as client:
            for number in range(200):
                started = time.monotonic()
                assert client.get(f"/countries/GBR/forecast?days={number % 28 + 1}").status_code == 200
                slowest = max(slowest, time.monotonic() - started)
        assert slowest < 5  # a receiver is waited for for ten
        stopped = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=10) == 0
        assert time.monotonic() - stopped < tracing.FLUSH_SECONDS + 4
        assert all("model" in event for event in server.events())


def test_models_in_one_process_are_services_of_their_own(
    receiver: Receiver, ask: Ask, traced: Traced, make_artifact: MakeArtifact
) -> None:
    """As in `make run`."""
    from forecastle.project.local_gateway import Gateway

    gateway = Gateway({"flu": app(), "cold": app()})
    monitored = (*gateway.models.values(), gateway.catalogue)
    for each in monitored:
        each.start()
    for path in ("/flu/items/1", "/cold/items/1", "/models"):
        ask(gateway, path, headers=traceparent())
    threads = [threading.Thread(target=each.stop) for each in monitored]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    services = {(span.resource["service.name"], span.name) for span in receiver.spans if span.kind == SERVER}
    assert services >= {
        ("flu", "GET /items/{number}"),
        ("cold", "GET /items/{number}"),
        ("catalogue", "GET /models"),
    }
