"""submission.py: what the public hubs are given, and that they would take it."""

import datetime
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.project.hub import HubError, submission, validation
from forecastle.project.hub.mapping import Mapping
from forecastle.project.hub.submission import Submission
from forecastle.project.hub.tasks import Tasks
from forecastle.service.marginals import CAVEAT

from .conftest import DRAWS, HUBS, STATES, Forecast, called

SATURDAY = datetime.date(2024, 11, 23)
WEDNESDAY = datetime.date(2024, 11, 20)


def made(artifact: Artifact, mapping: Mapping, hub: Tasks, date: datetime.date = SATURDAY) -> Submission:
    """A submission, which the hub would take."""
    asked = hub.round(date)
    table = submission.make(artifact, mapping, asked, date)
    assert validation.problems(asked, date, table.columns, table.rows) == []
    return table


def rows(table: Submission, **wanted: Any) -> list[dict[str, Any]]:
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def test_the_us_hub_gets_quantiles_and_whole_paths_of_each_location(forecast: Forecast, us: Tasks) -> None:
    artifact = forecast()
    table = made(artifact, called(), us)
    assert table.name == "2024-11-23-ours-wave"
    horizons = Counter((row["location"], row["horizon"]) for row in rows(table))
    # The week to Saturday has begun; three weeks follow. What the week before had is known.
    assert horizons == dict.fromkeys([(place, week) for place in ("06", "36") for week in range(4)], 23 + 200)
    assert {row["target_end_date"] for row in rows(table, horizon=2)} == {"2024-12-07"}
    assert "left out, horizon -1: it was reported by 2024-11-19" in table.notes
    assert table.notes[-1] == (
        "left out, as the hub has no such locations ([locations] in hub.toml maps codes): 1 states"
    )
    weeks = 3 * STATES["US-CA"] + artifact.draws[:, 0, :4].sum(axis=1)
    (median,) = rows(table, location="06", horizon=0, output_type="quantile", output_type_id=0.5)
    assert median["value"] == np.median(weeks)
    # The same sample is the same path in all weeks, and another one in another location.
    samples = rows(table, location="06", output_type="sample", output_type_id="s7")
    draw = 6 * DRAWS // 200
    assert [row["value"] for row in samples] == [
        weeks[draw],
        *(artifact.draws[draw, 0, first : first + 7].sum() for first in (4, 11, 18)),
    ]
    assert not rows(table, location="36", output_type_id="s7")


def test_flusight_gets_samples_of_whole_numbers_and_no_rate_change(
    forecast: Forecast, flusight: Tasks
) -> None:
    draws = np.random.default_rng(1).gamma(5, 3, (DRAWS, 3, 28))
    artifact = forecast(draws, real=True)
    table = made(artifact, called(target="wk inc flu hosp", horizons=[0, 1]), flusight)
    assert Counter(row["output_type"] for row in rows(table)) == {"quantile": 4 * 23, "sample": 4 * 100}
    assert {type(row["value"]) for row in rows(table, output_type="sample")} == {int}
    assert {type(row["value"]) for row in rows(table, output_type="quantile")} == {float}
    ids = {
        place: {row["output_type_id"] for row in rows(table, location=place, output_type="sample")}
        for place in ("06", "36")
    }
    assert {place: len(each) for place, each in ids.items()} == {"06": 100, "36": 100}
    assert not ids["06"] & ids["36"]
    with pytest.raises(
        HubError, match="the hub requires pmf of 'wk flu hosp rate change', and only quantile"
    ):
        submission.make(artifact, called(target="wk flu hosp rate change"), flusight.rounds[0], SATURDAY)


def test_the_european_hub_gets_weeks_that_end_on_sundays(forecast: Forecast, european: Tasks) -> None:
    """Made on a Wednesday; horizon 1 is the week to the Sunday before."""
    artifact = forecast(reported={"FRA": 60, "AT": 30})
    mapping = called(target="hospital admissions", offset=-10, locations={"FRA": "FR"})
    table = made(artifact, mapping, european, WEDNESDAY)
    assert table.name == "2024-11-20-ours-wave"
    ends = {row["horizon"]: row["target_end_date"] for row in rows(table)}
    assert ends == {2: "2024-11-24", 3: "2024-12-01", 4: "2024-12-08"}
    assert {row["location"] for row in rows(table)} == {"FR", "AT"}
    week = 2 * 60 + artifact.draws[:, 0, :5].sum(axis=1)
    (median,) = rows(table, location="FR", horizon=2, output_type="median")
    assert (median["output_type_id"], median["value"]) == ("NA", np.median(week))
    asked = european.round(WEDNESDAY)
    wrong = submission.make(artifact, mapping.model_copy(update={"offset": 0}), asked, WEDNESDAY)
    told = validation.problems(asked, WEDNESDAY, wrong.columns, wrong.rows)
    assert "target_end_date is '2024-11-27', which the hub does not know" in told


