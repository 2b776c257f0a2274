"""A submission: a model's forecasts in a hub's columns, targets, locations, horizons and output types."""

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecastle.artifact import Artifact
from forecastle.project.hub import HubError, periods
from forecastle.project.hub.mapping import NAME, Mapping
from forecastle.project.hub.periods import Unreachable
from forecastle.project.hub.tasks import ENDS, OutputType, Round, Samples, Task
from forecastle.service import marginals

DECIMALS = 6  # of values that need not be whole
POINTS: dict[str, Callable[[np.ndarray], np.floating]] = {"mean": np.mean, "median": np.median}
MADE = ("quantile", "sample", *POINTS)  # the output types that can be made


@dataclass(frozen=True)
class Submission:
    """A table, and what is to be known of it.

    Attributes:
        name: Of the file, without its end.
        columns: Of the table.
        rows: Of the table.
        notes: Why series or weeks of them are not in it, and what is not to be trusted, a line each.
    """

    name: str
    columns: list[str]
    rows: list[list[Any]]
    notes: list[str] = dataclasses.field(default_factory=list)


def make(artifact: Artifact, mapping: Mapping, asked: Round, date: datetime.date) -> Submission:
    """A model's submission to a round of a hub.

    Args:
        artifact: Of the model.
        mapping: What things are called there.
        asked: The round.
        date: When the forecast is made: one of the round's dates.

    Raises:
        HubError: The hub asks for what cannot be made, or for nothing that can be.
    """
    tasks = [task for task in asked.model_tasks if mapping.target in task.targets]
    if not tasks:
        known = sorted({target for task in asked.model_tasks for target in task.targets})
        raise HubError(f"{NAME}: the hub's round has no target {mapping.target!r}, but {', '.join(known)}")
    mapping.check(artifact, {str(place) for task in tasks for place in _ids(task, "location").all})
    rows: list[list[Any]] = []
    notes: list[str] = []
    for task in tasks:
        table = _Table(artifact, mapping, asked, task, date)
        rows.extend(table.rows())
        notes.extend(table.notes)
    if not rows:
        raise HubError(
            "\n".join(dict.fromkeys(notes)) or "the hub has none of the model's series: see [locations]"
        )
    name = f"{asked.name(date)}-{mapping.model_id}"
    return Submission(name, asked.columns, rows, list(dict.fromkeys(notes)))


