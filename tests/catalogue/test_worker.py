"""worker.py: the background task, one round and as long as the app runs."""

import asyncio
import contextlib
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.catalogue import upload, worker
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store import observations, schema
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.worker import Watch
from forecastle.service import create_app

from ..conftest import HORIZON, NAMES, Ask, MakeArtifact
from ..served import Quiet, listening
from .conftest import client, deaths, receive


def count(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def versions(store: Store) -> list[tuple[str, str]]:
    with store.reading() as connection:
        found = connection.execute(sa.select(*schema.versions.c["model", "version"]).order_by("id"))
        return [(row.model, row.version) for row in found]


@pytest.fixture
def app(make_artifact: MakeArtifact) -> FastAPI:
    return create_app(Artifact.load(make_artifact()))


@contextlib.contextmanager
def served(contents: list[tuple[int, bytes]]) -> Iterator[str]:
    """The address of a server that answers with these in turn, and with the last from then on."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            status, content = contents[0] if len(contents) == 1 else contents.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with listening(Handler) as port:
        yield f"http://user:hunter2@127.0.0.1:{port}/counts.csv?token=hunter3"


def test_what_a_model_forecasts_is_kept_and_scored(store: Store, app: FastAPI) -> None:
    receive(store, deaths("GBR", 1, [100]))
    looks = Watch({"flu": client(app)}, store, StoreMetrics(store))
    asyncio.run(looks.once())
    assert versions(store) == [("flu", app.version)]
    assert count(store, schema.scores) == 1


def test_the_same_version_is_kept_once(store: Store, app: FastAPI) -> None:
    for _ in range(2):  # as after a restart
        looks = Watch({"flu": client(app)}, store, StoreMetrics(store))
        asyncio.run(looks.once())
        asyncio.run(looks.once())
    assert len(versions(store)) == 1


def test_a_new_version_is_kept_beside_the_old(
    store: Store, app: FastAPI, make_artifact: MakeArtifact
) -> None:
    other = create_app(Artifact.load(make_artifact(draws=np.ones((10, len(NAMES), HORIZON)))))
    clients = {"flu": client(app)}
    looks = Watch(clients, store, StoreMetrics(store))
    asyncio.run(looks.once())
    clients["flu"] = client(other)
    asyncio.run(looks.once())
    clients["flu"] = client(app)  # taken back
    asyncio.run(looks.once())
    assert versions(store) == [("flu", app.version), ("flu", other.version)]


def test_models_of_another_kind_or_down_leave_the_others_alone(
    store: Store, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    half = FastAPI()

    @half.get("/")
    def overview() -> dict[str, str]:
        return {"version": "1"}

    clients = {"down": nobody, "plain": client(FastAPI(), "plain"), "half": client(half, "half")}
    looks = Watch({**clients, "flu": client(app)}, store, StoreMetrics(store))
    with caplog.at_level(logging.WARNING):
        asyncio.run(looks.once())
        asyncio.run(looks.once())
    assert versions(store) == [("flu", app.version)]
    assert [record.getMessage() for record in caplog.records] == [
        "half: /half/issue.json answers 404: if this model forecasts, build its image again"
    ]


def test_a_store_that_fails_is_logged_once_and_used_when_it_is_back(
    tmp_path: Path, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "volume"
    store = Store(f"sqlite:///{folder}/store.sqlite")
    looks = Watch({"flu": client(app)}, store, StoreMetrics(store))
    with caplog.at_level(logging.WARNING):
        asyncio.run(looks.once())
        asyncio.run(looks.once())
    assert {record.getMessage() for record in caplog.records} == {
        "flu: the forecast store fails: unable to open database file",
        "scores: the forecast store fails: unable to open database file",
    }
    assert len(caplog.records) == 2
    folder.mkdir()
    asyncio.run(looks.once())
    assert versions(store) == [("flu", app.version)]


def test_a_store_that_was_lost_gets_the_forecasts_that_are_served(tmp_path: Path, app: FastAPI) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    looks = Watch({"flu": client(app)}, store, StoreMetrics(store))
    asyncio.run(looks.once())
    (tmp_path / "store.sqlite").unlink()
    asyncio.run(looks.once())
    asyncio.run(looks.once())
    assert versions(store) == [("flu", app.version)]


def test_counts_are_fetched_on_a_schedule(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    first, second = b"date,country,deaths\n2020-04-25,GBR,1\n", b"date,country,deaths\n2020-04-25,GBR,2\n"
    before = RECEIVED._value.get()
    with served([(200, first), (200, second)]) as url:
        looks = Watch({}, store, StoreMetrics(store), url, every=60)
        asyncio.run(looks.once())
        clock[0] = 1059.0
        asyncio.run(looks.once())
        assert count(store, schema.observations) == 1
        clock[0] = 1060.0
        asyncio.run(looks.once())
    with store.reading() as connection:
        assert [row.value for row in observations.current(connection, "country")] == [2]
        sources = connection.scalars(sa.select(schema.receipts.c.source)).all()
    assert RECEIVED._value.get() == before + 2
    assert all(source.startswith("http://127.0.0.1:") for source in sources)
    assert not any("hunter" in source for source in sources)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, b""), "the address answers 404"),
        ((200, b"<html>"), "line 1: the last line does not end in a line break"),
        (
            (200, b"date,country,deaths\n2020-04-25,GBR,-1\n"),
            "line 2, deaths: must be a whole number of at least 0",
        ),
        ((200, b"x" * (upload.LARGEST + 1)), "there are more than"),
    ],
)
def test_what_cannot_be_fetched_is_logged_without_secrets(
    store: Store, answer: tuple[int, bytes], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = REJECTED._value.get()
    with served([answer]) as url, caplog.at_level(logging.DEBUG):
        asyncio.run(Watch({}, store, StoreMetrics(store), url).once())
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith(f"OBSERVATIONS_URL: {reason}")
    assert "hunter" not in caplog.text
    assert REJECTED._value.get() == before + 1
    assert count(store, schema.observations) == 0


def test_an_address_that_does_not_answer_is_logged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        asyncio.run(Watch({}, store, StoreMetrics(store), "http://user:hunter2@127.0.0.1:1/x").once())
    assert "OBSERVATIONS_URL: the address does not answer (ConnectError)" in caplog.text
    assert "hunter2" not in caplog.text


def test_it_works_beside_the_routes_and_scores_at_once(
    tmp_path: Path, app: FastAPI, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server runs it: with the app's lifespan."""
    monkeypatch.setattr(worker, "PAUSE", 60)
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    catalogue = create_catalogue({"flu": client(app)}, store, Settings(OBSERVATIONS_KEY="key"))

    async def live() -> None:
        async with catalogue.router.lifespan_context(catalogue):
            await until(lambda: versions(store) != [])
            transport = httpx.ASGITransport(catalogue)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as sender:
                headers = {"Authorization": "Bearer key", "Content-Type": "text/csv"}
                content = "date,country,deaths\n2020-04-25,GBR,100\n"
                answer = await sender.post("/observations", content=content, headers=headers)
                assert answer.status_code == 200
            await until(lambda: count(store, schema.scores) == 1)
            (metrics,) = catalogue.state.collectors
            await until(lambda: any(one.name == "forecast_wis" for one in metrics.collect()))

    asyncio.run(live())


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def work(url: str, started: Any, asked: Any) -> None:
    """One of several workers, whose model counts how often it is asked for its forecasts."""

    async def count_looks(scope: Any, receive: Any, send: Any) -> None:
        with asked.get_lock():
            asked.value += 1
        await FastAPI()(scope, receive, send)

    store = Store(url)
    looks = Watch({"flu": client(count_looks)}, store, StoreMetrics(store))

    async def run() -> None:
        async with looks.running(None):
            started.wait()
            await asyncio.sleep(60)

    worker.PAUSE = 0.1
    asyncio.run(run())


def test_one_of_many_workers_does_it_and_another_when_that_one_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    url, started = f"sqlite:///{tmp_path}/store.sqlite", context.Barrier(4)
    Store(url).check()
    counts = [context.Value("i", 0) for _ in range(3)]
    workers = [context.Process(target=work, args=(url, started, asked)) for asked in counts]
    try:
        for worker in workers:
            worker.start()
        started.wait(60)
        wait_for(lambda: any(asked.value for asked in counts))
        time.sleep(1)
        (leader,) = [index for index, asked in enumerate(counts) if asked.value]
        workers[leader].kill()
        workers[leader].join(10)
        wait_for(lambda: sum(bool(asked.value) for asked in counts) == 2)
    finally:
        for worker in workers:
            worker.kill()
            worker.join(10)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
