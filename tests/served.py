"""Real servers for tests: as a container runs it, of an app in this process, and a receiver of traces."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIBRARY = Path(__file__).resolve().parents[1] / "shared"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def series(exposition: str) -> dict[str, float]:
    """Metrics by name and labels."""
    pairs = [line.rsplit(" ", 1) for line in exposition.splitlines() if line[0] != "#"]
    return {name: float(value) for name, value in pairs}


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Quiet(BaseHTTPRequestHandler):
    """A handler that writes nothing to stderr."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port at which requests are handled."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@contextlib.contextmanager
def live(app: Any, **options: Any) -> Iterator[str]:
    """The address at which uvicorn, with these options, serves an app."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def healthcheck(port: int) -> subprocess.CompletedProcess[str]:
    """Run the health check of a container, without any package but the library."""
    command = [sys.executable, "-S", "-m", "forecastle.runtime.healthcheck"]
    environment = os.environ | {"BIND": f"127.0.0.1:{port}", "PYTHONPATH": str(LIBRARY)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10)


class Served:
    """A server process, its address and what it wrote to stderr."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {"BIND": f"127.0.0.1:{self.port}"} | variables
        self.environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        self.log = folder.parent / "stderr"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "forecastle.runtime.server"],
                cwd=folder,
                env=self.environment,
                stderr=log,
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

    def metrics(self) -> dict[str, float]:
        """The metrics by name and labels."""
        lines = self.get("/metrics").text.splitlines()
        return {
            name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")
        }

    def counted(self, route: str, histogram: str = "duration_seconds") -> float:
        """How many requests of a route all workers have counted."""
        pattern = rf'{histogram}_count{{.*http_route="{re.escape(route)}"}} (.*)'
        return sum(map(float, re.findall(pattern, self.get("/metrics").text)))


class Span(NamedTuple):
    """What a receiver got of a span; ids in hexadecimal digits, times in nanoseconds since the epoch."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    started: int
    ended: int
    status: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Receiver:
    """An OTLP receiver (HTTP, protobuf), which keeps all spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        receiver = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.spans += _spans(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def named(self, name: str) -> list[Span]:
        """Those of this name that have come by now."""
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        """Receive nothing any more."""
        self.server.shutdown()
        self.server.server_close()


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code,
            _values(span.attributes),
            _values(of_resource.resource.attributes),
        )
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
