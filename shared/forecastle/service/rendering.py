"""A forecast's numbers as JSON, CSV, NDJSON or a hub's table: of one series or all, of today or of the past.

`forecasts.SeriesForecast` documents the JSON. It is written without objects of that class, nor of any other
for an interval: they would take ten times as long as the look-up of the numbers.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from pydantic_core import to_json

from forecastle.frequency import Frequency
from forecastle.scores import HUB_QUANTILES
from forecastle.service import paths

PLACE = '"forecast":null'  # of what follows about each day; in a string its quotes would be escaped
HUB_COLUMNS = ["origin_date", "target", "horizon", "location", "output_type", "output_type_id", "value"]


class Path(NamedTuple):
    """A draw's number, and its value on each day."""

    draw: int
    values: list[float]


class About:
    """What an answer about a series holds besides its numbers.

    Args:
        members: Those of the JSON answer in their order: the series' identifier first, under its noun;
            `forecast` is None and keeps its place.
    """

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    @cached_property
    def around(self) -> tuple[str, str]:
        """The JSON before and after the member `forecast`."""
        before, _, after = to_json(self.members).decode().partition(PLACE)
        return before, after


@dataclass(frozen=True, eq=False)
class Forecast:
    """A series' forecast, its numbers rounded.

    Attributes:
        about: What is not numbers.
        origin_date: Forecasts start the day after.
        days: The mean, the median, and the ends of each interval or each quantile, shape (period, number).
        intervals: The levels of the central intervals; None if there are quantiles instead.
        quantiles: The levels of the quantiles.
        draws: Whole paths, if they were asked for.
        start: The date that horizons count from, if it is not `origin_date`.
        by_week: Whether they are sums of daily values by week.
    """

    about: About
    origin_date: datetime.date
    days: np.ndarray
    intervals: Sequence[float] | None
    quantiles: Sequence[float] = ()
    draws: list[Path] | None = None
    start: datetime.date | None = None
    by_week: bool = False

    @cached_property
    def noun(self) -> str:
        """What the series is about, such as "country": the name of the first member."""
        return next(iter(self.about.members))

    @property
    def series(self) -> str:
        """Its code."""
        return self.about.members[self.noun]

    @property
    def frequency(self) -> Frequency:
        """Of the dates."""
        return Frequency.of(self._alias)

    @property
    def _alias(self) -> str:
        """Of the frequency. Answers that were kept by earlier versions do not say it, and are daily."""
        return self.about.members.get("frequency", "D")

    def model_dump_json(self) -> str:
        """The JSON answer, as Pydantic's models give theirs."""
        before, after = self.about.around
        draws = "" if self.draws is None else f',"draws":[{",".join(self._paths())}]'
        return f'{before}"forecast":[{self._days(",")}]{draws}{after}'

    def lines(self) -> Iterator[str]:
        """Objects of NDJSON: a day each, or with draws a path each."""
        about = f'{{"{self.noun}":{to_json(self.series).decode()},"origin_date":"{self.origin_date}",'
        for line in self._days("\n").split("\n") if self.draws is None else self._paths():
            yield about + line[1:]

    def table(self) -> Iterator[list[Any]]:
        """Rows of CSV, the names of the columns first."""
        yield self.columns()
        yield from self.rows()

    def columns(self) -> list[str]:
        """The names, with two columns an interval (`lower_0.5`, `upper_0.5`, ...) or one a quantile."""
        if self.draws is not None:
            return [self.noun, "draw", "date", "horizon", "value"]
        bounds = [f"{bound}_{level}" for level in self.intervals or () for bound in ("lower", "upper")]
        bounds += [f"quantile_{level}" for level in self.quantiles]
        return [self.noun, "date", "horizon", "mean", "median", *bounds]

    def rows(self) -> Iterator[list[Any]]:
        """A day each, or with draws a draw and day each."""
        dates = _dates(self.start or self.origin_date, len(self.days), self.frequency)
        if self.draws is None:
            for horizon, (date, numbers) in enumerate(zip(dates, self.days.tolist(), strict=True), 1):
                yield [self.series, date, horizon, *numbers]
            return
        for path in self.draws:
            for horizon, (date, value) in enumerate(zip(dates, path.values, strict=True), 1):
                yield [self.series, path.draw, date, horizon, value]

    def _days(self, separator: str) -> str:
        """JSON of the days, with this between them."""
        if self.intervals is None:
            name, bound, levels = "quantiles", '{"quantile":LEVEL,"value":%s}', self.quantiles
        else:
            name, bound, levels = "intervals", '{"level":LEVEL,"lower":%s,"upper":%s}', self.intervals
        bounds = [bound.replace("LEVEL", level) for level in _in_json(levels)]
        rest = f'"mean":%s,"median":%s,"{name}":[{",".join(bounds)}]}}'
        template = (rest + separator).join(
            _starts(self.start or self.origin_date, len(self.days), self._alias)
        ) + rest
        return template % tuple(_in_json(self.days.ravel().tolist()))

    def _paths(self) -> Iterator[str]:
        """JSON of each path."""
        for draw, values in self.draws or ():
            yield f'{{"draw":{draw},"values":[{",".join(_in_json(values))}]}}'


