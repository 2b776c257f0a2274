"""periods.py: a hub's weeks, summed along each draw, with the days of them that were reported."""

import datetime

import numpy as np
import pytest

from forecastle.project.hub import HubError, periods
from forecastle.project.hub.periods import Unreachable

from .conftest import DRAWS, STATES, Forecast

SATURDAY = datetime.date(2024, 11, 23)


def test_a_week_is_the_sum_of_its_days_reported_and_drawn(forecast: Forecast) -> None:
    artifact = forecast()
    california = artifact.series["US-CA"]
    week = periods.of(artifact, california, SATURDAY, 7)  # three days, and four of the forecast
    assert not week.is_known and week.draws.shape == (DRAWS,)
    assert np.array_equal(week.draws, 3 * STATES["US-CA"] + artifact.draws[:, 0, :4].sum(axis=1))
    later = periods.of(artifact, california, SATURDAY + datetime.timedelta(7), 7)
    assert np.array_equal(later.draws, artifact.draws[:, 0, 4:11].sum(axis=1))
    before = periods.of(artifact, california, SATURDAY - datetime.timedelta(7), 7)
    assert before.is_known and set(before.draws) == {7 * STATES["US-CA"]}
    day = periods.of(artifact, california, SATURDAY, 1)
    assert np.array_equal(day.draws, artifact.draws[:, 0, 3])


def test_running_totals_are_taken_apart(forecast: Forecast) -> None:
    daily = np.random.default_rng(2).poisson(20, (DRAWS, 1, 28))
    totals = 30 * 60 + daily.cumsum(axis=2)
    artifact = forecast(totals, {"US-CA": 60}, cumulative=True)
    week = periods.of(artifact, artifact.series["US-CA"], SATURDAY + datetime.timedelta(7), 7)
    assert np.array_equal(week.draws, daily[:, 0, 4:11].sum(axis=1))


def test_a_weekly_models_weeks_are_the_hubs(forecast: Forecast) -> None:
    saturday = SATURDAY - datetime.timedelta(7)
    artifact = forecast(frequency="W-SAT", origin=saturday)
    week = periods.of(artifact, artifact.series["US-NY"], SATURDAY, 7)
    assert np.array_equal(week.draws, artifact.draws[:, 1, 0])
    with pytest.raises(HubError, match="the hub's weeks end on Sundays, such as 2024-11-24, and the model's"):
        periods.of(artifact, artifact.series["US-NY"], SATURDAY + datetime.timedelta(1), 7)
    with pytest.raises(HubError, match="the hub asks for days, and the model forecasts weeks"):
        periods.of(artifact, artifact.series["US-NY"], SATURDAY, 1)
    monthly = forecast(frequency="MS", origin=datetime.date(2024, 11, 1))
    with pytest.raises(HubError, match="the hub asks for weeks, and the model forecasts months"):
        periods.of(monthly, monthly.series["US-NY"], SATURDAY, 7)


def test_what_the_forecast_does_not_reach_is_told(forecast: Forecast) -> None:
    artifact = forecast(reported={"US-CA": 60, "US-NY": float("nan")}, draws=np.ones((DRAWS, 2, 14)))
    reaches = SATURDAY + datetime.timedelta(7)
    assert periods.of(artifact, artifact.series["US-CA"], reaches, 7).draws.shape == (DRAWS,)
    with pytest.raises(Unreachable, match="the forecast of US-CA ends on 2024-12-03, before 2024-12-07"):
        periods.of(artifact, artifact.series["US-CA"], reaches + datetime.timedelta(7), 7)
    with pytest.raises(
        Unreachable, match="not all of US-NY was reported and fitted in the 7 days to 2024-11-23"
    ):
        periods.of(artifact, artifact.series["US-NY"], SATURDAY, 7)
    long_ago = SATURDAY - datetime.timedelta(70)
    with pytest.raises(
        Unreachable, match="not all of US-CA was reported and fitted in the 7 days to 2024-09-14"
    ):
        periods.of(artifact, artifact.series["US-CA"], long_ago, 7)
