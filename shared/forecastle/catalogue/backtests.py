"""The backtest of a model that is served, which `/models/<model>/scores` has beside the scores in use."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from forecastle.catalogue.upstreams import Upstream

Interval = Annotated[tuple[float, float] | None, Field(examples=[(0.68, 0.79)])]


class Intervals(BaseModel):
    """Between what 90 % of resamples of series and origins lie; null where that cannot be told."""

    wis_ratio: Interval = None
    wis_ratio_baseline: Interval = None
    wis_ratio_log: Interval = None
    coverage_pit: dict[str, Interval] = Field({}, description="By level.")


class BacktestScore(BaseModel):
    """Mean scores of forecasts of past days, or of sums over whole weeks."""

    forecasts: int
    wis: float = Field(description="The mean weighted interval score, in the unit of the values.")
    wis_ratio: float = Field(description="Over the naive forecast's; below 1 is better.")
    wis_ratio_baseline: float | None = Field(
        None,
        description="Over that of another baseline: of weeks the COVID-19 Forecast Hub's, of days last "
        "week's same weekday; null of other periods.",
    )
    wis_ratio_log: float | None = Field(
        None,
        description="That of the scores of log(1 + value), in which small series weigh as large ones do.",
    )
    dispersion: float | None = Field(None, description="A part of wis: what the intervals' widths cost.")
    overprediction: float | None = Field(None, description="A part of wis: what too high forecasts cost.")
    underprediction: float | None = Field(None, description="A part of wis: what too low forecasts cost.")
    bias: float
    coverage: dict[str, float] = Field(description="The share of values within central intervals, by level.")
    coverage_pit: dict[str, float] = Field(
        {}, description="The same by randomised PIT, of which a perfect forecast has the levels."
    )
    pit: list[float] = Field(
        [], description="Shares of the randomised PIT in ten equal parts from 0 to 1: each 0.1 if perfect."
    )
    intervals: Intervals | None = None


class Backtest(BaseModel):
    """Scores of the version that is served, as training found them."""

    kind: str = Field(description="`short` as of every training, or `full` after `make backtest`.")
    origins: list[str] = Field(description="The last days that were known.", examples=[["2020-05-09"]])
    scores: BacktestScore
    weekly: BacktestScore | None = Field(None, description="Of a daily measure: its sums over whole weeks.")


async def of(upstream: Upstream) -> Backtest | None:
    """What the model answers, or last answered; None if it has no backtest."""
    content = (await upstream.get("/backtest.json")).content
    try:
        weekly = content["weekly"] and _score(content["weekly"])
        return Backtest.model_validate({**content, "scores": _score(content), "weekly": weekly})
    except (KeyError, TypeError, ValidationError):  # another app may answer anything there
        return None


def _score(part: dict[str, Any]) -> dict[str, Any]:
    return {**part["scores"], "pit": part["pit"]}
