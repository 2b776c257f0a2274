"""tasks.py: what hubs ask for is read, of each version of hubverse's schema that is in use."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from forecastle.project.hub import HubError, tasks
from forecastle.project.hub.tasks import Tasks

from .conftest import HUBS

SATURDAY = datetime.date(2024, 11, 23)


def test_the_public_hubs_are_read(us: Tasks, flusight: Tasks, european: Tasks) -> None:
    asked = us.round(SATURDAY)
    assert asked.columns == [
        *("reference_date", "target", "horizon", "location", "target_end_date"),
        *("output_type", "output_type_id", "value"),
    ]
    assert asked.due(SATURDAY) == (datetime.date(2024, 11, 17), datetime.date(2024, 11, 20))
    assert not any(kind.must_be_there for kind in asked.model_tasks[0].output_type.values())
    assert us.round(datetime.date(2025, 6, 21)) is us.rounds[1]
    rate, admissions = flusight.rounds[0].model_tasks
    assert (rate.targets, admissions.targets) == (["wk flu hosp rate change"], ["wk inc flu hosp"])
    needed = {name: kind.must_be_there for name, kind in admissions.output_type.items()}
    assert needed == {"quantile": True, "sample": False}
    assert admissions.days("wk inc flu hosp") == 7
    (task,) = european.rounds[0].model_tasks
    assert (european.rounds[0].made, european.rounds[0].name(SATURDAY)) == ("origin_date", "2024-11-23")
    assert {name: kind.must_be_there for name, kind in task.output_type.items()} == {
        "quantile": True,
        "median": False,
    }


def test_the_next_round_is_the_first_after_the_data(us: Tasks) -> None:
    assert us.first_after(datetime.date(2024, 11, 16)) == SATURDAY
    assert us.first_after(datetime.date(2024, 11, 19)) == SATURDAY
    with pytest.raises(HubError, match=r"no round after 2026-01-01, .* dates are 2024-11-16 to 2025-06-21"):
        us.first_after(datetime.date(2026, 1, 1))
    with pytest.raises(HubError, match="the hub has no round of 2024-11-22: its dates are"):
        us.round(datetime.date(2024, 11, 22))


def test_a_hubs_folder_is_read_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "hub-config").mkdir()
    (tmp_path / "hub-config/tasks.json").write_bytes(HUBS["flusight"].read_bytes())
    assert tasks.read(tmp_path) == tasks.read(HUBS["flusight"])


def test_a_round_that_is_no_date_has_its_own_name() -> None:
    content = json.loads(HUBS["flusight"].read_bytes())
    content["rounds"][0] |= {
        "round_id": "season1",
        "round_id_from_variable": False,
        "submissions_due": {"start": "2024-11-01", "end": "2024-11-30"},
    }
    asked = Tasks.model_validate(content).round(SATURDAY)
    assert (asked.made, asked.name(SATURDAY)) == ("reference_date", "season1")
    assert asked.due(SATURDAY) == (datetime.date(2024, 11, 1), datetime.date(2024, 11, 30))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no tasks.json of hubverse: JSONDecodeError"),
        ("[]", "is no tasks.json of hubverse: TypeError"),
        ("{}", "is no tasks.json of hubverse: KeyError"),
        ({"schema_version": "https://x/main/v1.0.0/tasks-schema.json"}, "v2.0.0 or newer is needed"),
        ({"schema_version": "x/v4.0.0/x"}, "does not follow hubverse's schema: rounds: Field required"),
    ],
)
def test_something_else_is_refused_in_a_line(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(HubError) as error:
        tasks.read(path)
    assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(HubError, match=r"is neither a tasks\.json nor the folder of a hub"):
        tasks.read(tmp_path / "elsewhere")
