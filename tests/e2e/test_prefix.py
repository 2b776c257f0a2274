"""Everything under a path of a company's proxy: one real nginx as that proxy, another as the gateway."""

import json
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.store.engine import Store
from forecastle.project.local_gateway import Gateway
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app

from .. import nginx
from ..conftest import MakeArtifact
from ..served import free_port
from .conftest import Answer, ask, until
from .test_local_gateway import client, keep

pytestmark = pytest.mark.engine

PREFIX = "/forecasts"
PROXY = """
daemon off; pid /tmp/nginx.pid; error_log stderr crit; events {{}}
http {{
    access_log off;
    client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
    uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
    {servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location /forecasts/ {{
            proxy_pass http://127.0.0.1:{gateway}/;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Prefix /forecasts;
        }}
    }}
"""


@dataclass
class Site:
    """The ports of the proxy and of the gateway behind it."""

    port: int
    gateway: int

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.port, path, method, **headers)


@pytest.fixture(scope="module")
def sites(
    engine: None, make_artifact: MakeArtifact, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Site]]:
    """The proxy before nginx, and before the local gateway, of the same apps."""
    folder = tmp_path_factory.mktemp("prefix")
    store = Store(f"sqlite:///{folder}/store.sqlite")
    before = {"file": "data.csv", "sha256": "1" * 64, "last_day": "2020-04-17", "changes": []}
    keep(store, "flu", create_app(Artifact.load(make_artifact("flu", data=before))))
    apps: dict[str, Any] = {"flu": create_app(Artifact.load(make_artifact("flu"))), "plain": _plain()}
    local = Gateway(apps, store)
    clients = {name: client(app) for name, app in local.models.items()}
    catalogue = Monitoring(create_catalogue(clients, store), model="catalogue")
    server = nginx.Server(local, free_port(), "on")
    server.start()
    try:
        with nginx.running({"catalogue": catalogue, **local.models}, folder) as real:
            sites = {
                "nginx": Site(free_port(), real.port),
                "local": Site(free_port(), server.port),
            }
            with _proxy(folder / "proxy", sites.values()):
                for site in sites.values():
                    until(lambda: site.get(f"{PREFIX}/models").status == 200, 30, "it answers")  # noqa: B023
                yield sites
    finally:
        server.stop()


@pytest.fixture(params=["nginx", "local"])
def site(request: pytest.FixtureRequest, sites: dict[str, Site]) -> Site:
    return sites[request.param]


def _plain() -> FastAPI:
    """An app whose framework redirects, and lists itself in OpenAPI."""
    app = FastAPI()

    @app.get("/things/")
    async def things() -> list[str]:
        return []

    return app


@contextmanager
def _proxy(folder: Path, sites: Iterable[Site]) -> Iterator[None]:
    servers = [SERVER.format(port=site.port, gateway=site.gateway) for site in sites]
    folder.mkdir()
    (folder / "nginx.conf").write_text(PROXY.format(servers="".join(servers)))
    process = subprocess.Popen(nginx.command(folder, network="host"))
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def links(content: Any) -> Iterator[str]:
    """All that an answer links to."""
    if isinstance(content, dict):
        yield from content.get("links", {}).values()
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from links(each)


