"""The models behind the gateway: their last answers, and whether they answer now."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import httpx

TIMEOUT = 2  # seconds after which a model counts as down
PAUSE = 5  # seconds between two requests to a model that has not answered yet


@dataclass(frozen=True)
class Answer:
    """A model's answer to a GET request.

    Attributes:
        health: Whether the model answers now.
        content: The JSON of its last answer; None if it never answered, or not in JSON.
        etag: The `ETag` of that answer.
    """

    health: Literal["ready", "down"]
    content: Any
    etag: str | None = None


class Upstream:
    """A model behind the gateway, and its last answers.

    Args:
        name: The model's name, with which its paths start.
        client: A client of its app.
    """

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self.name = name
        self.client = client
        self.known: dict[str, Answer] = {}

    async def get(self, path: str) -> Answer:
        """The model's answer at `path`. The model sends it again only if it has changed (`ETag`)."""
        known = self.known.get(path, Answer("down", None))
        try:
            async with asyncio.timeout(TIMEOUT):
                headers = {"If-None-Match": known.etag} if known.etag else {}
                response = await self.client.get(f"/{self.name}{path}", headers=headers)
        except (httpx.HTTPError, TimeoutError):
            return Answer("down", known.content)
        if response.status_code >= 500:
            return Answer("down", known.content)
        if response.status_code != 304:
            # A model without this route, or without JSON there, is ready nevertheless.
            known = Answer("ready", _json(response), response.headers.get("ETag"))
            self.known[path] = known
        return known


async def get_all(upstreams: Iterable[Upstream], path: str) -> list[Answer]:
    """The answers of all models at `path`, asked at the same time."""
    return await asyncio.gather(*(upstream.get(path) for upstream in upstreams))


async def ask_until_answered(upstreams: Iterable[Upstream], *paths: str) -> None:
    """Ask every model at these paths until it has answered once.

    So a model that goes down before its first visitor came is still described.
    """
    waiting = list(upstreams)
    while waiting:
        by_path = [await get_all(waiting, path) for path in paths]
        waiting = [
            upstream
            for upstream, answers in zip(waiting, zip(*by_path, strict=True), strict=True)
            if any(answer.health == "down" for answer in answers)  # it may come up between two paths
        ]
        await asyncio.sleep(PAUSE)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None
