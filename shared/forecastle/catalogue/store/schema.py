"""The tables of the store.

| table          | a row is                                                                              |
|----------------|---------------------------------------------------------------------------------------|
| `versions`     | a version of a model, from when it was first seen                                     |
| `forecasts`    | its forecast for a country, of daily or of cumulative counts: means and 23 quantiles  |
| `fitted`       | the counts of a country that the version was fitted to                                |
| `receipts`     | a file of counts that was received                                                    |
| `observations` | a country's counts of a day, as one receipt told them; the latest row counts          |
| `scores`       | a forecast of a day against what one revision of the counts says of it                |
| `progress`     | up to which revision a version's forecasts are scored                                 |
| `state`        | one row, by which is seen whether the store can be written                            |

Versions, forecasts, fitted counts, receipts and observations are added and never changed or removed. Scores
and progress are derived from them: whoever empties both tables has them made again.
"""

from datetime import UTC, datetime

import sqlalchemy as sa

VERSION = 1  # of all of this


class Moment(sa.types.TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


metadata = sa.MetaData()
# Integers that SQLite numbers by itself, and that do not end at 2^31 in PostgreSQL.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Country = sa.String(3)  # ISO 3166 alpha-3

versions = sa.Table(
    "versions",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("cumulative", sa.Boolean, nullable=False),  # whether the target is a running total
    sa.Column("data_through", sa.Date, nullable=False),
    sa.Column("first_date", sa.Date, nullable=False),  # the first day that is forecast for any country
    sa.Column("last_date", sa.Date, nullable=False),
    sa.Column("trained_at", Moment, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.UniqueConstraint("model", "version"),
)
forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("country", _Country, primary_key=True),
    sa.Column("counts", sa.String(10), primary_key=True),  # daily or cumulative
    sa.Column("origin_date", sa.Date, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),  # what was answered besides; its member `forecast` is null
    sa.Column("mean", sa.JSON, nullable=False),  # a list over horizons from 1 on
    sa.Column("quantiles", sa.JSON, nullable=False),  # a list over horizons of lists of 23
)
fitted = sa.Table(
    "fitted",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("country", _Country, primary_key=True),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),  # a list over days of the target; null was not reported
    sa.Column("total", sa.BigInteger, nullable=False),  # the running total by the end of the origin date
)
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("through", sa.Date, nullable=False),  # the newest day that was stored afterwards
)
observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("country", _Country, nullable=False),
    sa.Column("cases", sa.BigInteger),
    sa.Column("deaths", sa.BigInteger),
    sa.Column("population", sa.BigInteger),
    sa.Column("receipt_id", sa.ForeignKey("receipts.id"), nullable=False, index=True),
    sa.Index("ix_observations_date_country_id", "date", "country", "id"),
)
scores = sa.Table(
    "scores",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("country", _Country, primary_key=True),
    sa.Column("horizon", sa.SmallInteger, primary_key=True),
    sa.Column("revision", _Id, primary_key=True),  # the latest of the observations that it rests on
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("observed", sa.Float, nullable=False),
    sa.Column("wis", sa.Float, nullable=False),
    sa.Column("wis_naive", sa.Float),
    sa.Column("bias", sa.Float, nullable=False),
    sa.Column("interval", sa.Float, nullable=False),  # the least level of an interval that holds `observed`
    sa.Column("superseded", sa.Boolean, nullable=False, default=False),  # by that of a later revision
    sa.Index("ix_scores_date", "date"),
)
progress = sa.Table(
    "progress",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("revision", _Id, nullable=False),
)
state = sa.Table(
    "state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("written_at", Moment, nullable=False),
)
