"""The API that every model has."""

import datetime
import json
import re
import string
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle.artifact import Artifact
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import answers, create_app, events, forecasts
from forecastle.service.naming import Named, named

from ..conftest import Ask, Get, MakeArtifact

# What is answered


def test_the_manifest_is_the_file_as_it_stands(make_artifact: MakeArtifact, ask: Ask) -> None:
    folder = make_artifact()
    app = create_app(Artifact.load(folder))
    assert ask(app, "/manifest.json").content == (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", answers.Overview),
        ("/countries", answers.SeriesPage),
        ("/countries/GBR/observations", answers.ObservationPage),
        ("/countries/GBR/forecast", forecasts.SeriesForecast),
        ("/countries/GBR/probability?above=1&on=2020-05-01", events.Probability),
        ("/countries/GBR/parameters", answers.SeriesParameters),
    ],
)
def test_answers_have_the_documented_shape(get: Get, path: str, answer: Any) -> None:
    response = get(path)
    assert response.headers["content-type"] == "application/json"
    if issubclass(answer, Named):
        answer = named(answer, "country", "countries")
    assert answer.model_validate_json(response.content).model_dump_json().encode() == response.content


def test_the_card_is_a_page_that_loads_and_runs_nothing(make_artifact: MakeArtifact, ask: Ask) -> None:
    folder = make_artifact()
    (folder.parent / "README.md").write_text("# Flu\n\n**Question.** How many?\n")
    artifact = Artifact.load(folder)
    response = ask(create_app(artifact), "/card")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"} <= set(policy)
    assert "script-src" not in str(policy)
    assert "<h1>A synthetic card</h1>" in response.text
    assert "<strong>Question.</strong> How many?" in response.text
    assert artifact.version in response.text


def test_a_card_without_a_readme_has_no_prose(get: Get) -> None:
    response = get("/card")
    assert response.status_code == 200
    assert "<h2>Data</h2>" in response.text and "<!--" not in response.text


def test_the_posterior_is_the_file_as_it_stands(app: FastAPI, get: Get) -> None:
    artifact = app.state.artifact
    response = get("/posterior.nc")
    assert response.content == (artifact.folder / "posterior.nc").read_bytes()
    assert response.headers["content-type"] == "application/x-netcdf"
    assert response.headers["content-disposition"] == f'attachment; filename="flu-{artifact.version}.nc"'
    assert response.headers["etag"].strip('"') == artifact.manifest.files["posterior.nc"][:32]


def test_the_posterior_in_ranges(get: Get) -> None:
    whole = get("/posterior.nc")
    part = get("/posterior.nc", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, whole.content[4:8])
    assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
    etag = whole.headers["etag"]
    resumed = get("/posterior.nc", headers={"Range": "bytes=4-", "If-Range": etag})
    assert (resumed.status_code, resumed.content) == (206, whole.content[4:])
    changed = get("/posterior.nc", headers={"Range": "bytes=4-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)


@pytest.mark.parametrize(("asked", "status"), [("bytes=1000-", 416), ("bytes=9-4", 400), ("bytes", 400)])
def test_a_range_that_is_not_there_is_a_problem(get: Get, asked: str, status: int) -> None:
    response = get("/posterior.nc", headers={"Range": asked})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    size = len(get("/posterior.nc").content)
    assert response.json()["detail"] == f"Range must name bytes from 0 to {size - 1}, such as bytes=0-99"
    assert response.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("unit", ["lines=1-2", "bytesx=1-2", "1-2"])
def test_a_range_of_another_unit_is_ignored(get: Get, unit: str) -> None:
    """As RFC 9110 wants it."""
    response = get("/posterior.nc", headers={"Range": unit})
    assert (response.status_code, response.content) == (200, get("/posterior.nc").content)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health(get: Get, path: str) -> None:
    response = get(path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


# What is refused


PARAMETERS = [
    *("days", "level", "quantile", "counts", "as_of", "known_at", "format", "draws", "limit", "offset", "x"),
    *("above", "below", "exceeds", "on", "by", "ever_by", "peak_by", "doubles_within", "halves_within"),
]
VALUES = st.one_of(
    st.text(max_size=8),
    st.text(alphabet=string.printable, max_size=8),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(["GBR", "gbr", "AND", "2020-05-01", "2020-W18-5", "0001-01-01", "9999-12-31"]),
    st.datetimes(timezones=st.timezones()).map(datetime.datetime.isoformat),
    st.sampled_from(["daily", "cumulative", "csv", "hubverse", "1e999", "1_0", "٣", "0x1", "-0", "+1", " 1"]),
)


@settings(max_examples=300, deadline=None)
@given(
    route=st.sampled_from(["", "/observations", "/forecast", "/probability", "/parameters"]),
    code=st.one_of(st.none(), st.sampled_from(["GBR", "gbr", "GRB"]), st.text(max_size=8)),
    query=st.lists(st.tuples(st.sampled_from(PARAMETERS), VALUES), max_size=4),
    accept=st.text(alphabet=string.printable.strip(), max_size=20),
)
def test_whatever_is_asked_is_answered(
    get: Get, route: str, code: str | None, query: list[tuple[str, str]], accept: str
) -> None:
    start = "" if code is None else f"/countries/{quote(code, safe='', errors='replace')}"
    url = httpx.URL("http://test").copy_with(
        raw_path=f"{start}{route or '/'}?{urlencode(query, errors='replace')}".encode()
    )
    expect_an_answer(get(url, headers={"Accept": accept}))


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(["/probability", "/decisions"]),
    body=st.recursive(
        st.one_of(VALUES, st.none(), st.booleans(), st.integers(), st.floats(), st.characters()),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *PARAMETERS,
                        "country",
                        "events",
                        "costs",
                        "over",
                        "under",
                        "amounts",
                        "thresholds",
                        "actions",
                    ]
                )
                | st.text(max_size=3),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    ),
    in_events=st.booleans(),
)
def test_whatever_is_posted_is_answered(get: Get, path: str, body: Any, in_events: bool) -> None:
    if isinstance(body, dict):
        body = {"country": "GBR", **body}
    content = json.dumps({"events": [body, body]} if in_events else body)
    headers = {"Content-Type": "application/json"}
    expect_an_answer(get(path, method="POST", content=content, headers=headers))


