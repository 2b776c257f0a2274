"""routes.py: counts are received with a key, whole or not at all; scores and drift are answered."""

import asyncio
import csv
import datetime
import io
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forecastle.catalogue import routes, scoring, upload
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.metrics import RECEIVED, REJECTED
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upload import Row

from ..conftest import Ask
from .conftest import MakeIssue, day, deaths, keep, receive

KEY = "correct horse battery staple"
CSV = "date,country,cases,deaths\n2020-04-25,GBR,4913,813\n2020-04-25,FRA,,369\n"


def catalogue(store: Store, key: str = KEY) -> FastAPI:
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    return create_catalogue({"flu": nobody}, store, Settings(OBSERVATIONS_KEY=key))


def post(ask: Ask, app: FastAPI, content: Any = CSV, **headers: str) -> httpx.Response:
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv"} | headers
    return ask(app, "/observations", "POST", content=content, headers=sent)


def stored(ask: Ask, app: FastAPI, query: str = "") -> list[dict[str, Any]]:
    return ask(app, f"/observations{query}").json()["observations"]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_csv_is_received_and_given_back(store: Store, ask: Ask) -> None:
    app, before = catalogue(store), RECEIVED._value.get()
    answer = post(ask, app)
    assert answer.status_code == 200
    assert answer.json() == {
        "received": 2,
        "new": 2,
        "revised": 0,
        "unchanged": 0,
        "observations_through": "2020-04-25",
    }
    common = {"date": "2020-04-25", "population": None}
    assert stored(ask, app) == [
        {**common, "country": "FRA", "name": "France", "cases": None, "deaths": 369},
        {**common, "country": "GBR", "name": "United Kingdom", "cases": 4913, "deaths": 813},
    ]
    assert RECEIVED._value.get() == before + 2


def test_json_is_received(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    content = json.dumps({"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": 813}]})
    answer = post(ask, app, content, **{"Content-Type": "application/json; charset=utf-8"})
    assert answer.json()["new"] == 1
    assert post(ask, app, content, **{"Content-Type": "application/json"}).json()["unchanged"] == 1


