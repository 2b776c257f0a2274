"""Forecasts against what happened, on real containers: days come in one by one, models are built again, what
keeps and scores is killed, and the store is full.
"""

import contextlib
import csv
import datetime
import http.client
import io
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from forecastle.catalogue import scoring
from forecastle.catalogue.store import schema
from forecastle.catalogue.store.engine import Store

from .conftest import Answer, Project, ask, inspect, run, until

pytestmark = pytest.mark.engine

KEY = "correct-horse-battery-staple"
SERVICES = ("gateway", "catalogue", "newcomer")
ORIGIN, LAST = "2020-05-31", "2020-06-08"
DAYS = [f"2020-06-0{day}" for day in range(1, 9)]
FORECAST = "/newcomer/countries/GBR/forecast?level=0.5&level=0.9&days=28"
SCORED_SECONDS = 60


@pytest.fixture(scope="module")
def live(project: Project) -> Iterator[Project]:
    """A stack of its own with two workers, whose model is trained with the data to 31 May."""
    stack = Project(project.folder)
    for name in SERVICES:
        run("docker", "tag", project.image(name), stack.image(name))
    lines = (stack.folder / "data/first-wave-2020.csv").read_text().splitlines(keepends=True)
    current = stack.folder / "data/current.csv"
    current.write_text(lines[0] + "".join(line for line in lines[1:] if line[:10] <= ORIGIN))
    try:
        try:
            stack.make("build", "MODEL=newcomer")
        finally:
            current.unlink()
        up(stack)
        yield stack
    finally:
        stack.remove()


def up(stack: Project, *services: str) -> None:
    environment = {"OBSERVATIONS_KEY": KEY, "WORKERS": "2"}
    command = ("docker", "compose", "up", "--detach", "--wait", "--no-build", *(services or SERVICES))
    stack.run(*command, environment=environment, timeout=120)


def observe(stack: Project, until_day: str, key: str = KEY, **options: Any) -> str:
    url = f"http://localhost:{stack.port}"
    command = ("observe", "FILE=data/first-wave-2020.csv", f"UNTIL={until_day}", f"URL={url}")
    return stack.make(*command, environment={"OBSERVATIONS_KEY": key}, **options).stdout


def scores(stack: Project, query: str = "") -> dict[str, Any]:
    answer = stack.get(f"/models/newcomer/scores{query}")
    assert answer.status == 200
    return answer.json


def count(stack: Project) -> int:
    return (scores(stack)["scores"] or {"forecasts": 0})["forecasts"]


def kept(stack: Project, as_of: str) -> Any:
    answer = stack.get(f"{FORECAST}&as_of={as_of}")
    return answer.json if answer.status == 200 else None


def metrics(stack: Project) -> str:
    code = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    (container,) = stack.containers("catalogue")
    return run("docker", "exec", container, "python", "-c", code).stdout


def metric(text: str, series: str) -> float | None:
    values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"{series} ")]
    return float(values[0]) if values else None


@pytest.fixture(scope="module")
def countries(live: Project) -> int:
    return len(live.get("/newcomer/countries").json["countries"])


@pytest.fixture(scope="module")
def then(live: Project) -> bytes:
    """What the model answered on 31 May, once the catalogue has kept it."""
    answer = live.get(FORECAST)
    assert answer.json["data_through"] == ORIGIN
    copy = Path(live.folder, "kept.sqlite")
    until(lambda: _stored_versions(live, copy) == 1, 120, "the forecast is kept")
    return answer.body


def _stored_versions(stack: Project, copy: Path) -> int:
    with contextlib.closing(sqlite3.connect(copy_of_store(stack, copy))) as database:
        try:
            return database.execute("SELECT count(*) FROM versions").fetchone()[0]
        except sqlite3.OperationalError:  # it has no tables yet
            return 0


def copy_of_store(stack: Project, copy: Path) -> Path:
    """The store as it is between two transactions."""
    (container,) = stack.containers("catalogue")
    code = """
import sqlite3
with sqlite3.connect("/store/forecastle.sqlite") as store, sqlite3.connect("/tmp/copy.sqlite") as copy:
    store.backup(copy)
"""
    run("docker", "exec", container, "python", "-c", code)
    content = "import sys; sys.stdout.buffer.write(open('/tmp/copy.sqlite', 'rb').read())"
    with copy.open("wb") as file:
        subprocess.run(
            ["docker", "exec", container, "python", "-c", content], stdout=file, check=True, timeout=60
        )
    return copy


