"""What happens to the containers: start, stop, failure, scale and redeployment."""

import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from .conftest import MODELS, PYTHON_IMAGE, Project, ask, inspect, manifest, run, until

pytestmark = pytest.mark.engine

SERVICES = (*MODELS, "catalogue", "gateway")
READY_SECONDS = 2  # from a container's start, at most
STALE_SECONDS = 6  # after that long nothing is served any more while it is fetched anew
FORECAST = "/newcomer/countries/GBR/forecast?days=7"
NOT_KEPT = "/newcomer/countries/nosuch"  # an answer that no cache keeps
BROKEN_OFF = 0  # in the place of a status
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
# A replica whose queue of connections is full.
SILENT = """
import socket, time

server = socket.create_server(("", 8000), backlog=0)
waiting = [socket.socket() for _ in range(3)]
for client in waiting:
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8000))
time.sleep(60)
"""
# A receiver of OTLP: prints a line of JSON for every span that it gets.
RECEIVER = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_resource in request.resource_spans:
            resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for span in (span for scope in of_resource.scope_spans for span in scope.spans):
                ids = [one.hex() for one in (span.trace_id, span.span_id, span.parent_span_id)]
                print(json.dumps([resource["service.name"], span.name, *ids]), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("", 4318), Handler).serve_forever()
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_can_do_nothing_but_its_work(stack: Project, service: str) -> None:
    (container,) = stack.containers(service)
    configured = inspect(container)
    assert configured["HostConfig"]["ReadonlyRootfs"]
    assert configured["HostConfig"]["Privileged"] is False
    assert bool(configured["HostConfig"]["PortBindings"]) == (service == "gateway")

    status = run("docker", "exec", container, "cat", "/proc/1/status").stdout.splitlines()
    process = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert process["Uid"].split() == ["10001"] * 4
    assert {int(process[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Inh", "Bnd")} == {0}
    assert process["NoNewPrivs"] == "1"

    for folder in ("/", "/app", "/etc", "/var/tmp"):
        assert run("docker", "exec", container, "sh", "-c", f": > {folder}/x", check=False).returncode != 0
    run("docker", "exec", container, "sh", "-c", ": > /tmp/x && rm /tmp/x")


@pytest.mark.parametrize("model", ["deaths", "exponential"])
def test_an_image_alone_serves_and_is_ready_in_two_seconds(project: Project, model: str) -> None:
    """`docker run -p 8080:8000 forecastle/deaths`; the best of three, as others may want the processor."""
    seconds = []
    for _ in range(3):
        command = ("docker", "run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
        container = run(*command, "--publish", "127.0.0.1::8000", project.image(model)).stdout.strip()
        try:
            port = int(inspect(container)["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"])
            until(lambda port=port: ask(port, "/readyz").status == 200, 15, "ready")  # type: ignore[misc]
            started = datetime.fromisoformat(inspect(container)["State"]["StartedAt"])
            seconds.append(time.time() - started.timestamp())
            assert ask(port, "/docs").status == 200
            assert ask(port, f"/{model}/countries/GBR/forecast").status == 200
            assert ask(port, "/countries/GBR/forecast").status == 200
        finally:
            run("docker", "rm", "--force", container)
    assert min(seconds) <= READY_SECONDS, seconds


def test_a_trace_goes_through_the_gateway_and_every_worker_to_its_receiver(stack: Project) -> None:
    """Metrics tell of both workers, too."""
    network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_default"
    command = ("docker", "run", "--detach", "--rm", "--network", network, "--network-alias", "receiver")
    receiver = run(*command, stack.image("newcomer"), "python", "-c", RECEIVER).stdout.strip()
    variables = {
        "WORKERS": "2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://receiver:4318",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    up = ("docker", "compose", "up", "--detach", "--wait", "--no-build", "newcomer")
    try:
        stack.run(*up, environment=variables, timeout=60)
        traceparent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        until(lambda: stack.get(FORECAST + "&level=0.13", **traceparent).status == 200, 10, "an answer")

        def spans() -> dict[str, list[str]]:
            lines = [json.loads(line) for line in run("docker", "logs", receiver).stdout.splitlines()]
            return {name: ids for service, name, *ids in lines if service == "newcomer"}

        until(lambda: "summarise forecast" in spans(), 10, "the spans")
        of_request, of_answer = spans()["GET /countries/{code}/forecast"], spans()["summarise forecast"]
        assert of_request[::2] == [TRACE, SPAN]
        assert of_answer[::2] == [TRACE, of_request[1]]
        assert "load" in spans()

        (container,) = stack.containers("newcomer")
        exposition = metrics(container)
        assert "forecastle_workers 2.0" in exposition
        assert re.search(
            r'^forecastle_data_through_timestamp_seconds{model="newcomer"} 1.59', exposition, re.M
        )
        labels = inspect(container)["Config"]["Labels"]
        revision = labels["org.opencontainers.image.revision"]
        assert re.search(f'^forecastle_build_info{{.*revision="{revision}"', exposition, re.M)
    finally:
        run("docker", "rm", "--force", receiver)
        stack.run(*up, timeout=60)
        until(lambda: stack.get("/newcomer/livez").status == 200, 5, "newcomer answers again")


def test_a_request_is_found_in_all_logs_by_its_ids(stack: Project) -> None:
    """A valid traceparent is kept, and any other replaced; a secret or a person's address is not logged."""
    started = datetime.now().astimezone().isoformat()
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "Authorization": "Bearer hunter2hunter2"}
    stack.get("/newcomer/slow?api_key=hunter2", **headers)
    stack.get("/newcomer/slow?fresh=1", traceparent="00-not-valid-01")

    def at_gateway() -> list[dict[str, Any]]:
        logged = events(stack, "gateway", started)
        return [event for event in logged if event["path"].endswith(("slow", "1"))]

    known, fresh = until(lambda: len(at_gateway()) == 2 and at_gateway(), 5, "both requests are logged")
    assert (known["trace_id"], known["traceparent"]) == (TRACE, headers["traceparent"])
    assert (known["path"], known["model"], known["level"]) == ("/newcomer/slow", "newcomer", "info")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.0", known["client"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fresh["traceparent"])
    assert fresh["trace_id"] == fresh["request_id"]

    of_app = [event for event in events(stack, "newcomer", started) if event["logger"] == "newcomer"]
    for event, at_the_gateway in zip(of_app, (known, fresh), strict=True):
        assert event["message"] == "it takes a while"
        for name in ("request_id", "trace_id", "model"):
            assert event[name] == at_the_gateway[name]
        assert event["version"] == manifest(stack.image("newcomer"))["version"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_line_that_a_container_logs_is_an_event_in_json(stack: Project, service: str) -> None:
    logged = events(stack, service, "1h")
    assert logged
    for event in logged:
        assert {"time", "level", "model"} <= event.keys()
        assert "hunter2" not in json.dumps(event)


def test_a_stopped_model_is_answered_for_from_the_cache(stack: Project) -> None:
    kept, not_kept = FORECAST + "&level=0.11", FORECAST + "&level=0.12"
    before = stack.get(kept)
    with stopped(stack, "newcomer"):
        time.sleep(STALE_SECONDS)
        answer = stack.get(kept)
        assert (answer.status, answer.body, answer.headers["x-cache"]) == (200, before.body, "STALE")
        started = time.monotonic()
        answer = stack.get(not_kept)
        assert time.monotonic() - started < 5
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert "newcomer" in answer.json["detail"]
        assert stack.get("/deaths/livez").status == 200
        assert health(stack)["newcomer"] == "down"
        assert health(stack)["deaths"] == "ready"
    assert stack.get(not_kept).status == 200
    assert health(stack)["newcomer"] == "ready"


def test_three_replicas_share_the_work_and_cover_for_each_other(stack: Project) -> None:
    stack.compose("up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale", "newcomer=3")
    try:
        containers = stack.containers("newcomer")
        assert len(containers) == 3
        until(lambda: all(_share(stack, container) for container in containers), 15, "every replica answers")

        with asked_all_the_while(stack, NOT_KEPT, at_once=4) as answers:
            time.sleep(0.5)
            for container in containers[:2]:  # twice, as it matters when exactly
                run("docker", "kill", container)
                time.sleep(3)
        # No gateway can mend an answer that breaks off between its head and its body.
        assert answers.count(BROKEN_OFF) <= 2
        assert set(answers) - {BROKEN_OFF} == {404}, sorted(set(answers))
        assert len(answers) > 100
    finally:
        stack.compose("up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale", "newcomer=1")
        until(lambda: stack.get("/newcomer/livez").status == 200, 5, "newcomer answers again")


def test_a_replica_that_vanishes_while_it_is_waited_for_costs_no_answer(stack: Project) -> None:
    """It has let nobody in, so nobody knows that it is gone but by the name service."""
    network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_default"
    command = ("docker", "run", "--detach", "--rm", "--network", network, "--network-alias", "newcomer")
    with asked_all_the_while(stack, NOT_KEPT, at_once=4) as answers:
        for _ in range(4):  # often, as it matters when exactly
            silent = run(*command, PYTHON_IMAGE, "python", "-c", SILENT).stdout.strip()
            time.sleep(2.5)
            run("docker", "rm", "--force", silent)
            time.sleep(1.5)
    assert set(answers) == {404}, sorted(set(answers))
    assert len(answers) > 100


def test_what_was_accepted_is_answered_before_a_stop(stack: Project) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(stack.get, f"/newcomer/slow?request={i}") for i in range(8)]
        time.sleep(1)
        started = time.monotonic()
        with stopped(stack, "newcomer"):
            assert time.monotonic() - started < 10
            assert [answer.result().status for answer in answers] == [200] * 8


def test_a_redeployed_models_new_forecast_shows_within_five_seconds(stack: Project) -> None:
    """New data come in, the model is trained with them and takes its own place while it is being asked."""
    before = stack.get(FORECAST).json
    lines = (stack.folder / "data/first-wave-2020.csv").read_text().splitlines(keepends=True)
    current = stack.folder / "data/current.csv"
    current.write_text(lines[0] + "".join(line for line in lines[1:] if line < "2020-06-01"))
    try:
        stack.make("build", "MODEL=newcomer")
        assert manifest(stack.image("newcomer"))["data"]["file"] == "current.csv"

        stack.get(FORECAST)
        with asked_all_the_while(stack) as answers:
            stack.compose("up", "--detach", "--wait", "--no-build", "newcomer")
            until(lambda: stack.get(FORECAST).json["version"] != before["version"], 5, "the new forecast")
        assert set(answers) == {200}, sorted(set(answers))
    finally:
        current.unlink()
    stack.make("build", "MODEL=newcomer")  # from the cache: these data were trained with before
    stack.compose("up", "--detach", "--wait", "--no-build", "newcomer")
    until(lambda: stack.get(FORECAST).json == before, 5, "the first forecast")


def test_a_broken_model_keeps_nothing_else_from_starting(stack: Project) -> None:
    """A flipped byte in its artifact: the server says so in a line and the gateway serves the others."""
    broken = Project(stack.folder)
    for name in SERVICES:
        run("docker", "tag", stack.image(name), broken.image(name))
    dockerfile = (
        f"FROM {stack.image('newcomer')}\nUSER 0\nRUN printf x >> artifact/draws.npy\nUSER 10001:10001\n"
    )
    run("docker", "build", "--quiet", "--tag", broken.image("newcomer"), "-", input=dockerfile)
    try:
        broken.compose("up", "--detach", "--no-build")
        until(lambda: broken.get("/deaths/readyz").status == 200, 20, "deaths is ready")
        until(lambda: broken.get("/models").status == 200, 20, "the catalogue answers")
        answer = broken.get("/newcomer/readyz")
        assert answer.status == 503
        reason = "draws.npy is not what training wrote"
        until(lambda: reason in broken.compose("logs", "newcomer"), 20, "the reason is logged")
        assert "Traceback" not in broken.compose("logs", "newcomer")
    finally:
        broken.remove()


def test_up_alone_builds_what_is_missing(project: Project) -> None:
    """`docker compose up` where nothing has this tag yet; what was built before comes from the cache."""
    fresh = Project(project.folder)
    try:
        fresh.compose("up", "--detach", "--wait", timeout=600)
        for model in MODELS:
            assert fresh.get(f"/{model}/readyz").status == 200
    finally:
        fresh.remove()


@contextlib.contextmanager
def stopped(stack: Project, service: str) -> Iterator[None]:
    stack.compose("stop", service)
    try:
        yield
    finally:
        stack.compose("up", "--detach", "--wait", "--no-build", service)
        until(lambda: stack.get(f"/{service}/livez").status == 200, 5, f"{service} answers again")


@contextlib.contextmanager
def asked_all_the_while(stack: Project, path: str = FORECAST, at_once: int = 1) -> Iterator[list[int]]:
    """The statuses that so many clients have got, each of which asks a hundred times a second at most."""
    statuses: list[int] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.wait(0.01):
            try:
                statuses.append(stack.get(path).status)
            except http.client.IncompleteRead:
                statuses.append(BROKEN_OFF)

    with ThreadPoolExecutor(at_once) as pool:
        asking = [pool.submit(keep_asking) for _ in range(at_once)]
        try:
            yield statuses
        finally:
            done.set()
    for client in asking:
        client.result()


def _share(stack: Project, container: str) -> bool:
    """Whether this replica has answered requests of the gateway's that no replica has kept."""
    for _ in range(12):
        assert stack.get(NOT_KEPT).status == 404
    return any("_count{" in line and '"404"' in line for line in metrics(container).splitlines())


def metrics(container: str) -> str:
    """What Prometheus would read."""
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    return run("docker", "exec", container, "python", "-c", code).stdout


def events(stack: Project, service: str, since: str) -> list[dict[str, Any]]:
    """The log of a service's only container."""
    (container,) = stack.containers(service)
    lines = run("docker", "logs", "--since", since, container).stdout.splitlines()
    return [json.loads(line) for line in lines]


def health(stack: Project) -> dict[str, str]:
    """What the catalogue says of the models."""
    return {entry["model"]: entry["health"] for entry in stack.get("/models").json["models"]}
