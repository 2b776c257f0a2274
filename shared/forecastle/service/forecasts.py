"""Forecasts: means, quantiles and whole paths out of the posterior predictive draws.

The shape of the answers, what a query may ask for, and how the numbers are computed. `rendering.py` makes
JSON, CSV and NDJSON of them.
"""

import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, Field, model_validator

from forecastle.artifact import Artifact, Series
from forecastle.scores import HUB_QUANTILES
from forecastle.service import horizon, marginals, paths, rendering
from forecastle.service.answers import OfModel, OfSeries, of_model, of_series
from forecastle.service.paths import Kind
from forecastle.service.rendering import HubTable
from forecastle.web.queries import (
    DEFAULT_DAYS,
    DEFAULT_LEVELS,
    MOST_LEVELS,
    Counts,
    Day,
    Instant,
    KnownParameters,
    must_be,
    optional,
    wrong,
)

NO_QUANTILES: list[float] = []
MOST_QUANTILES = 30

Format = Annotated[Literal["json", "csv", "ndjson", "hubverse"], must_be("json, csv, ndjson or hubverse")]


class ForecastQuery(KnownParameters):
    """What a query for forecasts may ask, wherever they come from."""

    days: Annotated[int, Field(ge=1), must_be("a whole number of at least 1")] = DEFAULT_DAYS
    level: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]],
        Field(max_length=MOST_LEVELS, description="The probability of a central interval; repeatable."),
        must_be(f"a number between 0 and 1 such as 0.9, or up to {MOST_LEVELS} of them"),
    ] = DEFAULT_LEVELS
    quantile: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]],
        Field(
            max_length=MOST_QUANTILES,
            description="The probability of a quantile, instead of intervals; repeatable.",
        ),
        must_be(f"a number between 0 and 1 such as 0.975, or up to {MOST_QUANTILES} of them"),
    ] = NO_QUANTILES
    counts: Counts | None = optional(
        "Values themselves, by the frequency's adjective (daily, weekly, monthly, ...), or running totals; "
        "without it, what the model forecasts."
    )
    as_of: Day | None = optional(
        "The forecast from data through this day, however much later it was made. A model's own service has "
        "the latest alone; the gateway keeps past ones."
    )
    known_at: Instant | None = optional(
        "The latest forecast that had been issued by this instant: at the gateway, kept by its catalogue; of "
        "a model's own service, trained. With `as_of`, the latest of those from data through that day."
    )
    format: Format | None = optional(
        "Takes precedence over `Accept`. hubverse: CSV with 23 quantiles, mean and median, as forecast hubs "
        "take it; its horizons count from the last day in the model's data."
    )

    @model_validator(mode="after")
    def quantiles_in_one_way(self) -> Self:
        """`level`, `quantile` and hubverse each say which quantiles are wanted."""
        if self.quantile and "level" in self.model_fields_set:
            raise wrong("level and quantile do not go together: leave one of them out")
        if self.format == "hubverse" and {"level", "quantile"} & self.model_fields_set:
            raise wrong("format=hubverse has 23 quantiles of its own: leave level and quantile out")
        return self


class Interval(BaseModel):
    """A central prediction interval."""

    level: float = Field(description="Its probability.", examples=[0.9])
    lower: float = Field(description="In `unit`.", examples=[35.0])
    upper: float = Field(description="In `unit`.", examples=[459.0])


class Quantile(BaseModel):
    """The count that is not exceeded with some probability."""

    quantile: float = Field(description="The probability.", examples=[0.975])
    value: float = Field(description="In `unit`.", examples=[591.0])


class ForecastDay(BaseModel):
    """The forecast for a day."""

    date: datetime.date = Field(examples=["2020-06-09"])
    horizon: int = Field(description="Periods after the origin date; weeks with period=week.", examples=[1])
    mean: float = Field(description="In `unit`.", examples=[195.4])
    median: float = Field(description="In `unit`.", examples=[160.5])
    intervals: list[Interval] | None = optional("Left out if `quantile=` asks for quantiles instead.")
    quantiles: list[Quantile] | None = optional("Those that `quantile=` asks for.")


class Path(BaseModel):
    """One draw of the posterior predictive distribution: a count for each day of the forecast."""

    draw: int = Field(description="Its number in the artifact, the same in all series.", examples=[0])
    values: list[float] = Field(description="In `unit`, by horizon.", examples=[[164.0, 53.0, 382.0]])


