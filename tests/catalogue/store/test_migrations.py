"""migrations: stores of earlier releases are brought up to date, and newer ones are left alone."""

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from forecastle.catalogue import scoring
from forecastle.catalogue.store import StoreError, forecasts, migrations, observations, schema, scores
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upload import Row

from ..conftest import MakeIssue, day, deaths, keep, receive

DUMPS = Path(__file__).parent  # made by the code before Alembic


@pytest.fixture
def old(url: str) -> Iterator[Store]:
    """A store that was written before Alembic."""
    if url.startswith("sqlite:///"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript((DUMPS / "schema_1.sqlite.sql").read_text(encoding="utf-8"))
    else:
        connection = psycopg.connect(url)
        connection.execute((DUMPS / "schema_1.postgresql.sql").read_text(encoding="utf-8"))
        connection.commit()
    connection.close()
    store = Store(url)
    yield store
    store.engine.dispose()


def revision(store: Store) -> str:
    with store.engine.connect() as connection:
        return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))


def content(store: Store) -> dict[str, list[Any]]:
    """All rows, by table, before the migration or after it."""
    tables = sa.MetaData()
    with store.engine.connect() as connection:
        tables.reflect(connection)
        return {
            name: sorted(map(repr, connection.execute(sa.select(table))))
            for name, table in tables.tables.items()
            if name != "alembic_version"
        }


def current_scores(store: Store) -> list[tuple[Any, ...]]:
    table = schema.scores
    columns = table.c["version_id", "series", "horizon", "observed"]
    with store.reading() as connection:
        found = sa.select(*columns).where(table.c.superseded.is_(False)).order_by(*columns)
        return [tuple(row) for row in connection.execute(found)]


def test_the_scripts_follow_each_other_in_the_order_of_their_names() -> None:
    scripts = ScriptDirectory(str(migrations.FOLDER)).walk_revisions()
    assert [script.revision for script in scripts] == migrations.REVISIONS[::-1]


def test_a_new_store_has_the_tables_of_the_schema(store: Store) -> None:
    store.check()
    assert revision(store) == migrations.NEWEST
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_an_old_store_has_the_tables_of_the_schema_after_its_migration(old: Store) -> None:
    with old.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    assert revision(old) == migrations.NEWEST


def test_nothing_of_an_old_store_is_lost(old: Store) -> None:
    """Three ids take the place of one, and scores and progress name these."""
    before = content(old)
    assert all(before.values())
    with old.reading() as connection:
        found = connection.execute(sa.select(schema.versions).order_by("id")).all()
        assert [row.unit for row in found] == ["deaths", "deaths"]
        assert {(row.frequency, row.noun, row.plural, row.measure) for row in found} == {
            ("D", "country", "countries", "deaths")
        }
        assert {(row.real, row.minimum) for row in found} == {(False, 0)}
        reported = connection.execute(sa.select(schema.observations).order_by("id")).all()
        columns = ("id", "series", "measure", "date", "value", "receipt_id")
        assert [tuple(getattr(row, column) for column in columns) for row in reported] == [
            (3, "FRA", "cases", day(1), None, 1),
            (4, "FRA", "deaths", day(1), None, 1),
            (6, "GBR", "cases", day(1), None, 1),
            (7, "GBR", "deaths", day(1), 11, 1),
            (9, "GBR", "cases", day(2), None, 1),
            (10, "GBR", "deaths", day(2), 40, 1),
            (12, "FRA", "cases", day(1), 70, 2),
            (13, "FRA", "deaths", day(1), 9, 2),
            (14, "FRA", "population", day(1), 65_000_000, 2),
            (15, "GBR", "cases", day(1), None, 2),
            (16, "GBR", "deaths", day(1), 12, 2),
        ]
        assert {row.noun for row in reported} == {"country"}
        table = schema.scores.c
        scored = connection.execute(sa.select(*table["series", "horizon", "revision", "superseded"]))
        assert sorted(map(tuple, scored)) == [
            *(("FRA", 1, 13, False), ("FRA", 1, 13, False)),
            *(("GBR", 1, 7, True), ("GBR", 1, 7, True), ("GBR", 1, 16, False), ("GBR", 1, 16, False)),
            *(("GBR", 2, 10, False), ("GBR", 2, 10, True), ("GBR", 2, 16, False)),
        ]
        assert connection.scalars(sa.select(schema.progress.c.revision)).all() == [16, 16]
        assert connection.scalars(sa.select(schema.receipts.c.noun)).all() == ["country", "country"]
    after = content(old)
    assert after.pop("names") == []
    for name in before.keys() - {"observations"}:
        assert len(after[name]) == len(before[name])
    assert after["state"] == before["state"]


