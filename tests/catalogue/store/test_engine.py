"""engine.py: one store in two databases. Its failures are single ones: it is used again when it is back."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from forecastle.catalogue.store import observations, schema
from forecastle.catalogue.store.engine import ERRORS, Store, StoreError

from ..conftest import deaths, receive


def errors() -> float:
    return ERRORS._value.get()


def test_what_raises_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        connection.execute(sa.update(schema.state).values(schema_version=2))
        _ = 1 / 0
    with store.reading() as connection:
        assert connection.scalar(sa.select(schema.state.c.schema_version)) == 1


def test_writers_take_turns(url: str) -> None:
    """Two that read a number and write it back one higher, many times: none is lost."""
    Store(url).check()

    def count(store: Store) -> None:
        for _ in range(20):
            with store.writing() as connection:
                number = connection.scalar(sa.select(schema.state.c.id))
                connection.execute(sa.update(schema.state).values(id=number + 1))

    stores = [Store(url) for _ in range(3)]
    threads = [threading.Thread(target=count, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores[0].reading() as connection:
        assert connection.scalar(sa.select(schema.state.c.id)) == 1 + 3 * 20
    for store in stores:
        store.engine.dispose()


def test_a_reader_sees_one_moment(store: Store, url: str) -> None:
    receive(store, deaths("GBR", 1, [1, 2]))
    other = Store(url)
    with store.reading() as connection:
        assert len(observations.current(connection, "country")) == 2
        if store.engine.dialect.name == "postgresql":  # SQLite's writer waits for readers to end
            receive(other, deaths("GBR", 3, [3]))
        assert len(observations.current(connection, "country")) == 2
    receive(other, deaths("GBR", 3, [3]))
    with store.reading() as connection:
        assert len(observations.current(connection, "country")) == 3
    other.engine.dispose()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "must be an address such as postgresql://"),
        ("mysql://localhost/x", "must be of PostgreSQL or SQLite"),
    ],
)
def test_an_invalid_address_is_refused(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        Store(url)


def test_one_that_goes_and_comes_back_is_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    store, before = Store(f"sqlite:///{folder}/store.sqlite"), errors()
    receive(store, deaths("GBR", 1, [1]))

    folder.rename(tmp_path / "away")
    with pytest.raises(StoreError, match=r"^the forecast store fails: unable to open database file$"):
        store.check()
    with pytest.raises(StoreError), store.reading():
        pass
    assert errors() == before + 2

    (tmp_path / "away").rename(folder)
    store.check()
    with store.reading() as connection:
        assert len(observations.current(connection, "country")) == 1

    (folder / "store.sqlite").unlink()  # an empty one in its place
    with pytest.raises(StoreError, match="no such table"):
        store.check()
    store.check()
    with store.reading() as connection:
        assert observations.current(connection, "country") == []


def test_one_that_is_full_takes_nothing_more_and_loses_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    receive(store, deaths("GBR", 1, [1, 2, 3]))

    @sa.event.listens_for(store.engine, "connect")
    def limit(connection, _) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    pages = 1  # SQLite takes as many as there are
    many = [row for country in ("GBR", "FRA", "ITA") for row in deaths(country, 4, list(range(500)))]
    with pytest.raises(StoreError, match="database or disk is full"):
        receive(store, many)
    with store.reading() as connection:
        assert len(observations.current(connection, "country")) == 3
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.receipts)) == 1

    pages = 2**20
    assert receive(store, many).new == len(many)


def test_one_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    receive(Store(f"sqlite:///{tmp_path}/store.sqlite"), deaths("GBR", 1, [1]))
    store = Store(f"sqlite:///file:{tmp_path}/store.sqlite?mode=ro&uri=true")
    with pytest.raises(StoreError, match="attempt to write a readonly database"):
        store.check()
    with store.reading() as connection:
        assert len(observations.current(connection, "country")) == 1


def test_a_server_that_is_down_is_named_in_one_line() -> None:
    store = Store("postgresql://forecastle@127.0.0.1:1/forecastle")
    with pytest.raises(StoreError) as raised:
        store.check()
    assert len(str(raised.value).splitlines()) == 1
    assert "127.0.0.1" in str(raised.value)


def test_a_password_is_never_shown() -> None:
    store = Store("postgresql://forecastle:hunter2@127.0.0.1:1/forecastle")
    with pytest.raises(StoreError) as raised:
        store.check()
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in str(store.engine.url)