class SeriesForecast(OfSeries):
    """Posterior predictive means, medians and central intervals, or quantiles."""

    counts: Kind = Field(
        description="Whether the values are those of each period, by its adjective, or running totals.",
        examples=["daily"],
    )
    forecast: list[ForecastDay]
    draws: list[Path] | None = optional("Whole paths, if `draws=` asks for them.")
    caveat: str | None = optional("A warning, if the numbers are not to be trusted.")


class AllForecasts(OfModel):
    """The forecasts for all series."""

    counts: Kind = Field(
        description="Whether the values are those of each period, by its adjective, or running totals.",
        examples=["daily"],
    )
    forecasts: list[SeriesForecast]


def forecast(
    artifact: Artifact,
    root: str,
    series: Series,
    days: int,
    kind: Kind,
    intervals: tuple[float, ...] | None,
    quantiles: tuple[float, ...] = (),
    draws: int | None = None,
) -> rendering.Forecast:
    """The forecast for the first `days` days.

    Args:
        artifact: Of the model.
        root: The path that links start with.
        series: One of the artifact's.
        days: At most the horizon. Of sums by week, those that end in them.
        kind: What is counted.
        intervals: The levels of central intervals; None for quantiles instead.
        quantiles: The levels of these.
        draws: How many whole paths besides, evenly spaced among all, so that each chain has its share.
    """
    known = marginals.of(artifact, series, kind)
    levels = quantiles if intervals is None else ends(intervals)
    start, weekly = series.origin_date, horizon.by_week(artifact, kind)
    if weekly:
        start, days = paths.before_weeks(start), paths.whole_weeks(start, days)
    numbers = np.concatenate([known.means[:days, None], known.quantiles([0.5, *levels], days)], axis=1)
    return rendering.Forecast(
        _about(artifact, root, series, kind, draws is not None),
        series.origin_date,
        paths.rounded(numbers),
        intervals,
        quantiles,
        None if draws is None else _chosen(paths.paths(artifact, series, kind)[:, :days], draws),
        start,
        weekly,
    )


@lru_cache(1000)
def _about(artifact: Artifact, root: str, series: Series, kind: Kind, with_paths: bool) -> rendering.About:
    members = {
        **of_series(artifact, root, series),
        "target": paths.target(artifact, kind),
        "counts": kind,
        "forecast": None,
    }
    if horizon.by_week(artifact, kind):
        members["frequency"] = paths.WEEKS
    caveat = marginals.caveat(artifact, series, kind, several_days=with_paths)
    return rendering.About(members if caveat is None else {**members, "caveat": caveat})


def of_all(
    artifact: Artifact, root: str, kind: Kind, of_each: list[rendering.Forecast]
) -> rendering.Forecasts:
    """The forecasts of all series in one answer."""
    about = {**of_model(artifact, root), "target": paths.target(artifact, kind), "counts": kind}
    if horizon.by_week(artifact, kind):
        about["frequency"] = paths.WEEKS
    return rendering.Forecasts(about, of_each)


def for_hub(artifact: Artifact, series: Series, kind: Kind, draws: int | None = None) -> rendering.Forecast:
    """The forecast for the whole horizon with the quantiles of hubs, and with `draws` so many paths."""
    return forecast(artifact, "", series, artifact.horizon, kind, None, HUB_QUANTILES, draws)


def hub_table(
    artifact: Artifact, series: Series, days: int, kind: Kind, draws: int | None = None
) -> HubTable:
    """A series' forecast as a hub's table, up to `days` days after the last day in the data."""
    return HubTable(artifact.data_through, days, [for_hub(artifact, series, kind, draws)])


def ends(intervals: Sequence[float]) -> list[float]:
    """The lower and the upper end of each central interval, as probabilities."""
    # Rounded, or the ends of 90 % would not be quite at 0.05 and 0.95.
    return [round((1 + sign * level) / 2, 12) for level in intervals for sign in (-1, 1)]


def _chosen(drawn: np.ndarray, number: int) -> list[rendering.Path]:
    chosen = np.linspace(0, len(drawn) - 1, number).round().astype(int)
    values = paths.rounded(drawn[chosen]).tolist()
    return [rendering.Path(*path) for path in zip(chosen.tolist(), values, strict=True)]
