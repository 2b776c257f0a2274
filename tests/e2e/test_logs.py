"""The access log of a real nginx: whatever a client sends, an event is one short line of JSON."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from .. import nginx
from .conftest import ask, until

pytestmark = pytest.mark.engine

LONGEST_LINE = 4096  # bytes that a pipe with two writers takes in one piece


@pytest.fixture(scope="module")
def gateway(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[nginx.Gateway]:
    app = FastAPI()
    with nginx.running({"plain": app, "catalogue": app}, tmp_path_factory.mktemp("logs")) as running:
        until(lambda: ask(running.port, "/plain/docs").status == 404, 30, "nginx answers")
        yield running


def logged(gateway: nginx.Gateway, marker: str) -> list[dict[str, Any]]:
    """The events whose line has the marker; every line is short."""
    lines = gateway.log.read_bytes().splitlines()
    assert max(map(len, lines), default=0) < LONGEST_LINE
    return [json.loads(line) for line in lines if marker.encode() in line]


@pytest.mark.parametrize(
    ("marker", "path", "method", "headers"),
    [
        ("long-path", "/plain/long-path/" + "x" * 7000, "GET", {}),
        ("long-quotes", "/plain/long-quotes/" + '"' * 7000, "GET", {}),
        ("long-query", "/plain/?long-query=" + "x" * 7000, "GET", {}),
        ("long-agent", "/plain/", "GET", {"User-Agent": "long-agent" + "x" * 7000}),
        ("long-control", "/plain/", "GET", {"User-Agent": "long-control" + "\x01" * 7000}),
        ("long-id", "/plain/long-id", "GET", {"X-Request-ID": "x" * 7000, "traceparent": "x" * 7000}),
        ("LONG-METHOD", "/plain/", "LONG-METHOD" + "X" * 7000, {}),
        ("long-host", "/plain/long-host", "GET", {"Host": "x" * 7000}),
        ("long-proto", "/plain/long-proto", "GET", {"X-Forwarded-Proto": "x" * 7000, "Origin": "x" * 500}),
        ("long-all", "/plain/long-all" + '"' * 7000, "GET", {"User-Agent": "\x01" * 7000}),
    ],
)
def test_what_a_client_sends_is_cut_to_a_short_line(
    gateway: nginx.Gateway, marker: str, path: str, method: str, headers: dict[str, str]
) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode())
        assert connection.recv(12)[9:] in (b"400", b"404", b"405", b"501")
    (event,) = until(lambda: logged(gateway, marker), 10, "it is logged")
    assert len(event["path"]) <= 503 and len(event["user_agent"]) <= 203 and len(event["method"]) <= 23
    assert len(event["request_id"]) == 32
