"""The catalogue: all models of a gateway, their versions and their health."""

import asyncio
import datetime
from typing import Literal

import httpx
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field

from forecastle import problems
from forecastle.answers import BacktestSummary, Health
from forecastle.catalogue import live
from forecastle.catalogue.metrics import StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store import Store
from forecastle.service import AnswerHead

TIMEOUT = 2  # seconds that a model may take before it counts as down


class ModelEntry(BaseModel):
    """A model; what it says of itself is null while it is down, or if it does not say it."""

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    health: Literal["ready", "down"]
    title: str | None = None
    version: str | None = Field(default=None, description="The data's last day and a hash.")
    target: str | None = Field(default=None, examples=["daily deaths"])
    unit: str | None = Field(default=None, examples=["deaths"])
    data_through: datetime.date | None = Field(default=None, description="The last day in the data.")
    trained_at: datetime.datetime | None = None
    horizon: int | None = Field(default=None, description="How many days ahead forecasts reach.")
    reference: bool | None = Field(
        default=None, description="Whether it is there to be compared with, and not for use."
    )
    backtest: BacktestSummary | None = None
    links: dict[str, str]


class Models(BaseModel):
    """All models behind this gateway."""

    models: list[ModelEntry]


def create_catalogue(
    clients: dict[str, httpx.AsyncClient],
    store: Store | None = None,
    settings: Settings | None = None,
    shadows: dict[str, httpx.AsyncClient] | None = None,
) -> FastAPI:
    """The app behind `/`, `/models` and `/docs` of the gateway.

    Args:
        clients: For each model what reaches its app, under whose `/<model>/...` the routes are.
        store: Where forecasts and counts are kept; without one neither is.
        settings: Of what the store receives.
        shadows: What reaches models that are not listed, but kept and scored as they are.
    """
    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        redirect_slashes=False,
        static_url="/docs/static",
        title="Forecastle",
        description="All forecast models behind this gateway. Each has documentation of its own, at "
        "`/<model>/docs`.",
    )
    app.add_middleware(AnswerHead)
    problems.install(app)

    async def nothing_here(request: Request, _: Exception) -> Response:
        detail = "There is nothing at this path, and no such model: GET /models lists those that exist."
        return problems.answer(request, 404, detail)

    app.add_exception_handler(404, nothing_here)

    @app.get("/")
    @app.get("/models")
    async def models(response: Response) -> Models:
        """Every model with its version, the last day of its data and its health."""
        response.headers["Cache-Control"] = "no-store"
        entries = await asyncio.gather(*(_entry(name, client) for name, client in clients.items()))
        return Models(models=list(entries))

    @app.get("/livez", include_in_schema=False)
    @app.get("/readyz", include_in_schema=False)
    async def health() -> Health:
        return Health(status="ready")  # whatever the models are

    if store is not None:
        metrics = StoreMetrics(store)
        app.state.collectors = [metrics]
        watched = {**clients, **(shadows or {})}
        app.include_router(live.routes(watched, store, metrics, settings or Settings()))

    return app


async def _entry(name: str, client: httpx.AsyncClient) -> ModelEntry:
    links = {"self": f"/{name}/", "docs": f"/{name}/docs"}
    try:
        answer = await client.get(f"/{name}/", timeout=TIMEOUT)
        # An app that has no such route, or another idea of it, is none the worse for that.
        if answer.status_code >= 500:
            return ModelEntry(model=name, health="down", links=links)
        about = answer.json() if answer.is_success else {}
        known = {key: about[key] for key in ModelEntry.model_fields if key in about}
        return ModelEntry.model_validate({"links": links, **known, "model": name, "health": "ready"})
    except httpx.HTTPError:
        return ModelEntry(model=name, health="down", links=links)
    except (ValueError, TypeError):  # not JSON, or not ours
        return ModelEntry(model=name, health="ready", links=links)
