"""What a hub asks for: its `tasks.json`, of hubverse's schema from v2.0.0 on.

<https://docs.hubverse.io/en/latest/quickstart-hub-admin/tasks-config.html>
"""

import datetime
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from forecastle.project.hub import HubError

OLDEST = 2  # major version of the schema
PLACES = ("hub-config/tasks.json", "tasks.json")  # in a hub's folder
# hubverse's names of task ids for when a forecast is made, and what it is of.
MADE = ("reference_date", "origin_date", "forecast_date")
ENDS = ("target_end_date", "target_date")
OUTPUT = ["output_type", "output_type_id", "value"]  # the columns beside the task ids
DAYS = {"day": 1, "week": 7}  # in a time unit


class Values(BaseModel):
    """Values that must and may be there."""

    required: list[Any] | None = None
    optional: list[Any] | None = None

    @property
    def all(self) -> list[Any]:
        return [*(self.required or ()), *(self.optional or ())]

    def has(self, value: Any) -> bool:
        """Whether a cell of a table with this text is one of them."""
        return str(value) in self._texts

    @cached_property
    def _texts(self) -> set[str]:
        return {str(value) for value in self.all}


class Value(BaseModel):
    """What the column `value` may hold."""

    type: str
    minimum: float | None = None
    maximum: float | None = None


class Samples(BaseModel):
    """How many samples there must be, and which rows are of the same one."""

    type: Literal["character", "integer"]
    min_samples_per_task: int
    max_samples_per_task: int
    max_length: int | None = None
    compound_taskid_set: list[str] | None = None
    is_required: bool = False


class OutputType(BaseModel):
    """One of quantile, mean, median, sample, cdf and pmf."""

    output_type_id: Values | None = None
    output_type_id_params: Samples | None = None
    value: Value
    is_required: bool | None = None  # from v4.0.0 on

    @property
    def must_be_there(self) -> bool:
        """Whether a submission is not valid without it."""
        if self.is_required is not None:
            return self.is_required
        if self.output_type_id_params:
            return self.output_type_id_params.is_required
        return bool(self.output_type_id and self.output_type_id.required)


class Target(BaseModel):
    """What is forecast."""

    target_id: str
    target_keys: dict[str, Any] | None = None
    time_unit: str | None = None


class Task(BaseModel):
    """Task ids whose values may be combined, and how their forecasts are represented."""

    task_ids: dict[str, Values]
    output_type: dict[str, OutputType]
    target_metadata: list[Target]

    @property
    def targets(self) -> list[str]:
        """The names of the targets: the values of the task id, or if there is none the targets' ids."""
        if target := self.task_ids.get("target"):
            return [str(value) for value in target.all]
        return [target.target_id for target in self.target_metadata]

    def days(self, target: str) -> int:
        """How many days a step ahead takes.

        Raises:
            HubError: It is neither a day nor a week.
        """
        for one in self.target_metadata:
            keys = [str(key) for value in (one.target_keys or {}).values() for key in _listed(value)]
            if target in (one.target_id, *keys) and one.time_unit in DAYS:
                return DAYS[one.time_unit]
        raise HubError(f"the hub's target {target!r} is of no days or weeks ahead, which alone can be made")


class Round(BaseModel):
    """What is asked for at one time, or at each of several dates."""

    round_id: str
    round_id_from_variable: bool
    model_tasks: list[Task]
    submissions_due: dict[str, Any] | None = None

    @property
    def made(self) -> str:
        """The task id that says when a forecast is made.

        Raises:
            HubError: There is none.
        """
        known = list(self.model_tasks[0].task_ids) if self.model_tasks else []
        for name in (self.round_id, *MADE):
            if name in known:
                return name
        raise HubError(f"the hub's round {self.round_id} has none of the task ids {', '.join(MADE)}")

    @property
    def dates(self) -> set[datetime.date]:
        """When forecasts may be made.

        Raises:
            HubError: One of them is no date.
        """
        made = self.made
        values = {
            str(value)
            for task in self.model_tasks
            if made in task.task_ids
            for value in task.task_ids[made].all
        }
        try:
            return {datetime.date.fromisoformat(value) for value in values}
        except ValueError as error:
            raise HubError(f"the hub's {made} is no date: {error}") from None

    @property
    def columns(self) -> list[str]:
        """Of a submission."""
        return [*dict.fromkeys(name for task in self.model_tasks for name in task.task_ids), *OUTPUT]

    def due(self, date: datetime.date) -> tuple[datetime.date, datetime.date] | None:
        """The first and the last day on which the hub takes what is made at this date, if it says so."""
        due = self.submissions_due or {}
        try:
            if "relative_to" in due:
                days = [datetime.timedelta(int(due[name])) for name in ("start", "end")]
                return date + days[0], date + days[1]
            first, last = (datetime.date.fromisoformat(due[name]) for name in ("start", "end"))
            return first, last
        except (KeyError, TypeError, ValueError):
            return None

    def name(self, date: datetime.date) -> str:
        """What a submission's file begins with."""
        return date.isoformat() if self.round_id_from_variable else self.round_id


class Tasks(BaseModel):
    """A `tasks.json`."""

    schema_version: str
    rounds: list[Round]

    def round(self, date: datetime.date) -> Round:
        """The round of forecasts that are made at this date.

        Raises:
            HubError: There is none.
        """
        for one in self.rounds:
            if date in one.dates:
                return one
        raise HubError(f"the hub has no round of {date}: its dates are {self._span()}")

    def first_after(self, day: datetime.date) -> datetime.date:
        """The first date of any round after this day, which is the last one in a model's data.

        Raises:
            HubError: There is none.
        """
        if later := [date for one in self.rounds for date in one.dates if date > day]:
            return min(later)
        raise HubError(
            f"the hub has no round after {day}, the last date in the data: its dates are {self._span()}, and "
            "REFERENCE= names one"
        )

    def _span(self) -> str:
        dates = sorted(date for one in self.rounds for date in one.dates)
        return f"{dates[0]} to {dates[-1]}" if dates else "none"


def read(hub: Path) -> Tasks:
    """Read a hub's `tasks.json`.

    Args:
        hub: The file, or the folder of a hub.

    Raises:
        HubError: It is not there, or is not what it should be.
    """
    path = next((hub / place for place in PLACES if (hub / place).is_file()), hub)
    if not path.is_file():
        raise HubError(f"{hub} is neither a tasks.json nor the folder of a hub with {PLACES[0]}")
    try:
        content = json.loads(path.read_bytes())
        version = re.search(r"/v(\d+)[.\d]*/", str(content["schema_version"]))
        if version and int(version[1]) < OLDEST:
            raise HubError(
                f"{path} is of hubverse's schema {version[0].strip('/')}: v2.0.0 or newer is needed"
            )
        return Tasks.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise HubError(f"{path} does not follow hubverse's schema: {place}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise HubError(f"{path} is no tasks.json of hubverse: {error!r}") from None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
