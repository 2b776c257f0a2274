"""Migrations: what brings a store's tables up to the revision that this code works with.

A change of `schema.py` needs a new script in `versions/`, whose file name starts with its revision. Releases
before Alembic read `state.schema_version` alone: a migration that they cannot work with must increase it.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from forecastle.catalogue.store import StoreError

FOLDER = Path(__file__).parent
REVISIONS = sorted(path.name.partition("_")[0] for path in FOLDER.glob("versions/*.py"))
NEWEST = REVISIONS[-1]

logger = logging.getLogger(__name__)
logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plugins otherwise


def is_needed(connection: sa.Connection) -> bool:
    """Whether the store is older than this code.

    Raises:
        StoreError: It is newer.
    """
    revision = _revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise StoreError(
            f"the forecast store has revision {revision} and this release knows those up to {NEWEST}: "
            "run the release that wrote it or a newer one, or set DATABASE_URL to another store"
        )
    return revision != NEWEST


def upgrade(connection: sa.Connection) -> None:
    """Migrate the store, within the transaction that the connection is in.

    Nothing happens if another process has done so since `is_needed` was asked.

    Raises:
        StoreError: The store is newer than this code.
    """
    if not is_needed(connection):
        return
    from alembic import command  # takes a second, and is needed once in the life of a store
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    before = _revision(connection)
    if before and not sa.inspect(connection).has_table("alembic_version"):
        command.stamp(config, before)
    command.upgrade(config, "head")
    logger.info("the forecast store has revision %s now; it had %s", NEWEST, before or "no tables")


def _revision(connection: sa.Connection) -> str | None:
    """The store's revision; None if it has no tables."""
    inspector = sa.inspect(connection)
    if inspector.has_table("alembic_version"):
        return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if inspector.has_table("state"):  # it was written before Alembic
        return f"{connection.scalar(sa.text('SELECT schema_version FROM state')):04}"
    return None
