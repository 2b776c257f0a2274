"""Reported values. A file is stored whole or not at all; what changes nothing is not stored again.

The row of a noun, series, measure and date with the greatest id is current. Ids number the revisions.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.schema import names, observations, receipts
from forecastle.catalogue.upload import COUNTRY, Reports
from forecastle.dates import newest_day
from forecastle.places import NAMES


class Receipt(NamedTuple):
    """How many rows were received, and how many of them were new or changed something."""

    received: int
    new: int
    revised: int
    unchanged: int
    observations_through: datetime.date


class Reported(NamedTuple):
    """The current value of a measure of a series on a date; None if there was no report."""

    revision: int
    date: datetime.date
    series: str
    measure: str
    value: float | None


class Stored(NamedTuple):
    """All current values of a series and a date, by measure."""

    date: datetime.date
    series: str
    values: dict[str, float | None]


def receive(store: Store, reports: Reports, source: str, received_at: datetime.datetime) -> Receipt:
    """Store what changes anything, in one transaction.

    Args:
        store: The store.
        reports: The rows of a file.
        source: Where they come from: words or an address.
        received_at: A time with its zone.

    Raises:
        StoreError: The store cannot be written; then no row is stored.
    """
    noun, rows = reports.noun, sorted(reports.rows, key=lambda row: (row.date, row.series))
    with store.writing() as connection:
        known = {
            (row.series, row.date): row.values
            for row in by_date(connection, noun, rows[0].date, rows[-1].date)
        }
        kept: list[dict[str, Any]] = []
        new = revised = 0
        for row in rows:
            before = known.get((row.series, row.date))
            changed = {
                measure: value
                for measure, value in row.values.items()
                if before is None or measure not in before or before[measure] != value
            }
            kept += [
                {"noun": noun, "series": row.series, "measure": measure, "date": row.date, "value": value}
                for measure, value in changed.items()
            ]
            new += before is None
            revised += before is not None and bool(changed)
        reported = [row.date for row in rows if row.date <= newest_day()] or [rows[-1].date]
        newest = max([reported[-1], *filter(None, [through(connection, noun)])])
        if kept:
            receipt = {"received_at": received_at, "source": source, "rows": new + revised}
            receipt |= {"through": newest, "noun": noun}
            receipt_id = connection.scalar(sa.insert(receipts).returning(receipts.c.id), receipt)
            connection.execute(sa.insert(observations), [{**row, "receipt_id": receipt_id} for row in kept])
        name(store, connection, noun, reports.names)
    return Receipt(len(rows), new, revised, len(rows) - new - revised, newest)


def current(
    connection: sa.Connection,
    noun: str,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    series: str | None = None,
    measures: Collection[str] | None = None,
) -> list[Reported]:
    """The current values of a noun, sorted by series, date and measure: all, or a part."""
    columns = observations.c
    wanted = [columns.noun == noun]
    wanted += [columns.date >= since] if since else []
    wanted += [columns.date <= until] if until else []
    wanted += [columns.series == series] if series else []
    wanted += [columns.measure.in_(measures)] if measures is not None else []
    key = columns["measure", "date", "series"]
    latest = sa.select(sa.func.max(columns.id)).where(*wanted).group_by(*key)
    found = sa.select(*columns["id", "date", "series", "measure", "value"]).where(columns.id.in_(latest))
    rows = [Reported(*row) for row in connection.execute(found)]
    return sorted(rows, key=lambda row: (row.series, row.date, row.measure))  # databases differ in texts


def by_date(
    connection: sa.Connection,
    noun: str,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    series: str | None = None,
) -> list[Stored]:
    """The current values of each series and date of a noun, sorted by both."""
    stored: dict[tuple[str, datetime.date], Stored] = {}
    for row in current(connection, noun, since, until, series):
        of_date = stored.setdefault((row.series, row.date), Stored(row.date, row.series, {}))
        of_date.values[row.measure] = row.value
    return list(stored.values())


def nouns(connection: sa.Connection) -> list[str]:
    """What there are observations of."""
    return list(connection.scalars(sa.select(observations.c.noun).distinct().order_by(observations.c.noun)))


def measures(connection: sa.Connection, noun: str) -> list[str]:
    """What is measured, in the order in which it was first received."""
    first = (
        sa.select(observations.c.measure)
        .where(observations.c.noun == noun)
        .group_by(observations.c.measure)
        .order_by(sa.func.min(observations.c.id))
    )
    return list(connection.scalars(first))


def name(store: Store, connection: sa.Connection, noun: str, known: dict[str, str]) -> None:
    """Remember what series of a noun are called."""
    if known:
        insert = store.insert(names)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=list(names.primary_key), set_={"name": insert.excluded.name}
            ),
            [{"noun": noun, "series": series, "name": called} for series, called in known.items()],
        )


def named(connection: sa.Connection, noun: str, series: Sequence[str]) -> dict[str, str]:
    """The name of each series: its identifier if no other is known."""
    if noun == COUNTRY:
        return {code: NAMES.get(code, code) for code in series}
    found = sa.select(*names.c["series", "name"]).where(names.c.noun == noun)
    known = {row.series: row.name for row in connection.execute(found)}
    return {code: known.get(code, code) for code in series}


def through(connection: sa.Connection, noun: str | None = None) -> datetime.date | None:
    """The newest date that is stored, of one noun or of all; None if there is none.

    Dates to come, of which covariates are known ahead, do not count.
    """
    columns = observations.c
    found = sa.select(sa.func.max(columns.date)).where(columns.date <= newest_day())
    return connection.scalar(found if noun is None else found.where(columns.noun == noun))


def revision(connection: sa.Connection) -> int:
    """The number of the latest revision; 0 if nothing is stored."""
    return connection.scalar(sa.select(sa.func.max(observations.c.id))) or 0