def test_every_link_leads_on_under_the_path(site: Site) -> None:
    """From the list of models to all that is linked from there."""
    seen, waiting = set(), [f"{PREFIX}/models", f"{PREFIX}/flu/countries?limit=2"]
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = site.get(path)
        assert answer.status in ((200, 404) if path == f"{PREFIX}/plain/" else (200,)), path
        found = re.findall(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        if answer.headers["content-type"] == "application/json" and not path.endswith("/openapi.json"):
            found += links(answer.json)
        for link in found:
            assert link.startswith(f"{PREFIX}/"), (path, link)
        waiting += {link for link in found if link not in seen and link not in waiting}
    assert {
        f"{PREFIX}/flu/card",
        f"{PREFIX}/flu/countries?limit=2&offset=2",
        f"{PREFIX}/docs/problems",
    } <= seen
    assert f"{PREFIX}/v2/models/flu" in seen and len(seen) > 20


@pytest.mark.parametrize(
    "query", ["", "?as_of=2020-04-20", "?known_at=9999-01-01T00:00Z", "?as_of=2020-04-17&days=2"]
)
@pytest.mark.parametrize("path", ["/flu/countries/GBR/forecast", "/flu/forecast"])
def test_past_forecasts_too(site: Site, path: str, query: str) -> None:
    found = list(links(site.get(PREFIX + path + query).json))
    assert len(found) >= 2
    for link in found:
        assert link.startswith(f"{PREFIX}/flu/")
        assert site.get(link).status == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/flu/openapi.json", "/plain/openapi.json"])
def test_openapi_names_servers_under_the_path(site: Site, path: str) -> None:
    document = site.get(PREFIX + path).json
    validate(document)
    (server,) = document["servers"]
    assert server["url"] == PREFIX + path.removesuffix("/openapi.json")
    assert all(
        tag["externalDocs"]["url"].startswith(PREFIX)
        for tag in document.get("tags", [])
        if "externalDocs" in tag
    )
    for template, item in document["paths"].items():
        if "get" in item and not re.search(
            "forecast|probability|scores|drift|v2|observations|posterior", template
        ):
            address = server["url"] + template.replace("{code}", "GBR")
            assert site.get(address).status == 200, address


@pytest.mark.parametrize("page", ["/", "/docs", "/flu/docs", "/docs/problems", "/docs/problems/not-found"])
def test_what_pages_load_and_link_is_under_the_path(site: Site, page: str) -> None:
    html = site.get(PREFIX + page).body.decode()
    found = re.findall(r"""(?:href|src|url)\s*[=:]\s*["']([^"']+)["']""", html)
    assert found
    for link in found:
        address = urlsplit(urljoin(f"http://x{PREFIX}{page}", link))
        assert address.netloc == "x" and address.path.startswith(f"{PREFIX}/"), link
        assert site.get(address.path).status == 200, link


@pytest.mark.parametrize("path", ["/nosuch", "/flu/nosuch", "/models/nosuch", "/flu/countries/XYZ/forecast"])
def test_the_type_of_a_problem_leads_on_under_the_path(site: Site, path: str) -> None:
    answer = site.get(PREFIX + path)
    assert answer.status == 404
    problem = answer.json
    assert problem["type"].startswith(f"{PREFIX}/docs/problems/")
    assert site.get(problem["type"]).status == 200
    assert problem.get("instance", PREFIX).startswith(PREFIX)


def test_a_redirect_leads_on_under_the_path(site: Site) -> None:
    answer = site.get(f"{PREFIX}/plain/things")
    assert answer.status == 307
    location = urlsplit(answer.headers["location"])
    assert location.path == f"{PREFIX}/plain/things/"
    assert site.get(location.path).status == 200


@pytest.mark.parametrize(
    "path", ["/flu/", "/models", "/", "/flu/docs", "/openapi.json", "/nosuch", "/flu/nosuch"]
)
def test_only_a_plain_path_is_believed(sites: dict[str, Site], path: str) -> None:
    def body(answer: Answer) -> bytes:
        return answer.body.replace(answer.headers["x-request-id"].encode(), b"ID")

    for site in sites.values():
        usual = body(ask(site.gateway, path))
        for prefix in ("//elsewhere.example", "https://elsewhere.example", '/"><script>', "/a/../b", "/a b"):
            assert body(ask(site.gateway, path, **{"X-Forwarded-Prefix": prefix})) == usual
        assert b"/forecasts/" not in usual  # as the proxy's clients get it


def test_no_client_gets_an_answer_for_another_path(sites: dict[str, Site]) -> None:
    port = sites["nginx"].gateway
    roots = []
    for prefix in ("/a", "/b", "", "/a"):
        headers = {"X-Forwarded-Prefix": prefix} if prefix else {}
        answer = ask(port, "/flu/countries/GBR?", **headers)
        roots.append(answer.json["links"]["country"].partition("/flu")[0])
    assert roots == ["/a", "/b", "", "/a"]
    assert json.loads(ask(port, "/flu/").body)["links"]["docs"] == "/flu/docs"


@pytest.mark.parametrize(
    "path", ["/flu/forecast?format=ndjson", "/models", "/flu/posterior.nc", "/nosuch", "/"]
)
def test_a_client_of_http_1_0_gets_no_chunks(sites: dict[str, Site], path: str) -> None:
    for site in sites.values():
        with socket.create_connection(("127.0.0.1", site.gateway), timeout=10) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head.lower()
        assert len(body) == len(ask(site.gateway, path).body)
