"""Drift: values that leave the range of the training data, or are reported differently than before.

| reason              | what is true of a series' values                                                 |
|---------------------|----------------------------------------------------------------------------------|
| `range`             | the last cycle's mean is far beyond those of all cycles in the training data     |
| `jump`              | a value of the last cycle is far from the median of the 7 periods before it      |
| `weekdays`          | the last 4 weeks are spread over the days of the week unlike the 4 before        |
| `negative_revision` | the last cycle's receipts lowered counts that were reported before               |
| `silence`           | there has been no report for more than a cycle                                   |

A cycle is `Frequency.cycle`: 7 days of daily values, one period of all others. The last one ends on the
newest date that is stored of what is forecast of the same noun at the same frequency. `weekdays` is of daily
counts alone, and `negative_revision` of counts.
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import sqlalchemy as sa

from forecastle.catalogue.scoring import by_period
from forecastle.catalogue.store import observations, schema
from forecastle.dates import newest_day
from forecastle.frequency import Frequency

Reason = Literal["range", "jump", "weekdays", "negative_revision", "silence"]

WEEK = 7  # days
BEFORE = 7  # periods whose median a value is compared with
MOST_MISSING = 3 / 7  # of the values of a mean or a median
BEYOND, LEAST_BEYOND = 1.25, 1.0  # how far a mean must leave the range: as a factor, and in counts a period
BEYOND_REAL = 0.25  # the same of real numbers, which may be negative: as a share of the range
PAST_ERRORS, LEAST_ERRORS = 28, 14  # periods from which the usual deviation is estimated
JUMP = 8.0  # robust standard deviations
WEEKS = 4  # whose weekdays are compared with those of as many before
# The 0.999 quantile of F with (7 - 1) and 2 (WEEKS - 1) (7 - 1) degrees of freedom.
WEEKDAYS = 4.857
LOWERED, LEAST_LOWERED = 0.01, 5  # as a share of what was reported, and in counts
SPAN = max(PAST_ERRORS + BEFORE + WEEK, 2 * WEEKS * WEEK)  # periods that are looked at


class Flag(NamedTuple):
    """A reason not to trust a series' forecast."""

    series: str
    reason: Reason
    date: datetime.date  # of the evidence
    detail: str


class Measure(NamedTuple):
    """What a version forecasts: a measure of series of a noun, at a frequency.

    Attributes:
        noun: What the series are about.
        name: Of the measure.
        unit: Of its values.
        frequency: Of their dates.
        real: Whether they are real numbers rather than counts.
    """

    noun: str
    name: str
    unit: str
    frequency: Frequency
    real: bool


class Series(NamedTuple):
    """A series' values from `first_day` on, one a period; nan where there was no report."""

    frequency: Frequency
    first_day: datetime.date
    values: np.ndarray

    def date(self, index: int) -> datetime.date:
        return self.frequency.after(self.first_day, int(index))


def by_model(connection: sa.Connection) -> dict[str, list[Flag]]:
    """For each model the flags of the values that its latest version forecasts."""
    versions = [(version, _measure(version)) for version in connection.execute(_latest_versions())]
    newest = _newest(connection, {measure for _, measure in versions})
    stored: dict[Measure, dict[str, Series]] = {}
    reports: dict[Measure, dict[str, list[Flag]]] = {}
    flags: dict[str, list[Flag]] = {}
    for version, measure in versions:
        of_model = flags[version.model] = []
        if (last := newest.get((measure.noun, measure.frequency))) is None:
            continue
        if measure not in stored:
            stored[measure] = _series(connection, measure, last)
            reports[measure] = {
                code: list(of_reports(code, measure, one)) for code, one in stored[measure].items()
            }
            for flag in [] if measure.real else _lowered(connection, measure, last):
                reports[measure].setdefault(flag.series, []).append(flag)
        for row in connection.execute(
            sa.select(schema.fitted)
            .where(schema.fitted.c.version_id == version.id)
            .order_by(schema.fitted.c.series)
        ):
            if found := stored[measure].get(row.series):
                of_model += [*of_range(version, row, found), *reports[measure][row.series]]
    return flags