def expect_an_answer(response: httpx.Response) -> None:
    assert response.status_code < 500
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]
        assert len(response.content) < 20_000


# How it is documented


def test_swagger_ui_loads_nothing_from_elsewhere_with_and_without_a_prefix(app: FastAPI, ask: Ask) -> None:
    monitored = Monitoring(app, model="flu", prefix="/flu")
    for root in ("", "/flu"):
        page = ask(monitored, f"{root}/docs").text
        assert "//" not in re.sub(r"^\s*//.*|<!--.*-->", "", page, flags=re.MULTILINE)
        assert f"'{root}/openapi.json'" in page
        for link in re.findall(r'(?:href|src)="([^"]+)"', page):
            assert link.startswith(f"{root}/") and ask(monitored, link).status_code == 200
        document = ask(monitored, f"{root}/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        assert [server["url"] for server in document.get("servers", [])] == ([root] if root else [])


def test_links_keep_to_the_prefix(app: FastAPI, ask: Ask) -> None:
    monitored = Monitoring(app, model="flu", prefix="/flu")
    assert ask(monitored, "/countries").status_code == 200
    links = ask(monitored, "/flu/").json()["links"]
    assert links["countries"] == "/flu/countries"
    assert ask(monitored, links["countries"]).status_code == 200


def test_every_parameter_and_answer_is_documented(app: FastAPI) -> None:
    document = app.openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
            for status, response in operation["responses"].items():
                types = list(response["content"])
                assert int(status) < 400 or types == ["application/problem+json"], (method, path, status)
    days, level = document["paths"]["/countries/{code}/forecast"]["get"]["parameters"][1:3]
    assert days["schema"].items() >= {"minimum": 1, "maximum": 28, "default": 14}.items()
    assert level["schema"]["maxItems"] == 10
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
    assert "HTTPValidationError" not in json.dumps(document)


def test_operations_have_names_that_make_good_clients(app: FastAPI) -> None:
    operations = [
        operation["operationId"] for path in app.openapi()["paths"].values() for operation in path.values()
    ]
    assert len(set(operations)) == len(operations)
    assert {"get_forecast", "get_forecasts", "get_probability", "post_probability", "post_decisions"} <= set(
        operations
    )


def test_a_models_own_routes_are_plain_fastapi(make_artifact: MakeArtifact, ask: Ask) -> None:
    app = create_app(Artifact.load(make_artifact()))

    @app.get("/peak/{code}")
    async def peak(code: str, days: int = 3) -> dict[str, int]:
        return {"days": days}

    assert ask(app, "/peak/GBR?days=5").json() == {"days": 5}
    assert ask(app, "/peak/GBR", "HEAD").status_code == 200
    assert ask(app, "/peak/GBR?days=x").headers["content-type"] == "application/problem+json"
