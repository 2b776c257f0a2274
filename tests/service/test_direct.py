"""The short way to an answer gives what FastAPI's way gives, whatever is asked."""

from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle.artifact import Artifact
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import app as service
from forecastle.service import create_app

from ..conftest import Ask, MakeArtifact
from .test_app import PARAMETERS, VALUES

LIKELY = st.sampled_from(
    [
        *(("days", "3"), ("level", "0.9"), ("level", "0.95"), ("quantile", "0.5"), ("counts", "cumulative")),
        *(("draws", "2"), ("format", "csv"), ("format", "ndjson"), ("format", "hubverse")),
        *(("above", "50"), ("below", "1e3"), ("on", "2020-05-01"), ("by", "2020-05-01"), ("exceeds", "gbr")),
        ("period", "week"),
    ]
)


@pytest.fixture(scope="module")
def both(make_artifact: MakeArtifact) -> tuple[FastAPI, FastAPI]:
    """Two apps of one artifact, the second one without the short way."""
    artifact = Artifact.load(make_artifact())
    with pytest.MonkeyPatch.context() as patch:
        first = create_app(artifact)
        patch.setattr(service, "DIRECT", set())
        return first, create_app(artifact)


@settings(max_examples=300, deadline=None)
@given(
    route=st.sampled_from(["/forecast", "/countries/{}/forecast", "/countries/{}/probability"]),
    code=st.one_of(st.sampled_from(["GBR", "gbr", "AND"]), st.text(min_size=1, max_size=4)),
    query=st.lists(st.one_of(LIKELY, st.tuples(st.sampled_from(PARAMETERS), VALUES)), max_size=4),
    raw=st.text(alphabet="&=+;%20a", max_size=4),
)
def test_both_ways_give_the_same(
    both: tuple[FastAPI, FastAPI], ask: Ask, route: str, code: str, query: list[tuple[str, str]], raw: str
) -> None:
    path = f"{route.format(quote(code, safe='', errors='replace'))}?{urlencode(query, errors='replace')}{raw}"
    url = httpx.URL("http://test").copy_with(raw_path=path.encode())
    direct, by_fastapi = (ask(app, url) for app in both)
    assert (direct.status_code, direct.content) == (by_fastapi.status_code, by_fastapi.content)
    assert direct.headers == by_fastapi.headers


def test_fastapi_is_asked_only_if_it_must_be(
    both: tuple[FastAPI, FastAPI], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = both[0]
    assert ask(app, "/countries/GBR/forecast?days=4").status_code == 200

    async def never(*_: object) -> None:
        raise AssertionError

    for route in app.routes:
        monkeypatch.setattr(route, "handle", never, raising=False)
    assert ask(app, "/countries/GBR/forecast?days=5").status_code == 200
    assert ask(app, "/countries/GBR/probability?above=7&on=2020-05-01").status_code == 200
    assert ask(app, "/countries/GBR/forecast?days=x").status_code == 500


def test_metrics_name_the_route(make_artifact: MakeArtifact, ask: Ask) -> None:
    monitored = Monitoring(
        create_app(Artifact.load(make_artifact("direct"))), model="direct", prefix="/direct"
    )
    answer = ask(monitored, "/direct/countries/GBR/forecast?level=0.77").json()
    assert answer["links"]["model"] == "/direct/"
    metrics = ask(monitored, "/metrics").text
    assert 'duration_seconds_count{http_request_method="GET"' in metrics
    assert 'http_route="/countries/{code}/forecast"' in metrics