def of_range(version: Any, fitted: Any, series: Series) -> Iterator[Flag]:
    """Whether the last cycle leaves the range of those that the model was fitted to."""
    frequency = series.frequency
    newest = series.date(len(series.values) - 1)
    if newest <= version.data_through:
        return
    trained = means(by_period(fitted.counts, version.cumulative), frequency.cycle)
    last = means(series.values, frequency.cycle)[-1:]
    if np.isnan(trained).all() or np.isnan(last).all():
        return
    least, most, now = np.nanmin(trained), np.nanmax(trained), last[0]
    beyond = max(now - most, least - now)
    if version.real:
        if beyond <= BEYOND_REAL * (most - least):
            return
    else:
        factor = now / most if now > most else least / max(now, 1 / frequency.cycle)
        if factor <= BEYOND or beyond < LEAST_BEYOND:
            return
    cycle = "week" if frequency.cycle == WEEK else frequency.period
    bound = f"above the {most:,.1f} of the highest" if now > most else f"below the {least:,.1f} of the lowest"
    detail = f"{now:,.1f} {version.unit} a {frequency.period} in the last {cycle}, {bound} {cycle}"
    yield Flag(fitted.series, "range", newest, f"{detail} that was trained with")


def of_reports(code: str, measure: Measure, series: Series) -> Iterator[Flag]:
    """Whether the values are reported in another way than before."""
    values, last, unit, frequency = series.values, len(series.values) - 1, measure.unit, series.frequency
    reported = np.flatnonzero(~np.isnan(values))
    if not len(reported):
        return
    if (silent := int(last - reported[-1])) > frequency.cycle:
        detail = f"no report of {unit} for {frequency.periods(silent)}"
        yield Flag(code, "silence", series.date(reported[-1]), detail)
        return
    for ago, deviation in enumerate(jumps(values, frequency.cycle, counts=not measure.real)):
        if abs(deviation) > JUMP:
            index = last - ago
            expected = np.nanmedian(values[index - BEFORE : index])
            before = "week" if frequency.cycle == WEEK else f"{BEFORE} {frequency.period}s"
            digits = 1 if measure.real else 0
            usual = f"{expected:,.{digits}f} a {frequency.period} in the {before} before"
            detail = f"{values[index]:,.{digits}f} {unit} after {usual}"
            yield Flag(code, "jump", series.date(index), f"{detail} ({deviation:+.1f} standard deviations)")
            break
    if frequency.cycle == WEEK and not measure.real and (ratio := weekdays(values)) > WEEKDAYS:
        days = f"the {WEEKS} weeks to {series.date(last)} and the {WEEKS} before"
        yield Flag(
            code,
            "weekdays",
            series.date(last),
            f"{unit} spread over the days of the week differently in {days} (F = {ratio:.1f})",
        )


