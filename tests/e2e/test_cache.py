"""The cache of a real nginx: what it keeps for whom, and that no client fills it or changes an answer."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI, Request, Response

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app
from forecastle.web.documents import CACHE_CONTROL, KEEP, Document
from forecastle.web.representations import _accepted

from .. import nginx
from ..conftest import MakeArtifact
from .conftest import ask, until

pytestmark = pytest.mark.engine

FORECAST = "/countries/GBR/forecast?days=3"
POSTERIOR = 20 * 2**20  # bytes
FILL = 900_000  # bytes, a little less than what is kept at most
STALE_SECONDS = 6  # after that long nothing is served any more while it is fetched anew
ALLOWED, FOREIGN = "https://page.example", "https://elsewhere.example"


@pytest.fixture(scope="module")
def gateway(
    engine: None, make_artifact: MakeArtifact, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[nginx.Gateway]:
    """nginx in front of two forecast models, one of which has routes of its own, and a plain app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORS_ORIGINS", ALLOWED)
        flu = create_app(Artifact.load(make_artifact("flu", posterior=bytes(POSTERIOR))))
    _add_routes(flu)
    apps = {
        "flu": Monitoring(flu, model="flu", prefix="/flu"),
        "cold": Monitoring(create_app(Artifact.load(make_artifact("cold"))), model="cold", prefix="/cold"),
        "plain": Monitoring(_plain(), model="plain", prefix="/plain"),
        "catalogue": Monitoring(create_catalogue({}), model="catalogue"),
    }
    with nginx.running(apps, tmp_path_factory.mktemp("cache")) as running:
        until(lambda: ask(running.port, "/flu/livez").status == 200, 30, "nginx answers")
        yield running


