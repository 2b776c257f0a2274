"""The server as a container runs it: real processes, real connections."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from forecastle.artifact import FILES

from .conftest import MakeArtifact

MODEL = """
import asyncio, logging, os, time
from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app

app = create_app(Artifact.load(Path(__file__).with_name("artifact")))

@app.get("/worker")
async def worker() -> list:
    return [os.getpid(), os.environ["PROMETHEUS_MULTIPROC_DIR"]]

@app.get("/slow")
async def slow() -> str:
    await asyncio.sleep(1)
    return "done"

@app.get("/fails")
def fails() -> None:
    logging.getLogger("model").info("about to fail")
    raise RuntimeError("a secret")
"""


def eventually(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Served:
    """A server process, its address and what it wrote to stderr."""

    def __init__(self, folder: Path, **variables: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {"BIND": f"127.0.0.1:{self.port}"} | variables
        self.environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        self.log = folder.parent / "stderr"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "forecastle.server"], cwd=folder, env=self.environment, stderr=log
            )

    def get(self, path: str, **headers: str) -> httpx.Response:
        """An answer, over a connection of its own, so that any of the workers may give it."""
        return httpx.get(self.url + path, headers=headers, timeout=10)

    def answers(self) -> bool:
        """Whether it does, and the process has not ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/livez").status_code < 500
        except httpx.TransportError:
            return False

    def send(self, request: bytes) -> tuple[int, dict[str, str]]:
        """The status and the problem with which a request is answered that no HTTP client would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-type: application/problem+json" in head
        assert b"x-request-id: " in head
        return int(head.split()[1]), json.loads(body)

    def events(self) -> list[dict[str, str]]:
        """The log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def workers(self) -> set[int]:
        """The process ids of both workers, once both answer."""
        pids: set[int] = set()

        def both_answered() -> bool:
            pids.add(self.get("/worker").json()[0])
            return len(pids) == 2

        eventually(both_answered)
        return pids

    def counted(self, route: str) -> float:
        """How many requests of a route all workers have counted."""
        pattern = rf'duration_seconds_count{{.*http_route="{re.escape(route)}"}} (.*)'
        return sum(map(float, re.findall(pattern, self.get("/metrics").text)))


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Served]]:
    servers = []

    def start(folder: Path, **variables: str) -> Served:
        servers.append(server := Served(folder, **variables))
        eventually(server.answers)
        return server

    yield start
    for server in servers:
        server.process.terminate()
        server.process.wait()


@pytest.fixture
def folder(make_artifact: MakeArtifact) -> Path:
    """A model's folder: main.py and artifact."""
    folder = make_artifact().parent
    (folder / "main.py").write_text(MODEL)
    return folder


@pytest.fixture(scope="module")
def server(make_artifact: MakeArtifact, serve: Callable[..., Served]) -> Served:
    """A server of two workers."""
    folder = make_artifact().parent
    (folder / "main.py").write_text(MODEL)
    return serve(folder, WORKERS="2", MODEL="flu")


def healthcheck(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "forecastle.healthcheck"]
    environment = os.environ | {"BIND": f"127.0.0.1:{port}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10)


def test_it_serves_with_and_without_the_prefix(server: Served) -> None:
    for root in ("", "/flu"):
        assert server.get(f"{root}/readyz").json() == {"status": "ready"}
        assert len(server.get(f"{root}/countries/GBR/forecast?days=3").json()["forecast"]) == 3
        assert f"'{root}/openapi.json'" in server.get(f"{root}/docs").text
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


def test_an_unhandled_exception_is_a_problem_and_one_event_in_the_log(server: Served) -> None:
    response = server.get("/fails", **{"X-Request-ID": "find-me"})
    assert response.status_code == 500
    assert response.json()["request_id"] == response.headers["x-request-id"] == "find-me"
    assert "secret" not in response.text and "Traceback" not in response.text
    eventually(lambda: "a secret" in server.log.read_text())  # it is logged after the answer
    told, failed = [event for event in server.events() if event.get("request_id") == "find-me"]
    assert told["message"] == "about to fail"
    assert failed["exception"].endswith("RuntimeError: a secret")


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


def test_the_healthcheck_tells_whether_the_server_is_ready(server: Served) -> None:
    assert healthcheck(server.port).returncode == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        refused = healthcheck(free.getsockname()[1])
    assert refused.returncode == 1
    assert re.fullmatch(r"not ready: .*\n", refused.stderr)


def test_on_sigterm_it_finishes_what_it_is_answering(
    folder: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    before = sorted(folder.rglob("*"))
    server = serve(folder, WORKERS="2", TMPDIR=str(tmp_path))
    answers: list[httpx.Response] = []
    requests = [threading.Thread(target=lambda: answers.append(server.get("/slow"))) for _ in range(4)]
    for request in requests:
        request.start()
    time.sleep(0.4)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(httpx.ConnectError):
        server.get("/readyz")
    for request in requests:
        request.join()
    assert [answer.json() for answer in answers] == ["done"] * 4
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
    assert 'forecastle_build_info{model="plain",version=""} 1.0' in server.get("/metrics").text
    assert healthcheck(server.port).returncode == 0


def refused(folder: Path, **variables: str) -> str:
    """The one line with which the server refuses to start."""
    command = [sys.executable, "-m", "forecastle.server"]
    environment = os.environ | {"BIND": "127.0.0.1:1"} | variables
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


def test_a_flipped_byte_is_one_line_that_names_the_file(folder: Path) -> None:
    draws = folder / "artifact" / "draws.npy"
    content = bytearray(draws.read_bytes())
    content[-1] ^= 1
    draws.write_bytes(content)
    assert refused(folder).startswith(f"{draws} is not what training wrote")


def test_a_missing_file_is_one_line_that_names_the_file(folder: Path) -> None:
    (folder / "artifact" / FILES[-1]).unlink()
    assert refused(folder).startswith(f"{folder / 'artifact' / FILES[-1]} is missing")


def test_a_newer_schema_is_one_line_that_names_the_file(make_artifact: MakeArtifact) -> None:
    folder = make_artifact(schema_version=2).parent
    (folder / "main.py").write_text(MODEL)
    assert refused(folder).startswith(f"{folder / 'artifact' / 'manifest.json'} has schema version 2, newer")


def test_without_main_or_app_a_line_says_what_is_missing(tmp_path: Path) -> None:
    assert refused(tmp_path).startswith(f"{tmp_path / 'main.py'} is missing")
    (tmp_path / "main.py").touch()
    assert refused(tmp_path).startswith(f"{tmp_path / 'main.py'} makes no `app`")


@pytest.mark.parametrize("variable", [{"WORKERS": "many"}, {"WORKERS": "0"}, {"LOG_LEVEL": "loud"}])
def test_a_bad_variable_is_one_line_that_names_it(tmp_path: Path, variable: dict[str, str]) -> None:
    ((name, value),) = variable.items()
    assert refused(tmp_path, **variable).startswith(f"{name} is {value!r}: it must be")
