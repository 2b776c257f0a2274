"""observations.py: revisions of counts, kept once."""

import datetime

import sqlalchemy as sa

from forecastle.catalogue.store import observations, schema
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.observations import Receipt
from forecastle.catalogue.upload import Reports, Row

from ..conftest import NOW, day, deaths, receive


def counts(store: Store) -> list[tuple[str, datetime.date, int | None, int | None]]:
    with store.reading() as connection:
        return [
            (row.series, row.date, row.values.get("cases"), row.values.get("deaths"))
            for row in observations.by_date(connection, "country")
        ]


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
        found = connection.execute(sa.select(*schema.observations.c["date", "value"])).all()
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
        part = observations.current(connection, "country", day(2), day(3), "GBR", ["deaths"])
        assert [(row.date, row.value) for row in part] == [(day(2), 20), (day(3), 3)]
        assert observations.current(connection, "country", measures=["cases"]) == []
        assert observations.through(connection) == day(3)
        assert observations.revision(connection) == part[0].revision


def test_an_empty_store_has_none(store: Store) -> None:
    with store.reading() as connection:
        assert observations.current(connection, "country") == []
        assert observations.nouns(connection) == []
        assert observations.through(connection) is None
        assert observations.revision(connection) == 0


def test_two_nouns_in_one_store_are_apart(store: Store) -> None:
    """Series, measures and dates may have the same names."""
    receive(store, deaths("GBR", 1, [813]))
    receipt = receive(store, deaths("GBR", 0, [7.25]), "store", GBR="Great Britain Road")
    assert receipt == Receipt(received=1, new=1, revised=0, unchanged=0, observations_through=day(0))
    with store.reading() as connection:
        assert observations.nouns(connection) == ["country", "store"]
        assert [row.value for row in observations.current(connection, "store")] == [7.25]
        assert observations.through(connection, "store") == day(0)
        assert observations.through(connection) == day(1)
        assert observations.named(connection, "store", ["GBR", "s2"]) == {
            "GBR": "Great Britain Road",
            "s2": "s2",
        }
        assert observations.named(connection, "country", ["GBR"]) == {"GBR": "United Kingdom"}
    assert counts(store) == [("GBR", day(1), None, 813)]


def test_two_measures_are_revised_each_by_itself(store: Store) -> None:
    receive(store, [Row(day(1), "s1", {"sales": 10.5, "visits": 3})], "store")
    receipt = receive(store, [Row(day(1), "s1", {"visits": 4, "price": None})], "store")
    assert receipt[:4] == (1, 0, 1, 0)
    with store.reading() as connection:
        (row,) = observations.by_date(connection, "store")
        assert row.values == {"price": None, "sales": 10.5, "visits": 4}
        assert observations.measures(connection, "store") == ["sales", "visits", "price"]
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.observations)) == 4


def test_the_last_name_of_a_series_holds(store: Store) -> None:
    row = [Row(day(1), "s1", {"sales": 1})]
    for called in ("Old", "New"):
        observations.receive(store, Reports("store", row, {"s1": called}), "a test", NOW)
    observations.receive(store, Reports("store", row), "a test", NOW)
    with store.reading() as connection:
        assert observations.named(connection, "store", ["s1"]) == {"s1": "New"}


def test_dates_to_come_are_not_the_newest(store: Store) -> None:
    """Covariates are known ahead."""
    ahead = datetime.date.today() + datetime.timedelta(30)
    rows = [Row(day(1), "s1", {"price": 2, "sales": 1}), Row(ahead, "s1", {"price": 3, "sales": None})]
    assert receive(store, rows, "store").observations_through == day(1)
    with store.reading() as connection:
        assert observations.through(connection, "store") == day(1)
        assert [row.date for row in observations.by_date(connection, "store")] == [day(1), ahead]
