"""Forecasts: means, quantiles and whole paths out of the posterior predictive draws."""

import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from forecastle.artifact import Artifact, Country
from forecastle.scores import HUB_QUANTILES
from forecastle.service import paths
from forecastle.service.answers import OfCountry, OfModel, of_country, of_model
from forecastle.service.paths import Kind
from forecastle.web.queries import optional


class Interval(BaseModel):
    """A central prediction interval."""

    level: float = Field(description="Its probability.", examples=[0.9])
    lower: float = Field(description="In `unit`.", examples=[35.0])
    upper: float = Field(description="In `unit`.", examples=[459.0])


class Quantile(BaseModel):
    """A count below which the counts lie with some probability."""

    quantile: float = Field(description="The probability.", examples=[0.975])
    value: float = Field(description="In `unit`.", examples=[591.0])


class ForecastDay(BaseModel):
    """The forecast for a day."""

    date: datetime.date = Field(examples=["2020-06-09"])
    horizon: int = Field(description="Days after the origin date.", examples=[1])
    mean: float = Field(description="In `unit`.", examples=[195.4])
    median: float = Field(description="In `unit`.", examples=[160.5])
    intervals: list[Interval] | None = optional("Left out if `quantile=` asks for quantiles instead.")
    quantiles: list[Quantile] | None = optional("Those that `quantile=` asks for.")


class Path(BaseModel):
    """One draw of the posterior predictive distribution: a count for each day of the forecast."""

    draw: int = Field(description="Its number in the artifact, the same in all countries.", examples=[0])
    values: list[float] = Field(description="In `unit`, by horizon.", examples=[[164.0, 53.0, 382.0]])


class CountryForecast(OfCountry):
    """Posterior predictive means, medians and central intervals, or quantiles."""

    counts: Kind = Field(description="Whether the values are counts a day or running totals.")
    forecast: list[ForecastDay]
    draws: list[Path] | None = optional("Whole paths, if `draws=` asks for them.")
    caveat: str | None = optional("Why the model cannot tell, if so.")

    def table(self) -> Iterator[list[Any]]:
        """A row a day, with two columns an interval (`lower_0.5`, `upper_0.5`, ...) or one a quantile.

        With draws a row a draw and day.
        """
        if self.draws is not None:
            yield ["country", "draw", "date", "horizon", "value"]
            for path in self.draws:
                for day, value in zip(self.forecast, path.values, strict=True):
                    yield [self.country, path.draw, day.date, day.horizon, value]
            return
        first = self.forecast[0]
        bounds = [f"{bound}_{one.level}" for one in first.intervals or [] for bound in ("lower", "upper")]
        yield [
            *("country", "date", "horizon", "mean", "median"),
            *bounds,
            *(f"quantile_{one.quantile}" for one in first.quantiles or []),
        ]
        for day in self.forecast:
            intervals = [bound for one in day.intervals or [] for bound in (one.lower, one.upper)]
            quantiles = [one.value for one in day.quantiles or []]
            yield [self.country, day.date, day.horizon, day.mean, day.median, *intervals, *quantiles]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A day each, or with draws a path each."""
        own = {"country": self.country, "origin_date": self.origin_date.isoformat()}
        for item in self.draws or self.forecast:
            yield {**own, **item.model_dump(mode="json")}


class AllForecasts(OfModel):
    """The forecasts for all countries."""

    counts: Kind = Field(description="Whether the values are counts a day or running totals.")
    forecasts: list[CountryForecast]


class Hubverse(NamedTuple):
    """A forecast in the form in which hubs take submissions: hubverse.io, "model output"."""

    rows: list[list[Any]]

    def table(self) -> Iterator[list[Any]]:
        """A row for each value."""
        yield ["origin_date", "target", "horizon", "location", "output_type", "output_type_id", "value"]
        yield from self.rows


def forecast(
    artifact: Artifact,
    root: str,
    country: Country,
    days: int,
    kind: Kind,
    levels: tuple[float, ...] | None,
    quantiles: tuple[float, ...] = (),
    draws: int | None = None,
) -> CountryForecast:
    """The forecast for the first `days` days.

    Args:
        artifact: Of the model.
        root: The path that links start with.
        country: One of the artifact's.
        days: At most the horizon.
        kind: What is counted, in days or in all.
        levels: Of central intervals; None for quantiles instead.
        quantiles: Those.
        draws: How many whole paths besides, evenly spaced among all, which are those of the chains in turn.
    """
    drawn = paths.paths(artifact, country, kind)[:, :days]
    if levels is None:
        tails = list(quantiles)
    else:
        # Rounded, or the ends of 90 % would not be quite at 0.05 and 0.95, and be told otherwise at times.
        tails = [round((1 + sign * level) / 2, 12) for level in levels for sign in (-1, 1)]
    means = drawn.mean(axis=0)
    medians, *bounds = np.quantile(drawn, [0.5, *tails], axis=0)
    coming = [
        ForecastDay(
            date=country.origin_date + datetime.timedelta(day + 1),
            horizon=day + 1,
            mean=paths.rounded(means[day]),
            median=paths.rounded(medians[day]),
            intervals=None
            if levels is None
            else [
                Interval(level=level, lower=paths.rounded(lower[day]), upper=paths.rounded(upper[day]))
                for level, lower, upper in zip(levels, bounds[::2], bounds[1::2], strict=True)
            ],
            quantiles=None
            if levels is not None
            else [
                Quantile(quantile=quantile, value=paths.rounded(values[day]))
                for quantile, values in zip(quantiles, bounds, strict=True)
            ],
        )
        for day in range(days)
    ]
    return CountryForecast(
        **{**of_country(artifact, root, country), "target": paths.target(artifact, kind)},
        counts=kind,
        forecast=coming,
        draws=None if draws is None else _chosen(drawn, draws),
        caveat=paths.caveat(artifact, country, kind, draws is not None),
    )


def hubverse(
    artifact: Artifact, root: str, country: Country, days: int, kind: Kind, draws: int | None = None
) -> Hubverse:
    """The forecast as rows of 23 quantiles, mean and median, and with `draws` as many samples."""
    told = forecast(artifact, root, country, days, kind, None, HUB_QUANTILES, draws)
    rows: list[list[Any]] = []
    for day in told.forecast:
        task = [country.origin_date, told.target, day.horizon, country.code]
        rows.append([*task, "mean", "NA", day.mean])
        rows.append([*task, "median", "NA", day.median])
        rows += [[*task, "quantile", one.quantile, one.value] for one in day.quantiles or []]
        rows += [[*task, "sample", path.draw, path.values[day.horizon - 1]] for path in told.draws or []]
    return Hubverse(rows)


def forecasts(artifact: Artifact, root: str, kind: Kind) -> AllForecasts:
    """What the forecasts of all countries have in common, without any."""
    about = {**of_model(artifact, root), "target": paths.target(artifact, kind)}
    return AllForecasts(**about, counts=kind, forecasts=[])


def _chosen(drawn: np.ndarray, number: int) -> list[Path]:
    chosen = np.linspace(0, len(drawn) - 1, number).round().astype(int)
    return [Path(draw=int(draw), values=[paths.rounded(value) for value in drawn[draw]]) for draw in chosen]
