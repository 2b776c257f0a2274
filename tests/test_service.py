"""The API that every model has."""

import csv
import io
import json
import math
import re
import string
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle import answers
from forecastle.artifact import Artifact
from forecastle.monitoring import Monitoring
from forecastle.service import create_app

from .conftest import Ask, MakeArtifact

Get = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def app(make_artifact: MakeArtifact) -> FastAPI:
    return create_app(Artifact.load(make_artifact()))


@pytest.fixture(scope="session")
def get(app: FastAPI, ask: Ask) -> Get:
    return lambda path, **options: ask(app, path, **options)


def table(response: httpx.Response) -> list[dict[str, str]]:
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text)))


# What is answered


def test_the_overview_leads_everywhere(get: Get) -> None:
    body = get("/").json()
    assert body["model"] == "flu" and body["horizon"] == 28
    assert body["version"].startswith("2020-04-24-")
    assert (body["data_through"], body["trained_at"]) == ("2020-04-24", "2020-04-25T06:00:00Z")
    assert all(get(link).status_code == 200 for link in body["links"].values())


def test_countries(get: Get) -> None:
    countries = {entry["code"]: entry for entry in get("/countries").json()["countries"]}
    assert countries["GBR"] == {
        "code": "GBR",
        "name": "United Kingdom",
        "origin_date": "2020-04-24",
        "last_observation": {"date": "2020-04-24", "observed": 40},
    }
    assert countries["GRC"]["last_observation"] == {"date": "2020-04-23", "observed": 30}  # the last report
    assert table(get("/countries", headers={"Accept": "text/csv"}))[0]["last_observed"] == "40"


def test_observations(get: Get) -> None:
    path = "/countries/GRC/observations"
    rows = get(path).json()["observations"]
    assert rows[-2:] == [{"date": "2020-04-23", "observed": 30}, {"date": "2020-04-24", "observed": None}]
    assert table(get(path, headers={"Accept": "text/csv"}))[-1] == {
        "country": "GRC",
        "date": "2020-04-24",
        "observed": "",
    }


def test_a_forecast(get: Get) -> None:
    body = get("/countries/GBR/forecast", params={"days": 2, "level": [0.9, 0.5, 0.9]}).json()
    version = body.pop("version")
    assert version.startswith("2020-04-24-")
    intervals = [{"level": 0.5, "lower": 49.8, "upper": 149.2}, {"level": 0.9, "lower": 9.95, "upper": 189.0}]
    day = {"mean": 99.5, "median": 99.5, "intervals": intervals}
    assert body == {
        "country": "GBR",
        "name": "United Kingdom",
        "target": "daily deaths",
        "unit": "deaths",
        "origin_date": "2020-04-24",
        "data_through": "2020-04-24",
        "model": "flu",
        "forecast": [
            {"date": "2020-04-25", "horizon": 1, **day},
            {"date": "2020-04-26", "horizon": 2, **day},
        ],
    }


def test_a_forecast_without_parameters_is_14_days_and_three_intervals(get: Get) -> None:
    forecast = get("/countries/gbr/forecast").json()["forecast"]
    assert len(forecast) == 14
    assert [interval["level"] for interval in forecast[0]["intervals"]] == [0.5, 0.8, 0.95]


def test_a_forecast_as_a_table(get: Get) -> None:
    path = "/countries/GBR/forecast?days=3&level=0.5"
    rows = table(get(path, headers={"Accept": "text/csv"}))
    assert len(rows) == 3
    assert list(rows[0]) == ["country", "date", "horizon", "mean", "median", "lower_0.5", "upper_0.5"]
    assert (rows[2]["date"], rows[2]["lower_0.5"]) == ("2020-04-27", "49.8")


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
    ("query", "event", "probability"),
    [
        ("above=99&on=2020-04-25", "daily deaths in United Kingdom on 2020-04-25 above 99", 0.5),
        ("above=98.5&on=2020-04-25", "daily deaths in United Kingdom on 2020-04-25 above 98.5", 0.505),
        ("below=99&on=2020-05-22", "daily deaths in United Kingdom on 2020-05-22 below 99", 0.495),
        # 1000 at the origin, then ten days of 0 to 199 each
        (
            "above=2000&by=2020-05-04",
            "total deaths in United Kingdom by the end of 2020-05-04 above 2,000",
            0.495,
        ),
        (
            "below=1000&by=2020-05-04",
            "total deaths in United Kingdom by the end of 2020-05-04 below 1,000",
            0,
        ),
    ],
)
def test_a_probability_is_a_share_of_draws(get: Get, query: str, event: str, probability: float) -> None:
    body = get(f"/countries/GBR/probability?{query}").json()
    assert (body["event"], body["probability"], body["draws"]) == (event, probability, 200)


def test_for_a_cumulative_target_on_and_by_are_the_same(make_artifact: MakeArtifact, ask: Ask) -> None:
    app = create_app(Artifact.load(make_artifact(cumulative=True, target="cumulative cases")))
    on, by = (
        ask(app, f"/countries/GBR/probability?above=99&{word}=2020-05-04").json() for word in ("on", "by")
    )
    assert on == by
    assert on["probability"] == 0.5


