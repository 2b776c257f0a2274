"""past.py: what was answered on a day is answered again, byte for byte, after rebuilds."""

import asyncio
import datetime
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request, Response

from forecastle.artifact import Artifact
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store
from forecastle.service import create_app

from ..conftest import NAMES, ORIGIN, Ask, MakeArtifact
from .conftest import HORIZON, NOW, client, day

LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98]
FORECAST = "/flu/countries/GBR/forecast"
DAY = datetime.timedelta(1)


@pytest.fixture(scope="module")
def apps(make_artifact: MakeArtifact, draws: np.ndarray) -> list[FastAPI]:
    """A model that was built again twice: with the same data, and with those of the next week."""
    last_day = (ORIGIN + datetime.timedelta(7)).isoformat()
    later = {"file": "data.csv", "sha256": "1" * 64, "last_day": last_day, "changes": []}
    folders = (
        make_artifact(draws=draws),
        make_artifact(draws=draws + 1),
        make_artifact(draws=draws + 2, data=later),
    )
    return [create_app(Artifact.load(folder)) for folder in folders]


@pytest.fixture(scope="module")
def issues(apps: list[FastAPI]) -> list[forecasts.Issue]:
    return [asyncio.run(forecasts.ask("flu", client(app))) for app in apps]


@pytest.fixture
def first(apps: list[FastAPI]) -> FastAPI:
    return apps[0]


@pytest.fixture
def catalogue(store: Store, apps: list[FastAPI], issues: list[forecasts.Issue]) -> FastAPI:
    for issue, issued_at in zip(issues, (NOW, NOW + DAY, NOW + 2 * DAY), strict=True):
        assert forecasts.keep(store, issue, issued_at)
    return create_catalogue({"flu": client(apps[-1])}, store)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"days": 28, "level": LEVELS[:10]},
        {"days": 28, "level": LEVELS[-10:], "counts": "cumulative"},
        {"days": 3, "quantile": [0.01, 0.025, 0.5, 0.975]},
        {"days": 28, "format": "hubverse"},
        {"days": 28, "format": "hubverse", "counts": "cumulative"},
        {"days": 2, "format": "csv", "level": 0.9},
        {"days": 2, "format": "ndjson"},
    ],
)
def test_what_was_answered_then_is_answered_again(
    catalogue: FastAPI, first: FastAPI, ask: Ask, query: dict[str, Any]
) -> None:
    for code in NAMES:
        path = f"/flu/countries/{code}/forecast"
        then = asyncio.run(client(first).get(path, params=query))
        for on in (day(0), day(6)):
            now = ask(catalogue, path, params={**query, "as_of": on.isoformat()})
            assert now.content == then.content
            for header in ("content-type", "etag", "cache-control", "vary"):
                assert now.headers[header] == then.headers[header]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"days": 28, "level": LEVELS[-10:], "counts": "cumulative"},
        {"days": 3, "quantile": [0.01, 0.5, 0.975]},
        {"days": 28, "format": "hubverse"},
        {"days": 2, "format": "csv", "level": 0.9},
        {"days": 2, "format": "ndjson"},
    ],
)
def test_what_was_answered_then_about_all_countries_is_answered_again(
    catalogue: FastAPI, first: FastAPI, ask: Ask, query: dict[str, Any]
) -> None:
    then = asyncio.run(client(first).get("/flu/forecast", params=query))
    now = ask(catalogue, "/flu/forecast", params={**query, "as_of": day(6).isoformat()})
    assert now.content == then.content
    assert now.headers["content-type"] == then.headers["content-type"]
    etag = {"If-None-Match": now.headers["etag"]}
    again = ask(catalogue, "/flu/forecast", params={**query, "as_of": day(0).isoformat()}, headers=etag)
    assert again.status_code == 304


def test_a_hubs_table_counts_from_the_last_day_in_the_data(
    catalogue: FastAPI, apps: list[FastAPI], ask: Ask
) -> None:
    """The countries of the latest version end a week before."""
    then = asyncio.run(client(apps[-1]).get(FORECAST, params={"days": 28, "format": "hubverse"}))
    now = ask(catalogue, f"{FORECAST}?days=28&format=hubverse&as_of={day(7)}")
    assert now.content == then.content
    rows = [row.split(",") for row in now.text.splitlines()[1:]]
    assert {row[0] for row in rows} == {"2020-05-01"}
    assert sorted({int(row[2]) for row in rows}) == list(range(1, 22))