def _dates(origin: datetime.date, periods: int, frequency: Frequency) -> list[str]:
    """The dates after the origin, in ISO 8601."""
    return [frequency.after(origin, ahead).isoformat() for ahead in range(1, periods + 1)]


@lru_cache(1000)
def _starts(origin: datetime.date, periods: int, alias: str) -> list[str]:
    """How the JSON of each date after the origin starts."""
    dates = enumerate(_dates(origin, periods, Frequency.of(alias)), 1)
    return [f'{{"date":"{date}","horizon":{ahead},' for ahead, date in dates]


def _in_json(numbers: Sequence[float]) -> list[str]:
    return to_json(numbers, inf_nan_mode="null")[1:-1].decode().split(",")


class Answer(NamedTuple):
    """An answer by its members; to make an object of a model's class takes longer than to look it up."""

    members: dict[str, Any]

    def model_dump_json(self) -> str:
        """The JSON answer, as Pydantic's models give theirs."""
        members = {name: value for name, value in self.members.items() if value is not None}
        return to_json(members).decode()


class Forecasts(NamedTuple):
    """The forecasts of all series.

    Attributes:
        answer: The members of the JSON answer before `forecasts`.
        forecasts: At least one.
    """

    answer: dict[str, Any]
    forecasts: list[Forecast]

    def model_dump_json(self) -> str:
        """The JSON answer, as Pydantic's models give theirs."""
        before = to_json(self.answer).decode().removesuffix("}")
        each = ",".join(one.model_dump_json() for one in self.forecasts)
        return f'{before},"forecasts":[{each}]}}'

    def lines(self) -> Iterator[str]:
        """Objects of NDJSON: those of each series in turn."""
        for forecast in self.forecasts:
            yield from forecast.lines()

    def table(self) -> Iterator[list[Any]]:
        """Rows of CSV, the names of the columns first."""
        yield self.forecasts[0].columns()
        for forecast in self.forecasts:
            yield from forecast.rows()


class HubTable(NamedTuple):
    """Forecasts in the form in which hubs take submissions: hubverse.io, "model output".

    Attributes:
        origin_date: The last day in the model's data, and so the whole table's origin. That of weeks is the
            Saturday that is this day or follows it.
        days: The largest horizon, counted from there; of weeks, how many days they end within.
        forecasts: Of `HUB_QUANTILES`, each from its own series' last day on. Days that are not after
            `origin_date` are left out.
    """

    origin_date: datetime.date
    days: int
    forecasts: list[Forecast]

    def table(self) -> Iterator[list[Any]]:
        """Rows of CSV, the names of the columns first."""
        yield HUB_COLUMNS
        for forecast in self.forecasts:
            yield from self._rows(forecast)

    def _rows(self, forecast: Forecast) -> Iterator[list[Any]]:
        start, most, target = self.origin_date, self.days, forecast.about.members["target"]
        if forecast.by_week:
            start, most = paths.before_weeks(start), paths.whole_weeks(start, most)
        origin = start.isoformat()
        passed = forecast.frequency.between(forecast.start or forecast.origin_date, start)
        for index in range(max(0, passed), min(passed + most, len(forecast.days))):
            task = [origin, target, index + 1 - passed, forecast.series]
            mean, median, *values = forecast.days[index].tolist()
            yield [*task, "mean", "NA", mean]
            yield [*task, "median", "NA", median]
            for level, value in zip(HUB_QUANTILES, values, strict=True):
                yield [*task, "quantile", level, value]
            for path in forecast.draws or ():
                yield [*task, "sample", path.draw, path.values[index]]
