"""An issue: everything that one version of a model forecasts, in one document for whoever keeps forecasts."""

import datetime
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import to_json

from forecastle.artifact import Artifact, Country
from forecastle.scores import HUB_QUANTILES
from forecastle.service import forecasts
from forecastle.service.paths import Kind


class IssuedForecast(BaseModel):
    """A country's forecast for the whole horizon."""

    answer: dict[str, Any] = Field(
        description="What `/countries/{code}/forecast` answers, with null for `forecast`."
    )
    mean: list[float] = Field(description="By day ahead, in `unit`.")
    quantiles: list[list[float]] = Field(description="By day ahead, one for each of `levels`, in `unit`.")


class IssuedCountry(BaseModel):
    """A country's forecasts, and the counts that they rest on."""

    origin_date: datetime.date = Field(description="The last fitted day; forecasts start the day after.")
    first_day: datetime.date = Field(description="That of the first of `observed`.")
    observed: list[int | None] = Field(
        description="The target's counts by day; null if nothing was reported, or the day is not fitted."
    )
    total: int = Field(description="The running total by the end of the origin date.")
    daily: IssuedForecast
    cumulative: IssuedForecast


class Issue(BaseModel):
    """Everything that this version of the model forecasts."""

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact.", examples=["2020-06-08-890e765f"])
    target: str = Field(description="What the model itself forecasts.", examples=["daily deaths"])
    unit: str = Field(description="Of all counts.", examples=["deaths"])
    cumulative: bool = Field(description="Whether the target is a running total.")
    data_through: datetime.date = Field(description="The last day in the data.")
    trained_at: datetime.datetime
    levels: list[float] = Field(description="The probabilities of the quantiles: the 23 of forecast hubs.")
    countries: dict[str, IssuedCountry] = Field(description="By ISO 3166 alpha-3 code.")


def issue(artifact: Artifact, root: str) -> bytes:
    """The JSON of `Issue`, with links that start with the path `root`."""
    manifest = artifact.manifest
    return to_json(
        {
            "model": artifact.model,
            "version": artifact.version,
            "target": manifest.target,
            "unit": manifest.unit,
            "cumulative": artifact.cumulative,
            "data_through": artifact.data_through,
            "trained_at": manifest.created,
            "levels": HUB_QUANTILES,
            "countries": {
                code: _country(artifact, root, country) for code, country in artifact.countries.items()
            },
        }
    )


def _country(artifact: Artifact, root: str, country: Country) -> dict[str, Any]:
    counted = artifact.observations.get(country.code) or [(country.first_day, None)]
    return {
        "origin_date": country.origin_date,
        "first_day": counted[0][0],
        "observed": [observed for _, observed in counted],
        "total": country.total,
        "daily": _forecast(artifact, root, country, "daily"),
        "cumulative": _forecast(artifact, root, country, "cumulative"),
    }


def _forecast(artifact: Artifact, root: str, country: Country, kind: Kind) -> dict[str, Any]:
    found = forecasts.forecast(artifact, root, country, artifact.horizon, kind, None, HUB_QUANTILES)
    return {
        "answer": found.about.members,
        "mean": found.days[:, 0].tolist(),
        "quantiles": found.days[:, 2:].tolist(),
    }
