"""cache.py: each document is computed once, and memory for them is bounded."""

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle.artifact import Artifact
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app, events
from forecastle.service.cache import MOST_BYTES, Documents
from forecastle.web import problems
from forecastle.web.documents import Document

from ..conftest import Ask, MakeArtifact


def test_a_tag_is_that_of_the_whole_answer_however_it_was_made(make_artifact: MakeArtifact, ask: Ask) -> None:
    folder = make_artifact()
    one, other = (create_app(Artifact.load(folder)) for _ in range(2))
    for path in ("/forecast", "/forecast?format=ndjson", "/forecast?format=hubverse"):
        assert ask(one, path).headers["etag"] == ask(other, path).headers["etag"]
        assert ask(one, path).content == ask(other, path).content == ask(one, path).content


def test_answers_are_computed_once_and_the_latest_are_kept(make_artifact: MakeArtifact) -> None:
    documents, computed = Documents(Artifact.load(make_artifact())), []

    class Answer:
        def __init__(self, size: int) -> None:
            computed.append(size)
            self.size = size

        def model_dump_json(self) -> str:
            return "x" * self.size

    def answer(_: Artifact, size: int) -> Answer:
        return Answer(size)

    assert documents.get("json", answer, 10) is documents.get("json", answer, 10)
    assert computed == [10]
    megabytes = [number * 1024**2 for number in range(1, 12)]
    for size in megabytes:
        assert len(documents.get("json", answer, size).body) == size
    assert 0 < documents.kept.currsize <= MOST_BYTES
    documents.get("json", answer, 11 * 1024**2)  # the latest is there still
    documents.get("json", answer, 10)  # the first is not
    assert computed == [10, *megabytes, 10]
    huge = documents.get("json", answer, MOST_BYTES + 1)
    assert isinstance(huge, Document) and documents.kept.currsize <= MOST_BYTES


# The same request again


@pytest.fixture
def fresh(make_artifact: MakeArtifact) -> FastAPI:
    """An app that nobody has asked yet."""
    return create_app(Artifact.load(make_artifact()))


def test_a_request_that_came_before_is_not_looked_at_again(
    fresh: FastAPI, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/countries/GBR/probability?above=9&on=2020-05-01"
    first = ask(fresh, path)
    monkeypatch.setattr(events.Event, "one_event", None)
    monkeypatch.setattr("forecastle.service.app.find", None)  # without which no route finds a country
    again = ask(fresh, path)
    assert (again.status_code, again.content, again.headers) == (200, first.content, first.headers)
    assert ask(fresh, path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert ask(fresh, path, "HEAD").headers == first.headers
    assert ask(fresh, path + "&counts=daily").status_code == 500


def test_a_request_is_recognised_by_all_that_its_answer_depends_on(fresh: FastAPI, ask: Ask) -> None:
    monitored = Monitoring(fresh, model="flu", prefix="/flu")
    for _ in range(2):
        for root in ("", "/flu"):
            path = f"{root}/countries/GBR/forecast"
            assert ask(monitored, path).json()["links"]["model"] == f"{root}/"
            assert len(ask(monitored, path + "?days=3").json()["forecast"]) == 3
            for accept, media_type in (("text/csv", "text/csv; charset=utf-8"), ("*/*", "application/json")):
                answer = ask(monitored, path, headers={"Accept": accept})
                assert answer.headers["content-type"] == media_type
        assert ask(monitored, "/countries/FRA/forecast").json()["country"] == "FRA"


def test_metrics_name_the_route_of_a_request_that_came_before(fresh: FastAPI, ask: Ask) -> None:
    monitored = Monitoring(fresh, model="flu")
    for _ in range(3):
        ask(monitored, "/countries/GBR/forecast")
    labels = 'http_route="/countries/{code}/forecast"'
    (line,) = (
        line
        for line in ask(monitored, "/metrics").text.splitlines()
        if labels in line and "duration_seconds_count" in line
    )
    assert line.endswith(" 3.0")


def test_what_refuses_requests_is_asked_about_each(fresh: FastAPI, ask: Ask) -> None:
    class OnlyWithKey:
        """Middleware of a model's own."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            allowed = scope["type"] != "http" or (b"x-key", b"1") in scope["headers"]
            await (self.app if allowed else problems.response(403, "No."))(scope, receive, send)

    fresh.add_middleware(OnlyWithKey)
    for _ in range(2):
        assert ask(fresh, "/countries/GBR/forecast", headers={"X-Key": "1"}).status_code == 200
        assert ask(fresh, "/countries/GBR/forecast").status_code == 403


def test_what_is_not_kept_any_more_is_computed_again(
    make_artifact: MakeArtifact, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecastle.service.cache.MOST_BYTES", 6000)  # room for one or two
    app = create_app(Artifact.load(make_artifact()))
    other = create_app(Artifact.load(make_artifact()))
    for _ in range(2):
        for code in ("GBR", "FRA", "DEU"):
            for path in (f"/countries/{code}/forecast?days=5", "/forecast"):
                assert ask(app, path).json()["model"] == ask(other, path).json()["model"]
                assert ask(app, path).status_code == 200