class _Table:
    """The rows of a model's series for one group of tasks."""

    def __init__(
        self, artifact: Artifact, mapping: Mapping, asked: Round, task: Task, date: datetime.date
    ) -> None:
        self.artifact, self.mapping, self.asked, self.task, self.date = artifact, mapping, asked, task, date
        self.days = task.days(mapping.target)
        self.types = self._types()
        self.others = self._others()
        self.notes: list[str] = []
        self.samples: dict[tuple[str, ...], int] = {}  # of each compound task, its number

    def rows(self) -> Iterator[list[Any]]:
        locations, horizons = _ids(self.task, "location"), _ids(self.task, "horizon")
        wanted = horizons.all if self.mapping.horizons is None else self.mapping.horizons
        if unknown := [horizon for horizon in wanted if not horizons.has(horizon)]:
            raise HubError(f"{NAME}: the hub has no horizon {unknown[0]}: it has {horizons.all}")
        without, given = 0, False
        unreached: list[str] = []  # of series without a horizon that must be there
        for series in self.artifact.series.values():
            location = self.mapping.locations.get(series.code, series.code)
            if not locations.has(location):
                without += 1
                continue
            if caveat := marginals.caveat(self.artifact, series, self.artifact.frequency.adjective, True):
                self.notes.append(caveat)
            own: list[list[Any]] = []
            for horizon in wanted:
                end = self.date + datetime.timedelta(self.mapping.offset + self.days * int(horizon))
                must = self.mapping.horizons is not None or str(horizon) in map(str, horizons.required or ())
                try:
                    period = periods.of(self.artifact, series, end, self.days)
                except Unreachable as error:
                    if must:
                        unreached.append(f"horizon {horizon} cannot be forecast: {error}")
                        own = []
                        break
                    self.notes.append(f"left out, horizon {horizon}: {error}")
                    continue
                if period.is_known and not must:
                    self.notes.append(f"left out, horizon {horizon}: it was reported by {series.origin_date}")
                    continue
                own += self._of(location, horizon, end, period.draws)
            given = given or bool(own)
            yield from own
        if unreached and not given:
            raise HubError(f"{unreached[0]}. REFERENCE= names another date")
        self.notes += [f"a series is left out: {reason}" for reason in unreached]
        if without:
            plural = self.artifact.manifest.plural
            self.notes.append(
                f"left out, as the hub has no such locations ([locations] in {NAME} maps codes): "
                f"{without} {plural}"
            )

    def _of(self, location: str, horizon: Any, end: datetime.date, draws: np.ndarray) -> Iterator[list[Any]]:
        """The rows of a location and horizon."""
        values = {
            **self.others,
            self.asked.made: self.date.isoformat(),
            "target": self.mapping.target,
            "location": location,
            "horizon": horizon,
            **dict.fromkeys(ENDS, end.isoformat()),
        }
        cells = [values.get(name, "NA") for name in self.asked.columns[:-3]]
        for name, kind in self.types.items():
            for identifier, value in self._represented(name, kind, draws, values):
                yield [*cells, name, identifier, _number(value, kind.value.type)]

    def _represented(
        self, name: str, kind: OutputType, draws: np.ndarray, values: dict[str, Any]
    ) -> Iterator[tuple[Any, float]]:
        """Each `output_type_id` and its value."""
        if name == "quantile":
            levels = sorted(kind.output_type_id.all if kind.output_type_id else [])
            yield from zip(levels, np.quantile(draws, levels), strict=True)
        elif name == "sample":
            yield from self._sampled(kind, draws, values)
        else:
            yield "NA", float(POINTS[name](draws))

    def _sampled(
        self, kind: OutputType, draws: np.ndarray, values: dict[str, Any]
    ) -> Iterator[tuple[Any, float]]:
        """Evenly spaced draws. Those of one compound task have the same identifiers: they are whole paths."""
        params = _params(kind)
        number = min(params.max_samples_per_task, len(draws))
        if number < params.min_samples_per_task:
            raise HubError(
                f"the hub asks for {params.min_samples_per_task} samples, and the model has {number} draws"
            )
        ids = params.compound_taskid_set
        same = tuple(str(values.get(name)) for name in (self.task.task_ids if ids is None else ids))
        first = self.samples.setdefault(same, len(self.samples)) * number
        for sample in range(number):
            index = first + sample + 1
            identifier = index if params.type == "integer" else f"s{index}"
            yield identifier, draws[sample * len(draws) // number]

    def _types(self) -> dict[str, OutputType]:
        """The output types that are made."""
        wanted, found = self.mapping.output_types, {}
        if wanted is not None and (unknown := [name for name in wanted if name not in self.task.output_type]):
            raise HubError(f"{NAME}: the hub takes no {unknown[0]}, but {', '.join(self.task.output_type)}")
        for name, kind in self.task.output_type.items():
            if name in MADE and (wanted is None or name in wanted):
                found[name] = kind
            elif kind.must_be_there:
                why = f"{NAME} leaves it out" if name in MADE else f"only {', '.join(MADE)} can be made"
                raise HubError(f"the hub requires {name} of {self.mapping.target!r}, and {why}")
        if not found:
            raise HubError(f"the hub takes {', '.join(self.task.output_type)} alone, of {', '.join(MADE)}")
        return found

    def _others(self) -> dict[str, Any]:
        """Values of the task ids that say neither what, where nor when."""
        found: dict[str, Any] = {}
        for name, values in self.task.task_ids.items():
            if name in (self.asked.made, "target", "location", "horizon", *ENDS):
                continue
            if name in self.mapping.tasks:
                found[name] = self.mapping.tasks[name]
            elif len(values.all) == 1:
                found[name] = values.all[0]
            else:
                raise HubError(
                    f"the hub asks for {name}: say which under [tasks] in {NAME}, one of {values.all}"
                )
        return found


def _ids(task: Task, name: str) -> Any:
    if name not in task.task_ids:
        raise HubError(f"the hub's tasks have no {name}, without which no submission can be made")
    return task.task_ids[name]


def _params(kind: OutputType) -> Samples:
    if kind.output_type_id_params is None:
        raise HubError(
            "the hub's samples have no output_type_id_params, which hubverse's schema has from v3.0.0"
        )
    return kind.output_type_id_params


def _number(value: float, kind: str) -> int | float:
    return round(value) if kind == "integer" else round(float(value), DECIMALS)
