"""The catalogue: what the gateway answers of its own, about all models at once.

`create_catalogue` puts it together; every module here has the routes of one thing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline

from forecastle import problems
from forecastle.answers import Health
from forecastle.catalogue import inference, models, openapi, page
from forecastle.catalogue.upstreams import Upstream, hear
from forecastle.middleware import AnswerHead


def create_catalogue(clients: dict[str, httpx.AsyncClient]) -> FastAPI:
    """The app behind all paths of the gateway that are no model's.

    Args:
        clients: For each model what reaches its app, under whose `/<model>/...` the routes are.
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
        description="All forecast models behind this gateway. Each has documentation of its own, at "
        "`/<model>/docs`.",
    )
    app.add_middleware(AnswerHead)
    problems.install(app)
    app.add_exception_handler(404, _nothing_here)
    app.include_router(models.routes(upstreams))
    app.include_router(inference.routes(upstreams))
    openapi.install(app, upstreams)
    app.include_router(page.routes())

    @app.get("/livez", include_in_schema=False)
    @app.get("/readyz", include_in_schema=False)
    async def health() -> Health:
        return Health(status="ready")  # whatever the models are

    return app


async def _nothing_here(request: Request, _: Exception) -> Response:
    detail = "There is nothing at this path, and no such model: GET /models lists those that exist."
    return problems.answer(request, 404, detail)
