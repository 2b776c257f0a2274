"""Drift: counts that leave the range of the training data, or are reported differently than before.

| reason              | what is true of a country's counts                                               |
|---------------------|----------------------------------------------------------------------------------|
| `range`             | last week's daily mean is far beyond those of all weeks in the training data     |
| `jump`              | the count of one of the last 7 days is far from the median of the days before it |
| `weekdays`          | the last 4 weeks are spread over the days of the week unlike the 4 before        |
| `negative_revision` | the last 7 days' receipts lowered counts that were reported before               |
| `silence`           | there has been no report for more than 7 days                                    |

The last 7 days are those up to the newest day that is stored.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import sqlalchemy as sa

from forecastle.catalogue.scoring import SCORED, daily
from forecastle.catalogue.store import observations, schema

Reason = Literal["range", "jump", "weekdays", "negative_revision", "silence"]

WEEK = 7
LEAST_REPORTS = 4  # in a week that has a mean
BEYOND, LEAST_BEYOND = 1.25, 1.0  # how far a mean must leave the range: as a factor, and in counts a day
PAST_ERRORS, LEAST_ERRORS = 28, 14  # days from which the usual deviation is estimated
JUMP = 8.0  # robust standard deviations
WEEKS = 4  # whose weekdays are compared with those of as many before
# The 0.999 quantile of F with (7 - 1) and 2 (WEEKS - 1) (7 - 1) degrees of freedom.
WEEKDAYS = 4.857
LOWERED, LEAST_LOWERED = 0.01, 5  # as a share of what was reported, and in counts


class Flag(NamedTuple):
    """A reason not to trust a country's forecast."""

    country: str
    reason: Reason
    date: datetime.date  # the day of the evidence
    detail: str


class Series(NamedTuple):
    """A country's daily counts from `first_day` on; nan where there was no report."""

    first_day: datetime.date
    counts: np.ndarray

    def day(self, index: int) -> datetime.date:
        return self.first_day + datetime.timedelta(int(index))


def by_model(connection: sa.Connection) -> dict[str, list[Flag]]:
    """For each model the flags of the counts that its latest version forecasts."""
    newest = observations.through(connection)
    if newest is None:
        return {}
    span = max(PAST_ERRORS + 2 * WEEK, 2 * WEEKS * WEEK)
    stored = observations.current(connection, newest - datetime.timedelta(span - 1), newest)
    series = {unit: _series(stored, unit, newest, span) for unit in SCORED}
    reports: dict[tuple[str, str], list[Flag]] = {}
    for unit, by_country in series.items():
        for country, one in by_country.items():
            reports[unit, country] = list(of_reports(country, unit, one))
    for unit, flag in _lowered(connection, newest):
        reports.setdefault((unit, flag.country), []).append(flag)
    flags: dict[str, list[Flag]] = {}
    for version in connection.execute(_latest_versions()):
        of_model = flags[version.model] = []
        for row in connection.execute(
            sa.select(schema.fitted)
            .where(schema.fitted.c.version_id == version.id)
            .order_by(schema.fitted.c.country)
        ):
            if found := series.get(version.unit, {}).get(row.country):
                of_model += [*of_range(version, row, found), *reports[version.unit, row.country]]
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
    factor = now / most if now > most else least / max(now, 1 / WEEK)
    if factor <= BEYOND or max(now - most, least - now) < LEAST_BEYOND:
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
    for ago, deviation in enumerate(jumps(counts)):
        if abs(deviation) > JUMP:
            index = last - ago
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


