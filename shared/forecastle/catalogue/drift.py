"""Drift: counts that leave what a model was trained with, or that are reported in another way than before.

| reason              | of a country                                                                       |
|---------------------|------------------------------------------------------------------------------------|
| `range`             | last week's daily mean is beyond those of all weeks that the model was fitted to   |
| `jump`              | one of the last 7 days is far from what the days before let expect                 |
| `weekdays`          | the last 4 weeks spread over the days of the week in another way than the 4 before |
| `negative_revision` | what was reported before was lowered in the last 7 days                            |
| `silence`           | nothing has been reported for more than 7 days                                     |

Days are those of the data: the last 7 days end on the newest day that is stored.
"""

import datetime
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import sqlalchemy as sa

from forecastle.catalogue import observations, schema
from forecastle.catalogue.scoring import SCORED, daily

Reason = Literal["range", "jump", "weekdays", "negative_revision", "silence"]

WEEK = 7
LEAST_REPORTS = 4  # in a week, or it has no mean
PAST_ERRORS, LEAST_ERRORS = 28, 14  # days that tell how far from expected a count usually is
JUMP = 8.0  # robust standard deviations
WEEKS = 4  # on each side, whose weekdays are compared
# The 0.999 quantile of F with (7 - 1) and 2 (WEEKS - 1) (7 - 1) degrees of freedom.
WEEKDAYS = 4.857
LOWERED, LEAST_LOWERED = 0.01, 5  # as a share of what was reported, and in counts


class Flag(NamedTuple):
    """Why not to trust what a country's counts lead to."""

    country: str
    reason: Reason
    date: datetime.date  # the day that shows it
    detail: str


class Series(NamedTuple):
    """A country's counts from `first_day` on, a day each; nan where none is stored or was reported."""

    first_day: datetime.date
    counts: np.ndarray

    def day(self, index: int) -> datetime.date:
        return self.first_day + datetime.timedelta(int(index))


def by_model(connection: sa.Connection) -> dict[str, list[Flag]]:
    """The flags for each model's latest version, about the counts that it forecasts."""
    newest = observations.through(connection)
    if newest is None:
        return {}
    span = max(PAST_ERRORS + 2 * WEEK, 2 * WEEKS * WEEK)
    stored = observations.current(connection, newest - datetime.timedelta(span - 1), newest)
    series = {unit: _series(stored, unit, newest, span) for unit in SCORED}
    lowered = {unit: dict(_lowered(connection, unit, newest)) for unit in SCORED}
    flags = {}
    for version in connection.execute(_latest_versions()):
        if version.unit not in SCORED:
            continue
        flags[version.model] = [
            flag
            for row in connection.execute(
                sa.select(schema.fitted)
                .where(schema.fitted.c.version_id == version.id)
                .order_by(schema.fitted.c.country)
            )
            if row.country in series[version.unit]
            for flag in (
                *of_range(version, row, series[version.unit][row.country]),
                *of_reports(row.country, version.unit, series[version.unit][row.country]),
                *lowered[version.unit].get(row.country, ()),
            )
        ]
    return flags


def of_range(version: Any, fitted: Any, series: Series) -> Iterator[Flag]:
    """Whether last week leaves the range of the weeks that the model was fitted to."""
    newest = series.day(len(series.counts) - 1)
    if newest <= version.data_through:
        return
    trained = weekly_means(daily(fitted.counts, version.cumulative))
    last = weekly_means(series.counts)[-1:]
    if np.isnan(trained).all() or np.isnan(last).all():
        return
    least, most, now = np.nanmin(trained), np.nanmax(trained), last[0]
    if least <= now <= most:
        return
    bound = f"above the {most:,.1f} of the highest" if now > most else f"below the {least:,.1f} of the lowest"
    yield Flag(
        fitted.country,
        "range",
        newest,
        f"{now:,.1f} {version.unit} a day in the last week, {bound} week that was trained with",
    )


def of_reports(country: str, unit: str, series: Series) -> Iterator[Flag]:
    """Whether the counts are reported in another way than before."""
    counts, last = series.counts, len(series.counts) - 1
    reported = np.flatnonzero(~np.isnan(counts))
    if not len(reported):
        return
    if (silent := last - reported[-1]) > WEEK:
        yield Flag(country, "silence", series.day(reported[-1]), f"no report of {unit} for {silent} days")
        return
    for index in range(last, last - WEEK, -1):
        if abs(deviation := jump(counts[: index + 1])) > JUMP:
            expected = np.nanmedian(counts[index - WEEK : index])
            detail = f"{counts[index]:,.0f} {unit} after {expected:,.0f} a day in the week before"
            yield Flag(country, "jump", series.day(index), f"{detail} ({deviation:+.1f} standard deviations)")
            break
    if (ratio := weekdays(counts)) > WEEKDAYS:
        days = f"the {WEEKS} weeks to {series.day(last)} and the {WEEKS} before"
        yield Flag(
            country,
            "weekdays",
            series.day(last),
            f"{unit} spread over the days of the week differently in {days} (F = {ratio:.1f})",
        )