def test_an_old_store_is_read_and_written_as_before(old: Store, make_issue: MakeIssue) -> None:
    with old.reading() as connection:
        version = forecasts.as_of(connection, "flu", day(0))
        (forecast,) = forecasts.of_version(connection, version.id, "daily", "GBR")
        assert (forecast.mean, forecast.quantiles[1][22]) == ([11.0, 11.0], 22.0)
        reported = {(row.series, row.date): row.values for row in observations.by_date(connection, "country")}
        assert reported["GBR", day(1)]["deaths"] == 12
        assert reported["FRA", day(1)] == {"cases": 70, "deaths": 9, "population": 65_000_000}
        answer = scores.of_model(connection, "flu")
        assert answer.scores is not None and answer.scores.forecasts == 3
    assert receive(old, [*deaths("GBR", 2, [41]), *deaths("FRA", 2, [8])])[:4] == (2, 1, 1, 0)
    assert scoring.score(old) == 4
    assert current_scores(old) == [
        *((1, "FRA", 1, 9.0), (1, "FRA", 2, 8.0), (1, "GBR", 1, 12.0), (1, "GBR", 2, 41.0)),
        *((2, "FRA", 1, 1009.0), (2, "FRA", 2, 1017.0), (2, "GBR", 1, 1012.0), (2, "GBR", 2, 1053.0)),
    ]
    keep(old, make_issue(model="measles"))
    assert scoring.score(old) == 4


def test_scores_that_an_old_release_lost_are_current_again(old: Store) -> None:
    with old.engine.begin() as connection:
        lost = "version_id = 2 AND revision = 5"
        connection.execute(sa.text(f"UPDATE scores SET superseded = TRUE WHERE {lost}"))
    before = content(old)
    assert scoring.score(old) == 3  # of the one version with a loss
    assert current_scores(old) == [
        *((1, "FRA", 1, 9.0), (1, "GBR", 1, 12.0), (1, "GBR", 2, 40.0)),
        *((2, "FRA", 1, 1009.0), (2, "GBR", 1, 1012.0), (2, "GBR", 2, 1052.0)),
    ]
    after = content(old)
    assert len(after["scores"]) == len(before["scores"])
    assert len(after["progress"]) == len(before["progress"])


def test_a_population_that_was_withdrawn_stays_so(old: Store) -> None:
    with old.engine.begin() as connection:
        columns = "id, date, country, cases, deaths, population, receipt_id"
        values = "6, '2020-04-25', 'FRA', 70, 9, NULL, 2"
        connection.execute(sa.text(f"INSERT INTO observations ({columns}) VALUES ({values})"))
    with old.reading() as connection:
        france = observations.by_date(connection, "country", series="FRA")
    assert [row.values for row in france] == [{"cases": 70, "deaths": 9, "population": None}]


def test_an_old_store_takes_another_noun(old: Store) -> None:
    """New ids follow the migrated ones."""
    receive(old, [Row(day(1), "s1", {"sales": 1.5})], "store")
    with old.reading() as connection:
        (row,) = observations.current(connection, "store")
        assert row.revision > 16
        assert row.value == 1.5


def test_a_newer_store_is_refused_and_left_as_it_is(store: Store, url: str) -> None:
    receive(store, deaths("GBR", 1, [11]))
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    before = content(store)
    another = Store(url)
    for attempt in (another.check, lambda: scoring.score(another)):
        with pytest.raises(StoreError) as raised:
            attempt()
        assert "has revision 9999 and this release knows those up to" in str(raised.value)
        assert "run the release that wrote it or a newer one" in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1
    another.engine.dispose()
    assert content(store) == before
    assert revision(store) == "9999"


def test_a_newer_store_without_alembic_s_table_is_refused(old: Store) -> None:
    with old.engine.begin() as connection:
        connection.execute(sa.update(schema.state).values(schema_version=99))
    with pytest.raises(StoreError, match="has revision 0099"):
        old.check()
    with old.engine.connect() as connection:
        assert not sa.inspect(connection).has_table("alembic_version")


def test_a_migration_that_fails_leaves_the_store_as_it_was(old: Store) -> None:
    before = content(old)
    with old.engine.begin() as connection:  # in the way of the second script, after the store was stamped
        connection.execute(sa.text("ALTER TABLE versions ADD COLUMN frequency INTEGER"))
    for _ in range(2):
        with pytest.raises(StoreError, match="frequency"):
            old.check()
        with old.engine.connect() as connection:
            assert not sa.inspect(connection).has_table("alembic_version")
    with old.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE versions DROP COLUMN frequency"))
    assert content(old) == before
    with old.reading():
        pass
    assert revision(old) == migrations.NEWEST


def start(url: str, barrier: Any, results: Any) -> None:
    """A worker that starts at the same time as the others."""
    store = Store(url)
    barrier.wait()
    try:
        store.check()
        results.put("ready")
    except StoreError as error:
        results.put(str(error))


@pytest.mark.parametrize("kind", ["new", "old"])
def test_of_workers_that_start_at_once_one_migrates(
    kind: str, url: str, request: pytest.FixtureRequest
) -> None:
    if kind == "old":
        request.getfixturevalue("old")
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=start, args=(url, barrier, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == ["ready"] * 4
    for worker in workers:
        worker.join(10)
    store = Store(url)
    assert revision(store) == migrations.NEWEST
    with store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.state)) == 1
    store.engine.dispose()


def test_a_store_that_is_up_to_date_is_used_without_importing_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    Store(url).check()
    code = (
        "import sys; from forecastle.catalogue.store.engine import Store; "
        f"Store({url!r}).check(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"
