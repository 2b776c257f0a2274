"""Kept forecasts are scored on what then was reported, and again when that is revised.

NumPy alone: training's `forecastle.scores` needs what no serving image has; a test holds both against each
other. What is scored is what `training.backtest` scores: of the model's own target the days after the last
one in its data, a running total being that of the origin plus what was counted since.

A version's scores and how far it is scored are committed together, and a score's key holds the revision that
it rests on. So a scorer that is killed, or two of them at a time, lose and double nothing.
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

SCORED = ("cases", "deaths")  # units whose counts are observed

logger = logging.getLogger(__name__)


def score(store: Store) -> int:
    """Score whatever a kept forecast and a reported count have in common and is not scored yet.

    Returns:
        How many scores are new.

    Raises:
        StoreError: The store fails; what is scored until then stays.
    """
    with store.reading() as connection:
        latest, due, others = _pending(connection)
    added = 0
    for version_id in due:
        with store.writing() as connection:
            added += _score(store, connection, version_id)
    if others:
        with store.writing() as connection:
            for version_id in others:
                _note(store, connection, version_id, latest)
    if added:
        logger.info("%d forecasts are scored", added)
    return added


def daily(counts: Sequence[int | None], cumulative: bool) -> np.ndarray:
    """Counts a day, nan where none was reported, of those that a model was fitted to.

    Those of a running total are its differences, which the first reported day has none of.
    """
    told = np.array([np.nan if count is None else count for count in counts], dtype=float)
    if not cumulative:
        return told
    known = np.flatnonzero(~np.isnan(told))
    differences = np.full(len(told), np.nan)
    differences[known[1:]] = np.diff(told[known])
    return differences


def _pending(connection: sa.Connection) -> tuple[int, list[int], list[int]]:
    """The latest revision; versions with a forecast that it or one before it may concern; all other ones."""
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
    """Score a version as far as it is not; how many scores are new."""
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
    if rows and scored:
        key = ("version_id", "country", "horizon")
        earlier = sa.and_(*(scores.c[name] == sa.bindparam(f"of_{name}") for name in key))
        connection.execute(
            sa.update(scores).where(earlier).values(superseded=True),
            [{f"of_{name}": row[name] for name in key} for row in rows],
        )
    if known := [row for row in rows if row["observed"] is not None]:
        _grade(known)
        connection.execute(
            store.insert(scores).on_conflict_do_nothing(),
            [{name: row[name] for name in scores.c.keys() if name in row} for row in known],  # noqa: SIM118
        )
    _note(store, connection, version_id, latest)
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
    """What is to be scored of a country's forecast: days about which a revision after `scored` tells."""
    quantiles = np.array(forecast.quantiles, dtype=float)
    dates = [forecast.origin_date + datetime.timedelta(day + 1) for day in range(len(quantiles))]
    told = [counts.get(date, (0, None)) for date in dates]
    revision = np.array([number for number, _ in told])
    observed = np.array([np.nan if count is None else count for _, count in told], dtype=float)
    if version.cumulative:
        # A day of which nothing is stored may have any count; one without a report has none.
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
    """The naive forecast of who knew what the model was fitted to, and no more."""
    counts = daily(forecast.counts, version.cumulative)
    if not (counts > 0).any():
        return None
    counts = counts[np.argmax(counts > 0) :]
    return naive(counts, days, forecast.total if version.cumulative else None) if len(counts) > 1 else None


def _grade(rows: list[dict[str, Any]]) -> None:
    """Put the scores into the rows."""
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


def _note(store: Store, connection: sa.Connection, version_id: int, revision: int) -> None:
    """That the version is scored up to this revision."""
    connection.execute(
        store.insert(progress)
        .values(version_id=version_id, revision=revision)
        .on_conflict_do_update(index_elements=["version_id"], set_={"revision": revision})
    )
