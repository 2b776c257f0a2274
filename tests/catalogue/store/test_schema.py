"""schema.py: the tables in both databases."""

import datetime

import sqlalchemy as sa

from forecastle.catalogue.store import schema
from forecastle.catalogue.store.engine import Store

from ..conftest import NOW


def test_a_new_store_gets_its_tables(store: Store) -> None:
    store.check()
    with store.reading() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        (state,) = connection.execute(sa.select(schema.state)).all()
    assert tables == {*schema.metadata.tables, "alembic_version"}
    assert state.schema_version == 1
    assert state.written_at.tzinfo is not None


def test_moments_are_utc_and_numbers_go_beyond_2_to_the_31(store: Store) -> None:
    noon = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=6)))
    row = {
        "id": 2**31,
        "received_at": noon,
        "source": "a test",
        "rows": 1,
        "through": noon.date(),
        "noun": "store",
    }
    with store.writing() as connection:
        connection.execute(sa.insert(schema.receipts).values(row))
    with store.reading() as connection:
        number, moment = connection.execute(sa.select(*schema.receipts.c["id", "received_at"])).one()
    assert (number, moment, moment.tzinfo) == (2**31, NOW, datetime.UTC)
