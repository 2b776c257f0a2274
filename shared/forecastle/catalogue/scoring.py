"""Scores of kept forecasts: of what was reported later, and again when that is revised.

What is scored is what `training.backtest` scores: forecasts of the model's own target for days after the last
one in its data. The observed running total of a day is that of the origin plus the counts since.

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
from forecastle.scores import QUANTILES, bias, least_interval, naive, weighted_interval_score

SCORED = ("cases", "deaths")  # the units of which counts are reported

logger = logging.getLogger(__name__)


def score(store: Store) -> int:
    """Score all kept forecasts of days whose counts were reported or revised since they were scored last.

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


def daily(counts: Sequence[int | None], cumulative: bool) -> np.ndarray:
    """Daily counts from those that a model was fitted to, nan where there was no report.

    Args:
        counts: A count or a running total for each day; None where there was no report.
        cumulative: Whether they are running totals. The first that was reported has no daily count.
    """
    values = np.array([np.nan if count is None else count for count in counts], dtype=float)
    if not cumulative:
        return values
    known = np.flatnonzero(~np.isnan(values))
    differences = np.full(len(values), np.nan)
    differences[known[1:]] = np.diff(values[known])
    return differences


def _pending(connection: sa.Connection) -> tuple[int, list[int], list[int]]:
    """The latest revision, and the versions that are not scored up to it, in two lists.

    The first has versions that forecast a day of a revision that they are not scored by; the second the rest.
    """
    latest = observations.revision(connection)
    scored = sa.func.coalesce(progress.c.revision, 0)
    behind = connection.execute(
        sa.select(versions.c.id, versions.c.first_date, versions.c.last_date, scored.label("revision"))
        .outerjoin_from(versions, progress)
        .where(scored < latest)
        .order_by(versions.c.id)
    ).all()
    if not behind:
        return latest, [], []
    since = min(version.revision for version in behind)
    days = connection.scalars(sa.select(reported.c.date).where(reported.c.id > since).distinct()).all()
    due = [
        version.id
        for version in behind
        if any(version.first_date <= day <= version.last_date for day in days)
    ]
    return latest, due, [version.id for version in behind if version.id not in due]


def _score(store: Store, connection: sa.Connection, version_id: int) -> int:
    """Score a version up to the latest revision; the number of new scores."""
    version = connection.execute(sa.select(versions).where(versions.c.id == version_id)).one()
    scored = connection.scalar(sa.select(progress.c.revision).where(progress.c.version_id == version_id)) or 0
    latest = observations.revision(connection)
    if scored >= latest:
        return 0
    rows: list[dict[str, Any]] = []
    if version.unit in SCORED:
        counts: dict[str, dict[datetime.date, tuple[int, int | None]]] = {}
        for row in observations.current(connection, version.first_date, version.last_date):
            counts.setdefault(row.country, {})[row.date] = row.revision, getattr(row, version.unit)
        for forecast in _forecasts(connection, version):
            rows.extend(_of_country(version, forecast, counts.get(forecast.country, {}), scored))
    if rows:  # also those of a day whose count was withdrawn, which then has no current score
        key = ("version_id", "country", "horizon")
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
    of_one = sa.and_(fitted.c.version_id == forecasts.c.version_id, fitted.c.country == forecasts.c.country)
    return list(
        connection.execute(
            sa.select(
                *forecasts.c["country", "origin_date", "quantiles"],
                *fitted.c["counts", "total"],
            )
            .join_from(forecasts, fitted, of_one)
            .where(
                forecasts.c.version_id == version.id,
                forecasts.c.counts == ("cumulative" if version.cumulative else "daily"),
            )
        )
    )


def _of_country(
    version: Any, forecast: Any, counts: dict[datetime.date, tuple[int, int | None]], scored: int
) -> Iterator[dict[str, Any]]:
    """The days of a country's forecast that a revision after `scored` concerns: rows that lack their scores.

    Args:
        version: A row of `versions`.
        forecast: A row of `forecasts`, with `counts` and `total` of `fitted`.
        counts: By day, the id of the current observation and the count; None if there was no report.
        scored: The revision up to which the version is scored.
    """
    quantiles = np.array(forecast.quantiles, dtype=float)
    dates = [forecast.origin_date + datetime.timedelta(day + 1) for day in range(len(quantiles))]
    current = [counts.get(date, (0, None)) for date in dates]
    revision = np.array([number for number, _ in current])
    observed = np.array([np.nan if count is None else count for _, count in current], dtype=float)
    if version.cumulative:
        # A total is unknown after a day that is not stored; a stored day without a report adds nothing to it.
        stored = np.logical_and.accumulate(revision > 0)
        revision = np.where(stored, np.maximum.accumulate(revision), 0)
        observed = np.where(np.isnan(observed), np.nan, forecast.total + np.nancumsum(observed))
    due = [day for day, date in enumerate(dates) if revision[day] > scored and date > version.data_through]
    if not due:
        return
    baseline = _naive(version, forecast, len(quantiles))
    for day in due:
        yield {
            "version_id": version.id,
            "country": forecast.country,
            "horizon": day + 1,
            "revision": int(revision[day]),
            "date": dates[day],
            "observed": None if np.isnan(observed[day]) else float(observed[day]),
            "superseded": False,
            "quantiles": quantiles[day],
            "naive": None if baseline is None else baseline[day],
        }


def _naive(version: Any, forecast: Any, days: int) -> np.ndarray | None:
    """The naive forecast from the counts that the model was fitted to; None if they are too few."""
    counts = daily(forecast.counts, version.cumulative)
    if not (counts > 0).any():
        return None
    counts = counts[np.argmax(counts > 0) :]
    return naive(counts, days, forecast.total if version.cumulative else None) if len(counts) > 1 else None


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
