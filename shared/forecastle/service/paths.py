"""A series' counts as posterior predictive paths: daily or running totals, whichever the model forecasts.

A running total becomes daily counts as the differences of each path, and daily counts a running total as
their sums on top of what was counted before. Of a model that draws the days of a running total independently
of each other (`exponential`, `logistic`) a path is no history that could happen: it may fall. What is asked
about one day's running total holds all the same; daily counts and what is asked about whole paths do not.
"""

import datetime
from typing import Literal

import numpy as np

from forecastle.artifact import Artifact, Series
from forecastle.frequency import Adjective
from forecastle.web.problems import InvalidValue

# The adjective of the frequency, such as "daily": the values themselves; or "cumulative".
Kind = Adjective | Literal["cumulative"]

WEEK, SATURDAY = 7, 5  # days; as of datetime.date.weekday()
SURE_WEEK = 13  # days that hold a whole week, whatever the weekday of the first
WEEKS = "W-SAT"  # the frequency of sums by week

# From each bound to the next, `rounded` keeps so many decimals: three significant digits below 100, then one.
_BOUNDS = np.append(10.0 ** np.arange(-9, 2), 1e15)
_SCALES = 10.0 ** np.array([11, *range(11, 0, -1), 0])


def own(artifact: Artifact) -> Kind:
    """What the model itself forecasts."""
    return "cumulative" if artifact.cumulative else artifact.frequency.adjective


def kinds(artifact: Artifact) -> tuple[Kind, ...]:
    """Those that the model has: of real numbers there is no running total."""
    single = artifact.frequency.adjective
    return (single,) if artifact.manifest.real else (single, "cumulative")


def check(artifact: Artifact, kind: Kind) -> None:
    """Refuse a kind that the model has not: of other periods, or running totals of real numbers.

    Raises:
        InvalidValue: It has not.
    """
    if kind not in (known := kinds(artifact)):
        raise InvalidValue("counts", f"must be {' or '.join(known)} for this model, not {kind}")


def has_weeks(artifact: Artifact) -> bool:
    """Whether there are sums by week: of daily values, if a whole week lies within the horizon."""
    return artifact.frequency.alias == "D" and artifact.horizon >= SURE_WEEK


def before_weeks(origin: datetime.date) -> datetime.date:
    """The Saturday that is the origin or follows it: the first whole week starts a day later."""
    return origin + datetime.timedelta((SATURDAY - origin.weekday()) % WEEK)


def whole_weeks(origin: datetime.date, days: int) -> int:
    """How many whole weeks, from a Sunday to a Saturday, lie in so many days after an origin."""
    return (days - (before_weeks(origin) - origin).days) // WEEK


def target(artifact: Artifact, kind: Kind) -> str:
    """Such as "daily deaths"."""
    return artifact.manifest.target if kind == own(artifact) else f"{kind} {artifact.manifest.unit}"


def paths(artifact: Artifact, series: Series, kind: Kind) -> np.ndarray:
    """All draws, shape (draw, period ahead); of daily values also "weekly": the sums over whole weeks.

    Raises:
        InvalidValue: The model has no such kind.
    """
    if kind == "weekly" and has_weeks(artifact):
        daily = paths(artifact, series, "daily")
        first = (before_weeks(series.origin_date) - series.origin_date).days
        number = whole_weeks(series.origin_date, artifact.horizon)
        return daily[:, first : first + WEEK * number].reshape(len(daily), number, WEEK).sum(axis=2)
    check(artifact, kind)
    draws = artifact.forecast_draws(series.code).astype(float)
    if kind == own(artifact):
        return draws
    if kind == "cumulative":
        return series.total + draws.cumsum(axis=1)
    return np.diff(draws, axis=1, prepend=series.total or 0)


def observed(artifact: Artifact, series: Series) -> np.ndarray:
    """Values by period, not running totals, from `first_day` to `origin_date`; nan where there is none."""
    reported = dict(artifact.observations.get(series.code, []))
    periods = artifact.frequency.between(series.first_day, series.origin_date) + 1
    dates = (artifact.frequency.after(series.first_day, period) for period in range(periods))
    counts = [reported.get(date) for date in dates]
    daily = np.array([np.nan if count is None else count for count in counts])
    return np.diff(daily, prepend=np.nan) if artifact.cumulative else daily


def means(artifact: Artifact, series: Series) -> tuple[np.ndarray, np.ndarray]:
    """Means over the cycle of the frequency: of seven days, or of any other period the values themselves.

    Returns:
        Of the cycles that ended by the origin, the last one last, shape (cycle): nan if nothing was reported
        in one, and at least one. Of those that end on each date ahead, shape (draw, period ahead).
    """
    cycle = artifact.frequency.cycle
    past, coming = observed(artifact, series), paths(artifact, series, artifact.frequency.adjective)
    past = np.concatenate([np.full(max(0, cycle - len(past)), np.nan), past])
    recent = np.broadcast_to(past[len(past) + 1 - cycle :], (len(coming), cycle - 1))
    return _means(past, cycle), _means(np.hstack([recent, coming]), cycle)


def _means(values: np.ndarray, cycle: int) -> np.ndarray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return _sums(np.where(known, values, 0), cycle) / _sums(known, cycle)


def _sums(values: np.ndarray, cycle: int) -> np.ndarray:
    sums = values.cumsum(axis=-1)  # which hold whole numbers exactly
    sums[..., cycle:] -= sums[..., :-cycle].copy()
    return sums[..., cycle - 1 :]


def rounded(counts: np.ndarray) -> np.ndarray:
    """Three significant digits or, from 100 on, one decimal: finer than 2000 draws can tell.

    No more than eleven decimals, so that what is next to nothing is 0.
    """
    scales = _SCALES[_BOUNDS.searchsorted(np.abs(counts), side="right")]
    return np.rint(counts * scales) / scales + 0.0  # -0.0 becomes 0.0
