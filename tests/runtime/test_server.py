"""The server as a container runs it: real processes, real connections."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy
import pytest

from forecastle.artifact import FILES

from ..conftest import MakeArtifact, tamper
from ..served import Served, eventually, healthcheck

MODEL = """
import asyncio, logging, os, sys, time
from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app
from prometheus_client import Counter

LOOKED_AT = Counter("looked_at", "How often somebody looked.", ["by"])
app = create_app(Artifact.load(Path(__file__).with_name("artifact")))

@app.get("/worker")
async def worker() -> list:
    return [os.getpid(), os.environ["PROMETHEUS_MULTIPROC_DIR"]]

@app.get("/look")
async def look() -> None:
    LOOKED_AT.labels("me").inc()

@app.get("/modules")
async def modules() -> list:
    return sorted(sys.modules)

@app.get("/slow")
async def slow() -> str:
    await asyncio.sleep(1)
    return "done"

@app.get("/fails/{text}")
def fails_long(text: str) -> None:
    raise RuntimeError(text)

@app.get("/fails")
def fails() -> None:
    logging.getLogger("model").info("about to fail")
    raise RuntimeError("a secret")
"""


@pytest.fixture
def folder(make_artifact: MakeArtifact) -> Path:
    """A model's folder: main.py and artifact."""
    folder = make_artifact().parent
    (folder / "main.py").write_text(MODEL)
    return folder


@pytest.fixture(scope="module")
def server(make_artifact: MakeArtifact, serve: Callable[..., Served]) -> Served:
    """A server of two workers."""
    worst = {"r_hat": 1.0, "ess_bulk": 900, "ess_tail": 800, "divergences": 0, "e_bfmi": 0.7}
    folder = make_artifact(diagnostics={"bounds": {}, "worst": worst}).parent
    (folder / "main.py").write_text(MODEL)
    return serve(folder, WORKERS="2", MODEL="flu", REVISION="abc123")


def test_it_serves_with_and_without_the_prefix(server: Served) -> None:
    for root in ("", "/flu"):
        assert server.get(f"{root}/readyz").json() == {"status": "ready"}
        assert len(server.get(f"{root}/countries/GBR/forecast?days=3").json()["forecast"]) == 3
        assert f"'{root}/openapi.json'" in server.get(f"{root}/docs").text
    assert healthcheck(server.port).stdout == "ready\n"
    assert httpx.head(server.url + "/flu/countries").headers["content-length"] != "0"


def test_no_answer_leads_to_a_host_that_the_client_names(server: Served) -> None:
    response = server.get("/flu/countries/", Host="example.org", **{"X-Forwarded-Proto": "https"})
    assert response.status_code == 404
    assert "location" not in response.headers


def test_counts_add_up_over_workers_and_outlive_them(server: Served) -> None:
    def requests(number: int) -> None:
        for _ in range(number):
            assert server.get("/countries").status_code == 200

    metrics = Path(server.get("/worker").json()[1])
    server.workers()  # both are up
    before = server.counted("/countries")
    requests(30)
    assert {server.counted("/countries") for _ in range(10)} == {before + 30}

    eventually(lambda: server.counted("/countries", "body_size_bytes") == before + 30)

    for killed in range(3):
        worker = server.workers().pop()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not list(metrics.glob(f"*_{worker}.db")))  # noqa: B023
        server.workers()  # another in its place
        requests(5)
        assert server.counted("/countries") == before + 30 + 5 * (killed + 1)
    eventually(lambda: "http_server_active_requests 1.0\n" in server.get("/metrics").text)  # that one itself
    # Of two workers, of the master, and of all that have ended
    assert len(list(metrics.glob("histogram_*.db"))) <= 4


def test_a_models_own_metrics_are_one_line_and_add_up_over_workers(server: Served) -> None:
    for _ in range(10):
        server.get("/look")
    os.kill(server.workers().pop(), signal.SIGKILL)
    server.workers()
    assert server.metrics()['looked_at_total{by="me"}'] == 10
    assert "# HELP looked_at_total How often somebody looked." in server.get("/metrics").text


