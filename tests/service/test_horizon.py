"""horizon.py: which days name which week, and the means of weeks, each found by the calendar."""

import datetime

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.service.horizon import Horizon

from ..conftest import DRAWS, HORIZON, ORIGIN, TOTAL, MakeArtifact

FITTED = 30  # days
DAY = datetime.timedelta(1)


def ending(make_artifact: MakeArtifact, origin: datetime.date) -> Artifact:
    """Of one country, fitted to a month with 0, 1, 2, ... deaths a day, of which one was not reported."""
    first = origin - (FITTED - 1) * DAY
    lines = [f"{first + day * DAY},GBR,{'' if day == 17 else day}" for day in range(FITTED)]
    dates = {"first_day": str(first), "origin_date": str(origin)}
    return Artifact.load(
        make_artifact(
            draws=np.random.default_rng(1).poisson(20, (DRAWS, 1, HORIZON)),
            series={"GBR": {"name": "United Kingdom", **dates, "total": TOTAL}},
            observations=["date,country,observed", *lines],
        )
    )


def week_to(day: datetime.date) -> datetime.date:
    """The Saturday that ends this day's week."""
    while day.isoweekday() != 6:
        day += DAY
    return day


@pytest.mark.parametrize("after", range(7))
def test_a_week_is_named_by_each_of_its_days(make_artifact: MakeArtifact, after: int) -> None:
    origin = ORIGIN + after * DAY
    artifact = ending(make_artifact, origin)
    weeks = Horizon.of(artifact, artifact.series["GBR"], "weekly")
    days = [origin + ahead * DAY for ahead in range(1, HORIZON + 1)]
    ends = sorted({end for end in map(week_to, days) if {end, end - 6 * DAY} <= {*days}})
    assert [weeks.date(week + 1) for week in range(weeks.periods)] == ends
    for week, end in enumerate(ends, 1):
        assert weeks.first_day(week).isoweekday() == 7
        assert [weeks.ahead(end - before * DAY) for before in range(-1, 8)] == [
            week + 1,
            *[week] * 7,
            week - 1,
        ]


@pytest.mark.parametrize("after", range(7))
def test_means_of_weeks_are_by_the_calendar(make_artifact: MakeArtifact, after: int) -> None:
    origin = ORIGIN + after * DAY
    artifact = ending(make_artifact, origin)
    series = artifact.series["GBR"]
    past, coming, begun = Horizon.of(artifact, series, "weekly").means(artifact, series)
    by_week: dict[datetime.date, list[np.ndarray]] = {}
    for day in range(FITTED):
        by_week.setdefault(week_to(origin - (FITTED - 1 - day) * DAY), []).append(
            np.full(DRAWS, np.nan if day == 17 else day)
        )
    for ahead in range(HORIZON):
        by_week.setdefault(week_to(origin + (ahead + 1) * DAY), []).append(artifact.draws[:, 0, ahead])
    whole = {end: np.nanmean(days, axis=0) for end, days in by_week.items() if len(days) == 7}
    assert past == pytest.approx([mean[0] for end, mean in whole.items() if end <= origin])
    assert coming == pytest.approx(np.array([mean for end, mean in whole.items() if end > origin]).T)
    assert begun == (origin.isoweekday() != 6)


def test_a_models_own_periods_are_days_from_the_origin(make_artifact: MakeArtifact) -> None:
    artifact = ending(make_artifact, ORIGIN)
    days = Horizon.of(artifact, artifact.series["GBR"], "daily")
    assert (days.start, days.periods, days.frequency.alias) == (ORIGIN, HORIZON, "D")
    assert days.first_day(3) == days.date(3) == ORIGIN + 3 * DAY
    assert days.ahead(ORIGIN + 3 * DAY) == 3