def test_a_weekly_model_gives_its_own_weeks(forecast: Forecast, us: Tasks) -> None:
    artifact = forecast(frequency="W-SAT", origin=SATURDAY - datetime.timedelta(7))
    table = made(artifact, called(output_types=["quantile"]), us)
    assert {row["horizon"] for row in rows(table)} == {0, 1, 2, 3}
    (median,) = rows(table, location="36", horizon=3, output_type_id=0.5)
    assert median["value"] == np.median(artifact.draws[:, 1, 3])


def test_totals_that_fall_along_paths_are_warned_of(forecast: Forecast, us: Tasks) -> None:
    totals = 1800 + np.random.default_rng(3).poisson(60, (DRAWS, 1, 28)).cumsum(axis=2)
    mapping = called(locations={"US-CA": "06"}, output_types=["quantile"])
    whole = forecast(totals, {"US-CA": 60}, cumulative=True)
    assert CAVEAT not in made(whole, mapping, us).notes
    mixed = np.random.default_rng(4).permuted(totals, axis=0) - 100
    asked = us.round(SATURDAY)
    falling = forecast(mixed, {"US-CA": 60}, cumulative=True)
    assert CAVEAT in submission.make(falling, mapping, asked, SATURDAY).notes


def changed(name: str, **task_ids: Any) -> Tasks:
    content = json.loads(HUBS[name].read_bytes())
    for one in content["rounds"]:
        for task in one["model_tasks"]:
            task["task_ids"] |= task_ids
    return Tasks.model_validate(content)


def test_further_task_ids_are_as_the_mapping_says(forecast: Forecast) -> None:
    ages = {"required": None, "optional": ["all", "65+"]}
    hub = changed("us-covid19", age_group=ages, scenario_id={"required": ["now"], "optional": None})
    table = made(forecast(), called(tasks={"age_group": "all"}), hub)
    assert {(row["age_group"], row["scenario_id"]) for row in rows(table)} == {("all", "now")}
    with pytest.raises(HubError, match=r"asks for age_group: say which under \[tasks\] in hub\.toml"):
        made(forecast(), called(), hub)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"target": "wk inc flu"}, "has no target 'wk inc flu', but wk inc covid hosp"),
        ({"horizons": [0, 4]}, r"the hub has no horizon 4: it has \[-1, 0, 1, 2, 3\]"),
        ({"horizons": [3]}, "horizon 3 cannot be forecast: the forecast of US-CA ends on 2024-12-03"),
        ({"output_types": ["mean"]}, "the hub takes no mean, but quantile, sample"),
        ({"locations": {"US-CA": "99"}}, "the hub has no location '99'"),
        ({"locations": {}}, "left out, as the hub has no such locations .*: 3 states"),
    ],
)
def test_what_cannot_be_made_is_told(
    members: dict[str, Any], message: str, forecast: Forecast, us: Tasks
) -> None:
    artifact = forecast(np.ones((DRAWS, 3, 14)))
    with pytest.raises(HubError, match=message):
        submission.make(artifact, called(**members), us.round(SATURDAY), SATURDAY)


def test_too_few_draws_are_told_and_a_required_horizon_is_not_left_out(forecast: Forecast, us: Tasks) -> None:
    few = forecast(np.ones((150, 3, 28)))
    with pytest.raises(HubError, match="the hub asks for 200 samples, and the model has 150 draws"):
        submission.make(few, called(), us.round(SATURDAY), SATURDAY)
    hub = changed("us-covid19", horizon={"required": [0, 3], "optional": None})
    with pytest.raises(HubError, match=r"horizon 3 cannot be forecast: .* REFERENCE= names another date"):
        submission.make(forecast(np.ones((DRAWS, 3, 14))), called(), hub.round(SATURDAY), SATURDAY)
