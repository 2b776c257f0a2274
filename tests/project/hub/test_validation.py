"""validation.py: each rule of hubverse that a table breaks is said in words."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest

from forecastle.project.hub import submission, validation
from forecastle.project.hub.tasks import Round, Tasks

from .conftest import HUBS, Forecast, called

SATURDAY = datetime.date(2024, 11, 23)
Rows = list[dict[str, Any]]


@pytest.fixture
def table(forecast: Forecast, flusight: Tasks) -> Rows:
    """A submission to FluSight of two locations and two weeks that is as it should be."""
    mapping = called(target="wk inc flu hosp", horizons=[0, 1])
    made = submission.make(forecast(), mapping, flusight.rounds[0], SATURDAY)
    return [dict(zip(made.columns, row, strict=True)) for row in made.rows]


def told(rows: Rows, asked: Round) -> list[str]:
    columns = list(rows[0])
    return validation.problems(asked, SATURDAY, columns, [list(row.values()) for row in rows])


def each(rows: Rows, output_type: str) -> Rows:
    return [row for row in rows if row["output_type"] == output_type]


def fall(rows: Rows) -> None:
    rows[1]["value"] = rows[0]["value"] - 5


def without(level: float) -> Callable[[Rows], None]:
    def remove(rows: Rows) -> None:
        rows.remove(next(row for row in rows if row["output_type_id"] == level))

    return remove


def put(number: int, **cells: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[number].update(cells)


def same_ids(rows: Rows) -> None:
    """Every sample is of one week alone."""
    for number, row in enumerate(each(rows, "sample")):
        row["output_type_id"] = number


PLACE = "2024-11-23, wk inc flu hosp, 0, 06, 2024-11-23"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(0, location="6"), "location is '6', which the hub does not know"),
        (put(0, horizon=7), "horizon is '7', which the hub does not know"),
        (
            put(0, reference_date="2024-11-30"),
            "reference_date is 2024-11-30 in some rows, and the round's 2024-11-23",
        ),
        (put(0, output_type="cdf"), "output_type is 'cdf': the hub takes quantile, sample"),
        (put(0, output_type_id=0.015), "the hub takes no quantile of level 0.015"),
        (put(0, output_type_id="low"), f"a quantile of {PLACE} has the level 'low' or no number as value"),
        (without(0.975), f"the quantiles of {PLACE} lack the levels 0.975, which the hub requires"),
        (put(0, value=-1.5), "a quantile's value is -1.5, less than the hub's minimum 0"),
        (put(0, value="many"), "a quantile's value is 'many', which is no number"),
        (put(0, value="inf"), "a quantile's value is 'inf', which is no number"),
        (put(23, value=1.5), "a sample's value is 1.5: the hub takes whole numbers, of type integer"),
        (put(23, output_type_id="s1"), "a sample's output_type_id is 's1': the hub takes whole numbers"),
        (lambda rows: rows.pop(23), f"there are 99 samples of {PLACE}: the hub takes 100"),
        (
            lambda rows: rows.append(rows[0]),
            f"quantile of {PLACE} is there twice with the same output_type_id",
        ),
    ],
)
def test_what_a_hub_would_refuse_is_told(
    change: Callable[[Rows], None], message: str, table: Rows, flusight: Tasks
) -> None:
    assert told(table, flusight.rounds[0]) == []
    change(table)
    assert message in told(table, flusight.rounds[0])


def test_quantiles_may_not_fall(table: Rows, flusight: Tasks) -> None:
    fall(table)
    low, high = table[0]["value"], table[1]["value"]
    assert f"the quantiles of {PLACE} fall from {low:g} at level 0.01 to {high:g} at 0.025" in told(
        table, flusight.rounds[0]
    )


def test_samples_of_a_compound_task_are_of_the_same_paths(table: Rows, flusight: Tasks) -> None:
    """Samples may be joint over more than the hub asks for, and not over less."""
    for row in each(table, "sample"):
        row["output_type_id"] = (row["output_type_id"] - 1) % 100
    assert told(table, flusight.rounds[0]) == []
    same_ids(table)
    (first, _) = told(table, flusight.rounds[0])
    assert first.startswith("samples are of one path where reference_date, location, target are the same")


def asked_with(**changes: Any) -> Round:
    """FluSight's round of admissions alone, with these changes of its task."""
    content = json.loads(HUBS["flusight"].read_bytes())
    task = content["rounds"][0]["model_tasks"].pop(1)
    for name, value in changes.items():
        task[name] |= value
    content["rounds"][0]["model_tasks"].append(task)
    return Tasks.model_validate(content).rounds[0]


def test_required_values_and_output_types_are_missed(table: Rows) -> None:
    asked = asked_with(task_ids={"location": {"required": ["US", "06"], "optional": ["36"]}})
    assert "location US is required, and is missing beside 2024-11-23, wk inc flu hosp, 0" in told(
        table, asked
    )
    quantiles = each(table, "quantile")
    assert told(quantiles, asked_with()) == []
    needed = {"is_required": True, "value": {"type": "integer", "minimum": 0}}
    params = {"type": "integer", "min_samples_per_task": 100, "max_samples_per_task": 100}
    asked = asked_with(output_type={"sample": {**needed, "output_type_id_params": params}})
    assert told(quantiles, asked) == ["the hub requires sample of wk inc flu hosp"]
    mean = {"output_type_id": {"required": ["NA"]}, "value": {"type": "double"}}
    asked = asked_with(output_type={"mean": mean})
    assert told(quantiles, asked) == ["the hub requires mean of wk inc flu hosp"]
    row = {**quantiles[0], "output_type": "mean", "output_type_id": 0.5}
    assert f"output_type_id of the mean of {PLACE} must be NA, not '0.5'" in told([*quantiles, row], asked)


def test_a_target_that_is_wholly_required_is_missed(table: Rows) -> None:
    asked = asked_with()
    other = asked.model_tasks[1].model_copy(deep=True)
    content = other.model_dump()
    for name, values in content["task_ids"].items():
        values |= {"required": ["deaths"] if name == "target" else values["optional"][:1], "optional": None}
    asked.model_tasks.append(type(other).model_validate(content))
    assert told(table, asked) == ["the hub requires forecasts of deaths"]


def test_tables_of_other_columns_or_of_none_are_told(table: Rows, flusight: Tasks) -> None:
    asked = flusight.rounds[0]
    assert validation.problems(asked, SATURDAY, asked.columns, []) == ["there are no rows"]
    (line,) = validation.problems(asked, SATURDAY, ["location", "value"], [["06", 1]])
    assert line.startswith("the columns are location, value: they must be reference_date, target, horizon")
    table[0]["horizon"] = -1  # whose week ends on another date, which hubverse does not compare
    assert any("lack the levels" in problem for problem in told(table, asked))
