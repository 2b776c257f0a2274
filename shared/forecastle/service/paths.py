"""A country's counts as posterior predictive paths: daily or running totals, whichever the model forecasts.

A running total becomes daily counts as the differences of each path, and daily counts a running total as
their sums on top of what was counted before. Of a model that draws the days of a running total independently
of each other (`exponential`, `logistic`) a path is no history that could happen: it may fall. What is asked
about one day's running total holds all the same; daily counts and what is asked about whole paths do not.
"""

import datetime
from typing import Literal

import numpy as np

from forecastle.artifact import Artifact, Country

Kind = Literal["daily", "cumulative"]

WEEK = 7
# From each bound to the next, `rounded` keeps so many decimals: three significant digits below 100, then one.
_BOUNDS = np.append(10.0 ** np.arange(-9, 2), 1e15)
_SCALES = 10.0 ** np.array([11, *range(11, 0, -1), 0])


def own(artifact: Artifact) -> Kind:
    """What the model itself forecasts."""
    return "cumulative" if artifact.cumulative else "daily"


def target(artifact: Artifact, kind: Kind) -> str:
    """Such as "daily deaths"."""
    return artifact.manifest.target if kind == own(artifact) else f"{kind} {artifact.manifest.unit}"


def paths(artifact: Artifact, country: Country, kind: Kind) -> np.ndarray:
    """All draws, shape (draw, day ahead)."""
    draws = artifact.forecast_draws(country.code).astype(float)
    if kind == own(artifact):
        return draws
    if kind == "cumulative":
        return country.total + draws.cumsum(axis=1)
    return np.diff(draws, axis=1, prepend=country.total)


def observed(artifact: Artifact, country: Country) -> np.ndarray:
    """Daily counts from `first_day` to `origin_date`; nan where none was reported or a day is not fitted."""
    reported = dict(artifact.observations.get(country.code, []))
    days = (country.origin_date - country.first_day).days + 1
    counts = [reported.get(country.first_day + datetime.timedelta(day)) for day in range(days)]
    daily = np.array([np.nan if count is None else count for count in counts])
    return np.diff(daily, prepend=np.nan) if artifact.cumulative else daily


def weekly(artifact: Artifact, country: Country) -> tuple[np.ndarray, np.ndarray]:
    """Mean daily counts of seven days.

    Returns:
        Of the weeks that ended by the origin, the last one last, shape (week): nan if nothing was reported in
        one, and at least one week. Of those that end on each day ahead, shape (draw, day ahead).
    """
    past, coming = observed(artifact, country), paths(artifact, country, "daily")
    past = np.concatenate([np.full(max(0, WEEK - len(past)), np.nan), past])
    recent = np.broadcast_to(past[1 - WEEK :], (len(coming), WEEK - 1))
    return _weekly_means(past), _weekly_means(np.hstack([recent, coming]))


def _weekly_means(daily: np.ndarray) -> np.ndarray:
    known = np.isfinite(daily)
    with np.errstate(invalid="ignore"):
        return _weekly_sums(np.where(known, daily, 0)) / _weekly_sums(known)


def _weekly_sums(daily: np.ndarray) -> np.ndarray:
    sums = daily.cumsum(axis=-1)  # which hold whole numbers exactly
    sums[..., WEEK:] -= sums[..., :-WEEK].copy()
    return sums[..., WEEK - 1 :]


def rounded(counts: np.ndarray) -> np.ndarray:
    """Three significant digits or, from 100 on, one decimal: finer than 2000 draws can tell.

    No more than eleven decimals, so that what is next to nothing is 0.
    """
    scales = _SCALES[np.searchsorted(_BOUNDS, np.abs(counts), side="right")]
    return np.rint(counts * scales) / scales + 0.0  # -0.0 becomes 0.0
