"""The models behind the gateway, as the catalogue asks them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import httpx

TIMEOUT = 2  # seconds that a model may take before it counts as down
SECONDS_BETWEEN = 5  # two questions to a model that has not answered yet


@dataclass(frozen=True)
class Answer:
    """What a model says.

    Attributes:
        health: Whether it answers, now.
        content: Its JSON. While it is down, that of its last answer; None if there is none.
    """

    health: Literal["ready", "down"]
    content: Any
    etag: str | None = None


class Upstream:
    """A model, and what is known of it.

    Args:
        name: The model's, with which its paths start.
        client: What reaches its app.
    """

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self.name = name
        self.client = client
        self.known: dict[str, Answer] = {}

    async def get(self, path: str) -> Answer:
        """What the model answers at `path`, which is sent again only if it has changed (`ETag`)."""
        known = self.known.get(path, Answer("down", None))
        try:
            async with asyncio.timeout(TIMEOUT):
                headers = {"If-None-Match": known.etag} if known.etag else {}
                told = await self.client.get(f"/{self.name}{path}", headers=headers)
        except (httpx.HTTPError, TimeoutError):
            return Answer("down", known.content)
        if told.status_code >= 500:
            return Answer("down", known.content)
        if told.status_code != 304:
            # An app that has no such route, or another idea of it, is none the worse for that.
            known = Answer("ready", _json(told), told.headers.get("ETag"))
            self.known[path] = known
        return known


async def get_all(upstreams: Iterable[Upstream], path: str) -> list[Answer]:
    """What each of the models answers at `path`, asked at the same time."""
    return await asyncio.gather(*(upstream.get(path) for upstream in upstreams))


async def hear(upstreams: Iterable[Upstream], *paths: str) -> None:
    """Ask every model at these paths until it has answered once.

    So it is known what a model is that goes down before anybody else has asked.
    """
    waiting = list(upstreams)
    while waiting:
        told = [await get_all(waiting, path) for path in paths]
        waiting = [
            each
            for each, answers in zip(waiting, zip(*told, strict=True), strict=True)
            if any(answer.health == "down" for answer in answers)  # it may come up between two paths
        ]
        await asyncio.sleep(SECONDS_BETWEEN)


def _json(told: httpx.Response) -> Any:
    try:
        return told.json() if told.is_success else None
    except ValueError:
        return None
