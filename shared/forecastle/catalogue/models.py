"""`GET /models`: every model with its version, its data, how well it does and its health."""

import datetime
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, ValidationError

from forecastle.catalogue.upstreams import Answer, Upstream, get_all
from forecastle.service.answers import BacktestSummary, DiagnosticsSummary


class ModelEntry(BaseModel):
    """A model. What it says of itself is what it said last while it is down, null if it never did."""

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    health: Literal["ready", "down"]
    title: str | None = None
    version: str | None = Field(default=None, description="The data's last day and a hash.")
    target: str | None = Field(default=None, examples=["daily deaths"])
    unit: str | None = Field(default=None, examples=["deaths"])
    first_day: datetime.date | None = Field(
        default=None, description="The first day that was fitted, of any country."
    )
    data_through: datetime.date | None = Field(default=None, description="The last day in the data.")
    trained_at: datetime.datetime | None = None
    horizon: int | None = Field(default=None, description="How many days ahead forecasts reach.")
    countries: int | None = Field(default=None, description="How many there are forecasts for.")
    reference: bool | None = Field(
        default=None, description="Whether it is there to be compared with, and not for use."
    )
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
            models=[_entry(each.name, told) for each, told in zip(upstreams, answers, strict=True)]
        )

    return router


def _entry(name: str, told: Answer) -> ModelEntry:
    always: dict[str, Any] = {"model": name, "health": told.health}
    links = {"self": f"/{name}/", "docs": f"/{name}/docs"}
    about = told.content if isinstance(told.content, dict) else {}
    known = {key: about[key] for key in ModelEntry.model_fields if key in about}
    try:
        return ModelEntry.model_validate({"links": links, **known, **always})
    except ValidationError:  # another app's idea of these words
        return ModelEntry(links=links, **always)
