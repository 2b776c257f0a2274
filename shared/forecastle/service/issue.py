"""An issue: everything that one version of a model forecasts, in one document for whoever keeps forecasts."""

import datetime
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import to_json

from forecastle.artifact import Artifact, Series
from forecastle.frequency import Frequency
from forecastle.scores import HUB_QUANTILES
from forecastle.service import forecasts


class IssuedForecast(BaseModel):
    """A series' forecast for the whole horizon."""

    answer: dict[str, Any] = Field(
        description="What the route `forecast` of the series answers, with null for `forecast`."
    )
    mean: list[float] = Field(description="By period ahead, in `unit`.")
    quantiles: list[list[float]] = Field(description="By period ahead, one for each of `levels`, in `unit`.")


class IssuedSeries(BaseModel):
    """A series' forecasts, and the values that they rest on."""

    name: str
    origin_date: datetime.date = Field(description="The last fitted date; forecasts start one period later.")
    first_day: datetime.date = Field(description="That of the first of `observed`.")
    observed: list[float | None] = Field(
        description="The target's values by period; null if nothing was reported, or it is not fitted."
    )
    total: float | None = Field(
        description="The running total by the end of the origin date; null if the values are no counts."
    )
    forecasts: dict[str, IssuedForecast] = Field(
        description="Of a period's values, under the frequency's adjective, and `cumulative` of counts."
    )


class Issue(BaseModel):
    """Everything that this version of the model forecasts."""

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact.", examples=["2020-06-08-890e765f"])
    noun: str = Field(description="What a series is about.", examples=["country"])
    plural: str = Field(description="Of the noun: a part of the routes.", examples=["countries"])
    measure: str = Field(description="Of the observations: what is measured.", examples=["deaths"])
    target: str = Field(description="What the model itself forecasts.", examples=["daily deaths"])
    unit: str = Field(description="Of all values.", examples=["deaths"])
    frequency: str = Field(description="Of the dates, by pandas' alias.", examples=["D"])
    real: bool = Field(description="Whether the values are real numbers rather than counts.")
    minimum: float | None = Field(description="The least value that there can be; null if there is none.")
    cumulative: bool = Field(description="Whether the target is a running total.")
    data_through: datetime.date = Field(description="The last date in the data.")
    trained_at: datetime.datetime
    levels: list[float] = Field(description="The probabilities of the quantiles: the 23 of forecast hubs.")
    series: dict[str, IssuedSeries] = Field(description="By identifier.")


def issue(artifact: Artifact, root: str) -> bytes:
    """The JSON of `Issue`, with links that start with the path `root`."""
    manifest = artifact.manifest
    kinds = [Frequency.of(manifest.frequency).adjective, *([] if manifest.real else ["cumulative"])]
    return to_json(
        {
            "model": artifact.model,
            "version": artifact.version,
            "noun": manifest.noun,
            "plural": manifest.plural,
            "measure": manifest.measure,
            "target": manifest.target,
            "unit": manifest.unit,
            "frequency": manifest.frequency,
            "real": manifest.real,
            "minimum": manifest.minimum,
            "cumulative": artifact.cumulative,
            "data_through": artifact.data_through,
            "trained_at": manifest.created,
            "levels": HUB_QUANTILES,
            "series": {code: _series(artifact, root, one, kinds) for code, one in artifact.series.items()},
        }
    )


def _series(artifact: Artifact, root: str, series: Series, kinds: list[str]) -> dict[str, Any]:
    known = artifact.observations.get(series.code) or [(series.first_day, None)]
    return {
        "name": series.name,
        "origin_date": series.origin_date,
        "first_day": known[0][0],
        "observed": [observed for _, observed in known],
        "total": series.total,
        "forecasts": {kind: _forecast(artifact, root, series, kind) for kind in kinds},
    }


def _forecast(artifact: Artifact, root: str, series: Series, kind: str) -> dict[str, Any]:
    found = forecasts.forecast(artifact, root, series, artifact.horizon, kind, None, HUB_QUANTILES)
    return {
        "answer": found.about.members,
        "mean": found.days[:, 0].tolist(),
        "quantiles": found.days[:, 2:].tolist(),
    }
