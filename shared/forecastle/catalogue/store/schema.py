"""The tables of the store. `migrations/` has a script for every change of them.

| table          | a row                                                                                   |
|----------------|-----------------------------------------------------------------------------------------|
| `versions`     | a version of a model, first seen at `issued_at`                                         |
| `forecasts`    | its forecast of a series, a period's or cumulative: means and 23 quantiles              |
| `fitted`       | the values of a series that the version was fitted to                                   |
| `receipts`     | a file of observations that was received                                                |
| `observations` | a measure of a series on a date, as one receipt has it; its id is a revision's number   |
| `names`        | the name of a series, as it was told last; countries' are fixed                         |
| `scores`       | a forecast of a date, compared with the value of that date by one revision              |
| `progress`     | the last revision by which a version's forecasts are scored                             |
| `state`        | one row, written to see whether the store can be written                                |

What a series is about, its noun, is part of its key: `country`, `store`. Of several observations of a noun,
series, measure and date the one with the greatest id is current.

Rows of `versions`, `forecasts`, `fitted`, `receipts` and `observations` are never changed or removed. The
other tables follow from them: if `scores` and `progress` are emptied, all scores are computed again.
"""

from datetime import UTC, datetime

import sqlalchemy as sa


class Moment(sa.types.TypeDecorator[datetime]):
    """A time in UTC, with its zone, which SQLite does not store."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


metadata = sa.MetaData()
# SQLite numbers rows by itself only if the type is INTEGER; in PostgreSQL that would end at 2^31.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Word = sa.String(64)  # a noun or a measure: a column of the files that are received
_Series = sa.String(64)  # an identifier; of a country ISO 3166 alpha-3

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
    sa.Column("first_date", sa.Date, nullable=False),  # the first date that is forecast of any series
    sa.Column("last_date", sa.Date, nullable=False),
    sa.Column("trained_at", Moment, nullable=False),
    sa.Column("issued_at", Moment, nullable=False),
    sa.Column("frequency", sa.String(16), server_default="D"),  # of what is forecast: pandas' alias
    sa.Column("noun", _Word, nullable=False),  # what a series is about
    sa.Column("plural", _Word, nullable=False),  # of the noun: a part of the routes
    sa.Column("measure", _Word, nullable=False),  # of the observations that forecasts are scored on
    sa.Column("real", sa.Boolean, nullable=False),  # whether values are real numbers rather than counts
    sa.Column("minimum", sa.Float),  # the least value that there can be; null: there is none
    sa.UniqueConstraint("model", "version"),
)
forecasts = sa.Table(
    "forecasts",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("series", _Series, primary_key=True),
    sa.Column("counts", sa.String(10), primary_key=True),  # a period's, such as daily, or cumulative
    sa.Column("origin_date", sa.Date, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),  # the model's answer, whose `forecast` is null
    sa.Column("mean", sa.JSON, nullable=False),  # a list over horizons, from 1 on
    sa.Column("quantiles", sa.JSON, nullable=False),  # a list over horizons of lists of 23
)
fitted = sa.Table(
    "fitted",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("series", _Series, primary_key=True),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),  # a list over periods of the target; null: not reported
    sa.Column("total", sa.Float),  # the running total by the end of the origin date; null: of real numbers
)
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("through", sa.Date, nullable=False),  # the newest date of the noun that is stored after it
    sa.Column("noun", _Word, nullable=False),
)
observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("noun", _Word, nullable=False),
    sa.Column("series", _Series, nullable=False),
    sa.Column("measure", _Word, nullable=False),
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("value", sa.Float),  # null: there was no report
    sa.Column("receipt_id", sa.ForeignKey("receipts.id"), nullable=False, index=True),
    sa.Index("ix_observations_key", "noun", "measure", "date", "series", "id"),
)
names = sa.Table(
    "names",
    metadata,
    sa.Column("noun", _Word, primary_key=True),
    sa.Column("series", _Series, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)
scores = sa.Table(
    "scores",
    metadata,
    sa.Column("version_id", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("series", _Series, primary_key=True),
    sa.Column("horizon", sa.SmallInteger, primary_key=True),
    sa.Column("revision", _Id, primary_key=True),  # the newest observation that it depends on
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("observed", sa.Float, nullable=False),
    sa.Column("wis", sa.Float, nullable=False),
    sa.Column("wis_naive", sa.Float),
    sa.Column("bias", sa.Float, nullable=False),
    sa.Column("interval", sa.Float, nullable=False),  # the level of the narrowest interval with `observed`
    sa.Column(
        "superseded", sa.Boolean, nullable=False, default=False
    ),  # by the score of a later revision, or a withdrawal
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
    sa.Column("schema_version", sa.Integer, nullable=False),  # 1, read by releases before Alembic alone
    sa.Column("written_at", Moment, nullable=False),
)