def jumps(values: np.ndarray, cycle: int = WEEK, counts: bool = True) -> list[float]:
    """How far each value of the last cycle, the last first, is from the median of the 7 periods before it.

    Counts are compared as 2 sqrt(x + 3/8), whose variance is 1 for a Poisson distribution of any mean
    (Anscombe, Biometrika 35, 1948). The difference is in robust standard deviations: centre and scale
    are its median and 1.4826 median absolute deviations, of counts at least 1, on the 28 periods before, by
    the identifier of Hampel (Journal of the American Statistical Association 69, 1974). So steady growth is
    no jump. nan if there are too few reports, or if real numbers never deviated.
    """
    values = values[-(PAST_ERRORS + BEFORE + cycle) :]
    values = 2 * np.sqrt(values + 3 / 8) if counts else values
    if len(values) < BEFORE + cycle + 1:
        return []
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(values[:-1], BEFORE), axis=1)  # nan comes last
    known = np.sum(~np.isnan(windows), axis=1)
    rows = np.arange(len(windows))
    medians = (windows[rows, np.maximum(known - 1, 0) // 2] + windows[rows, known // 2]) / 2
    errors = values[BEFORE:] - np.where(known < (1 - MOST_MISSING) * BEFORE, np.nan, medians)
    deviations = []
    for ago in range(min(cycle, len(errors) - 1)):
        *past, error = errors[: len(errors) - ago][-(PAST_ERRORS + 1) :]
        reported = np.array(past)[~np.isnan(past)]
        if len(reported) < LEAST_ERRORS:
            deviations.append(np.nan)
            continue
        centre = np.median(reported)
        scale = 1.4826 * float(np.median(np.abs(reported - centre)))
        scale = max(1.0, scale) if counts else scale or np.nan
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


def means(values: np.ndarray, cycle: int = WEEK) -> np.ndarray:
    """The mean of every cycle of consecutive values; nan where too few of them were reported."""
    if len(values) < cycle:
        return np.full(1, np.nan)
    cycles = np.lib.stride_tricks.sliding_window_view(values, cycle)
    known = np.sum(~np.isnan(cycles), axis=1)
    too_few = known < (1 - MOST_MISSING) * cycle
    return np.where(too_few, np.nan, np.nansum(cycles, axis=1) / np.maximum(known, 1))


def _chi_squared(table: np.ndarray, expected: np.ndarray) -> float:
    possible = np.broadcast_to(expected > 0, table.shape)
    return float(np.sum((table - expected)[possible] ** 2 / np.broadcast_to(expected, table.shape)[possible]))


def _measure(version: Any) -> Measure:
    frequency = Frequency.of(version.frequency)
    return Measure(version.noun, version.measure, version.unit, frequency, version.real)


def _newest(connection: sa.Connection, forecast: set[Measure]) -> dict[tuple[str, Frequency], datetime.date]:
    """The newest date that is stored of what is forecast, by noun and frequency."""
    newest: dict[tuple[str, Frequency], datetime.date] = {}
    columns = schema.observations.c
    for measure in forecast:
        dates = connection.scalars(
            sa.select(columns.date)
            .where(columns.noun == measure.noun, columns.measure == measure.name)
            .where(columns.value.is_not(None), columns.date <= newest_day())
            .distinct()
        )
        key = measure.noun, measure.frequency
        for date in filter(measure.frequency.has, dates):
            newest[key] = max(date, newest.get(key, date))
    return newest


def _series(connection: sa.Connection, measure: Measure, newest: datetime.date) -> dict[str, Series]:
    """The last `SPAN` periods of every series that has any of them stored."""
    frequency = measure.frequency
    first_day = frequency.after(newest, 1 - SPAN)
    found: dict[str, np.ndarray] = {}
    for row in observations.current(connection, measure.noun, first_day, newest, measures=[measure.name]):
        values = found.setdefault(row.series, np.full(SPAN, np.nan))
        if row.value is not None and frequency.has(row.date):
            values[frequency.between(first_day, row.date)] = row.value
    return {code: Series(frequency, first_day, values) for code, values in found.items()}


def _lowered(connection: sa.Connection, measure: Measure, newest: datetime.date) -> Iterator[Flag]:
    """Flags of series whose counts were lowered by receipts of the last cycle."""
    receipts, receipt = schema.receipts.c, schema.observations.c.receipt_id
    cycle_ago = measure.frequency.after(newest, -measure.frequency.cycle)
    before = connection.scalar(
        sa.select(sa.func.max(receipts.id)).where(
            receipts.noun == measure.noun, receipts.through <= cycle_ago
        )
    )
    if before is None:
        return
    since = {(row.series, row.date): row.value for row in _latest(connection, measure, receipt > before)}
    totals: dict[str, float] = {}
    lowered: dict[str, float] = {}
    for row in _latest(connection, measure, receipt <= before):
        if row.value is not None:
            now = since.get((row.series, row.date), row.value) or 0
            totals[row.series] = totals.get(row.series, 0) + row.value
            lowered[row.series] = lowered.get(row.series, 0) + row.value - now
    for code, number in lowered.items():
        if number >= LEAST_LOWERED and number > LOWERED * totals[code]:
            share = f"{number / totals[code]:.1%} of all reported by {cycle_ago}"
            detail = f"{measure.unit} lowered by {number:,.0f} ({share})"
            yield Flag(code, "negative_revision", newest, detail)


def _latest(connection: sa.Connection, measure: Measure, known: sa.ColumnElement[bool]) -> Sequence[Any]:
    """The latest row of each series and date, among those for which the condition is true."""
    columns = schema.observations.c
    of_measure = (columns.noun == measure.noun, columns.measure == measure.name)
    latest = sa.select(sa.func.max(columns.id)).where(known, *of_measure)
    latest = latest.group_by(columns.date, columns.series)
    return connection.execute(
        sa.select(*columns["series", "date", "value"]).where(columns.id.in_(latest))
    ).all()


def _latest_versions() -> sa.Select[Any]:
    latest = sa.select(sa.func.max(schema.versions.c.id)).group_by(schema.versions.c.model)
    return (
        sa.select(schema.versions).where(schema.versions.c.id.in_(latest)).order_by(schema.versions.c.model)
    )
