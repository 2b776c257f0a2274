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
    """All rows that there were before Alembic, by table."""
    with store.engine.connect() as connection:
        return {
            name: sorted(
                map(repr, connection.execute(sa.select(*(c for c in table.c if c.name != "frequency"))))
            )
            for name, table in schema.metadata.tables.items()
        }


def current_scores(store: Store) -> list[tuple[Any, ...]]:
    table = schema.scores
    columns = table.c["version_id", "country", "horizon", "observed"]
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
    before = content(old)
    with old.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        frequencies = connection.scalars(sa.select(schema.versions.c.frequency)).all()
    assert revision(old) == migrations.NEWEST
    assert frequencies == ["D", "D"]
    assert all(before.values())
    assert content(old) == before


def test_an_old_store_is_read_and_written_as_before(old: Store, make_issue: MakeIssue) -> None:
    with old.reading() as connection:
        version = forecasts.as_of(connection, "flu", day(0))
        (forecast,) = forecasts.of_version(connection, version.id, "daily", "GBR")
        assert (forecast.mean, forecast.quantiles[1][22]) == ([11.0, 11.0], 22.0)
        reported = {(row.country, row.date): row for row in observations.current(connection)}
        assert reported["GBR", day(1)].deaths == 12
        assert reported["FRA", day(1)][3:] == (70, 9, 65_000_000)
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
        lost = sa.and_(schema.scores.c.version_id == 2, schema.scores.c.revision == 5)
        connection.execute(sa.update(schema.scores).where(lost).values(superseded=True))
    before = content(old)
    assert scoring.score(old) == 3  # of the one version with a loss
    assert current_scores(old) == [
        *((1, "FRA", 1, 9.0), (1, "GBR", 1, 12.0), (1, "GBR", 2, 40.0)),
        *((2, "FRA", 1, 1009.0), (2, "GBR", 1, 1012.0), (2, "GBR", 2, 1052.0)),
    ]
    after = content(old)
    assert len(after["scores"]) == len(before["scores"])
    assert after["progress"] == before["progress"]


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
    with old.reading():
        pass
    assert revision(old) == migrations.NEWEST
    assert content(old) == before


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