def _add_routes(app: FastAPI) -> None:
    @app.get("/fill")
    async def fill(request: Request, number: int, size: int = FILL) -> Response:
        return Document.of(b"%09d" % number * (size // 9), "application/json").answer(request)


def _plain() -> FastAPI:
    app = FastAPI()
    public = {"Cache-Control": CACHE_CONTROL}

    @app.get("/address")
    async def address(request: Request) -> Response:
        """As a template with `url_for` has it."""
        return Response(str(request.base_url), headers=public)

    @app.get("/cookie")
    async def cookie(request: Request) -> Response:
        return Response(request.headers.get("cookie", "none"), headers={**public, **KEEP, "Vary": "Cookie"})

    return app


def kilobytes(gateway: nginx.Gateway) -> int:
    """What the cache takes."""
    return int(gateway.inside("du", "-sk", "/tmp/cache").split()[0])


def files(gateway: nginx.Gateway) -> int:
    """How many answers are kept."""
    return len(gateway.inside("find", "/tmp/cache", "-type", "f").splitlines())


def abort(port: int, path: str, accept: str) -> None:
    """Ask for something, and go away when the first bytes come."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")


def test_large_files_push_out_no_answer_of_a_model_that_is_down(gateway: nginx.Gateway) -> None:
    before = ask(gateway.port, f"/cold{FORECAST}")
    assert before.status == 200
    gateway.servers["cold"].stop()
    try:
        for number in range(13):
            for path in ("/flu/posterior.nc", f"/flu/fill?number=1&size={POSTERIOR}"):
                abort(gateway.port, path, f"text/x{number}")
        time.sleep(STALE_SECONDS)
        assert kilobytes(gateway) < 1000
        answer = ask(gateway.port, f"/cold{FORECAST}")
        assert (answer.status, answer.body, answer.headers["x-cache"]) == (200, before.body, "STALE")
    finally:
        gateway.servers["cold"].start()


def test_a_large_file_comes_whole_and_in_parts(gateway: nginx.Gateway) -> None:
    for _ in range(2):
        answer = ask(gateway.port, "/flu/posterior.nc")
        assert (answer.status, len(answer.body), answer.headers["x-cache"]) == (200, POSTERIOR, "MISS")
    part = ask(gateway.port, "/flu/posterior.nc", Range="bytes=0-3")
    assert (part.status, part.body) == (206, bytes(4))
    assert part.headers["content-range"] == f"bytes 0-3/{POSTERIOR}"


def test_no_accept_and_no_host_makes_an_answer_of_its_own(gateway: nginx.Gateway) -> None:
    path, before = f"/flu{FORECAST}&level=0.71", files(gateway)
    first = ask(gateway.port, path)
    # nginx may still be storing an answer when its client has it.
    until(lambda: ask(gateway.port, path).headers["x-cache"] != "MISS", 5, "it is kept")
    for number in range(20):
        headers = {"Accept": f"text/html, image/x{number}, */*;q=0.{number}", "Host": f"host{number}.example"}
        answer = ask(gateway.port, path, **headers)
        assert answer.body == first.body and answer.headers["x-cache"] != "MISS"
    assert files(gateway) == before + 1


@pytest.mark.parametrize(
    "accept",
    [
        *("text/csv", "text/CSV, */*", "application/x-ndjson", "application/ndjson", "application/json"),
        *("*/*", "text/csv;q=0.5, application/json", "text/csv;q=0, */*", "application/json, text/csv"),
        *(
            "text/csv, application/x-ndjson;q=0.2",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/csvx",
            "",
        ),
    ],
)
def test_every_accept_gets_its_representation(gateway: nginx.Gateway, accept: str) -> None:
    types = {"json": "application/json", "csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
    for _ in range(2):
        answer = ask(gateway.port, f"/flu{FORECAST}&level=0.72", Accept=accept)
        assert (answer.status, answer.headers["content-type"]) == (200, types[_accepted(accept)])
        assert answer.headers["vary"].startswith("Accept")
        assert "x-gateway-keep" not in answer.headers


def test_an_answer_with_somebodys_host_is_given_to_nobody_else(gateway: nginx.Gateway) -> None:
    for host in ("evil.example", "localhost"):
        answer = ask(gateway.port, "/plain/address", Host=host)
        assert answer.body.decode().startswith(f"http://{host}/")
    for cookie in ("mine", "yours"):
        assert ask(gateway.port, "/plain/cookie", Cookie=cookie).body.decode() == cookie


def test_an_answer_to_a_key_is_given_to_nobody_else(gateway: nginx.Gateway) -> None:
    for _ in range(2):
        answer = ask(gateway.port, f"/flu{FORECAST}&level=0.73", Authorization="Bearer x")
        assert answer.status == 200 and "x-cache" not in answer.headers


def test_a_page_elsewhere_gets_the_answer_that_its_origin_is_allowed(gateway: nginx.Gateway) -> None:
    path = f"/flu{FORECAST}&level=0.74"

    def kept(origin: str) -> bool:
        answer = ask(gateway.port, path, **({"Origin": origin} if origin else {}))
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (ALLOWED if origin == ALLOWED else None)
        return answer.headers["x-cache"] != "MISS"

    for origin in ("", ALLOWED):
        until(lambda: kept(origin), 5, "it is kept")  # noqa: B023
    assert not any(kept(origin) for origin in (FOREIGN, "null") for _ in range(3))
    assert kept("") and kept(ALLOWED)


def test_a_full_cache_makes_room_and_breaks_off_no_answer(gateway: nginx.Gateway) -> None:
    def fill(number: int) -> int:
        return len(ask(gateway.port, f"/flu/fill?number={number}").body)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(fill, range(200))) == {FILL}
    assert kilobytes(gateway) > 128 * 1024
    until(lambda: kilobytes(gateway) <= 128 * 1024, 20, "nginx removes what is too much")
    assert ask(gateway.port, "/flu/fill?number=199").headers["x-cache"] != "MISS"
    events = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert {event["status"] for event in events if "fill" in event["path"]} == {200}