def jump(counts: np.ndarray) -> float:
    """How far the last count is from the median of the seven before, in robust standard deviations.

    Counts are compared as 2 sqrt(x + 3/8), whose variance is 1 for a Poisson distribution of any mean
    (Anscombe, Biometrika 35, 1948). Centre and scale of that difference are its median and 1.4826 median
    absolute deviations on the last 28 days, at least 1: the identifier of Hampel (Journal of the American
    Statistical Association 69, 1974), so that steady growth is no jump. nan if too little is reported.
    """
    known = counts[-(PAST_ERRORS + WEEK + 1) :]
    values = 2 * np.sqrt(known + 3 / 8)
    if len(values) < WEEK + 1 + LEAST_ERRORS:
        return np.nan
    weeks = np.lib.stride_tricks.sliding_window_view(values[:-1], WEEK)
    enough = np.sum(~np.isnan(weeks), axis=1) >= LEAST_REPORTS
    errors = np.full(len(weeks), np.nan)
    errors[enough] = values[WEEK:][enough] - np.nanmedian(weeks[enough], axis=1)
    past = errors[:-1][~np.isnan(errors[:-1])]
    if len(past) < LEAST_ERRORS:
        return np.nan
    centre = np.median(past)
    scale = max(1.0, 1.4826 * float(np.median(np.abs(past - centre))))
    return float((errors[-1] - centre) / scale)


def weekdays(counts: np.ndarray) -> float:
    """How unlike the last 4 weeks are to the 4 before in how counts spread over the days of the week.

    Pearson's chi-squared of that table, each over its degrees of freedom, as a multiple of that between the
    weeks of either half, by which counts spread more than Poisson's do: the F of a quasi-likelihood
    (McCullagh and Nelder, Generalized Linear Models, 1989, chapter 9). nan if a day is missing or a week
    empty.
    """
    if len(counts) < 2 * WEEKS * WEEK:
        return np.nan
    table = counts[-2 * WEEKS * WEEK :].reshape(2, WEEKS, WEEK)
    by_week, by_day = table.sum(axis=2, keepdims=True), table.sum(axis=1, keepdims=True)
    if np.isnan(table).any() or not by_week.all():
        return np.nan
    halves = by_day.sum(axis=2, keepdims=True)
    within = _chi_squared(table, by_week * by_day / halves) / (2 * (WEEKS - 1) * (WEEK - 1))
    expected = halves * by_day.sum(axis=0, keepdims=True) / halves.sum()
    between = _chi_squared(by_day, expected) / (WEEK - 1)
    return float(between / within) if within else np.nan


def weekly_means(counts: np.ndarray) -> np.ndarray:
    """The means of every seven days, nan where fewer than 4 of them were reported; fewer days have none."""
    if len(counts) < WEEK:
        return np.full(1, np.nan)
    weeks = np.lib.stride_tricks.sliding_window_view(counts, WEEK)
    known = np.sum(~np.isnan(weeks), axis=1)
    return np.where(known < LEAST_REPORTS, np.nan, np.nansum(weeks, axis=1) / np.maximum(known, 1))


def _chi_squared(table: np.ndarray, expected: np.ndarray) -> float:
    possible = np.broadcast_to(expected > 0, table.shape)
    return float(np.sum((table - expected)[possible] ** 2 / np.broadcast_to(expected, table.shape)[possible]))


def _series(
    stored: list[observations.Reported], unit: str, newest: datetime.date, span: int
) -> dict[str, Series]:
    """By country, of the last `span` days; only countries with any of them stored."""
    first_day = newest - datetime.timedelta(span - 1)
    counts: dict[str, np.ndarray] = {}
    for row in stored:
        values = counts.setdefault(row.country, np.full(span, np.nan))
        if (count := getattr(row, unit)) is not None:
            values[(row.date - first_day).days] = count
    return {country: Series(first_day, values) for country, values in counts.items()}


def _lowered(connection: sa.Connection, unit: str, newest: datetime.date) -> Iterator[tuple[str, list[Flag]]]:
    """Countries whose counts were lowered by what was received in the last 7 days of the data."""
    receipts, reported = schema.receipts, schema.observations
    week_ago = newest - datetime.timedelta(WEEK)
    before = connection.scalar(sa.select(sa.func.max(receipts.c.id)).where(receipts.c.through <= week_ago))
    if before is None:
        return
    then = _current(reported.c.receipt_id <= before)
    now = _current(sa.true())
    same = sa.and_(then.c.country == now.c.country, then.c.date == now.c.date)
    told, lowered = sa.func.sum(then.c[unit]), sa.func.sum(then.c[unit] - sa.func.coalesce(now.c[unit], 0))
    found = connection.execute(
        sa.select(then.c.country, told.label("told"), lowered.label("lowered"))
        .join_from(then, now, same)
        .where(then.c[unit].is_not(None))
        .group_by(then.c.country)
    )
    for row in found:
        told_then, lowered_by = int(row.told), int(row.lowered)
        if lowered_by >= LEAST_LOWERED and lowered_by > LOWERED * told_then:
            share = f"{lowered_by / told_then:.1%} of all reported by {week_ago}"
            detail = f"{unit} lowered by {lowered_by:,} ({share})"
            yield row.country, [Flag(row.country, "negative_revision", newest, detail)]


def _current(known: sa.ColumnElement[bool]) -> sa.Subquery:
    """The latest rows of those that fulfil the condition."""
    reported = schema.observations
    latest = sa.select(sa.func.max(reported.c.id)).where(known).group_by(reported.c.date, reported.c.country)
    return sa.select(reported).where(reported.c.id.in_(latest)).subquery()


def _latest_versions() -> sa.Select[Any]:
    latest = sa.select(sa.func.max(schema.versions.c.id)).group_by(schema.versions.c.model)
    return (
        sa.select(schema.versions).where(schema.versions.c.id.in_(latest)).order_by(schema.versions.c.model)
    )