def test_metrics_tell_of_all_workers_and_the_master(server: Served) -> None:
    before, pids = server.metrics(), server.workers()
    assert before["forecastle_workers"] == 2
    os.kill(pids.pop(), signal.SIGKILL)
    after: dict[str, float] = {}

    def replaced() -> bool:
        seen = after.get("process_cpu_seconds_total", before["process_cpu_seconds_total"])
        after.update(server.metrics())
        assert after["process_cpu_seconds_total"] >= seen  # though the worker's processor time is gone
        return after["forecastle_worker_restarts_total"] == before["forecastle_worker_restarts_total"] + 1

    eventually(replaced)
    eventually(lambda: server.metrics()["forecastle_workers"] == 2)
    assert after["process_start_time_seconds"] == before["process_start_time_seconds"]
    processes = [server.process.pid, *server.workers()]
    exposed = server.metrics()
    open_fds = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in processes)
    assert exposed["process_open_fds"] == pytest.approx(open_fds, abs=6)
    resident = [
        int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) * 1024
        for pid in processes
    ]
    assert max(resident) < exposed["process_resident_memory_bytes"] < sum(resident)  # shared pages count once
    assert exposed['python_gc_collections_total{generation="0"}'] > 0
    assert any(name.startswith("python_info{") for name in exposed)
    assert not any("pid=" in name for name in exposed)


def test_metrics_tell_what_is_served(server: Served) -> None:
    (info,) = [name for name in server.metrics() if name.startswith("forecastle_build_info{")]
    for label in ('model="flu"', 'revision="abc123"', 'data_through="2020-04-24"', 'version="2020-04-24-'):
        assert label in info
    assert f'numpy="{numpy.__version__}"' in info
    assert server.metrics()['forecastle_series{model="flu"}'] == 4


