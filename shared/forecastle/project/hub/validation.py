"""Whether a table is what a hub takes: what is wrong is said in words, as the hub's own checks would find it.

The rules are hubverse's: <https://docs.hubverse.io/en/latest/user-guide/model-output.html> and, of samples,
<https://docs.hubverse.io/en/latest/user-guide/sample-output-type.html>.
"""

import datetime
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from forecastle.project.hub.tasks import ENDS, OutputType, Round, Samples, Task

MISSING = ("NA", "")  # an identifier of mean or median
FALL = 1e-6  # of quantiles, as they are rounded
Row = dict[str, str]
Cells = tuple[str, ...]


def problems(
    asked: Round, date: datetime.date, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[str]:
    """What is wrong with a table, a line each; nothing if the hub takes it.

    Args:
        asked: The hub's round.
        date: When the forecasts are made.
        columns: The table's.
        rows: Of the table, each of as many cells.
    """
    if sorted(columns) != sorted(asked.columns):
        return [f"the columns are {', '.join(columns)}: they must be {', '.join(asked.columns)}"]
    if not rows:
        return ["there are no rows"]
    table = [dict(zip(columns, map(str, row), strict=True)) for row in rows]
    found = [*_dates(asked, date, table)]
    by_task: dict[int, list[Row]] = defaultdict(list)
    for row in table:
        number = next((i for i, task in enumerate(asked.model_tasks) if _is_of(task, row)), None)
        if number is None:
            found.append(_unknown(asked, row))
        else:
            by_task[number].append(row)
    for number, task in enumerate(asked.model_tasks):
        found.extend(_of_task(task, by_task[number]) if number in by_task else _missing_task(task))
    return list(dict.fromkeys(found))


def _dates(asked: Round, date: datetime.date, table: list[Row]) -> Iterator[str]:
    for value in {row[asked.made] for row in table} - {date.isoformat()}:
        yield f"{asked.made} is {value} in some rows, and the round's {date}"


def _is_of(task: Task, row: Row) -> bool:
    return all(values.has(row[name]) for name, values in task.task_ids.items())


def _unknown(asked: Round, row: Row) -> str:
    for name in asked.columns[:-3]:
        values = [task.task_ids[name] for task in asked.model_tasks if name in task.task_ids]
        if not any(each.has(row[name]) for each in values):
            return f"{name} is {row[name]!r}, which the hub does not know"
    cells = ", ".join(f"{name} {row[name]}" for name in asked.columns[:-3])
    return f"the hub asks for no forecast of {cells} together"


def _missing_task(task: Task) -> Iterator[str]:
    """Of a group of tasks without a row: every value of it is required."""
    required = {name: values.required for name, values in task.task_ids.items() if name not in ENDS}
    if all(required.values()):
        yield f"the hub requires forecasts of {', '.join(task.targets)}"


def _of_task(task: Task, rows: list[Row]) -> Iterator[str]:
    yield from _required_values(task, rows)
    by_type: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_type[row["output_type"]].append(row)
    for name in by_type.keys() - task.output_type.keys():
        yield f"output_type is {name!r}: the hub takes {', '.join(task.output_type)}"
    for name, kind in task.output_type.items():
        if name in by_type:
            yield from _of_type(task, name, kind, by_type[name])
        elif kind.must_be_there:
            yield f"the hub requires {name} of {', '.join(task.targets)}"


def _required_values(task: Task, rows: list[Row]) -> Iterator[str]:
    """Whatever the other task ids are, each has all values that are required of it."""
    names = [name for name in task.task_ids if name not in ENDS]
    for name in names:
        required = {str(value) for value in task.task_ids[name].required or ()}
        if not required:
            continue
        there: dict[Cells, set[str]] = defaultdict(set)
        for row in rows:
            there[tuple(row[other] for other in names if other != name)].add(row[name])
        for cells, values in there.items():
            if lacking := sorted(required - values):
                yield f"{name} {', '.join(lacking)} is required, and is missing beside {', '.join(cells)}"


def _of_type(task: Task, name: str, kind: OutputType, rows: list[Row]) -> Iterator[str]:
    by_cells: dict[Cells, list[Row]] = defaultdict(list)
    for row in rows:
        by_cells[tuple(row[each] for each in task.task_ids)].append(row)
        yield from _value(name, kind, row)
    for cells, each in by_cells.items():
        place = ", ".join(cells)
        ids = [row["output_type_id"] for row in each]
        if len(set(ids)) < len(ids):
            yield f"{name} of {place} is there twice with the same output_type_id"
        if name == "quantile":
            yield from _quantiles(kind, each, place)
        elif name == "sample" and kind.output_type_id_params:
            params = kind.output_type_id_params
            least, most = params.min_samples_per_task, params.max_samples_per_task
            if not least <= len(each) <= most:
                wanted = str(least) if least == most else f"{least} to {most}"
                yield f"there are {len(each)} samples of {place}: the hub takes {wanted}"
        elif name in ("mean", "median") and set(ids) - set(MISSING):
            yield f"output_type_id of the {name} of {place} must be NA, not {ids[0]!r}"
    if name == "sample" and kind.output_type_id_params:
        yield from _samples(task, kind.output_type_id_params, by_cells)


def _value(name: str, kind: OutputType, row: Row) -> Iterator[str]:
    text, asked = row["value"], kind.value
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        yield f"a {name}'s value is {text!r}, which is no number"
    elif asked.type == "integer" and not text.lstrip("-").isdigit():
        yield f"a {name}'s value is {text}: the hub takes whole numbers, of type integer"
    elif asked.minimum is not None and value < asked.minimum:
        yield f"a {name}'s value is {text}, less than the hub's minimum {asked.minimum:g}"
    elif asked.maximum is not None and value > asked.maximum:
        yield f"a {name}'s value is {text}, more than the hub's maximum {asked.maximum:g}"


def _quantiles(kind: OutputType, rows: list[Row], place: str) -> Iterator[str]:
    ids = kind.output_type_id
    known = {float(level) for level in ids.all} if ids else set()
    required = {float(level) for level in ids.required or ()} if ids else set()
    by_level: dict[float, float] = {}
    for row in rows:
        try:
            level, value = float(row["output_type_id"]), float(row["value"])
        except ValueError:
            yield f"a quantile of {place} has the level {row['output_type_id']!r} or no number as value"
            return
        if level not in known:
            yield f"the hub takes no quantile of level {level:g}"
        by_level[level] = value
    if lacking := sorted(required - by_level.keys()):
        levels = ", ".join(f"{level:g}" for level in lacking)
        yield f"the quantiles of {place} lack the levels {levels}, which the hub requires"
    for (low, below), (high, above) in itertools.pairwise(sorted(by_level.items())):
        if above < below - FALL:
            yield f"the quantiles of {place} fall from {below:g} at level {low:g} to {above:g} at {high:g}"


def _samples(task: Task, params: Samples, by_cells: dict[Cells, list[Row]]) -> Iterator[str]:
    """Their identifiers, which tasks that differ only in what is not in the compound set must share."""
    shared = list(task.task_ids) if params.compound_taskid_set is None else params.compound_taskid_set
    groups: dict[Cells, list[tuple[Cells, frozenset[str]]]] = defaultdict(list)
    for cells, rows in by_cells.items():
        ids = [row["output_type_id"] for row in rows]
        for identifier in ids:
            if params.type == "integer" and not identifier.isdigit():
                yield f"a sample's output_type_id is {identifier!r}: the hub takes whole numbers"
            elif (most := params.max_length) is not None and len(identifier) > most:
                yield f"a sample's output_type_id is {identifier!r}, longer than {most} characters"
        key = tuple(rows[0][name] for name in shared if name in rows[0])
        groups[key].append((cells, frozenset(ids)))
    for (first, of_first), *others in groups.values():
        if other := next((cells for cells, those in others if those != of_first), None):
            same = ", ".join(shared)
            yield (
                f"samples are of one path where {same} are the same (compound_taskid_set): those of "
                f"{', '.join(first)} and of {', '.join(other)} must have the same output_type_ids"
            )
