"""Observations at an address: downloaded from a real server, with a password that no message shows."""

import base64
from collections.abc import Iterator

import pytest

from forecastle import observations
from forecastle.observations import ObservationsError
from forecastle.observations.address import download, is_this_machine, shown

from ..served import Quiet, listening

CONTENT = b"date,country,cases,deaths\n2020-04-24,GBR,1,1\n"
EXPECTED = "Basic " + base64.b64encode("ada:p/ss wörd".encode()).decode()


class Guarded(Quiet):
    """A server that asks for a password, and a proxy. `/moved` redirects to `/open` at another host name."""

    def do_GET(self) -> None:
        authorised = self.headers.get("Authorization") == EXPECTED
        if self.path == "/moved" and authorised:
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/open")
            self.end_headers()
            return
        wanted = self.path != "/open"
        self.send_response(200 if authorised == wanted else 401)
        self.end_headers()
        self.wfile.write(CONTENT)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The server's host and port; a proxy is set that does not answer."""
    for name in ("http_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with listening(Guarded) as port:
        yield f"127.0.0.1:{port}"


USER = "ada:p%2Fss%20w%C3%B6rd@"


def test_the_name_and_password_of_an_address_are_sent(host: str) -> None:
    assert download(f"http://{USER}{host}/counts.csv") == CONTENT
    assert len(observations.read(f"http://{USER}{host}/counts.csv").frame) == 1


def test_they_are_not_sent_to_where_the_server_redirects(host: str) -> None:
    assert download(f"http://{USER}{host}/moved") == CONTENT


def test_a_proxy_is_asked_for_other_machines_alone(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError):
        download(f"http://{USER}data.invalid/counts.csv")
    monkeypatch.setenv("http_proxy", f"http://{host}")
    assert download(f"http://{USER}data.invalid/counts.csv") == CONTENT


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "http://ada:hunter2@{}/counts.csv",
            "http://{}/counts.csv answered 401 Unauthorized: check the address",
        ),
        ("http://ada:hunter2@[/counts.csv", "http://[/counts.csv cannot be read: "),
        ("http://ada:hunter2@127.0.0.1:9/counts.csv", "http://127.0.0.1:9/counts.csv does not answer: "),
        ("http://ada:hunter2@{}:port/counts.csv", "http://{}:port/counts.csv cannot be read: "),
    ],
)
def test_no_message_shows_a_password(address: str, message: str, host: str) -> None:
    with pytest.raises(ObservationsError) as raised:
        observations.read(address.format(host))
    assert str(raised.value).startswith(message.format(host))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ada:secret@example.org/a@b.csv", "https://example.org/a@b.csv"),
        ("https://ada:sec@ret@example.org", "https://example.org"),
        ("https://example.org/a?user=b@c", "https://example.org/a?user=b@c"),
        ("https://token@example.org:81/x is a page", "https://example.org:81/x is a page"),
        ("folder/ada@home.csv", "folder/ada@home.csv"),
    ],
)
def test_an_address_is_shown_without_the_user(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("api.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, expected: bool) -> None:
    assert is_this_machine(host) is expected
