"""observations.py: revisions of counts, kept once."""

import datetime

import sqlalchemy as sa

from forecastle.catalogue.store import observations, schema
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.observations import Receipt
from forecastle.catalogue.upload import Row

from ..conftest import NOW, day, deaths, receive


def counts(store: Store) -> list[tuple[str, datetime.date, int | None, int | None]]:
    with store.reading() as connection:
        return [(row.country, row.date, row.cases, row.deaths) for row in observations.current(connection)]


def test_rows_are_kept_by_country_and_day(store: Store) -> None:
    receipt = receive(store, [*deaths("GBR", 1, [813, None]), *deaths("FRA", 1, [369])])
    assert receipt == Receipt(received=3, new=3, revised=0, unchanged=0, observations_through=day(2))
    assert counts(store) == [
        ("FRA", day(1), None, 369),
        ("GBR", day(1), None, 813),
        ("GBR", day(2), None, None),
    ]
    with store.reading() as connection:
        (kept,) = connection.execute(sa.select(schema.receipts)).all()
    assert (kept.received_at, kept.source, kept.rows, kept.through) == (NOW, "a test", 3, day(2))


def test_what_is_known_is_no_revision(store: Store) -> None:
    receive(store, deaths("GBR", 1, [813, 420]))
    receipt = receive(store, deaths("GBR", 1, [813, 413, 360]))
    assert receipt[:4] == (3, 1, 1, 1)
    receipt = receive(store, deaths("GBR", 1, [813, 413, 360]))
    assert receipt[:4] == (3, 0, 0, 3)
    with store.reading() as connection:
        found = connection.execute(sa.select(*schema.observations.c["date", "deaths"])).all()
        assert [tuple(row) for row in found] == [(day(1), 813), (day(2), 420), (day(2), 413), (day(3), 360)]
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.receipts)) == 2
    assert [row[3] for row in counts(store)] == [813, 413, 360]


def test_a_report_may_be_withdrawn(store: Store) -> None:
    receive(store, deaths("GBR", 1, [813]))
    assert receive(store, deaths("GBR", 1, [None])).revised == 1
    assert counts(store) == [("GBR", day(1), None, None)]


def test_counts_that_are_left_out_stay(store: Store) -> None:
    receive(store, deaths("GBR", 1, [813]))
    receive(store, [Row(day(1), "GBR", {"cases": 4913})])
    assert counts(store) == [("GBR", day(1), 4913, 813)]


def test_a_part_may_be_asked_for(store: Store) -> None:
    receive(store, [*deaths("GBR", 1, [1, 2, 3]), *deaths("FRA", 1, [4, 5, 6])])
    receive(store, deaths("GBR", 2, [20]))
    with store.reading() as connection:
        part = observations.current(connection, day(2), day(3), ["GBR"])
        assert [(row.date, row.deaths) for row in part] == [(day(2), 20), (day(3), 3)]
        assert observations.through(connection) == day(3)
        assert observations.revision(connection) == part[0].revision


def test_an_empty_store_has_none(store: Store) -> None:
    with store.reading() as connection:
        assert observations.current(connection) == []
        assert observations.through(connection) is None
        assert observations.revision(connection) == 0
