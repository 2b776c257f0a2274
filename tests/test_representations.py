"""Representations: which one is chosen, how it is cached, and how little is kept."""

import json
import re

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.representations import MOST_BYTES, Document, Documents
from forecastle.service import create_app

from .conftest import Ask, Get, MakeArtifact, table


@pytest.mark.parametrize(
    ("accept", "as_csv"),
    [
        ("text/csv", True),
        ("TEXT/CSV; q=0.9, */*;q=0.1", True),
        ("application/json;q=0.5, text/csv", True),
        ("application/json, text/csv;q=0.5", False),
        ("text/csv;q=0", False),
        ("text/csv;q=x", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        (";;,,q=", False),
    ],
)
def test_accept_chooses_between_json_and_csv(get: Get, accept: str, as_csv: bool) -> None:
    response = get("/countries", headers={"Accept": accept})
    assert response.headers["content-type"].startswith("text/csv") is as_csv
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/ndjson;q=0.9, application/json;q=0.5", "application/x-ndjson"),
        ("text/csv, application/x-ndjson", "text/csv; charset=utf-8"),
        ("text/csv;q=0, application/x-ndjson;q=0", "application/json"),
        ("text/csv;q=nan", "application/json"),
    ],
)
def test_accept_may_choose_ndjson(get: Get, accept: str, media_type: str) -> None:
    for path in ("/countries/GBR/forecast", "/forecast", "/countries", "/countries/GBR/observations"):
        response = get(path, headers={"Accept": accept})
        assert (response.headers["content-type"], response.headers["vary"]) == (media_type, "Accept")


@pytest.mark.parametrize("path", ["/countries/GBR/forecast", "/forecast", "/countries"])
def test_format_takes_precedence_over_accept(get: Get, path: str) -> None:
    for name, other in (("json", "csv"), ("csv", "json"), ("ndjson", "csv")):
        accepted = get(path, headers={"Accept": {"csv": "text/csv"}.get(name, f"application/{name}")})
        asked = get(f"{path}?format={name}", headers={"Accept": f"text/{other}"})
        assert asked.content == accepted.content


def test_an_unknown_format_names_those_there_are(get: Get) -> None:
    response = get("/countries/GBR/forecast?format=xml")
    assert response.status_code == 422
    assert response.json()["detail"] == "format must be json, csv, ndjson or hubverse, not 'xml'"
    assert get("/countries?format=hubverse").json()["detail"] == (
        "format must be json, csv or ndjson, not 'hubverse'"
    )


def test_lines_are_objects_of_the_list(get: Get) -> None:
    countries = [json.loads(line) for line in get("/countries?format=ndjson").text.splitlines()]
    assert countries == get("/countries").json()["countries"]
    line, *_ = get("/countries/GBR/observations?format=ndjson").text.splitlines()
    assert json.loads(line) == {"country": "GBR", "date": "2020-04-20", "observed": 0}


# Pages


@pytest.mark.parametrize("path", ["/countries", "/countries/GBR/observations"])
@pytest.mark.parametrize("representation", ["json", "csv", "ndjson"])
def test_pages_lead_on_to_the_next_until_there_is_none(get: Get, path: str, representation: str) -> None:
    whole = get(f"{path}?format={representation}")
    pages, url = [], f"{path}?limit=2&format={representation}"
    while url:
        page = get(url)
        pages.append(page)
        url = page.links.get("next", {}).get("url", "")
    assert len(pages) == (2 if path == "/countries" else 3)
    if representation == "json":
        name = path.rpartition("/")[2]
        assert [row for page in pages for row in page.json()[name]] == whole.json()[name]
        assert all(page.json()["total"] == whole.json()["total"] for page in pages)
        assert pages[1].json()["links"]["previous"] == f"{path}?limit=2&offset=0"
    elif representation == "csv":
        assert [row for page in pages for row in table(page)] == table(whole)
    else:
        assert "".join(page.text for page in pages) == whole.text


def test_beyond_the_last_page_there_is_nothing(get: Get) -> None:
    assert get("/countries?offset=4").json()["countries"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "offset=-1", "offset=1000001"])
def test_a_page_has_bounds(get: Get, query: str) -> None:
    response = get(f"/countries?{query}")
    assert response.status_code == 422
    assert f"{query.partition('=')[0]} must be a number from " in response.json()["detail"]


# How it may be cached


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/countries",
            "/countries/GBR",
            "/countries/GBR/forecast",
            "/forecast",
            "/forecast?format=ndjson",
        ),
        *("/countries/GBR/probability?peak_by=2020-05-01", "/manifest.json", "/card", "/posterior.nc"),
    ],
)
def test_what_the_client_has_is_not_sent_again(get: Get, path: str) -> None:
    first = get(path)
    etag = first.headers["etag"]
    assert re.fullmatch('"[0-9a-f]{32}"', etag)  # strong
    assert first.headers["cache-control"].startswith("public, max-age=2")
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag and again.headers.get("vary") == first.headers.get("vary")
    assert get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_etags_differ_by_parameters_formats_and_artifacts(
    get: Get, make_artifact: MakeArtifact, ask: Ask
) -> None:
    path = "/countries/GBR/forecast"
    other = create_app(Artifact.load(make_artifact(draws=np.ones((200, 4, 28)))))
    responses = [
        get(path),
        get(path + "?days=3"),
        get(path + "?level=0.5"),
        get(path, headers={"Accept": "text/csv"}),
        get(path + "?format=ndjson"),
        get("/forecast"),
        get("/forecast?format=ndjson"),
        get("/forecast?format=ndjson&days=3"),
        ask(other, "/forecast?format=ndjson"),
        ask(other, path),
    ]
    assert len({response.headers["etag"] for response in responses}) == len(responses)


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
