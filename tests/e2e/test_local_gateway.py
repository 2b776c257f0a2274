"""project/local_gateway.py beside a real nginx: both in front of the same apps, asked the same."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store
from forecastle.project.local_gateway import Gateway
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app

from .. import nginx
from ..conftest import MakeArtifact
from .conftest import KEY, Answer, ask, free_port, until

pytestmark = pytest.mark.engine

PROBLEM = "application/problem+json"
PROBABILITY = b'{"events": [{"country": "GBR", "peak_by": "2020-05-01"}]}'
JSON = {"Content-Type": "application/json"}


class Ports(NamedTuple):
    """Where the two gateways listen."""

    local: int
    nginx: int


@pytest.fixture(scope="module")
def ports(
    engine: None, make_artifact: MakeArtifact, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ports]:
    """Both gateways in front of a forecast model with a shadow, a plain app, and the catalogue."""
    folder = tmp_path_factory.mktemp("gateways")
    store = Store(f"sqlite:///{folder}/store.sqlite")
    before = {"file": "data.csv", "sha256": "1" * 64, "last_day": "2020-04-17", "changes": []}
    keep(store, "flu", create_app(Artifact.load(make_artifact("flu", data=before))))
    apps = {
        "flu": create_app(Artifact.load(make_artifact("flu"))),
        "plain": _plain(),
    }
    settings = Settings(OBSERVATIONS_KEY=KEY)
    local = Gateway(apps, store, settings)
    clients, shadows = (
        {name: client(app) for name, app in some.items()}
        for some in (local.models, {"flu-shadow": keep(store, "flu-shadow", apps["flu"])})
    )
    catalogue = Monitoring(create_catalogue(clients, store, settings, shadows), model="catalogue")
    gateway = nginx.Server(local, free_port(), "on")
    gateway.start()
    try:
        with nginx.running({"catalogue": catalogue, **local.models}, folder) as real:
            for port in (gateway.port, real.port):
                until(lambda: ask(port, "/models").status == 200, 30, "it answers")  # noqa: B023
            yield Ports(gateway.port, real.port)
    finally:
        gateway.stop()


def keep(store: Store, model: str, app: FastAPI) -> Monitoring:
    """Keep all forecasts of a model's app, as of one that served earlier or is a shadow."""
    monitored = Monitoring(app, model=model, prefix=f"/{model}")
    issue = asyncio.run(forecasts.ask(model, client(monitored)))
    issue = issue._replace(version={**issue.version, "model": model})
    assert forecasts.keep(store, issue, datetime.now(UTC))
    return monitored


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def _plain() -> FastAPI:
    """An app that knows nothing of the library."""
    app = FastAPI(redirect_slashes=False)

    @app.post("/forecast", operation_id="post_forecast")
    @app.get("/forecast")
    async def forecast(as_of: str, shop: int) -> list[str | int]:
        return [as_of, shop]

    return app


class Outcome(NamedTuple):
    """What a client goes by; `content` is the body or, of a problem, its type, title and status."""

    status: int
    media_type: str | None
    allow: str | None
    content: Any