def test_days_come_in_one_by_one_and_are_scored(live: Project, then: bytes, countries: int) -> None:
    for number, day in enumerate(DAYS[:4], 1):
        output = observe(live, day)
        assert f" to {day}" in output
        assert "rows: " in output and " known before" in output
        until(
            lambda number=number: count(live) > (number - 1) * countries, SCORED_SECONDS, f"{day} is scored"
        )  # type: ignore[misc]
        until(lambda day=day: scores(live)["last_date"] == day, SCORED_SECONDS, "its day")  # type: ignore[misc]
    seen_scores = scores(live)
    assert seen_scores["observations_through"] == DAYS[3]
    assert seen_scores["first_date"] == DAYS[0]
    assert seen_scores["scores"]["wis"] > 0 and seen_scores["scores"]["wis_naive"] > 0
    # A country whose last day was reported in part is forecast from the day before.
    assert [one["horizon"] for one in seen_scores["by_horizon"]][:4] == [1, 2, 3, 4]
    assert all(0.5 * countries <= one["forecasts"] <= countries for one in seen_scores["by_horizon"][1:4])
    assert 0.5 * countries <= scores(live, f"?since={DAYS[3]}")["scores"]["forecasts"] <= countries
    table = list(
        csv.DictReader(io.StringIO(live.get("/models/newcomer/scores", Accept="text/csv").body.decode()))
    )
    assert table[0]["forecasts"] == str(seen_scores["scores"]["forecasts"])


def test_prometheus_is_told_the_same_by_every_worker(live: Project, then: bytes) -> None:
    seen_scores = scores(live)
    total = seen_scores["scores"]["forecasts"]
    all_horizons = 'forecast_scored_count{horizon="all",model="newcomer"}'

    def caught_up() -> list[str] | None:
        seen = [metrics(live) for _ in range(8)]  # whichever of the two answers
        return seen if {metric(text, all_horizons) for text in seen} == {total} else None

    seen = until(caught_up, 60, "both tell of all scores")
    coverage = 'forecast_interval_coverage_ratio{horizon="1",level="0.9",model="newcomer"}'
    assert {metric(text, coverage) for text in seen} == {seen_scores["by_horizon"][0]["coverage"]["0.9"]}
    assert {metric(text, "forecastle_store_writable") for text in seen} == {1}
    received = {metric(text, "forecastle_observations_received_total") for text in seen}
    assert len(received) == 1 and received.pop() > 4 * 18_000


def test_bad_input_is_refused_at_the_gateway_and_changes_nothing(live: Project, then: bytes) -> None:
    before = live.get("/observations", Accept="text/csv").body
    good = "date,country,cases,deaths\n2020-06-05,GBR,1,2\n"
    cases = [
        (good, {"Authorization": "Bearer wrong"}, 401, "Authorization: Bearer KEY"),
        (good + "2020-06-05,XXX,1,2\n", {}, 422, "ISO 3166 alpha-3 code, not 'XXX'"),
        (good + "2120-06-05,FRA,1,2\n", {}, 422, "lies in the future"),
        (good + "2020-06-05,FRA,-1,2\n", {}, 422, "must be a whole number"),
        (good + "2020-06-05,GBR,1,2\n", {}, 422, "is there already, in line 2"),
        (good + "2020-06-05,FRA,1", {}, 422, "half written"),
        (good + "2020-06-05,FRA,1,2\n" * 550_000, {}, 413, "8 MiB"),  # 10 MB
    ]
    for content, headers, status, words in cases:
        answer = post(live, content, **headers)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert words in answer.json["detail"]
    assert "has kept none of them" in observe(live, LAST, key="wrong", check=False)
    assert live.get("/observations", Accept="text/csv").body == before


