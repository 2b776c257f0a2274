"""The store, in which the catalogue keeps forecasts as they were issued and counts as they were reported.

It is SQLite, or PostgreSQL if the address says so; `schema.py` has its tables. Writers take turns in both, so
that the ids of observations, which number their revisions, come into sight in the order in which they grow.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.dialects import postgresql, sqlite

from forecastle.catalogue.store import schema

PATIENCE = 10  # seconds that a writer waits for its turn
CONNECT_SECONDS = 5
TURN = 0x466F7265  # PostgreSQL's number of the lock that writers take turns by

ERRORS = Counter("forecastle_store_errors", "Reads and writes of the forecast store that failed.")


class StoreError(Exception):
    """The store cannot be read or written now; the message is one line that says why."""


class Store:
    """Connections to the store, from any thread.

    Nothing is opened before it is needed, and each failure is that of one read or write alone: a store that
    was away or full is used again as soon as it is back.

    Args:
        url: As SQLAlchemy has them: `sqlite:////store/forecastle.sqlite`, `postgresql://user:key@host/name`.

    Raises:
        StoreError: The address is none.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.dialect = sqlite if self.engine.dialect.name == "sqlite" else postgresql
        self._prepared = False
        self._preparing = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose reads all see the store at one moment.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._told(), self.engine.connect() as connection:
            self._prepare(connection)
            if self.dialect is postgresql:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end or, if anything is raised, undone; one at a time.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._told(), self.engine.connect() as connection:
            self._prepare(connection)
            with _turn(connection):
                yield connection

    def check(self) -> None:
        """Write something.

        Raises:
            StoreError: The store cannot be written.
        """
        with self.writing() as connection:
            connection.execute(sa.update(schema.state).values(written_at=datetime.now(UTC)))

    def insert(self, table: sa.Table) -> Any:
        """An `INSERT` that knows `on_conflict_do_nothing`."""
        return self.dialect.insert(table)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError, StoreError) as error:
            self._prepared = False  # it may be another one, and empty, when it is back
            ERRORS.inc()
            if isinstance(error, StoreError):
                raise
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise StoreError(f"the forecast store fails: {reason}") from error

    def _prepare(self, connection: sa.Connection) -> None:
        """Make the tables of a store that is new."""
        if self._prepared:
            return
        with self._preparing:
            with connection.begin():
                exists = sa.inspect(connection).has_table(schema.state.name)
            if not exists:
                with _turn(connection):
                    schema.metadata.create_all(connection)
                    row = {"id": 1, "schema_version": schema.VERSION, "written_at": datetime.now(UTC)}
                    connection.execute(self.insert(schema.state).on_conflict_do_nothing(), row)
            with connection.begin():
                known = connection.scalar(sa.select(schema.state.c.schema_version))
            if known != schema.VERSION:
                detail = f"its schema is version {known}, and this is made for {schema.VERSION}"
                raise StoreError(f"the forecast store cannot be used: {detail}")
            self._prepared = True


@contextmanager
def _turn(connection: sa.Connection) -> Iterator[None]:
    """A transaction in which nobody else writes."""
    if connection.dialect.name == "sqlite":
        connection = connection.execution_options(forecastle_begin="BEGIN IMMEDIATE")
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({TURN})"))
        yield


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.drivername in ("postgresql", "postgres"):
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(
                f"DATABASE_URL is of {address.get_backend_name()}: it must be of PostgreSQL or SQLite"
            )
        compact = {"json_serializer": lambda value: json.dumps(value, separators=(",", ":"))}
        if address.get_backend_name() == "postgresql":
            connect = {"connect_timeout": CONNECT_SECONDS}
            return sa.create_engine(address, connect_args=connect, pool_pre_ping=True, **compact)
        # A connection kept open would go on with a file that is no longer there.
        engine = sa.create_engine(
            address, poolclass=sa.NullPool, connect_args={"timeout": PATIENCE}, **compact
        )
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        raise StoreError("DATABASE_URL is no address such as postgresql://user:password@host/name") from None

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # or sqlite3 would begin transactions only with the first write
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # nowhere else can be written

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("forecastle_begin", "BEGIN"))

    return engine
