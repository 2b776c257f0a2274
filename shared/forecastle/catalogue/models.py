"""`GET /models`: every model with its version, data, scores and health."""

import datetime
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, ValidationError

from forecastle.catalogue.upstreams import Answer, Upstream, get_all
from forecastle.service.answers import BacktestSummary, DiagnosticsSummary


class ModelEntry(BaseModel):
    """A model. While it is down, its members are those of its last answer; null if it never answered."""

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    health: Literal["ready", "down"]
    title: str | None = None
    version: str | None = Field(default=None, description="The last day of the data, and a hash.")
    target: str | None = Field(default=None, examples=["daily deaths"])
    unit: str | None = Field(default=None, examples=["deaths"])
    first_day: datetime.date | None = Field(default=None, description="The first fitted day of any country.")
    data_through: datetime.date | None = Field(default=None, description="The last day in the data.")
    trained_at: datetime.datetime | None = None
    horizon: int | None = Field(default=None, description="The number of days that are forecast.")
    countries: int | None = Field(default=None, description="The number of countries with forecasts.")
    reference: bool | None = Field(default=None, description="Whether the model is for comparison only.")
    diagnostics: DiagnosticsSummary | None = None
    backtest: BacktestSummary | None = None
    links: dict[str, str]


class ModelList(BaseModel):
    """All models behind this gateway."""

    models: list[ModelEntry]


def routes(upstreams: Sequence[Upstream]) -> APIRouter:
    """The list of these models."""
    router = APIRouter()

    @router.get("/models", operation_id="get_models")
    async def models(response: Response) -> ModelList:
        """Every model with its version, data window, diagnostics, backtest and health."""
        response.headers["Cache-Control"] = "no-store"
        answers = await get_all(upstreams, "/")
        return ModelList(
            models=[_entry(each.name, answer) for each, answer in zip(upstreams, answers, strict=True)]
        )

    return router


def _entry(name: str, answer: Answer) -> ModelEntry:
    always: dict[str, Any] = {"model": name, "health": answer.health}
    links = {"self": f"/{name}/", "docs": f"/{name}/docs"}
    about = answer.content if isinstance(answer.content, dict) else {}
    known = {key: about[key] for key in ModelEntry.model_fields if key in about}
    try:
        return ModelEntry.model_validate({"links": links, **known, **always})
    except ValidationError:  # an app of another kind, which has other things under these names
        return ModelEntry(links=links, **always)