def post(stack: Project, content: str, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv", **headers}
    connection = http.client.HTTPConnection("localhost", stack.port, timeout=30)
    with contextlib.closing(connection):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/observations", content.encode(), sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())


def test_a_scorer_that_is_killed_loses_and_doubles_nothing(
    live: Project, then: bytes, tmp_path: Path
) -> None:
    """Killed again and again while there is much to score; then all scores are made anew from a copy."""
    for number, day in enumerate(DAYS[4:]):
        observe(live, day)
        revised = f"date,country,cases\n2020-06-01,GBR,{1000 + number}\n2020-06-02,FRA,{number}\n"
        assert post(live, revised).status == 200
        time.sleep(0.2 * number)
        (container,) = live.containers("catalogue")
        run("docker", "kill", "--signal", "KILL", container)
        assert live.get("/newcomer/livez").status == 200
        run("docker", "start", container)
        until(lambda: live.get("/models/newcomer/scores").status == 200, 30, "the catalogue answers")
    until(lambda: scores(live)["last_date"] == DAYS[-1], SCORED_SECONDS, "everything is scored")
    time.sleep(6)  # one more look, should there be anything left

    store = Store(f"sqlite:///{copy_of_store(live, tmp_path / 'store.sqlite')}")
    before = rows(store)
    current = [key for key, superseded in before.items() if not superseded[-1]]
    assert len({key[:3] for key in current}) == len(current)
    assert any(superseded[-1] for superseded in before.values())  # revisions leave their history
    with store.writing() as connection:
        connection.execute(sa.delete(schema.scores))
        connection.execute(sa.delete(schema.progress))
    scoring.score(store)
    again = rows(store)
    assert {key: again[key] for key in current} == {key: before[key] for key in current}
    assert len(again) == len(current)
    assert count(live) == len(current)


def rows(store: Store) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    with store.reading() as connection:
        return {tuple(row[:4]): tuple(row[4:]) for row in connection.execute(sa.select(schema.scores)).all()}


def test_what_was_answered_then_is_answered_after_a_rebuild(live: Project, then: bytes) -> None:
    assert live.get(f"{FORECAST}&as_of={ORIGIN}").body == then
    live.make("build", "MODEL=newcomer")  # with the data to 8 June
    up(live, "newcomer")
    until(lambda: live.get(FORECAST).json["data_through"] == LAST, 10, "the new forecast")
    until(lambda: kept(live, LAST)["data_through"] == LAST, 120, "the new forecast is kept")
    for day in (ORIGIN, "2020-06-07"):
        answer = live.get(f"{FORECAST}&as_of={day}")
        assert (answer.status, answer.body) == (200, then)
    assert kept(live, LAST) == live.get(FORECAST).json
    assert live.get(f"{FORECAST}&as_of=2020-05-30").status == 404
    answer = live.get(f"/newcomer/countries/GBR/forecast?as_of={ORIGIN}&level=0.33")
    assert (answer.status, answer.json["status"]) == (422, 422)
    of_all = live.get(f"/newcomer/forecast?as_of={ORIGIN}&days=1").json
    assert of_all["data_through"] == ORIGIN and len(of_all["forecasts"]) > 1
    now = datetime.datetime.now(datetime.UTC).isoformat()
    assert live.get(f"{FORECAST}&as_of={ORIGIN}&known_at={quote(now)}").body == then
    assert live.get(f"{FORECAST}&known_at=2020-06-08T12:00Z").status == 404  # nobody had kept one by then

    live.compose("stop", "newcomer")
    assert (
        live.get(f"{FORECAST}&as_of={ORIGIN}&days=27").json["forecast"] == json.loads(then)["forecast"][:27]
    )


def test_a_name_server_that_does_not_answer_hides_no_model_that_is_there(
    project: Project, tmp_path: Path
) -> None:
    """It is asked for the names of all models that are not up."""
    stack = Project(project.folder)
    for name in SERVICES:
        run("docker", "tag", project.image(name), stack.image(name))
    slow = tmp_path / "slow.yml"
    slow.write_text("services:\n  catalogue:\n    dns: [192.0.2.1]\n")  # of TEST-NET-1, where nobody is
    files = ("--file", "docker-compose.yml", "--file", str(slow))
    try:
        stack.compose(*files, "up", "--detach", "--wait", "--no-build", *SERVICES)
        copy = tmp_path / "kept.sqlite"
        until(lambda: _stored_versions(stack, copy) == 1, 30, "the forecast is kept")
        health = {one["model"]: one["health"] for one in stack.get("/models").json["models"]}
        assert health.pop("newcomer") == "ready" and set(health.values()) == {"down"}
    finally:
        stack.remove()


def test_a_full_store_leaves_everything_else_and_is_used_when_there_is_space(project: Project) -> None:
    """On a volume of its own in memory, of a megabyte, which something fills up."""
    command = ["docker", "run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    command += ["--tmpfs", "/store:size=1m,uid=10001,mode=0755", "--env", f"OBSERVATIONS_KEY={KEY}"]
    command += ["--publish", "127.0.0.1::8000", project.image("catalogue")]
    container = run(*command).stdout.strip()
    try:
        port = int(inspect(container)["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"])
        until(lambda: ask(port, "/readyz").status == 200, 15, "ready")
        until(
            lambda: metric(ask(port, "/metrics").body.decode(), "forecastle_store_writable") == 1,
            20,
            "written",
        )
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv"}
        row = "date,country,deaths\n2020-06-05,GBR,1\n"
        assert send(port, row, headers).status == 200

        run("docker", "exec", container, "sh", "-c", "cat /dev/zero > /store/filler", check=False)
        answer = send(port, row.replace("GBR,1", "GBR,2"), headers)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "forecast store cannot be written" in answer.json["detail"]
        text = until(
            lambda: (
                (text := ask(port, "/metrics").body.decode())
                and metric(text, "forecastle_store_writable") == 0
                and text
            ),
            20,
            "the metric tells",
        )
        assert metric(text, "forecastle_store_errors_total")
        assert ask(port, "/models").status == 200
        assert ask(port, "/observations").json["observations"][0]["deaths"] == 1

        run("docker", "exec", container, "rm", "/store/filler")
        assert send(port, row.replace("GBR,1", "GBR,2"), headers).json["revised"] == 1
        until(
            lambda: metric(ask(port, "/metrics").body.decode(), "forecastle_store_writable") == 1,
            20,
            "written",
        )
    finally:
        run("docker", "rm", "--force", container)


def send(port: int, content: str, headers: dict[str, str]) -> Any:
    stack = Project(Path(), port=port)
    return post(stack, content, **headers)
