"""Reported counts. A file is stored whole or not at all; a row that changes nothing is not stored again.

The row of a country and a day with the greatest id is current. Ids number the revisions.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.schema import observations, receipts
from forecastle.catalogue.upload import COUNTS, Row


class Receipt(NamedTuple):
    """How many rows were received, and how many of them were new or changed something."""

    received: int
    new: int
    revised: int
    unchanged: int
    observations_through: datetime.date


class Reported(NamedTuple):
    """The current counts of a country and a day; None where there was no report."""

    revision: int
    date: datetime.date
    country: str
    cases: int | None
    deaths: int | None
    population: int | None


def receive(store: Store, rows: Sequence[Row], source: str, received_at: datetime.datetime) -> Receipt:
    """Store the rows that change anything, in one transaction.

    Args:
        store: The store.
        rows: At least one, and one at most for a country and day.
        source: Where they come from: words or an address.
        received_at: A time with its zone.

    Raises:
        StoreError: The store cannot be written; then no row is stored.
    """
    with store.writing() as connection:
        days = [row.date for row in rows]
        known = {
            (reported.country, reported.date): reported
            for reported in current(connection, min(days), max(days))
        }
        kept: list[dict[str, Any]] = []
        new = 0
        for row in sorted(rows):
            before = known.get((row.country, row.date))
            stored = {column: getattr(before, column, None) for column in COUNTS}
            counts = stored | row.counts
            if before is None or counts != stored:
                kept.append({"date": row.date, "country": row.country, **counts})
                new += before is None
        newest = max([*days, *filter(None, [through(connection)])])
        if kept:
            receipt = {"received_at": received_at, "source": source, "rows": len(kept), "through": newest}
            receipt_id = connection.scalar(sa.insert(receipts).returning(receipts.c.id), receipt)
            connection.execute(sa.insert(observations), [{**row, "receipt_id": receipt_id} for row in kept])
    revised = len(kept) - new
    return Receipt(len(rows), new, revised, len(rows) - len(kept), newest)


def current(
    connection: sa.Connection,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    countries: Sequence[str] | None = None,
) -> list[Reported]:
    """The current counts of each country and day, sorted by both."""
    latest = _within(sa.select(sa.func.max(observations.c.id)), since, until, countries).group_by(
        observations.c.date, observations.c.country
    )
    found = (
        sa.select(*observations.c["id", "date", "country", *COUNTS])
        .where(observations.c.id.in_(latest))
        .order_by(observations.c.country, observations.c.date)
    )
    return [Reported(*row) for row in connection.execute(found)]


def through(connection: sa.Connection) -> datetime.date | None:
    """The newest day that is stored; None if there is none."""
    return connection.scalar(sa.select(sa.func.max(observations.c.date)))


def revision(connection: sa.Connection) -> int:
    """The number of the latest revision; 0 if nothing is stored."""
    return connection.scalar(sa.select(sa.func.max(observations.c.id))) or 0


def _within(
    statement: sa.Select[Any],
    since: datetime.date | None,
    until: datetime.date | None,
    countries: Sequence[str] | None,
) -> sa.Select[Any]:
    if since is not None:
        statement = statement.where(observations.c.date >= since)
    if until is not None:
        statement = statement.where(observations.c.date <= until)
    if countries is not None:
        statement = statement.where(observations.c.country.in_(countries))
    return statement
