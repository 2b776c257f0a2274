"""`GET /models`: every model with its version, data, scores and health."""

import asyncio
import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError

from forecastle.catalogue.openapi import METHODS
from forecastle.catalogue.upstreams import Upstream
from forecastle.manifest import FORECAST, PLAIN
from forecastle.service.answers import BacktestSummary, DataSource, DiagnosticsSummary
from forecastle.web.prefix import forwarded


class ModelEntry(BaseModel):
    """A model. While it is down, its members are those of its last answer.

    What there is not is left out: a model that forecasts nothing has no horizon, and of one that never
    answered only the name is known.
    """

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    health: Literal["ready", "down"]
    kind: Literal["forecast", "plain"] | None = Field(
        default=None, description="`plain`: it has routes of its own, and forecasts nothing."
    )
    title: str | None = None
    version: str | None = Field(default=None, description="A date and a hash.")
    target: str | None = Field(default=None, examples=["daily deaths"])
    unit: str | None = Field(default=None, examples=["deaths"])
    first_day: datetime.date | None = Field(default=None, description="The first fitted day of any country.")
    data_through: datetime.date | None = Field(default=None, description="The last day in the data.")
    data: DataSource | None = Field(default=None, description="Of a forecast: where the counts come from.")
    trained_at: datetime.datetime | None = None
    horizon: int | None = Field(default=None, description="The number of days that are forecast.")
    countries: int | None = Field(default=None, description="The number of countries with forecasts.")
    reference: bool | None = Field(default=None, description="Whether the model is for comparison only.")
    diagnostics: DiagnosticsSummary | None = None
    backtest: BacktestSummary | None = None
    routes: list[str] | None = Field(
        default=None, description="Of a plain model, by its OpenAPI.", examples=[["POST /iris/predict"]]
    )
    links: dict[str, str]


class ModelList(BaseModel):
    """All models behind this gateway."""

    models: list[ModelEntry]


def routes(upstreams: Sequence[Upstream]) -> APIRouter:
    """The list of these models."""
    router = APIRouter()

    @router.get("/models", operation_id="get_models", response_model_exclude_none=True)
    async def models(request: Request, response: Response) -> ModelList:
        """Every model with its version, data window, diagnostics, backtest and health."""
        response.headers["Cache-Control"] = "no-store"
        before, entries = forwarded(request.scope), await asyncio.gather(*map(_entry, upstreams))
        for entry in entries:
            entry.links = {name: before + path for name, path in entry.links.items()}
        return ModelList(models=entries)

    return router


async def _entry(upstream: Upstream) -> ModelEntry:
    manifest, overview = await asyncio.gather(upstream.get("/manifest.json"), upstream.get("/"))
    sealed = manifest.content if isinstance(manifest.content, dict) else {}
    if sealed.get("kind") == PLAIN:
        openapi = await upstream.get("/openapi.json")
        routes = list(_routes(upstream.name, openapi.content))
        known = {"title": sealed.get("title"), "trained_at": sealed.get("created"), "routes": routes or None}
        return _described(upstream.name, manifest.health, {**sealed, **known}, docs=bool(routes))
    about = overview.content if isinstance(overview.content, dict) else {}
    return _described(upstream.name, overview.health, {**about, "kind": FORECAST if sealed else None})


def _described(name: str, health: str, about: dict[str, Any], docs: bool = True) -> ModelEntry:
    always: dict[str, Any] = {"model": name, "health": health}
    links = {"self": f"/{name}/", **({"docs": f"/{name}/docs"} if docs else {"card": f"/{name}/card"})}
    known = {key: about[key] for key in ModelEntry.model_fields if key in about}
    try:
        return ModelEntry.model_validate({"links": links, **known, **always})
    except ValidationError:  # an app without a manifest, which has other things under these names
        return ModelEntry(links=links, **always)


def _routes(name: str, document: Any) -> Iterator[str]:
    """The methods and paths of an OpenAPI document, as the gateway has them."""
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} /{name}{path}"
