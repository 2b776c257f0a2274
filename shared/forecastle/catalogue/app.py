"""The catalogue: what the gateway answers of its own, about all models at once.

`create_catalogue` puts it together; every module here has the routes of one thing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline

import forecastle
from forecastle.catalogue import inference, models, openapi, page, routes, upload
from forecastle.catalogue.metrics import StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upstreams import Upstream, hear
from forecastle.service.answers import Health
from forecastle.web import middleware, problems


def create_catalogue(
    clients: dict[str, httpx.AsyncClient],
    store: Store | None = None,
    settings: Settings | None = None,
    shadows: dict[str, httpx.AsyncClient] | None = None,
) -> FastAPI:
    """The app behind all paths of the gateway that are no model's.

    Args:
        clients: For each model what reaches its app, under whose `/<model>/...` the routes are.
        store: Where forecasts and counts are kept; without one neither is.
        settings: Of what the store receives.
        shadows: What reaches models that are not listed, but kept and scored as they are.
    """
    upstreams = [Upstream(name, client) for name, client in clients.items()]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        hearing = asyncio.create_task(hear(upstreams, "/", "/openapi.json"))
        yield
        hearing.cancel()

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
    middleware.install(app, 2 * upload.LARGEST)  # what takes counts says itself what is too long
    app.add_exception_handler(404, _nothing_here)
    app.include_router(models.routes(upstreams))
    app.include_router(inference.routes(upstreams))
    openapi.install(app, upstreams)
    app.include_router(page.routes())

    @app.get("/livez", include_in_schema=False)
    @app.get("/readyz", include_in_schema=False)
    async def health() -> Health:
        return Health(status="ready")  # whatever the models are

    if store is not None:
        metrics = StoreMetrics(store)
        app.state.collectors = [metrics]
        watched = {**clients, **(shadows or {})}
        app.include_router(routes.routes(watched, store, metrics, settings or Settings()))

    return app


async def _nothing_here(request: Request, _: Exception) -> Response:
    detail = "There is nothing at this path, and no such model: GET /models lists those that exist."
    if path := problems.without_slash(request):
        detail = f"There is nothing at this path; did you mean {path}?"
    return problems.answer(request, 404, detail)
