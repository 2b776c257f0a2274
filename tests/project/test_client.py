"""Requests to a gateway: through a proxy as curl sends them, and never to this machine through one."""

from collections.abc import Iterator

import pytest

from forecastle.project import client

from ..served import Quiet, listening

DEAD = "http://127.0.0.1:9"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OUTSIDE = "http://gateway.invalid/observations"  # a name that no resolver knows


class Echo(Quiet):
    """A server, and a proxy too: answers with what it was asked for."""

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers.get('Authorization')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server; no proxy is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with listening(Echo) as port:
        yield port


def get(url: str) -> str:
    return client.request("GET", url, timeout=5).text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_this_machine_is_asked_without_a_proxy(
    variable: str, host: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, DEAD)
    assert get(f"http://{host}:{port}/observations") == "/observations None"


def test_other_machines_are_asked_through_a_proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(client.NoAnswerError):
        get(OUTSIDE)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    assert get(OUTSIDE) == f"{OUTSIDE} None"
    monkeypatch.setenv("NO_PROXY", "example.org,gateway.invalid")
    with pytest.raises(client.NoAnswerError):
        get(OUTSIDE)


def test_a_name_and_password_in_the_address_are_sent(port: int) -> None:
    assert get(f"http://ada:s%C3%A9same@127.0.0.1:{port}/x") == "/x Basic YWRhOnPDqXNhbWU="


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("ftp://ada:hunter2@proxy.invalid", "Unknown scheme for proxy URL"),
        (
            "socks5://ada:hunter2@proxy.invalid",
            "Using SOCKS proxy, but the 'socksio' package",
        ),
    ],
)
def test_a_proxy_that_cannot_be_used_is_said_without_its_password(
    proxy: str, reason: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(client.NoAnswerError, match=f"^{reason}") as raised:
        get(OUTSIDE)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (DEAD, "Connection refused"),
        ("http://a:b:c", "Invalid port"),
        ("localhost:8080", "Request URL is missing an 'http://' or 'https://' protocol"),
    ],
)
def test_no_answer_has_a_short_reason(url: str, reason: str, port: int) -> None:
    with pytest.raises(client.NoAnswerError, match=f"^{reason}"):
        get(url)
