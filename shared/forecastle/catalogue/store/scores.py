"""`GET /models/{m}/scores`: how forecasts compared with what happened, by horizon, origin and country."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydantic import BaseModel, Field

from forecastle.catalogue.store import observations
from forecastle.catalogue.store.schema import scores, versions
from forecastle.places import NAMES

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of central intervals whose coverage is told
ROUNDING = 1e-6  # of a level that was kept as a floating point number
NOTHING = np.zeros(6 + len(LEVELS))  # the sums of no score


class Score(BaseModel):
    """Mean scores of forecasts of days whose counts were reported later."""

    forecasts: int = Field(description="How many of a country and a day there are.", examples=[1240])
    wis: float = Field(
        description="Mean weighted interval score over 23 quantiles, in the unit of the counts.",
        examples=[21.4],
    )
    wis_naive: float | None = Field(description="The naive forecast's, of the same days.", examples=[30.1])
    wis_ratio: float | None = Field(description="Of the two; below 1 is better than naive.", examples=[0.71])
    bias: float = Field(description="1 is always too high, -1 always too low.", examples=[-0.05])
    coverage: dict[str, float] = Field(
        description="The share of counts in central intervals, by their level.", examples=[{"0.9": 0.91}]
    )


class HorizonScore(Score):
    """Those of one horizon."""

    horizon: int = Field(description="Days after the origin date.")


class OriginScore(Score):
    """Those that were made in one week."""

    week: datetime.date = Field(description="The Monday of the week of the last day that was known.")


class CountryScore(Score):
    """Those of one country."""

    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str


class Scores(BaseModel):
    """How a model's forecasts compared with what happened."""

    model: str
    observations_through: datetime.date | None = Field(description="The newest day that is stored.")
    first_date: datetime.date | None = Field(description="The first of the days that were scored.")
    last_date: datetime.date | None = Field(description="The last of them.")
    scores: Score | None = Field(description="Of all of them; null if there are none.")
    by_horizon: list[HorizonScore]
    by_origin: list[OriginScore]
    by_country: list[CountryScore]

    def table(self) -> Iterator[list[Any]]:
        """A row for all, one a horizon, one a week and one a country."""
        numbers = ("forecasts", "wis", "wis_naive", "wis_ratio", "bias")
        yield ["model", "by", "value", *numbers, *(f"coverage_{level}" for level in LEVELS)]
        groups: list[tuple[str, Any, Score]] = [("all", None, self.scores)] if self.scores else []
        groups += [("horizon", entry.horizon, entry) for entry in self.by_horizon]
        groups += [("week", entry.week, entry) for entry in self.by_origin]
        groups += [("country", entry.country, entry) for entry in self.by_country]
        for by, value, score in groups:
            told = [getattr(score, number) for number in numbers]
            yield [self.model, by, value, *told, *score.coverage.values()]

    def lines(self) -> Iterator[dict[str, Any]]:
        """The same rows."""
        columns, *rows = self.table()
        for row in rows:
            told = dict(zip(columns, row, strict=True))
            yield told | {"value": told["value"] and str(told["value"])}


def of_model(
    connection: sa.Connection,
    model: str,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    country: str | None = None,
) -> Scores:
    """The model's scores, of all days that were scored or of these and of this country alone."""
    wanted = [versions.c.model == model]
    wanted += [scores.c.date >= since] if since else []
    wanted += [scores.c.date <= until] if until else []
    wanted += [scores.c.country == country] if country else []
    by_both = sums(connection, wanted, scores.c.horizon, versions.c.data_through)
    by_country = sums(connection, wanted, scores.c.country)
    first, last = connection.execute(
        sa.select(sa.func.min(scores.c.date), sa.func.max(scores.c.date))
        .join_from(scores, versions)
        .where(scores.c.superseded.is_(False), *wanted)
    ).one()
    horizons = merged((horizon, each) for (horizon, _), each in by_both.items())
    weeks = merged((_monday(day), each) for (_, day), each in by_both.items())
    return Scores(
        model=model,
        observations_through=observations.through(connection),
        first_date=first,
        last_date=last,
        scores=Score(**means(sum(by_both.values(), NOTHING))) if by_both else None,
        by_horizon=[HorizonScore(horizon=day, **means(each)) for day, each in sorted(horizons.items())],
        by_origin=[OriginScore(week=day, **means(each)) for day, each in sorted(weeks.items())],
        by_country=[
            CountryScore(country=code, name=NAMES[code], **means(each))
            for (code,), each in sorted(by_country.items())
        ],
    )


def sums(
    connection: sa.Connection, wanted: Iterable[sa.ColumnElement[bool]], *groups: sa.Column[Any]
) -> dict[tuple[Any, ...], np.ndarray]:
    """What `means` divides, by the values of these columns of `scores` and `versions`."""
    compared = sa.case((scores.c.wis_naive.is_not(None), scores.c.wis), else_=0.0)
    covered = [sa.case((scores.c.interval <= level + ROUNDING, 1), else_=0) for level in LEVELS]
    added = [scores.c.wis, scores.c.bias, compared, scores.c.wis_naive, *covered]
    found = connection.execute(
        sa.select(
            *groups, sa.func.count(), sa.func.count(scores.c.wis_naive), *(sa.func.sum(one) for one in added)
        )
        .join_from(scores, versions)
        .where(scores.c.superseded.is_(False), *wanted)
        .group_by(*groups)
    )
    split = len(groups)
    return {tuple(row[:split]): np.array(row[split:], dtype=float) for row in found}


def merged(groups: Iterable[tuple[Any, np.ndarray]]) -> dict[Any, np.ndarray]:
    """The sums of those that have the same key."""
    together: dict[Any, np.ndarray] = {}
    for key, each in groups:
        together[key] = together[key] + each if key in together else each
    return together


def means(added: np.ndarray) -> dict[str, Any]:
    """The members of a `Score` from one of `sums`."""
    count, compared, wis, bias, wis_compared, wis_naive, *covered = added.tolist()
    return {
        "forecasts": int(count),
        "wis": _rounded(wis / count),
        "wis_naive": _rounded(wis_naive / compared) if compared else None,
        "wis_ratio": _rounded(wis_compared / wis_naive) if compared and wis_naive else None,
        "bias": _rounded(bias / count),
        "coverage": {str(level): _rounded(each / count) for level, each in zip(LEVELS, covered, strict=True)},
    }


def _monday(day: datetime.date) -> datetime.date:
    return day - datetime.timedelta(day.weekday())


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
