"""Draws of the periods that a hub asks for: weeks or days of a hub, from the draws of a model's own periods.

A week of a daily model is the sum of its seven days along each draw. Days that were reported before the
forecast begins count as they were reported.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from forecastle.artifact import Artifact, Series
from forecastle.project.hub import HubError
from forecastle.service import paths


class Unreachable(HubError):
    """The draws do not reach so far, or a day of the week was not reported."""


@dataclass(frozen=True, eq=False)
class Period:
    """A series in a period of a hub.

    Attributes:
        draws: Of the whole period, shape (draw,).
        is_known: Whether all of it was reported before the forecast begins.
    """

    draws: np.ndarray
    is_known: bool


def of(artifact: Artifact, series: Series, end: datetime.date, days: int) -> Period:
    """A series in the period of so many days that ends on this date.

    Raises:
        HubError: The model's own periods are no parts of it.
        Unreachable: The draws end before it does, or a date before they begin was not reported.
    """
    ahead = _ahead(artifact, series, end, days)
    drawn = paths.paths(artifact, series, artifact.frequency.adjective)
    if ahead[-1] > drawn.shape[1]:
        last = artifact.frequency.after(series.origin_date, drawn.shape[1])
        raise Unreachable(f"the forecast of {series.code} ends on {last}, before {end}")
    reported = paths.observed(artifact, series)
    known = [number + len(reported) - 1 for number in ahead if number <= 0]
    if known and (known[0] < 0 or np.isnan(reported[known]).any()):
        raise Unreachable(f"not all of {series.code} was reported and fitted in the {days} days to {end}")
    coming = drawn[:, [number - 1 for number in ahead if number > 0]]
    return Period(reported[known].sum() + coming.sum(axis=1), is_known=ahead[-1] <= 0)


def _ahead(artifact: Artifact, series: Series, end: datetime.date, days: int) -> list[int]:
    """How many of the model's periods each one in the hub's is ahead of the last one known; 0 is that one."""
    frequency = artifact.frequency
    if frequency.days not in (1, days):
        asked = "weeks" if days > 1 else "days"
        raise HubError(f"the hub asks for {asked}, and the model forecasts {frequency.period}s")
    if not frequency.has(end):
        raise HubError(
            f"the hub's weeks end on {end:%A}s, such as {end}, and the model's on "
            f"{series.origin_date:%A}s: see offset in hub.toml"
        )
    last = frequency.between(series.origin_date, end)
    return list(range(last - days // frequency.days + 1, last + 1))