def test_what_is_stored_has_the_columns_of_the_data_in_use(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    answer = ask(app, "/observations", headers={"Accept": "text/csv"})
    assert answer.text == "date,country,name,cases,deaths\r\n"
    receive(store, [Row(day(1), "GBR", {"cases": 4913, "population": 66_000_000}), *deaths("FRA", 1, [369])])
    assert ask(app, "/observations?format=csv").text.splitlines() == [
        "date,country,name,cases,deaths,population",
        "2020-04-25,FRA,France,,369,",
        "2020-04-25,GBR,United Kingdom,4913,,66000000",
    ]
    lines = ask(app, "/observations?format=ndjson").text.splitlines()
    assert [json.loads(line)["country"] for line in lines] == ["FRA", "GBR"]


def test_a_part_may_be_asked_for(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    receive(store, [*deaths("GBR", 1, [1, 2, 3]), *deaths("FRA", 1, [4, 5, 6])])
    part = stored(ask, app, "?since=2020-04-26&until=2020-04-26&country=gbr")
    assert [(row["country"], row["deaths"]) for row in part] == [("GBR", 2)]
    for query in ("since=yesterday", "country=XXX", "colour=red", "format=xml"):
        assert query.partition("=")[0] in problem(ask(app, f"/observations?{query}"), 422)["detail"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer schlüssel"],
)
def test_who_has_no_key_is_refused(header: str, store: Store, ask: Ask) -> None:
    app, before = catalogue(store), REJECTED._value.get()
    answer = ask(
        app,
        "/observations",
        "POST",
        content=CSV,
        headers=[("Content-Type", "text/csv"), ("Authorization", header.encode())],  # type: ignore[arg-type]
    )
    assert "Authorization: Bearer KEY" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert stored(ask, app) == []
    assert REJECTED._value.get() == before + 1


def test_without_a_key_of_its_own_it_takes_nothing_and_says_why(store: Store, ask: Ask) -> None:
    app = catalogue(store, key="")
    for header in ("Bearer ", "Bearer x"):
        answer = post(ask, app, Authorization=header)
        assert "OBSERVATIONS_KEY" in problem(answer, 403)["detail"]


def test_the_key_is_never_logged(store: Store, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        app = catalogue(store)
        post(ask, app)
        post(ask, app, "nonsense")
        post(ask, app, Authorization="Bearer wrong key")
    assert caplog.records
    assert KEY not in caplog.text and "wrong key" not in caplog.text


@pytest.mark.parametrize(
    ("content", "place", "detail"),
    [
        (CSV + "2020-04-25,XXX,1,2\n", "line 4, country", "must be a country's ISO 3166"),
        (CSV + "2120-04-25,ITA,1,2\n", "line 4, date", "lies in the future"),
        (CSV + "2020-04-25,ITA,-1,2\n", "line 4, cases", "must be a whole number of at least 0"),
        (CSV + "2020-04-25,ITA,1,some\n", "line 4, deaths", "must be a whole number of at least 0"),
        (CSV + "2020-04-25,GBR,1,2\n", "line 4", "is there already, in line 2"),
        (CSV + "2020-04-25,ITA,1,2", "line 4", "half written"),
        (CSV + "2020-04-25,IT", "line 4", "half written"),
        (b"PK\x03\x04\xff\xff", "", "not UTF-8"),
    ],
)
def test_a_file_with_anything_wrong_is_refused_whole(
    content: Any, place: str, detail: str, store: Store, ask: Ask
) -> None:
    app, before = catalogue(store), REJECTED._value.get()
    receive(store, deaths("GBR", 1, [700]))
    refusal = problem(post(ask, app, content), 422)
    (error,) = refusal["errors"]
    assert (error["in"], error["parameter"]) == ("body", place)
    assert detail in error["detail"]
    assert detail in refusal["detail"]
    assert [row["deaths"] for row in stored(ask, app)] == [700]
    assert REJECTED._value.get() == before + 1


def test_a_body_of_another_kind_is_refused(store: Store, ask: Ask) -> None:
    answer = post(ask, catalogue(store), **{"Content-Type": "application/octet-stream"})
    assert problem(answer, 415)["detail"] == "Content-Type must be one of text/csv, application/json."


def test_json_that_is_none_is_a_malformed_request(store: Store, ask: Ask) -> None:
    refusal = problem(post(ask, catalogue(store), '{"a":', **{"Content-Type": "application/json"}), 400)
    assert refusal["detail"].startswith("this is not JSON: Expecting value")


def test_too_much_is_refused_as_soon_as_it_is(store: Store, ask: Ask) -> None:
    """Ten megabytes of rows, of which no more than eight are read, whatever the header says."""
    line = "2020-04-25,GBR,4913,813\n"
    sent = 0

    async def ten_megabytes() -> Any:
        nonlocal sent
        yield CSV.encode()
        while sent < 10 * 10**6:
            block = (line * 2000).encode()
            sent += len(block)
            yield block

    app = catalogue(store)
    refusal = problem(post(ask, app, ten_megabytes()), 413)
    assert f"{upload.LARGEST:,} bytes" in refusal["detail"]
    assert stored(ask, app) == []


def test_a_sender_that_breaks_off_leaves_nothing(store: Store) -> None:
    app = catalogue(store)
    messages = iter(
        [{"type": "http.request", "body": CSV.encode(), "more_body": True}, {"type": "http.disconnect"}]
    )
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"text/csv")]
    scope = {"type": "http", "method": "POST", "path": "/observations", "raw_path": b"/observations"}
    scope |= {"headers": headers, "query_string": b"", "scheme": "http", "server": ("test", 80)}
    sent: list[Any] = []

    async def receive_part() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    async def post_part() -> None:
        try:
            await app(scope, receive_part, send)
        except Exception as error:
            assert type(error).__name__ == "ClientDisconnect"

    asyncio.run(post_part())
    with store.reading() as connection:
        assert routes.observations.current(connection, "country") == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("sqlite:///{}/store.sqlite", "unable to open database file"),
        ("postgresql://forecastle:hunter2@127.0.0.1:1/forecasts", "port 1 failed: Connection refused"),
    ],
)
def test_the_database_s_own_words_are_logged_and_not_answered(
    address: str, reason: str, tmp_path: Path, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    app = catalogue(Store(address.format(tmp_path / "volume")))
    sent = (
        "The forecast store cannot be written at the moment. None of these rows is stored. Try again later."
    )
    read = "The forecast store cannot be read at the moment. Try again later."
    for question, detail in (
        (lambda: post(ask, app), sent),
        (lambda: ask(app, "/observations"), read),
        (lambda: ask(app, "/models/flu/scores"), read),
        (lambda: ask(app, "/models/flu/drift"), read),
    ):
        caplog.clear()
        answer = question()
        assert problem(answer, 503)["detail"] == detail
        assert answer.headers["retry-after"] == "5"
        for secret in (reason, "127.0.0.1", "store.sqlite", "hunter2"):
            assert secret not in answer.text
        assert reason in caplog.text
        assert "hunter2" not in caplog.text


def test_while_the_store_fails_the_rest_answers(tmp_path: Path, ask: Ask) -> None:
    folder = tmp_path / "volume"
    app = catalogue(Store(f"sqlite:///{folder}/store.sqlite"))
    assert post(ask, app).status_code == 503
    assert ask(app, "/models").status_code == 200
    assert ask(app, "/readyz").status_code == 200
    folder.mkdir()
    assert post(ask, app).status_code == 200


def test_scores_are_answered_as_they_are_asked_for(store: Store, make_issue: MakeIssue, ask: Ask) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11] * 8))
    scoring.score(store)
    app = catalogue(store)
    answer = ask(app, "/models/flu/scores").json()
    assert (answer["model"], answer["scores"]["forecasts"]) == ("flu", 8)
    some = ask(app, "/models/flu/scores?since=2020-04-26&until=2020-04-27&country=GBR").json()
    assert some["scores"]["forecasts"] == 2
    table = list(csv.DictReader(io.StringIO(ask(app, "/models/flu/scores?format=csv").text)))
    assert [row["by"] for row in table] == ["all", *["horizon"] * 8, "week", "country"]
    assert (table[0]["coverage_0.9"], table[0]["coverage_0.95"]) == ("1.0", "1.0")
    lines = ask(app, "/models/flu/scores?format=ndjson").text.splitlines()
    assert len(lines) == len(table)
    assert json.loads(lines[1])["by"] == "horizon"


