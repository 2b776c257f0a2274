"""Scores of kept forecasts: of what was reported later, and again when that is revised.

What is scored is what `training.backtest` scores: forecasts of the model's own target for dates after the
last one in its data, against its measure. The observed running total of a date is that of the origin plus the
counts since.

Several processes may score at once, and any may be killed: none of them loses or repeats a score. A version's
scores and its progress are committed together, a score's key has the revision that it depends on, progress
only grows, and a score is superseded by later revisions alone.
"""

import datetime
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from forecastle.catalogue.store import observations
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.schema import fitted, forecasts, progress, scores, versions
from forecastle.catalogue.store.schema import observations as reported
from forecastle.frequency import Frequency
from forecastle.scores import QUANTILES, bias, least_interval, naive, weighted_interval_score

logger = logging.getLogger(__name__)


def score(store: Store) -> int:
    """Score all kept forecasts of dates whose values were reported or revised since they were scored last.

    Returns:
        The number of new scores.

    Raises:
        StoreError: The store fails. Scores of the versions before that are kept.
    """
    with store.reading() as connection:
        latest, due, unaffected = _pending(connection)
    added = 0
    for version_id in due:
        with store.writing() as connection:
            added += _score(store, connection, version_id)
    if unaffected:
        with store.writing() as connection:
            for version_id in unaffected:
                _note_progress(store, connection, version_id, latest)
    if added:
        logger.info("%d forecasts are scored", added)
    return added


def by_period(values: Sequence[float | None], cumulative: bool) -> np.ndarray:
    """The value of each period from those that a model was fitted to, nan where there was no report.

    Args:
        values: A value or a running total for each period; None where there was no report.
        cumulative: Whether they are running totals. The first that was reported has no count of its own.
    """
    reported = np.array([np.nan if value is None else value for value in values], dtype=float)
    if not cumulative:
        return reported
    known = np.flatnonzero(~np.isnan(reported))
    differences = np.full(len(reported), np.nan)
    differences[known[1:]] = np.diff(reported[known])
    return differences


def _pending(connection: sa.Connection) -> tuple[int, list[int], list[int]]:
    """The latest revision, and the versions that are not scored up to it, in two lists.

    The first has versions that forecast a date of a revision that they are not scored by; the second others.
    """
    latest = observations.revision(connection)
    scored = sa.func.coalesce(progress.c.revision, 0)
    behind = connection.execute(
        sa.select(*versions.c["id", "noun", "measure", "first_date", "last_date"], scored.label("revision"))
        .outerjoin_from(versions, progress)
        .where(scored < latest)
        .order_by(versions.c.id)
    ).all()
    if not behind:
        return latest, [], []
    since = min(version.revision for version in behind)
    columns = reported.c["noun", "measure", "date"]
    dates: dict[tuple[str, str], list[datetime.date]] = {}
    for row in connection.execute(sa.select(*columns).where(reported.c.id > since).distinct()):
        dates.setdefault((row.noun, row.measure), []).append(row.date)
    due = [
        version.id
        for version in behind
        if any(
            version.first_date <= date <= version.last_date
            for date in dates.get((version.noun, version.measure), ())
        )
    ]
    return latest, due, [version.id for version in behind if version.id not in due]


def _score(store: Store, connection: sa.Connection, version_id: int) -> int:
    """Score a version up to the latest revision; the number of new scores."""
    version = connection.execute(sa.select(versions).where(versions.c.id == version_id)).one()
    scored = connection.scalar(sa.select(progress.c.revision).where(progress.c.version_id == version_id)) or 0
    latest = observations.revision(connection)
    if scored >= latest:
        return 0
    current: dict[str, dict[datetime.date, tuple[int, float | None]]] = {}
    for row in observations.current(
        connection, version.noun, version.first_date, version.last_date, measures=[version.measure]
    ):
        current.setdefault(row.series, {})[row.date] = row.revision, row.value
    rows: list[dict[str, Any]] = []
    for forecast in _forecasts(connection, version):
        rows.extend(_of_series(version, forecast, current.get(forecast.series, {}), scored))
    if rows:  # also those of a date whose value was withdrawn, which then has no current score
        key = ("version_id", "series", "horizon")
        same = sa.and_(*(scores.c[name] == sa.bindparam(f"of_{name}") for name in key))
        connection.execute(
            sa.update(scores)
            .where(same, scores.c.revision < sa.bindparam("of_revision"))
            .values(superseded=True),
            [{f"of_{name}": row[name] for name in (*key, "revision")} for row in rows],
        )
    if known := [row for row in rows if row["observed"] is not None]:
        _grade(known)
        # A score of the same revision may be there, from before progress was emptied. It is current.
        connection.execute(
            store.insert(scores).on_conflict_do_update(
                index_elements=list(scores.primary_key), set_={"superseded": False}
            ),
            [{name: row[name] for name in scores.c.keys() if name in row} for row in known],  # noqa: SIM118
        )
    _note_progress(store, connection, version_id, latest)
    return len(known)


