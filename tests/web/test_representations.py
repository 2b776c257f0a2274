"""Representations: which one is chosen, and pages of them."""

import json

import pytest

from ..conftest import Get, table


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