def test_the_monte_carlo_error_is_never_zero(get: Get) -> None:
    assert answers.monte_carlo_error(1000, 2000) == pytest.approx(math.sqrt(0.25 / 2000), rel=1e-3)
    none, every = (answers.monte_carlo_error(happened, 2000) for happened in (0, 2000))
    assert none == pytest.approx(every)
    assert 0 < none < 1 / 2000
    body = get("/countries/GBR/probability?below=0&on=2020-05-01").json()
    assert body["probability"] == 0 < body["monte_carlo_error"]


def test_parameters(get: Get) -> None:
    body = get("/countries/GBR/parameters").json()
    assert [parameter["parameter"] for parameter in body["parameters"]] == ["growth"]
    assert body["shared"][0]["parameter"] == "dispersion"
    assert body["shared"][0]["r_hat"] == 1.001


def test_the_manifest_is_the_file_as_it_stands(make_artifact: MakeArtifact, ask: Ask) -> None:
    folder = make_artifact()
    app = create_app(Artifact.load(folder))
    assert ask(app, "/manifest.json").content == (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", answers.Overview),
        ("/countries", answers.Countries),
        ("/countries/GBR/observations", answers.Observations),
        ("/countries/GBR/forecast", answers.Forecast),
        ("/countries/GBR/probability?above=1&on=2020-05-01", answers.Probability),
        ("/countries/GBR/parameters", answers.Parameters),
    ],
)
def test_answers_have_the_documented_shape(get: Get, path: str, answer: Any) -> None:
    response = get(path)
    assert response.headers["content-type"] == "application/json"
    assert answer.model_validate_json(response.content).model_dump_json().encode() == response.content


def test_counts_are_rounded_to_what_draws_can_tell(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.full((10, 4, 28), 1e6 / 3)
    draws[:, :, 1] = 1 / 3
    app = create_app(Artifact.load(make_artifact(draws=draws)))
    forecast = ask(app, "/countries/GBR/forecast?days=2").json()["forecast"]
    assert [day["mean"] for day in forecast] == [333333.3, 0.333]


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
    assert response.headers["etag"].strip('"') == artifact.manifest["files"]["posterior.nc"][:32]


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


@pytest.mark.parametrize(("asked", "status"), [("bytes=1000-", 416), ("bytes=9-4", 400), ("lines=1-2", 400)])
def test_a_range_that_is_not_there_is_a_problem(get: Get, asked: str, status: int) -> None:
    response = get("/posterior.nc", headers={"Range": asked})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    size = len(get("/posterior.nc").content)
    assert response.json()["detail"] == f"Range must name bytes from 0 to {size - 1}, such as bytes=0-99"
    assert response.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health(get: Get, path: str) -> None:
    response = get(path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


# How it may be cached


@pytest.mark.parametrize(
    "path", ["/", "/countries", "/countries/GBR/forecast", "/manifest.json", "/card", "/posterior.nc"]
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
        ask(other, path),
    ]
    assert len({response.headers["etag"] for response in responses}) == len(responses)


def test_head_answers_as_get_without_a_body(app: FastAPI, ask: Ask) -> None:
    for path in ("/", "/countries/GBR/forecast", "/readyz", "/docs", "/nowhere", "/card", "/posterior.nc"):
        head, get = ask(app, path, "HEAD"), ask(app, path)
        assert (head.status_code, head.headers) == (get.status_code, get.headers)
        assert head.content == b""


# What is refused


@pytest.mark.parametrize("days", ["0", "-1", "29", "1000", "abc", "", "1.5", "1e1"])
def test_days_beyond_the_horizon_or_no_number_name_the_horizon(get: Get, days: str) -> None:
    response = get("/countries/GBR/forecast", params={"days": days})
    assert response.status_code == 422
    expected = f"days must be a whole number from 1 to 28, the horizon of this model, not {days!r}"
    assert response.json()["detail"] == expected
    assert response.json()["errors"] == [{"in": "query", "parameter": "days", "detail": expected}]


@pytest.mark.parametrize(
    "levels", ["0", "1", "-0.1", "1.1", "95", "nan", "inf", "abc", "", ["0.5", "2"], ["0.5"] * 11]
)
def test_levels_must_be_probabilities(get: Get, levels: Any) -> None:
    response = get("/countries/GBR/forecast", params={"level": levels})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("level must be a number between 0 and 1")


@pytest.mark.parametrize("day", ["2020-04-24", "2020-05-23", "1999-01-01"])
@pytest.mark.parametrize("parameter", ["on", "by"])
def test_days_outside_of_the_forecast_name_the_horizon(get: Get, parameter: str, day: str) -> None:
    response = get(f"/countries/GBR/probability?above=1&{parameter}={day}")
    assert response.status_code == 422
    assert response.json()["detail"] == (
        f"{parameter} must be a day from 2020-04-25 to 2020-05-22 for United Kingdom: "
        "the horizon of this model is 28 days"
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "exactly one of above and below is needed, and exactly one of on and by"),
        ("above=1", "exactly one of above and below"),
        ("on=2020-05-01", "exactly one of above and below"),
        ("above=1&below=2&on=2020-05-01", "exactly one of above and below"),
        ("above=1&on=2020-05-01&by=2020-05-01", "exactly one of above and below"),
        ("above=-1&on=2020-05-01", "above must be a number of at least 0, not '-1'"),
        ("above=nan&on=2020-05-01", "above must be a number of at least 0, not 'nan'"),
        ("below=inf&on=2020-05-01", "below must be a number of at least 0, not 'inf'"),
        ("above=1&on=tomorrow", "on must be a date such as 2020-05-01, not 'tomorrow'"),
        ("above=1&by=1588291200", "by must be a date such as 2020-05-01, not '1588291200'"),
    ],
)
def test_an_event_must_be_whole(get: Get, query: str, detail: str) -> None:
    response = get(f"/countries/GBR/probability?{query}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/countries/GBR/forecast?dayz=3", "days, level"),
        ("/countries/GBR/probability?above=1&dayz=3&on=2020-05-01", "above, below, on, by"),
        ("/countries?dayz=3", "none"),
        ("/countries/GBR/observations?dayz=3", "none"),
    ],
)
def test_a_misspelt_parameter_is_told_which_ones_there_are(get: Get, path: str, known: str) -> None:
    response = get(path)
    assert response.status_code == 422
    assert response.json()["detail"] == f"unknown query parameter dayz (known here: {known})"