def test_a_model_without_scores_says_so(store: Store, ask: Ask) -> None:
    answer = ask(catalogue(store), "/models/flu/scores").json()
    assert (answer["scores"], answer["by_horizon"], answer["first_date"]) == (None, [], None)


def test_a_model_that_is_gone_keeps_its_scores(store: Store, make_issue: MakeIssue, ask: Ask) -> None:
    keep(store, make_issue(model="cold"))
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    app = catalogue(store)
    assert ask(app, "/models/cold/scores").json()["scores"]["forecasts"] == 1
    for path in ("/models/none/scores", "/models/none/drift"):
        assert "no such model" in problem(ask(app, path), 404)["detail"]


def test_drift_is_answered_with_the_country_and_the_reason(
    store: Store, make_issue: MakeIssue, ask: Ask
) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [99] * 7))
    app = catalogue(store)
    answer = ask(app, "/models/flu/drift").json()
    assert answer["observations_through"] == "2020-05-01"
    flags = {flag["reason"]: flag for flag in answer["drift"]}
    assert flags["range"]["name"] == "United Kingdom"
    assert flags["range"]["date"] == "2020-05-01"
    assert "above the 10.0 of the highest week" in flags["range"]["detail"]
    rows = ask(app, "/models/flu/drift?format=csv").text.splitlines()
    assert rows[0] == "model,country,name,reason,date,detail"
    assert len(rows) == 1 + len(answer["drift"])


SALES = "date,store,name,sales,visits\n2020-04-25,s1,High Street,-12.5,3\n2020-05-02,s1,High Street,,4\n"
ABOUT = {"noun": "store", "unit": "EUR", "measure": "sales", "frequency": "W-SAT", "real": True}


