"""Series of any noun, and observations of any measure. All those before are cases and deaths of countries.

A row of observations becomes one for each of its measures. Ids number revisions, which scores and progress
name: the three ids that take the place of one keep that order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Word = _Series = sa.String(64)
MEASURES = ("cases", "deaths", "population")  # the old columns; the new ids count them in this order


def upgrade() -> None:
    """Name what the series are about, and give each measure a row of its own."""
    _describe_versions()
    _rename_series()
    _number_revisions_anew()
    _split_observations()
    op.create_table(
        "names",
        sa.Column("noun", _Word, primary_key=True),
        sa.Column("series", _Series, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )


def _describe_versions() -> None:
    def add(table: str, name: str, kind: sa.types.TypeEngine, default: str) -> None:
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))

    add("receipts", "noun", _Word, "country")
    add("versions", "noun", _Word, "country")
    add("versions", "plural", _Word, "countries")
    add("versions", "measure", _Word, "")
    add("versions", "real", sa.Boolean(), "0")
    op.add_column("versions", sa.Column("minimum", sa.Float))
    op.execute("UPDATE versions SET measure = unit, minimum = 0")


def _rename_series() -> None:
    for name in ("forecasts", "fitted", "scores"):
        with op.batch_alter_table(name) as table:
            table.alter_column(
                "country", new_column_name="series", type_=_Series, existing_type=sa.String(3), nullable=False
            )
    with op.batch_alter_table("fitted") as table:
        table.alter_column("total", type_=sa.Float, existing_type=sa.BigInteger, nullable=True)


def _number_revisions_anew() -> None:
    measure = "(SELECT CASE unit WHEN 'cases' THEN 0 ELSE 1 END FROM versions WHERE id = version_id)"
    op.execute(f"UPDATE scores SET revision = revision * {len(MEASURES)} + {measure}")
    # Of the last id that is there for sure: the next observation must have a greater one.
    op.execute(f"UPDATE progress SET revision = revision * {len(MEASURES)} + {MEASURES.index('deaths')}")


def _split_observations() -> None:
    op.create_table(
        "split",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("noun", _Word, nullable=False),
        sa.Column("series", _Series, nullable=False),
        sa.Column("measure", _Word, nullable=False),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("receipt_id", _Id, sa.ForeignKey("receipts.id"), nullable=False),
    )
    for number, measure in enumerate(MEASURES):
        # A day without any count was stored. A population is null wherever none was given.
        stored = (
            "TRUE"
            if measure != "population"
            else (
                "population IS NOT NULL OR EXISTS (SELECT 1 FROM observations AS before "
                "WHERE before.country = observations.country AND before.date = observations.date "
                "AND before.id < observations.id AND before.population IS NOT NULL)"
            )
        )
        op.execute(
            f"INSERT INTO split SELECT id * {len(MEASURES)} + {number}, 'country', country, '{measure}', "
            f"date, {measure}, receipt_id FROM observations WHERE {stored}"
        )
    op.drop_table("observations")
    op.rename_table("split", "observations")
    op.create_index("ix_observations_receipt_id", "observations", ["receipt_id"])
    op.create_index("ix_observations_key", "observations", ["noun", "measure", "date", "series", "id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "SELECT setval(pg_get_serial_sequence('observations', 'id'), "
            "(SELECT coalesce(max(id), 0) + 1 FROM observations), false)"
        )
