"""Series of anything, as their users meet them: stores and states by `make run`, cities in containers."""

import csv
import datetime
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..panels import DEATHS, ELASTICITY, HORIZON, LAST, SALES, STATES, STORES, sales, states, write
from .conftest import KEY, ROOT, Project, ask, copy_without_models, free_port, until

TRAINING_SECONDS = 900  # at most, of both models together
CSV = {"Content-Type": "text/csv", "Authorization": f"Bearer {KEY}"}
MAIN = (ROOT / "shared/template/forecast/main.py").read_text().replace("{{model}}", "series")
NEXT = LAST.date() + datetime.timedelta(7)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`make run` in a project of two models: revenue of stores a week, and deaths of states."""
    root: Path = tmp_path_factory.mktemp("series")
    copy_without_models(root)
    write(root / "models/sales", SALES, "sales.csv", sales())
    write(root / "models/states", DEATHS, "states.csv", states())
    for name in ("sales", "states"):
        (root / "models" / name / "main.py").write_text(MAIN)
    port = free_port()
    environment = os.environ | {"PYTHONPATH": str(root / "shared"), "OBSERVATIONS_KEY": KEY}
    with (root / "log").open("w") as log:
        command = ["make", "run", f"PORT={port}"]
        options = {"cwd": root, "env": environment, "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen(command, **options)  # type: ignore[call-overload]

    def served() -> bool:
        assert process.poll() is None, (root / "log").read_text()
        return all(ask(port, f"/{model}/readyz").status == 200 for model in ("sales", "states"))

    try:
        until(served, TRAINING_SECONDS, "both models are trained")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def test_stores_are_forecast_by_the_week(port: int) -> None:
    listed = ask(port, "/sales/stores").json
    assert {one["code"]: one["name"] for one in listed["stores"]} == STORES
    answer = ask(port, f"/sales/stores/s1/forecast?days={HORIZON}").json
    assert (answer["store"], answer["name"], answer["unit"]) == ("s1", "High Street", "euros")
    assert (answer["frequency"], answer["origin_date"]) == ("W-SAT", LAST.date().isoformat())
    weeks = [NEXT + datetime.timedelta(7 * i) for i in range(HORIZON)]
    assert [one["date"] for one in answer["forecast"]] == [week.isoformat() for week in weeks]
    price = sales()[lambda frame: (frame["store"] == "s1") & (frame["date"] > LAST)]["price"]
    for one, paid in zip(answer["forecast"], price, strict=True):
        assert one["mean"] == pytest.approx(20 + ELASTICITY * (paid - 5), abs=6)


def test_real_numbers_may_be_negative_and_have_no_total(port: int) -> None:
    path = f"/sales/stores/s2/probability?above=-500&on={NEXT}"
    assert ask(port, path).json["probability"] == 1
    refused = ask(port, "/sales/stores/s2/forecast?counts=cumulative")
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")


def test_a_table_of_stores_has_their_column(port: int) -> None:
    text = ask(port, "/sales/stores/s1/forecast?level=0.9", Accept="text/csv").body.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["store"] == "s1" and rows[0]["date"] == NEXT.isoformat()
    assert float(rows[0]["lower_0.9"]) < float(rows[0]["upper_0.9"])


def test_a_store_that_is_not_there_is_told_by_its_noun(port: int) -> None:
    problem = ask(port, "/sales/stores/s3/forecast")
    assert (problem.status, problem.headers["content-type"]) == (404, "application/problem+json")
    assert "There is no store s3 here" in problem.json["detail"]
    assert ask(port, "/sales/countries").status == 404


def test_what_a_store_sold_is_received_and_compared_with_its_forecast(port: int) -> None:
    body = f"date,store,name,revenue\n{NEXT},s1,High Street,12.5\n"
    received = ask(port, "/observations", "POST", body.encode(), **CSV)
    assert received.status in (200, 201), received.body
    kept = ask(port, "/observations?noun=store&series=s1", Accept="text/csv").body.decode()
    assert kept.splitlines() == ["date,store,name,revenue", f"{NEXT},s1,High Street,12.5"]
    until(
        lambda: (ask(port, "/models/sales/scores").json["scores"] or {}).get("forecasts") == 1,
        seconds=60,
        what="the forecast of the week is scored",
    )


def test_states_are_forecast_by_the_model_of_countries(port: int) -> None:
    listed = ask(port, "/states/states").json
    assert {one["code"]: one["name"] for one in listed["states"]} == {
        code: name for code, (name, _) in STATES.items()
    }
    answer = ask(port, "/states/states/US-CA/forecast?days=28").json
    assert (answer["state"], answer["frequency"]) == ("US-CA", "D")
    assert len(answer["forecast"]) == 28
    by = answer["forecast"][-1]["date"]
    event = ask(port, f"/states/states/US-NY/probability?above=1&by={by}").json
    assert event["probability"] == 1 and "New York" in event["event"]


def test_the_list_of_models_says_what_each_is_about(port: int) -> None:
    entries = {entry["model"]: entry for entry in ask(port, "/models").json["models"]}
    assert (entries["sales"]["noun"], entries["sales"]["plural"]) == ("store", "stores")
    assert (entries["sales"]["frequency"], entries["sales"]["series"]) == ("W-SAT", len(STORES))
    assert (entries["states"]["noun"], entries["states"]["series"]) == ("state", len(STATES))
    document = ask(port, "/openapi.json").json
    assert {"/sales/stores/{code}/forecast", "/states/states/{code}/forecast"} <= document["paths"].keys()


@pytest.mark.engine
def test_cities_are_forecast_by_the_month_in_a_container(stack: Project) -> None:
    """models/home-sales, trained in the build."""
    answer = stack.get("/home-sales/cities/san-antonio/forecast?days=12&level=0.9").json
    assert (answer["city"], answer["name"], answer["frequency"]) == ("san-antonio", "San Antonio", "MS")
    months = [one["date"] for one in answer["forecast"]]
    assert (months[0], months[-1]) == ("2015-08-01", "2016-07-01")
    means = {one["date"][5:7]: one["mean"] for one in answer["forecast"]}
    assert means["06"] > 1.2 * means["01"]
    event = stack.get("/home-sales/cities/austin/probability?above=2000&on=2016-06-01").json
    assert event["probability"] > 0.9 and "Austin" in event["event"]
    unknown = stack.get("/home-sales/cities/san-antonia/forecast")
    assert unknown.status == 404
    assert unknown.json["near_matches"][0]["code"] == "san-antonio"