def test_two_nouns_in_one_store_are_answered_apart(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    assert post(ask, app, SALES).json()["new"] == 2
    weeks = [
        {"date": "2020-04-25", "store": "s1", "name": "High Street", "sales": -12.5, "visits": 3},
        {"date": "2020-05-02", "store": "s1", "name": "High Street", "sales": None, "visits": 4},
    ]
    assert stored(ask, app) == stored(ask, app, "?noun=store") == weeks  # there is no other noun
    post(ask, app)
    assert {row["country"] for row in stored(ask, app)} == {"FRA", "GBR"}
    assert stored(ask, app, "?series=GBR") == stored(ask, app, "?country=GBR") != []
    answer = ask(app, "/observations?noun=store&series=s1&until=2020-04-25").json()
    assert answer == {"observations_through": "2020-05-02", "observations": weeks[:1]}
    assert stored(ask, app, "?noun=store&series=s9") == []
    # What was given is what was sent, so that it can be sent again.
    text = ask(app, "/observations?noun=store&format=csv").text
    assert text == SALES.replace("\n", "\r\n")
    assert post(ask, app, text).json()["unchanged"] == 2
    lines = ask(app, "/observations?noun=store&format=ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == weeks


def test_a_noun_that_is_not_there_or_not_said_is_told(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    empty = ask(app, "/observations?noun=shop&format=csv")
    assert empty.text == "date,shop,name\r\n"  # so far nothing of any noun
    post(ask, app, SALES)
    post(ask, app, "date,clinic,patients\n2020-04-25,c1,7\n")
    for query, detail in (
        ("?noun=shop", "noun must be one of those that were received: clinic, store, not shop"),
        ("", "noun must say which of these: clinic, store"),
        ("?series=s1", "noun must say which of these: clinic, store"),
        ("?noun=store&country=GBR", "country must be left out, as these are of store: use series"),
        ("?noun=store&country=GBR&series=s1", "series and country do not go together"),
    ):
        refusal = problem(ask(app, f"/observations{query}"), 422)
        assert detail in refusal["detail"], refusal
    assert stored(ask, app, "?country=GBR") == []


def test_other_measures_of_countries_come_after_theirs(store: Store, ask: Ask) -> None:
    app = catalogue(store)
    post(ask, app, "date,country,admissions\n2020-04-25,GBR,1.5\n")
    assert ask(app, "/observations?format=csv").text.splitlines() == [
        "date,country,name,cases,deaths,admissions",
        "2020-04-25,GBR,United Kingdom,,,1.5",
    ]


def test_scores_and_drift_of_stores_name_them(store: Store, make_issue: MakeIssue, ask: Ask) -> None:
    through = datetime.date(2020, 4, 25)
    keep(store, make_issue(data_through=through, codes=("s1", "s2"), fitted=[5.0, 6.0] * 9, **ABOUT))
    app = catalogue(store)
    post(ask, app, "date,store,name,sales\n2020-05-02,s1,High Street,11\n2020-05-02,s2,Station,99.5\n")
    scoring.score(store)
    answer = ask(app, "/models/flu/scores").json()
    assert (answer["noun"], answer["observations_through"]) == ("store", "2020-05-02")
    assert [(one["store"], one["name"]) for one in answer["by_store"]] == [
        ("s1", "High Street"),
        ("s2", "Station"),
    ]
    assert "by_country" not in answer and "country" not in answer["by_store"][0]
    assert ask(app, "/models/flu/scores?series=s2").json()["scores"]["forecasts"] == 1
    assert "use series" in problem(ask(app, "/models/flu/scores?country=GBR"), 422)["detail"]
    table = list(csv.DictReader(io.StringIO(ask(app, "/models/flu/scores?format=csv").text)))
    assert [(row["by"], row["value"]) for row in table[-2:]] == [("store", "s1"), ("store", "s2")]
    drifted = ask(app, "/models/flu/drift").json()
    assert (drifted["noun"], drifted["observations_through"]) == ("store", "2020-05-02")
    assert {(flag["store"], flag["name"], flag["reason"]) for flag in drifted["drift"]} == {
        ("s1", "High Street", "range"),
        ("s2", "Station", "range"),
    }
    rows = ask(app, "/models/flu/drift?format=csv").text.splitlines()
    assert rows[0] == "model,store,name,reason,date,detail"
    assert rows[1].startswith("flu,s1,High Street,range,2020-05-02,")


def test_countries_are_scored_as_ever(store: Store, make_issue: MakeIssue, ask: Ask) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    answer = ask(catalogue(store), "/models/flu/scores").json()
    assert list(answer.pop("by_country")[0])[-2:] == ["country", "name"]
    assert list(answer) == [
        *("model", "noun", "observations_through", "first_date", "last_date", "scores"),
        *("by_horizon", "by_origin", "backtest"),
    ]


def test_the_document_names_the_routes_and_the_key(store: Store, ask: Ask) -> None:
    document = ask(catalogue(store), "/openapi.json").json()
    assert {"/observations", "/models/{model}/scores", "/models/{model}/drift"} <= document["paths"].keys()
    operation = document["paths"]["/observations"]["post"]
    assert operation["security"] == [{"ObservationsKey": []}]
    assert document["components"]["securitySchemes"]["ObservationsKey"]["scheme"] == "bearer"
    assert set(operation["requestBody"]["content"]) == {"text/csv", "application/json"}
    assert {"401", "403", "413", "415", "422", "503"} <= operation["responses"].keys()


def test_without_a_store_there_are_no_such_routes(ask: Ask) -> None:
    app = create_catalogue({"flu": httpx.AsyncClient(base_url="http://127.0.0.1:1")})
    assert ask(app, "/observations").status_code == 404


def test_dates_of_today_are_taken(store: Store, ask: Ask) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    content = f"date,country,deaths\n{today},GBR,1\n"
    assert post(ask, catalogue(store), content).json()["observations_through"] == today.isoformat()