def jumps(counts: np.ndarray) -> list[float]:
    """How far each of the last 7 counts, the last first, is from the median of the seven days before it.

    Counts are compared as 2 sqrt(x + 3/8), whose variance is 1 for a Poisson distribution of any mean
    (Anscombe, Biometrika 35, 1948). The difference is in robust standard deviations: centre and scale
    are its median and 1.4826 median absolute deviations, at least 1, on the 28 days before, by the identifier
    of Hampel (Journal of the American Statistical Association 69, 1974). So steady growth is no jump. nan if
    there are too few reports.
    """
    values = 2 * np.sqrt(counts[-(PAST_ERRORS + 2 * WEEK) :] + 3 / 8)
    if len(values) < 2 * WEEK + 1:
        return []
    weeks = np.sort(np.lib.stride_tricks.sliding_window_view(values[:-1], WEEK), axis=1)  # nan comes last
    known = np.sum(~np.isnan(weeks), axis=1)
    days = np.arange(len(weeks))
    medians = (weeks[days, np.maximum(known - 1, 0) // 2] + weeks[days, known // 2]) / 2
    errors = values[WEEK:] - np.where(known >= LEAST_REPORTS, medians, np.nan)
    deviations = []
    for ago in range(min(WEEK, len(errors) - 1)):
        *past, error = errors[: len(errors) - ago][-(PAST_ERRORS + 1) :]
        reported = np.array(past)[~np.isnan(past)]
        if len(reported) < LEAST_ERRORS:
            deviations.append(np.nan)
            continue
        centre = np.median(reported)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(reported - centre))))
        deviations.append(float((error - centre) / scale))
    return deviations


def weekdays(counts: np.ndarray) -> float:
    """How different the last 4 weeks and the 4 before are in how counts are spread over the days of the week.

    Pearson's chi-squared of that table, each over its degrees of freedom, as a multiple of that between the
    weeks of either half, by which counts spread more than Poisson's do: the F of a quasi-likelihood
    (McCullagh and Nelder, Generalized Linear Models, 1989, chapter 9). nan if a day is missing, or a week has
    no counts.
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
    """The mean of every seven consecutive days; nan where fewer than 4 of them were reported."""
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
    """The last `span` days of every country that has any of them stored."""
    first_day = newest - datetime.timedelta(span - 1)
    counts: dict[str, np.ndarray] = {}
    for row in stored:
        values = counts.setdefault(row.country, np.full(span, np.nan))
        if (count := getattr(row, unit)) is not None:
            values[(row.date - first_day).days] = count
    return {country: Series(first_day, values) for country, values in counts.items()}


def _lowered(connection: sa.Connection, newest: datetime.date) -> Iterator[tuple[str, Flag]]:
    """Units and flags of countries whose counts were lowered by receipts of the last 7 days."""
    receipts, receipt = schema.receipts, schema.observations.c.receipt_id
    week_ago = newest - datetime.timedelta(WEEK)
    before = connection.scalar(sa.select(sa.func.max(receipts.c.id)).where(receipts.c.through <= week_ago))
    if before is None:
        return
    since = {(row.country, row.date): row for row in _latest(connection, receipt > before)}
    totals: dict[tuple[str, str], int] = {}
    lowered: dict[tuple[str, str], int] = {}
    for row in _latest(connection, receipt <= before):
        now = since.get((row.country, row.date), row)
        for unit in SCORED:
            if (count := getattr(row, unit)) is not None:
                key = unit, row.country
                totals[key] = totals.get(key, 0) + count
                lowered[key] = lowered.get(key, 0) + count - (getattr(now, unit) or 0)
    for (unit, country), number in lowered.items():
        if number >= LEAST_LOWERED and number > LOWERED * totals[unit, country]:
            share = f"{number / totals[unit, country]:.1%} of all reported by {week_ago}"
            detail = f"{unit} lowered by {number:,} ({share})"
            yield unit, Flag(country, "negative_revision", newest, detail)


def _latest(connection: sa.Connection, known: sa.ColumnElement[bool]) -> Sequence[Any]:
    """The latest row of each country and day, among those for which the condition is true."""
    reported = schema.observations
    latest = sa.select(sa.func.max(reported.c.id)).where(known).group_by(reported.c.date, reported.c.country)
    columns = reported.c["country", "date", *SCORED]
    return connection.execute(sa.select(*columns).where(reported.c.id.in_(latest))).all()


def _latest_versions() -> sa.Select[Any]:
    latest = sa.select(sa.func.max(schema.versions.c.id)).group_by(schema.versions.c.model)
    return (
        sa.select(schema.versions).where(schema.versions.c.id.in_(latest)).order_by(schema.versions.c.model)
    )