def answers(
    ports: Ports, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> list[Outcome]:
    """What the local gateway and nginx answer."""
    return [_outcome(ask(port, path, method, body, **headers)) for port in ports]


def _outcome(answer: Answer) -> Outcome:
    media_type, content = answer.headers.get("content-type"), answer.body
    if media_type != PROBLEM or not content:
        return Outcome(answer.status, media_type, answer.headers.get("allow"), content)
    problem = answer.json
    assert problem["request_id"] == answer.headers["x-request-id"]  # which is there once
    members = problem["type"], problem["title"], problem["status"]
    return Outcome(answer.status, media_type, answer.headers.get("allow"), members)


GOOD = """
    / /models /docs /docs/problems /docs/problems/not-found /openapi.json /observations /gateway/livez
    /flu /flu/ /flu/docs /flu/openapi.json /flu/card /flu/manifest.json /flu/posterior.nc /flu/livez
    /flu/countries /flu/countries/gbr /flu/countries?limit=2&format=csv /flu/forecast?format=hubverse
    /flu/countries/GBR/forecast?days=3&level=0.5 /flu/countries/GBR/forecast?as_of=2020-04-24
    /flu/countries/GBR%2fforecast /flu/countries/GBR/probability?above=1&by=2020-05-01
    /models/flu/scores /models/flu/drift /plain/docs /plain/openapi.json
    /flu/forecast?as_of=2020-04-24 /plain/forecast?as_of=today&shop=1
    /v2 /v2/models /v2/models/flu /v2/health/live /v2/health/ready /flu/v2
"""
BAD = """
    /nosuch /nosuch/countries/GBR/forecast /Flu/livez /flux /problem /gateway/nosuch /gateway/livez/
    /models/ /models/nosuch/scores /docs/ /docs/problems/nonsense /v2x /v2/nosuch /v2/models/nosuch
    /flu/nosuch /flu/countries/ /flu//countries //flu/countries /plain /plain/ /plain/countries
    /flu/countries/XYZ/forecast /flu/countries/GRB /flu/countries?nosuch=1
    /flu/countries/GBR/forecast?days=0 /flu/countries/GBR/forecast?days=1000 /flu/countries?limit=x
    /flu/countries/GBR/forecast?level=nan /flu/countries/GBR/forecast?format=xml /flu/forecast?as_of=x
    /flu/countries/GBR/forecast?as_of=2020-04-01&draws=2 /flu/countries/GBR/forecast?as_of=
    /flu/forecast?as_of= /flu/forecast?as_of=2020-04-24&level=0.33 /nosuch/forecast?as_of=2020-04-24
    /flu/forecast?as_of=2020-04-01 /models/forecast?as_of=2020-04-24 /models/forecast
    /flu/forecast?known_at=2020-04-25 /flu/forecast?known_at=2020-04-25T06:00:00Z
    /flu/countries/GBR/forecast?known_at=2020-04-25T06:00:00Z&as_of=2020-04-24
    /flu/%zz /flu/countries/% /flu/%00 /flu/countries/%ff%fe/forecast
    /flu/../x /flu/../nosuch /flu/../models /flu/./countries
"""

SHADOW = """
    /flu-shadow /flu-shadow/ /flu-shadow/livez /flu-shadow/docs /flu-shadow/issue.json
    /flu-shadow/forecast /flu-shadow/countries/GBR/forecast /flu%2Dshadow/countries/GBR/forecast
    /%66lu-shadow/forecast /flu-shadow%2Fforecast /flu-shadow%2Fcountries%2FGBR%2Fforecast
    //flu-shadow/forecast /flu-shadow//countries/GBR//forecast /flu/../flu-shadow/countries/GBR/forecast
    /flu-shadow/../flu-shadow/forecast /FLU-SHADOW/forecast /v2/models/flu-shadow /v2/models/flu-shadow/ready
"""


@pytest.mark.parametrize("path", GOOD.split())
def test_good_paths(ports: Ports, path: str) -> None:
    local, real = answers(ports, path)
    assert local == real
    assert local.status == 200


@pytest.mark.parametrize("path", BAD.split())
def test_bad_paths(ports: Ports, path: str) -> None:
    local, real = answers(ports, path)
    assert local == real
    assert local.status in (400, 404, 422)
    assert local.media_type == PROBLEM or path.startswith("/plain")  # whose app is not this library's


@pytest.mark.parametrize(
    ("path", "local", "real"),
    [
        *((path, 404, 400) for path in ("*", "/..", "/../../etc/passwd", "/flu/..%2f..%2fetc/passwd")),
        *((path, 200, 404) for path in ("/metrics", "/flu/metrics")),  # for Prometheus alone
    ],
)
def test_known_differences(ports: Ports, path: str, local: int, real: int) -> None:
    """nginx refuses paths that lead above its root, and has metrics for other containers alone."""
    assert [ask(port, path).status for port in ports] == [local, real]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/flu/countries", "/flu/probability", "/models", "/observations", "/nosuch"]
)
def test_methods(ports: Ports, path: str, method: str) -> None:
    local, real = answers(ports, path, method)
    assert local == real


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/flu/probability", PROBABILITY, JSON, 200),
        ("/flu/probability", PROBABILITY, {}, 415),
        ("/flu/probability", PROBABILITY, {"Content-Type": "text/plain"}, 415),
        ("/flu/probability", PROBABILITY[:-1], JSON, 400),
        ("/flu/probability", b"[]", JSON, 422),
        ("/flu/probability", b"", JSON, 422),
        ("/flu/probability", b" " * (64 * 1024 + 1), JSON, 413),
        ("/v2/models/flu/infer", b"{", JSON, 400),
        ("/v2/models/flu/infer", b"{}", JSON, 422),
        ("/observations", b"date,country,deaths\n", {"Content-Type": "text/csv"}, 401),
        ("/observations", b"{", {**JSON, "Authorization": f"Bearer {KEY}"}, 400),
        ("/observations", b"x", {"Content-Type": "text/plain", "Authorization": f"Bearer {KEY}"}, 415),
        ("/observations", b"x" * (8 * 2**20 + 1), {**JSON, "Authorization": f"Bearer {KEY}"}, 413),
    ],
)
def test_bodies(ports: Ports, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    local, real = answers(ports, path, "POST", body, **headers)
    assert local == real
    assert local.status == status


@pytest.mark.parametrize("path", ["/flu/countries/GBR/forecast", "/flu/forecast"])
@pytest.mark.parametrize(
    "query",
    [
        "as_of=2020-04-20",
        "as%5Fof=2020-04-20&days=3",
        "as_of=&as_of=2020-04-20",
        "format=csv&as_of=2020-04-20",
    ],
)
def test_a_past_forecast(ports: Ports, path: str, query: str) -> None:
    local, real = answers(ports, f"{path}?{query}")
    assert local == real
    assert local.status == 200
    if local.media_type == "application/json":
        assert json.loads(local.content)["data_through"] == "2020-04-17"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("query", ["", "?as_of=2099-01-01", "?as%5Fof=2099-01-01&format=csv", "?as_of="])
@pytest.mark.parametrize("path", SHADOW.split())
def test_a_shadow_has_no_route(ports: Ports, path: str, query: str, method: str) -> None:
    local, real = answers(ports, path + query, method)
    assert (local.status, real.status) == (404, 404)
    assert (local.media_type, real.media_type) == (PROBLEM, PROBLEM)


def test_what_is_posted_to_an_apps_own_forecast_reaches_it(ports: Ports) -> None:
    local, real = answers(ports, "/plain/forecast?as_of=today&shop=1", "POST")
    assert local == real
    assert (local.status, local.content) == (200, b'["today",1]')


def test_an_address_that_is_too_long(ports: Ports) -> None:
    local, real = answers(ports, "/flu/countries?x=" + "a" * 9000)
    assert local == real
    assert local.status == 414


def test_ranges(ports: Ports) -> None:
    for value, status in (("bytes=0-3", 206), ("bytes=1000-", 416), ("lines=0-3", 200)):
        local, real = answers(ports, "/flu/posterior.nc", Range=value)
        assert local == real
        assert local.status == status


@pytest.mark.parametrize("path", ["/flu/countries", "/flu/card", "/", "/docs/problems", "/nosuch"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("Range", value) for value in ("bytes=0-3", "bytes=100000000-", "bytes=0-1,3-4", "bytes=x")),
        ("If-Match", '"other"'),
        ("If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"),
    ],
)
def test_what_has_no_parts_comes_whole(ports: Ports, path: str, field: str, value: str) -> None:
    """Whether it is kept or not."""
    for _ in range(2):
        assert answers(ports, path, **{field: value}) == answers(ports, path)
