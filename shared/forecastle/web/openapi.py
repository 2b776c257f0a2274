"""`/openapi.json` with an entity tag, which FastAPI's own lacks: the document is large and seldom changes."""

import json
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from forecastle.web.documents import Document


def install(app: FastAPI) -> None:
    """Let caches keep the app's `/openapi.json`, and send 304 to clients that have it."""

    @lru_cache(32)  # a client may choose what a path starts with
    def document(root_path: str) -> Document:
        return render({**app.openapi(), **servers(root_path)})

    async def openapi(request: Request) -> Response:
        return document(request.scope.get("root_path", "")).answer(request)

    replace(app, openapi)


def replace(app: FastAPI, answer: Callable[[Request], Awaitable[Response]]) -> None:
    """Answer `/openapi.json` with `answer` in place of FastAPI's own route."""
    assert app.openapi_url
    app.router.routes.insert(0, Route(app.openapi_url, answer))


def servers(root: str) -> dict[str, Any]:
    """The member of a document that says what all of its paths start with."""
    return {"servers": [{"url": root}]} if root else {}


def render(document: dict[str, Any]) -> Document:
    """An OpenAPI document as bytes."""
    return Document.of(json.dumps(document, separators=(",", ":")).encode(), "application/json")
