"""`GET /models/{model}/scores`: mean scores of a model's forecasts, by horizon, week and series."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from forecastle.catalogue.store import observations
from forecastle.catalogue.store.schema import scores, versions
from forecastle.catalogue.upload import COUNTRY
from forecastle.web.queries import optional

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the central intervals whose coverage is reported
ROUNDING = 1e-6  # tolerance for a level that is stored as a floating point number
NOTHING = np.zeros(6 + len(LEVELS))  # `sums` without any score


class Score(BaseModel):
    """Mean scores of forecasts against values that were reported later."""

    forecasts: int = Field(description="The number of forecasts of a series and a date.", examples=[1240])
    wis: float = Field(
        description="Mean weighted interval score over 23 quantiles, in the unit of the values.",
        examples=[21.4],
    )
    wis_naive: float | None = Field(description="Of the naive forecast, for the same dates.", examples=[30.1])
    wis_ratio: float | None = Field(description="wis / wis_naive; below 1 beats naive.", examples=[0.71])
    bias: float = Field(description="From 1 (always too high) to -1 (always too low).", examples=[-0.05])
    coverage: dict[str, float] = Field(
        description="The share of values within central intervals, by level.", examples=[{"0.9": 0.91}]
    )


class HorizonScore(Score):
    """Scores of one horizon."""

    horizon: int = Field(description="Periods after the origin date.")


class OriginScore(Score):
    """Scores of the forecasts from one week."""

    week: datetime.date = Field(description="The Monday of the week of the data's last date.")


class SeriesScore(Score):
    """Scores of one series; its identifier is the member of the noun's name."""

    model_config = ConfigDict(extra="allow")

    country: str | None = optional("ISO 3166 alpha-3, if that is the noun.", examples=["GBR"])
    name: str


class Scores(BaseModel):
    """Mean scores of a model's forecasts against what was reported later.

    Those by series are `by_country`, or named by another noun, such as `by_store`.
    """

    model_config = ConfigDict(extra="allow")

    model: str
    noun: str = Field(description="What a series is about.", examples=[COUNTRY])
    observations_through: datetime.date | None = Field(
        description="The newest date of the noun that is stored."
    )
    first_date: datetime.date | None = Field(description="The first scored date.")
    last_date: datetime.date | None = Field(description="The last scored date.")
    scores: Score | None = Field(description="Of all forecasts; null if none is scored.")
    by_horizon: list[HorizonScore]
    by_origin: list[OriginScore]
    by_country: list[SeriesScore] | None = optional("If that is the noun.")

    def table(self) -> Iterator[list[Any]]:
        """A row for all forecasts, and one for each horizon, week and series."""
        numbers = ("forecasts", "wis", "wis_naive", "wis_ratio", "bias")
        yield ["model", "by", "value", *numbers, *(f"coverage_{level}" for level in LEVELS)]
        groups: list[tuple[str, Any, Score]] = [("all", None, self.scores)] if self.scores else []
        groups += [("horizon", entry.horizon, entry) for entry in self.by_horizon]
        groups += [("week", entry.week, entry) for entry in self.by_origin]
        groups += [
            (self.noun, getattr(entry, self.noun), entry) for entry in getattr(self, f"by_{self.noun}")
        ]
        for by, value, score in groups:
            values = [getattr(score, number) for number in numbers]
            yield [self.model, by, value, *values, *score.coverage.values()]

    def lines(self) -> Iterator[dict[str, Any]]:
        """The same rows."""
        columns, *rows = self.table()
        for row in rows:
            line = dict(zip(columns, row, strict=True))
            yield line | {"value": line["value"] and str(line["value"])}


def of_model(
    connection: sa.Connection,
    model: str,
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    series: str | None = None,
) -> Scores:
    """The model's scores, of all dates and series or of some."""
    noun = noun_of(connection, model)
    # A model may have changed its noun. Scores of another one are of other series.
    wanted = [versions.c.model == model, versions.c.noun == noun]
    wanted += [scores.c.date >= since] if since else []
    wanted += [scores.c.date <= until] if until else []
    wanted += [scores.c.series == series] if series else []
    by_both = sums(connection, wanted, scores.c.horizon, versions.c.data_through)
    by_series = sums(connection, wanted, scores.c.series)
    names = observations.named(connection, noun, [code for (code,) in by_series])
    first, last = connection.execute(
        sa.select(sa.func.min(scores.c.date), sa.func.max(scores.c.date))
        .join_from(scores, versions)
        .where(scores.c.superseded.is_(False), *wanted)
    ).one()
    horizons = merged((horizon, each) for (horizon, _), each in by_both.items())
    weeks = merged((_monday(day), each) for (_, day), each in by_both.items())
    return Scores(
        model=model,
        noun=noun,
        observations_through=observations.through(connection, noun),
        first_date=first,
        last_date=last,
        scores=Score(**means(sum(by_both.values(), NOTHING))) if by_both else None,
        by_horizon=[HorizonScore(horizon=day, **means(each)) for day, each in sorted(horizons.items())],
        by_origin=[OriginScore(week=day, **means(each)) for day, each in sorted(weeks.items())],
        **{
            f"by_{noun}": [
                SeriesScore(**{noun: code}, name=names[code], **means(each))
                for (code,), each in sorted(by_series.items())
            ]
        },
    )


def nouns(connection: sa.Connection) -> dict[str, str]:
    """What the series of each model are about, as of its latest version that is kept."""
    found = connection.execute(sa.select(*versions.c["model", "noun"]).order_by(versions.c.id))
    return {row.model: row.noun for row in found}


def noun_of(connection: sa.Connection, model: str) -> str:
    """The same of one model; `country` if no version is kept."""
    return nouns(connection).get(model, COUNTRY)


def sums(
    connection: sa.Connection, wanted: Iterable[sa.ColumnElement[bool]], *groups: sa.Column[Any]
) -> dict[tuple[Any, ...], np.ndarray]:
    """Counts and sums of scores, for `means`, by the values of these columns of `scores` and `versions`."""
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
    """The sums of all groups with the same key."""
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
