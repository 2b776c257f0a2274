"""The Open Inference Protocol of the gateway as a whole: the server's metadata, its health and its models.

A model's own routes, `/v2/models/<model>/...`, lead to that model (`forecastle/service/inference.py`).
"""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from forecastle.catalogue.upstreams import Answer, Upstream, get_all
from forecastle.service.inference import EXTENSIONS, IndexEntry, IndexQuery, Live, Ready, ServerMetadata
from forecastle.service.tensors import BinaryTensors
from forecastle.web.problems import ProblemError, documented


class GatewayMetadata(ServerMetadata):
    """The server's metadata."""

    models: list[str] = Field(description="All models, an extension of the protocol.", examples=[["deaths"]])


class InferenceModelList(BaseModel):
    """All models, as in the repository index."""

    models: list[IndexEntry]


def routes(upstreams: Sequence[Upstream]) -> APIRouter:
    """The routes of the protocol that are not about a single model."""
    router = APIRouter(prefix="/v2", tags=["inference"], route_class=BinaryTensors)

    async def index() -> list[IndexEntry]:
        answers = await asyncio.gather(*(each.get(f"/v2/models/{each.name}") for each in upstreams))
        return [_entry(each.name, answer) for each, answer in zip(upstreams, answers, strict=True)]

    @router.get("", operation_id="get_server_metadata")
    async def server_metadata(request: Request) -> GatewayMetadata:
        """The server's metadata, and its models."""
        names = [upstream.name for upstream in upstreams]
        version = request.app.version
        return GatewayMetadata(name="forecastle", version=version, extensions=EXTENSIONS, models=names)

    @router.get("/health/live", operation_id="get_server_live")
    async def server_live(response: Response) -> Live:
        """The gateway answers."""
        response.headers["Cache-Control"] = "no-store"
        return Live(live=True)

    @router.get("/health/ready", operation_id="get_server_ready", responses=documented(503))
    async def server_ready(response: Response) -> Ready:
        """All models are ready; 503 says which are not."""
        response.headers["Cache-Control"] = "no-store"
        answers = await get_all(upstreams, "/readyz")
        down = [each.name for each, answer in zip(upstreams, answers, strict=True) if answer.health == "down"]
        if down:
            raise ProblemError(503, f"not ready: {', '.join(down)}", ready=False)
        return Ready(ready=True)

    @router.get("/models", operation_id="get_inference_models")
    async def inference_models(response: Response) -> InferenceModelList:
        """All models, an extension of the protocol."""
        response.headers["Cache-Control"] = "no-store"
        return InferenceModelList(models=await index())

    @router.post(
        "/repository/index", operation_id="post_repository_index", responses=documented(400, 413, 415, 422)
    )
    async def repository_index(query: IndexQuery | None = None) -> list[IndexEntry]:
        """All models, as Triton's clients ask for them."""
        only_ready = query is not None and query.ready
        return [entry for entry in await index() if entry.state == "READY" or not only_ready]

    return router


def _entry(name: str, answer: Answer) -> IndexEntry:
    versions = answer.content.get("versions") if isinstance(answer.content, dict) else None
    version = str(versions[-1]) if isinstance(versions, list) and versions else ""
    if answer.health == "down":
        return IndexEntry(name=name, version=version, state="UNAVAILABLE", reason="it does not answer")
    if not version:
        reason = "it does not know this protocol"
        return IndexEntry(name=name, version="", state="UNAVAILABLE", reason=reason)
    return IndexEntry(name=name, version=version, state="READY", reason="")
