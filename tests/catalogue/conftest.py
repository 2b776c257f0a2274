"""Fixtures of the store: one in SQLite and one in a real PostgreSQL, and forecasts to keep in it."""

import contextlib
import datetime
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from starlette.types import ASGIApp

from forecastle.catalogue.store import forecasts, observations
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.forecasts import Issue, SeriesForecast
from forecastle.catalogue.upload import Reports, Row
from forecastle.frequency import Frequency, plural
from forecastle.runtime.monitoring import Monitoring
from forecastle.scores import QUANTILES

ORIGIN = datetime.date(2020, 4, 24)
NOW = datetime.datetime(2020, 4, 25, 6, tzinfo=datetime.UTC)
HORIZON = 28

MakeIssue = Callable[..., Issue]


def day(after: int) -> datetime.date:
    """The day so many days after the origin."""
    return ORIGIN + datetime.timedelta(after)


def deaths(country: str, first: int, counts: list[int | None]) -> list[Row]:
    """Reports of deaths, from the day so many days after the origin on."""
    return [Row(day(first + i), country, {"deaths": count}) for i, count in enumerate(counts)]


def receive(store: Store, rows: list[Row], noun: str = "country", **names: str) -> observations.Receipt:
    return observations.receive(store, Reports(noun, rows, names), "a test", NOW)


@pytest.fixture(scope="session")
def make_issue() -> MakeIssue:
    """`make_issue(cumulative=True)`: forecasts of GBR and FRA, with the quantiles 0, 1, ... 22 on every date.

    Running totals are 1000 more. The model was fitted to 60 days with 10 deaths each, 1000 in total, or to
    `fitted`. Keywords replace members of the version.
    """

    def make(
        quantiles: np.ndarray | None = None,
        data_through: datetime.date = ORIGIN,
        codes: tuple[str, ...] = ("GBR", "FRA"),
        fitted: list[float | None] | None = None,
        **version,
    ) -> Issue:
        frequency, noun = Frequency.of(version.get("frequency", "D")), version.get("noun", "country")
        kinds = {frequency.adjective: 0} | ({} if version.get("real") else {"cumulative": 1000})
        described = {
            "model": "flu",
            "version": f"{data_through}-0000000a",
            "target": "daily deaths",
            "unit": "deaths",
            "cumulative": False,
            "noun": noun,
            "plural": plural(noun),
            "measure": version.get("unit", "deaths"),
            "frequency": frequency.alias,
            "real": False,
            "minimum": 0,
            "data_through": data_through,
            "first_date": frequency.after(data_through, 1),
            "last_date": frequency.after(data_through, HORIZON),
            "trained_at": NOW,
            **version,
        }
        values = np.arange(len(QUANTILES), dtype=float) if quantiles is None else quantiles
        tables = {
            kind: {
                code: SeriesForecast(
                    data_through,
                    {noun: code, "counts": kind, "forecast": None},
                    [float(added + 11)] * HORIZON,
                    [(added + values).tolist()] * HORIZON,
                )
                for code in codes
            }
            for kind, added in kinds.items()
        }
        known = fitted or (list(range(410, 1001, 10)) if described["cumulative"] else [10] * 60)
        first_day = frequency.after(data_through, 1 - len(known))
        past = {"first_day": first_day, "counts": known, "total": None if described["real"] else 1000}
        names = {code: f"{noun} {code}".capitalize() for code in codes}
        return Issue(described, tables, dict.fromkeys(codes, past), names)

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server that runs only for these tests."""
    found = [shutil.which("initdb"), *map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if not (programs := [Path(path).resolve().parent for path in found if path]):
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql): its tests are left out")
    root = os.geteuid() == 0  # PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="forecastle-postgresql-"))
    if root:
        shutil.chown(folder, "postgres", "postgres")
    options = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    port = _free_port()
    log = (folder.parent / f"{folder.name}.log").open("w+")
    try:
        initdb = [
            programs[0] / "initdb",
            "-D",
            folder / "data",
            "-U",
            "forecastle",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, stdout=log, stderr=log, cwd="/", **options)
        server = [programs[0] / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1"]
        server += ["-k", folder, "-c", "fsync=off"]
        process = subprocess.Popen(server, stdout=log, stderr=log, cwd="/", **options)
        try:
            ready = [programs[0] / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            for _ in range(200):
                if subprocess.run(ready, timeout=30).returncode == 0:
                    break
                time.sleep(0.1)
            yield f"postgresql://forecastle@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing needs to be saved
            process.wait(20)
    finally:
        log.close()
        Path(log.name).unlink()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    server = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(f"{server.replace('postgresql', 'postgresql+psycopg')}/postgres")
    with contextlib.closing(engine.raw_connection()) as connection:
        connection.driver_connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server}/{name}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store(url)
    yield store
    store.engine.dispose()


def keep(store: Store, issue: Issue) -> None:
    assert forecasts.keep(store, issue, NOW)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def client(app: ASGIApp, model: str = "flu") -> httpx.AsyncClient:
    """A client of a model's app, under its prefix."""
    transport = httpx.ASGITransport(Monitoring(app, model=model, prefix=f"/{model}"))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture(scope="session")
def draws() -> np.ndarray:
    """Draws of counts that spread widely, shape (draw, country, day ahead)."""
    rng = np.random.default_rng(1)
    return rng.negative_binomial(3, 3 / (3 + np.array([5, 40, 300, 4000])[None, :, None]), (400, 4, HORIZON))
