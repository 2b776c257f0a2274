"""All tables, as they were before Alembic."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the row of `state`."""
    op.create_table(
        "versions",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("model", sa.String(63), nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("cumulative", sa.Boolean, nullable=False),
        sa.Column("data_through", sa.Date, nullable=False),
        sa.Column("first_date", sa.Date, nullable=False),
        sa.Column("last_date", sa.Date, nullable=False),
        sa.Column("trained_at", _Moment, nullable=False),
        sa.Column("issued_at", _Moment, nullable=False),
        sa.UniqueConstraint("model", "version"),
    )
    op.create_table(
        "forecasts",
        sa.Column("version_id", _Id, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("country", sa.String(3), primary_key=True),
        sa.Column("counts", sa.String(10), primary_key=True),
        sa.Column("origin_date", sa.Date, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("mean", sa.JSON, nullable=False),
        sa.Column("quantiles", sa.JSON, nullable=False),
    )
    op.create_table(
        "fitted",
        sa.Column("version_id", _Id, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("country", sa.String(3), primary_key=True),
        sa.Column("first_day", sa.Date, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "receipts",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("received_at", _Moment, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("through", sa.Date, nullable=False),
    )
    op.create_table(
        "observations",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("cases", sa.BigInteger),
        sa.Column("deaths", sa.BigInteger),
        sa.Column("population", sa.BigInteger),
        sa.Column("receipt_id", _Id, sa.ForeignKey("receipts.id"), nullable=False),
    )
    op.create_index("ix_observations_receipt_id", "observations", ["receipt_id"])
    op.create_index("ix_observations_date_country_id", "observations", ["date", "country", "id"])
    op.create_table(
        "scores",
        sa.Column("version_id", _Id, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("country", sa.String(3), primary_key=True),
        sa.Column("horizon", sa.SmallInteger, primary_key=True),
        sa.Column("revision", _Id, primary_key=True),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("observed", sa.Float, nullable=False),
        sa.Column("wis", sa.Float, nullable=False),
        sa.Column("wis_naive", sa.Float),
        sa.Column("bias", sa.Float, nullable=False),
        sa.Column("interval", sa.Float, nullable=False),
        sa.Column("superseded", sa.Boolean, nullable=False),
    )
    op.create_index("ix_scores_date", "scores", ["date"])
    op.create_table(
        "progress",
        sa.Column("version_id", _Id, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("revision", _Id, nullable=False),
    )
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("written_at", _Moment, nullable=False),
    )
    op.execute(state.insert().values(id=1, schema_version=1, written_at=datetime.now(UTC)))