def test_every_metric_is_in_the_docs_and_every_one_in_the_docs_is_told(server: Served) -> None:
    server.get("/countries")
    exposed = set(re.findall(r"# TYPE (\S+)", server.get("/metrics").text)) - {"looked_at_total"}
    text = (Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([a-z]+_[a-z_]+)`", row)}
    fields = {"request_id", "trace_id", "upstream_status", "upstream_seconds", "user_agent"}  # of logs
    assert exposed == documented - fields


def test_without_a_receiver_of_traces_opentelemetrys_sdk_is_not_even_imported(server: Served) -> None:
    """Its API is, by FastAPI."""
    modules = set(server.get("/modules").json())
    assert "fastapi" in modules
    for name in ("sdk", "exporter", "instrumentation", "proto", "semconv"):
        assert f"opentelemetry.{name}" not in modules
    assert not modules & {"google.protobuf", "requests", "urllib3"}


@pytest.mark.parametrize("path", ["/flu/forecast?format=ndjson", "/livez", "/posterior.nc", "/nowhere"])
def test_a_client_of_http_1_0_gets_no_chunks(server: Served, path: str) -> None:
    expected = server.get(path)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == expected.status_code
    assert b"transfer-encoding" not in head.lower()
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert body == expected.content or expected.status_code == 404  # whose request_id differs


def test_an_unhandled_exception_is_a_problem_and_one_event_in_the_log(server: Served) -> None:
    response = server.get("/fails", **{"X-Request-ID": "find-me"})
    assert response.status_code == 500
    assert response.json()["request_id"] == response.headers["x-request-id"] == "find-me"
    assert "secret" not in response.text and "Traceback" not in response.text
    eventually(lambda: "a secret" in server.log.read_text())  # it is logged after the answer
    exposed, failed = [event for event in server.events() if event.get("request_id") == "find-me"]
    assert exposed["message"] == "about to fail"
    assert failed["exception"].endswith("RuntimeError: a secret")


def test_no_client_fills_the_log_with_what_it_sends(server: Served) -> None:
    long = "x" * 7000
    assert server.get(f"/fails/{long}", **{"User-Agent": long, "X-Request-ID": long}).status_code == 500
    eventually(lambda: "in GET /fails/" in server.log.read_text())  # it is logged after the answer
    (line,) = [line for line in server.log.read_text().splitlines() if "in GET /fails/" in line]
    assert json.loads(line)["message"].startswith("unhandled exception in GET /fails/xxx")
    assert json.loads(line)["exception"].startswith("Traceback")
    assert line.count("x") < 2000 and len(line) < 12_000


def test_the_log_is_json_with_model_and_version(server: Served) -> None:
    for event in server.events():
        assert event["time"] and event["level"] and event["message"]
        assert (event["model"], event["version"][:11]) == ("flu", "2020-04-24-")
    assert "Booting worker" in server.log.read_text()  # gunicorn's
    assert "Application startup complete" in server.log.read_text()  # uvicorn's


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1", 414),
        (b"GET /countries/GBR/forecast?days=" + b"1" * 10_000 + b" HTTP/1.1", 414),
        (b"GET /countries/" + b"a" * 8000 + b"/forecast HTTP/1.1", 404),
        (b"GET /countries/%zz HTTP/1.1", 400),
        (b"GET /countries/%00/forecast HTTP/1.1", 400),
        (b"GET /countries/\xff HTTP/1.1", 400),
        (b"GET /flu/../../etc/passwd HTTP/1.1", 404),
        (b"GET /flu/countries/../countries HTTP/1.1", 404),
        (b"GET /flu/static-offline-docs/../../../../etc/passwd HTTP/1.1", 404),
        (b"GET /static-offline-docs/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1", 404),
        (b"GET /countries/%ff%fe/forecast HTTP/1.1", 404),
        (b"GET //countries HTTP/1.1", 404),
        (b"GET countries HTTP/1.1", 400),
        (b"BREW /countries HTTP/1.1", 400),
        (b"DELETE /countries HTTP/1.1", 405),
        (b"nonsense", 400),
        (b"", 400),
    ],
)
def test_bad_requests_are_problems_and_never_a_traceback(server: Served, line: bytes, status: int) -> None:
    events = len(server.events())
    request = line + b"\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert server.send(request)[0] == status
    assert not any("exception" in event for event in server.events()[events:])


def test_on_sigterm_it_finishes_what_it_is_answering(
    folder: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    before = sorted(folder.rglob("*"))
    server = serve(folder, WORKERS="2", TMPDIR=str(tmp_path))
    # Not by httpx, which on a busy machine may take as long to begin as the server to end.
    asked = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=10) for _ in range(4)]
    for connection in asked:
        connection.request("GET", "/slow")
    time.sleep(0.4)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(httpx.ConnectError):
        server.get("/readyz")
    assert [json.load(connection.getresponse()) for connection in asked] == ["done"] * 4
    assert server.process.wait(timeout=5) == 0
    assert sorted(folder.rglob("*")) == before  # it wrote nothing there,
    assert not list(tmp_path.iterdir())  # and left nothing elsewhere


def test_any_asgi_app_is_served_with_metrics_and_request_ids(
    tmp_path: Path, serve: Callable[..., Served]
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "main.py").write_text(
        "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/hello')\n"
        "async def hello() -> str:\n    return 'world'\n"
    )
    server = serve(folder)
    response = server.get("/plain/hello")
    assert response.json() == "world"
    assert response.headers["x-request-id"]
    assert server.counted("/hello") == 1
    assert re.search(r'forecastle_build_info{.*model="plain".*version=""} 1.0', server.get("/metrics").text)
    assert healthcheck(server.port).returncode == 0


def refused(folder: Path, **variables: str) -> str:
    """The reason that the server's log has, in its one event, when it refuses to start."""
    command = [sys.executable, "-m", "forecastle.runtime.server"]
    environment = os.environ | {"BIND": "127.0.0.1:1"} | variables
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (event,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert event["level"] == "critical"
    assert "exception" not in event
    return event["message"]


def test_a_flipped_byte_is_one_event_that_names_the_file(folder: Path) -> None:
    draws = folder / "artifact" / "draws.npy"
    content = bytearray(draws.read_bytes())
    content[-1] ^= 1
    draws.write_bytes(content)
    assert refused(folder).startswith(f"{draws} is not what training wrote")


def test_a_missing_file_is_one_event_that_names_the_file(folder: Path) -> None:
    (folder / "artifact" / FILES[-1]).unlink()
    assert refused(folder).startswith(f"{folder / 'artifact' / FILES[-1]} is missing")


def test_a_newer_schema_is_one_event_that_names_the_file(make_artifact: MakeArtifact) -> None:
    folder = make_artifact().parent
    tamper(folder / "artifact", schema_version=99)
    (folder / "main.py").write_text(MODEL)
    assert refused(folder).startswith(f"{folder / 'artifact' / 'manifest.json'} has schema version 99, newer")


def test_without_main_or_app_an_event_says_what_is_missing(tmp_path: Path) -> None:
    assert refused(tmp_path).startswith(f"{tmp_path / 'main.py'} is missing")
    (tmp_path / "main.py").touch()
    assert refused(tmp_path).startswith(f"{tmp_path / 'main.py'} makes no `app`")


def test_a_main_that_fails_is_one_event_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("1 / 0\n")
    command = [sys.executable, "-m", "forecastle.runtime.server"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    (event,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (event["level"], event["message"]) == ("critical", "the server cannot start")
    assert event["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    "variable", [{"WORKERS": "many"}, {"WORKERS": "0"}, {"LOG_LEVEL": "loud"}, {"CORS_ORIGINS": "here"}]
)
def test_a_bad_variable_is_one_event_that_names_it(tmp_path: Path, variable: dict[str, str]) -> None:
    ((name, value),) = variable.items()
    message = refused(tmp_path, **variable)
    assert message.startswith(f"{name} must be ") and message.endswith(f", not {value!r}")


def test_a_protocol_of_traces_that_is_not_spoken_is_one_event_that_names_it(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4317",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )
    assert message == "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf (port 4318 of receivers), not 'grpc'"
