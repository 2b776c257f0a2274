"""The catalogue's app, put together by `create_catalogue`. The other modules have its routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline

import forecastle
from forecastle.catalogue import inference, models, openapi, page, past, routes, upload
from forecastle.catalogue.metrics import StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upstreams import Upstream, ask_until_answered
from forecastle.service.answers import Health
from forecastle.web import middleware, problems


def create_catalogue(
    clients: dict[str, httpx.AsyncClient],
    store: Store | None = None,
    settings: Settings | None = None,
    shadows: dict[str, httpx.AsyncClient] | None = None,
    statuses: models.Statuses | None = None,
) -> FastAPI:
    """The app behind all paths of the gateway that are no model's.

    Args:
        clients: For each model a client of its app, which has its routes under `/<model>/...`.
        store: The store of forecasts and counts; without one, neither is kept.
        settings: The settings for receiving observations.
        shadows: Clients of further models, whose forecasts are kept and scored, but not listed.
        statuses: For models that are trained here, by name, what happens to them now.
    """
    upstreams = [Upstream(name, client) for name, client in clients.items()]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        first_answers = asyncio.create_task(
            ask_until_answered(upstreams, "/", "/manifest.json", "/openapi.json")
        )
        yield
        first_answers.cancel()

    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        redirect_slashes=False,
        static_url="/docs/static",
        lifespan=lifespan,
        title="Forecastle",
        version=forecastle.__version__,
        description="All forecast models behind this gateway. Each has documentation of its own, at "
        "`/<model>/docs`.",
    )
    middleware.install(app, 2 * upload.LARGEST)  # POST /observations has its own limit, and words for it
    app.add_exception_handler(404, _nothing_here)
    app.include_router(models.routes(upstreams, statuses or {}))
    app.include_router(inference.routes(upstreams))
    openapi.install(app, upstreams)
    app.include_router(page.routes())

    @app.get("/livez", include_in_schema=False)
    @app.get("/readyz", include_in_schema=False)
    async def health() -> Health:
        return Health(status="ready")  # whether or not the models are

    if store is not None:
        metrics = StoreMetrics(store)
        app.state.collectors = [metrics]
        watched = {**clients, **(shadows or {})}
        app.include_router(routes.routes(watched, store, metrics, settings or Settings()))
        app.include_router(past.routes(clients, store))  # a shadow has no route

    return app


async def _nothing_here(request: Request, error: Exception) -> Response:
    if isinstance(error, problems.ProblemError):
        return problems.answer(request, 404, error.detail, **error.members)
    detail = "There is nothing at this path, and no such model: GET /models lists those that exist."
    if path := problems.without_slash(request):
        detail = f"There is nothing at this path; did you mean {path}?"
    return problems.answer(request, 404, detail)