def test_the_representation_may_be_accepted(catalogue: FastAPI, ask: Ask) -> None:
    answer = ask(catalogue, f"{FORECAST}?as_of=2020-04-24", headers={"Accept": "text/csv"})
    assert answer.text.startswith("country,date,horizon,mean,median,lower_0.5,")


def test_what_is_known_is_not_sent_again(catalogue: FastAPI, ask: Ask) -> None:
    etag = ask(catalogue, f"{FORECAST}?as_of=2020-04-24").headers["etag"]
    assert ask(catalogue, f"{FORECAST}?as_of=2020-04-24", headers={"If-None-Match": etag}).status_code == 304


def test_a_later_day_has_the_later_forecast(catalogue: FastAPI, ask: Ask) -> None:
    answers = [ask(catalogue, f"{FORECAST}?as_of={day(ahead)}").json() for ahead in (6, 7, 100)]
    assert [answer["data_through"] for answer in answers] == ["2020-04-24", "2020-05-01", "2020-05-01"]
    assert [answer["as_of"] for answer in answers] == ["2020-04-24", "2020-05-01", "2020-05-01"]


@pytest.mark.parametrize("path", [FORECAST, "/flu/forecast"])
def test_what_was_known_at_an_instant(
    catalogue: FastAPI, apps: list[FastAPI], issues: list[forecasts.Issue], ask: Ask, path: str
) -> None:
    """The catalogue kept a version a day: two with data through day 0, then one with data through day 7."""
    then = [asyncio.run(client(app).get(path)).content for app in apps]
    for days, version in ((0, 0), (0.5, 0), (1, 1), (2, 2), (9999, 2)):
        known_at = (NOW + days * DAY).isoformat()
        assert ask(catalogue, path, params={"known_at": known_at}).content == then[version]
    # As for data through day 0, the first version is meant, and at the end the second was the latest.
    of_day = {"as_of": day(0).isoformat()}
    assert ask(catalogue, path, params=of_day).content == then[0]
    late = (NOW + 2 * DAY).isoformat()
    assert ask(catalogue, path, params={**of_day, "known_at": late}).content == then[1]