@pytest.mark.parametrize(
    ("code", "near"),
    [
        ("GRB", ["GBR", "GRC"]),
        ("germany", ["DEU"]),
        ("Untied Kingdom", ["GBR"]),
        ("uk", ["GBR"]),
        ("de", ["DEU"]),
        ("QQQ", None),
        ("%F0%9F%A6%A0", None),
        ("..", None),
        ("%2e%2e", None),
        ("{code}", None),
        ("x" * 5000, None),
    ],
)
@pytest.mark.parametrize("route", ["forecast", "probability?above=1&on=2020-05-01", "parameters"])
def test_an_unknown_country_has_near_matches(
    app: FastAPI, ask: Ask, code: str, near: list[str] | None, route: str
) -> None:
    response = ask(app, httpx.URL("http://test").copy_with(raw_path=f"/countries/{code}/{route}".encode()))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert ([match["code"] for match in body["near_matches"]] if near else body.get("near_matches")) == near


def test_a_country_that_was_left_out_has_the_reason(get: Get) -> None:
    response = get("/countries/and/forecast")
    assert response.status_code == 404
    assert response.json()["detail"] == "Andorra has no forecast: it has 40 deaths, and 50 are needed"


@settings(max_examples=150, deadline=None)
@given(
    route=st.sampled_from(["", "/observations", "/forecast", "/probability", "/parameters"]),
    code=st.one_of(st.sampled_from(["GBR", "gbr", "GRB"]), st.text(max_size=8)),
    query=st.lists(
        st.tuples(
            st.sampled_from(["days", "level", "above", "below", "on", "by", "x"]),
            st.one_of(
                st.text(alphabet=string.printable, max_size=8),
                st.integers().map(str),
                st.floats().map(str),
                st.dates().map(str),
            ),
        ),
        max_size=4,
    ),
    accept=st.text(alphabet=string.printable.strip(), max_size=20),
)
def test_whatever_is_asked_is_answered(
    get: Get, route: str, code: str, query: list[tuple[str, str]], accept: str
) -> None:
    path = f"/countries/{quote(code, safe='', errors='replace')}{route}?{urlencode(query)}"
    url = httpx.URL("http://test").copy_with(raw_path=path.encode())
    response = get(url, headers={"Accept": accept})
    assert response.status_code < 500
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


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
        for operation in operations.values():
            assert operation["description"], path
            for parameter in operation.get("parameters", []):
                assert parameter["description"], (path, parameter["name"])
    days, level = document["paths"]["/countries/{code}/forecast"]["get"]["parameters"][1:]
    assert days["schema"].items() >= {"minimum": 1, "maximum": 28, "default": 14}.items()
    assert level["schema"]["maxItems"] == 10
    json.dumps(document)


def test_a_models_own_routes_are_plain_fastapi(make_artifact: MakeArtifact, ask: Ask) -> None:
    app = create_app(Artifact.load(make_artifact()))

    @app.get("/peak/{code}")
    async def peak(code: str, days: int = 3) -> dict[str, int]:
        return {"days": days}

    assert ask(app, "/peak/GBR?days=5").json() == {"days": 5}
    assert ask(app, "/peak/GBR", "HEAD").status_code == 200
    assert ask(app, "/peak/GBR?days=x").headers["content-type"] == "application/problem+json"
