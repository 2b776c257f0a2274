"""Connections to the store, which is in SQLite or, if the address says so, in PostgreSQL.

`schema.py` has its tables. In both databases one writer writes at a time: so the ids of observations, which
number their revisions, become visible in increasing order.
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

from forecastle.catalogue.store import StoreError, migrations, schema

LOCK_SECONDS = 10  # that a writer waits for another one
CONNECT_SECONDS = 5
WRITERS_LOCK = 0x466F7265  # the number of PostgreSQL's advisory lock

ERRORS = Counter("forecastle_store_errors", "Reads and writes of the forecast store that failed.")


class Store:
    """Connections to the store, from any thread.

    A connection is opened when it is needed. So a store that could not be reached, or was full, is used again
    as soon as that is over.

    Args:
        url: As SQLAlchemy has them: `sqlite:////store/forecastle.sqlite`, `postgresql://user:key@host/name`.

    Raises:
        StoreError: The address is invalid.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.dialect = sqlite if self.engine.dialect.name == "sqlite" else postgresql
        self._prepared = False
        self._preparing = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection all of whose reads see the store as it was at one moment.

        Raises:
            StoreError: The store cannot be read.
        """
        with self._failures(), self.engine.connect() as connection:
            self._prepare(connection)
            if self.dialect is postgresql:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction, one at a time: committed at the end, or rolled back if anything is raised.

        Raises:
            StoreError: The store cannot be written.
        """
        with self._failures(), self.engine.connect() as connection:
            self._prepare(connection)
            with _alone(connection):
                yield connection

    def check(self) -> None:
        """Write the time, to see whether the store can be written.

        Raises:
            StoreError: The store cannot be written.
        """
        with self.writing() as connection:
            connection.execute(sa.update(schema.state).values(written_at=datetime.now(UTC)))

    def insert(self, table: sa.Table) -> Any:
        """An `INSERT` of the store's own dialect, which has `on_conflict_do_nothing`."""
        return self.dialect.insert(table)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Count each failure, and raise it as a `StoreError`."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError, StoreError) as error:
            self._prepared = False  # an empty or older store may be there in its place when it is back
            ERRORS.inc()
            if isinstance(error, StoreError):
                raise
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise StoreError(f"the forecast store fails: {reason}") from error

    def _prepare(self, connection: sa.Connection) -> None:
        """Create or migrate the tables. Of several processes that start at once, one does so."""
        if self._prepared:
            return
        with self._preparing:
            with connection.begin():
                needed = migrations.is_needed(connection)
            if needed:
                with _alone(connection):
                    migrations.upgrade(connection)
            self._prepared = True


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """A transaction during which nobody else writes."""
    if connection.dialect.name == "sqlite":
        connection = connection.execution_options(forecastle_begin="BEGIN IMMEDIATE")
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
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
        # A connection that is kept open would still use a file that has been replaced.
        engine = sa.create_engine(
            address, poolclass=sa.NullPool, connect_args={"timeout": LOCK_SECONDS}, **compact
        )
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        raise StoreError(
            "DATABASE_URL must be an address such as postgresql://user:password@host/name"
        ) from None

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else sqlite3 begins a transaction only at the first write
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # the file system may be read-only

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("forecastle_begin", "BEGIN"))

    return engine