@pytest.mark.parametrize("path", [FORECAST, "/flu/forecast"])
@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("known_at=2020-04-25T05:59:59Z", "No forecast of flu had been kept by 2020-04-25T05:59:59Z."),
        (
            "known_at=2021-01-01T00:00Z&as_of=2020-04-23",
            "No forecast of flu from data through 2020-04-23 had been kept by 2021-01-01T00:00:00Z.",
        ),
    ],
)
def test_what_nobody_knew_by_then_is_not_answered(
    catalogue: FastAPI, ask: Ask, path: str, query: str, detail: str
) -> None:
    """The model itself, which was trained by then, is not asked."""
    answer = ask(catalogue, f"{path}?{query}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs/problems/past-forecast")
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize("query", ["known_at=2020-05-01", "known_at=2020-05-01T12:00&as_of=2020-05-01"])
def test_an_instant_has_a_time_zone(catalogue: FastAPI, ask: Ask, query: str) -> None:
    answer = ask(catalogue, f"{FORECAST}?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("known_at must be an instant with its time zone such as ")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("level=0.33", "level of a past forecast must be one of 0.1, 0.2, "),
        ("level=2", "level of a past forecast must be one of "),
        ("level=many", "level must be a number between 0 and 1 such as 0.9, not 'many'"),
        ("quantile=0.33", "quantile of a past forecast must be one of 0.01, 0.025, 0.05, "),
        ("quantile=0.5&level=0.5", "level and quantile do not go together"),
        ("format=hubverse&level=0.5", "format=hubverse has 23 quantiles of its own"),
        ("draws=10", "draws of past forecasts are not kept"),
        ("days=0", "days must be a whole number of at least 1"),
        (
            f"days={HORIZON + 1}",
            f"days must be a whole number from 1 to {HORIZON}, the horizon of this model",
        ),
        ("counts=weekly", "counts must be daily or cumulative"),
        ("format=xml", "format must be json, csv, ndjson or hubverse"),
        ("colour=red", "unknown query parameter colour"),
        ("as_of=yesterday", "as_of must be a date such as"),
    ],
)
def test_what_was_not_kept_is_told(catalogue: FastAPI, ask: Ask, query: str, detail: str) -> None:
    dated = query if query.startswith("as_of") else f"as_of=2020-04-24&{query}"
    answer = ask(catalogue, f"{FORECAST}?{dated}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("level=0.33", "level of a past forecast must be one of 0.1, 0.2, "),
        ("draws=10", "unknown query parameter draws"),
        (
            f"days={HORIZON + 1}",
            f"days must be a whole number from 1 to {HORIZON}, the horizon of this model",
        ),
    ],
)
def test_of_all_countries_too(catalogue: FastAPI, ask: Ask, query: str, detail: str) -> None:
    answer = ask(catalogue, f"/flu/forecast?as_of=2020-04-24&{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)


def test_a_country_without_a_forecast_is_told(catalogue: FastAPI, ask: Ask) -> None:
    answer = ask(catalogue, "/flu/countries/ITA/forecast?as_of=2020-04-24")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no forecast for ITA in flu 2020-04-24-")


@pytest.mark.parametrize("path", ["/cold/countries/GBR/forecast", "/cold/forecast", "/models/forecast"])
def test_an_unknown_model_is_told(catalogue: FastAPI, ask: Ask, path: str) -> None:
    answer = ask(catalogue, f"{path}?as_of=2020-04-24")
    assert answer.status_code == 404
    assert "no such model: GET /models lists those that exist" in answer.json()["detail"]


def test_a_shadow_is_kept_and_answers_nobody(
    store: Store, apps: list[FastAPI], issues: list[forecasts.Issue], ask: Ask
) -> None:
    shadow = issues[0]._replace(version={**issues[0].version, "model": "flu-shadow"})
    assert forecasts.keep(store, shadow, NOW)
    shadows = {"flu-shadow": client(apps[0], "flu-shadow")}
    catalogue = create_catalogue({"flu": client(apps[0])}, store, shadows=shadows)
    assert ask(catalogue, "/models/flu-shadow/scores").status_code == 200
    for path in ("/flu-shadow/countries/GBR/forecast", "/flu-shadow/forecast", "/flu-shadow/"):
        for query in ("", "?as_of=2099-01-01", "?as_of=2020-04-24&format=csv"):
            assert ask(catalogue, path + query).status_code == 404, path + query
            assert ask(catalogue, path + query, "POST").status_code == 404, path + query


@pytest.mark.parametrize("path", [FORECAST, "/flu/forecast"])
def test_what_the_store_has_not_the_model_is_asked_for(catalogue: FastAPI, ask: Ask, path: str) -> None:
    answer = ask(catalogue, f"{path}?as_of=2020-04-23")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/past-forecast")


def test_a_plain_apps_own_forecast_is_its_own(ask: Ask, tmp_path: Any) -> None:
    """With any query, headers and answer."""
    app = FastAPI()

    @app.get("/forecast")
    async def forecast(request: Request, as_of: int, store: str) -> Response:
        told = f"{as_of} {store} {request.headers['authorization']}"
        return Response(told, 203, {"X-Of-The-App": "yes", "WWW-Authenticate": "Basic"})

    catalogue = create_catalogue({"flu": client(app)}, Store(f"sqlite:///{tmp_path}/store.sqlite"))
    answer = ask(catalogue, "/flu/forecast?as_of=7&store=A%201", headers={"Authorization": "Basic x"})
    assert (answer.status_code, answer.text) == (203, "7 A 1 Basic x")
    assert (answer.headers["x-of-the-app"], answer.headers["www-authenticate"]) == ("yes", "Basic")


def test_a_model_whose_forecasts_are_not_kept_answers_for_itself(
    first: FastAPI, ask: Ask, tmp_path: Any
) -> None:
    """Its store is empty, or cannot be read."""
    then = asyncio.run(client(first).get(FORECAST, params={"level": 0.9, "as_of": "2020-05-01"}))
    for url in (f"sqlite:///{tmp_path}/empty.sqlite", f"sqlite:///{tmp_path}/nowhere/store.sqlite"):
        catalogue = create_catalogue({"flu": client(first)}, Store(url))
        answer = ask(catalogue, f"{FORECAST}?level=0.9&as_of=2020-05-01")
        assert (answer.status_code, answer.content) == (200, then.content)
        assert answer.headers["etag"] == then.headers["etag"]


def test_what_was_known_is_not_guessed_without_the_store(first: FastAPI, ask: Ask, tmp_path: Any) -> None:
    """An empty one has nothing of the model, which then answers for itself."""
    path = f"{FORECAST}?known_at=2020-05-01T00:00Z"
    empty = create_catalogue({"flu": client(first)}, Store(f"sqlite:///{tmp_path}/empty.sqlite"))
    assert ask(empty, path).status_code == 200
    lost = create_catalogue({"flu": client(first)}, Store(f"sqlite:///{tmp_path}/nowhere/store.sqlite"))
    answer = ask(lost, path)
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs/problems/unavailable")
    assert answer.headers["retry-after"] == "5"


def test_a_model_that_is_down_is_told(ask: Ask, tmp_path: Any) -> None:
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    catalogue = create_catalogue({"flu": nobody}, Store(f"sqlite:///{tmp_path}/store.sqlite"))
    answer = ask(catalogue, f"{FORECAST}?as_of=2020-05-01")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


STORE = "/sales/stores/s1/forecast"


@pytest.fixture(scope="module")
def weekly(make_artifact: MakeArtifact) -> FastAPI:
    """A model of two stores' sales a week, which may be negative."""
    series = {
        code: {"name": name, "first_day": "2020-03-28", "origin_date": "2020-04-25", "total": None}
        for code, name in (("S 2", "Station"), ("s1", "High Street"))
    }
    values = np.random.default_rng(2).normal(-1, 9, (400, 2, 5))
    about = {"noun": "store", "plural": "stores", "measure": "sales", "frequency": "W-SAT", "horizon": 5}
    about |= {"real": True, "minimum": None, "target": "sales a week", "unit": "EUR", "excluded": {}}
    data = {"file": "sales.csv", "sha256": "0" * 64, "last_day": "2020-04-25", "changes": []}
    lines = ["date,store,observed", "2020-04-25,S 2,-1.5", "2020-04-25,s1,"]
    folder = make_artifact("sales", draws=values, observations=lines, series=series, data=data, **about)
    return create_app(Artifact.load(folder))


@pytest.fixture
def stores(store: Store, weekly: FastAPI) -> FastAPI:
    app = client(weekly, "sales")
    assert forecasts.keep(store, asyncio.run(forecasts.ask("sales", app)), NOW)
    return create_catalogue({"sales": app}, store)


@pytest.mark.parametrize("path", [STORE, "/sales/stores/s%202/forecast", "/sales/forecast"])
@pytest.mark.parametrize(
    "query", [{}, {"days": 5, "level": [0.8, 0.95]}, {"counts": "weekly", "quantile": 0.9}, {"format": "csv"}]
)
def test_a_store_is_answered_as_the_model_did(
    stores: FastAPI, weekly: FastAPI, ask: Ask, path: str, query: dict[str, Any]
) -> None:
    query = {"days": 4} | query
    then = asyncio.run(client(weekly, "sales").get(path, params=query))
    assert then.status_code == 200, then.text
    answer = ask(stores, path, params={**query, "as_of": "2020-05-09"})
    assert (answer.status_code, answer.content) == (200, then.content)
    if "format" not in query:
        one = answer.json() if path != "/sales/forecast" else answer.json()["forecasts"][0]
        assert [row["date"] for row in one["forecast"]][:2] == ["2020-05-02", "2020-05-09"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{STORE}?as_of=2020-05-09&days=9", 422, "days must be a whole number from 1 to 5"),
        (f"{STORE}?as_of=2020-05-09&days=4&counts=daily", 422, "counts must be weekly, not daily"),
        (f"{STORE}?as_of=2020-05-09&days=4&counts=cumulative", 422, "counts must be weekly, not cumulative"),
        ("/sales/stores/s9/forecast?as_of=2020-05-09&days=4", 404, "There is no forecast for s9 in sales"),
        ("/sales/countries/GBR/forecast?as_of=2020-05-09", 404, ""),  # the model's own words
    ],
)
def test_what_there_is_not_of_stores_is_told(
    stores: FastAPI, ask: Ask, path: str, status: int, words: str
) -> None:
    answer = ask(stores, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