def _forecasts(connection: sa.Connection, version: Any) -> list[Any]:
    of_one = sa.and_(fitted.c.version_id == forecasts.c.version_id, fitted.c.series == forecasts.c.series)
    kind = "cumulative" if version.cumulative else Frequency.of(version.frequency).adjective
    return list(
        connection.execute(
            sa.select(
                *forecasts.c["series", "origin_date", "quantiles"],
                *fitted.c["counts", "total"],
            )
            .join_from(forecasts, fitted, of_one)
            .where(forecasts.c.version_id == version.id, forecasts.c.counts == kind)
        )
    )


def _of_series(
    version: Any, forecast: Any, current: dict[datetime.date, tuple[int, float | None]], scored: int
) -> Iterator[dict[str, Any]]:
    """The dates of a series' forecast that a revision after `scored` concerns: rows that lack their scores.

    Args:
        version: A row of `versions`.
        forecast: A row of `forecasts`, with `counts` and `total` of `fitted`.
        current: By date, the id of the current observation and its value; None if there was no report.
        scored: The revision up to which the version is scored.
    """
    frequency = Frequency.of(version.frequency)
    quantiles = np.array(forecast.quantiles, dtype=float)
    dates = [frequency.after(forecast.origin_date, ahead) for ahead in range(1, len(quantiles) + 1)]
    known = [current.get(date, (0, None)) for date in dates]
    revision = np.array([number for number, _ in known])
    observed = np.array([np.nan if value is None else value for _, value in known], dtype=float)
    if version.cumulative:
        # A total is unknown after a date that is not stored; a stored one without a report adds nothing.
        stored = np.logical_and.accumulate(revision > 0)
        revision = np.where(stored, np.maximum.accumulate(revision), 0)
        observed = np.where(np.isnan(observed), np.nan, forecast.total + np.nancumsum(observed))
    coming = [date > version.data_through for date in dates]
    due = np.flatnonzero((revision > scored) & coming).tolist()
    if not due:
        return
    baseline = _naive(version, forecast, len(quantiles), frequency.cycle)
    for index in due:
        yield {
            "version_id": version.id,
            "series": forecast.series,
            "horizon": index + 1,
            "revision": int(revision[index]),
            "date": dates[index],
            "observed": None if np.isnan(observed[index]) else float(observed[index]),
            "superseded": False,
            "quantiles": quantiles[index],
            "naive": None if baseline is None else baseline[index],
        }


def _naive(version: Any, forecast: Any, periods: int, cycle: int) -> np.ndarray | None:
    """The naive forecast from the values that the model was fitted to; None if they are too few."""
    values = by_period(forecast.counts, version.cumulative)
    begun = ~np.isnan(values) if version.real else values > 0
    if not begun.any():
        return None
    values = values[np.argmax(begun) :]
    total = forecast.total if version.cumulative else None
    if len(values) < 2:
        return None
    return naive(values, periods, total, cycle=cycle, minimum=version.minimum)


def _grade(rows: list[dict[str, Any]]) -> None:
    """Add the scores to the rows."""
    observed = np.array([row["observed"] for row in rows])
    quantiles = np.array([row["quantiles"] for row in rows])
    unknown = np.full(len(QUANTILES), np.nan)
    baseline = np.array([unknown if row["naive"] is None else row["naive"] for row in rows])
    columns = {
        "wis": weighted_interval_score(observed, quantiles),
        "wis_naive": weighted_interval_score(observed, baseline),
        "bias": bias(observed, quantiles),
        "interval": least_interval(observed, quantiles),
    }
    for name, values in columns.items():
        for row, value in zip(rows, values.tolist(), strict=True):
            row[name] = None if np.isnan(value) else value


def _note_progress(store: Store, connection: sa.Connection, version_id: int, revision: int) -> None:
    """Note that the version is scored up to this revision, unless another scorer is further already."""
    connection.execute(
        store.insert(progress)
        .values(version_id=version_id, revision=revision)
        .on_conflict_do_update(
            index_elements=["version_id"],
            set_={"revision": revision},
            where=progress.c.revision < revision,
        )
    )
