"""Answers of a model, computed once and kept: nothing that they depend on changes while it serves."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cachetools import LRUCache
from cachetools.keys import hashkey  # a tuple that hashes its members once
from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import forecastle
from forecastle.artifact import Artifact
from forecastle.runtime import tracing
from forecastle.web.documents import Document, cacheable

MOST_BYTES = 32 * 1024**2  # of the documents that are kept


def streamed(artifact: Artifact, *parameters: Any) -> dict[str, str]:
    """The headers of an answer that is sent while it is computed: its tag hashes all that it depends on."""
    depends = repr((artifact.manifest.manifest_sha256, _software(), parameters))
    return cacheable(hashlib.sha256(depends.encode()))


@cache
def _software() -> bytes:
    """A hash of the library, since what is computed from an artifact depends on both."""
    sources = sorted(Path(forecastle.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


class Kept(NamedTuple):
    """A document, the route that metrics name, and how many bytes both take."""

    document: Document
    route: Any
    size: int


class Documents:
    """The documents of a model, by request or by what they hold; the latest are kept, `MOST_BYTES` in all."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.kept: LRUCache[Any, Kept] = LRUCache(MOST_BYTES, lambda kept: kept.size)

    def get(self, representation: str, answer: Callable[..., Any], *arguments: Any) -> Document:
        """`answer(artifact, *arguments)`, in that representation; computed once."""
        key = hashkey(representation, answer, *arguments)
        if (kept := self.kept.get(key)) is not None:
            return kept.document
        document = self._rendered(representation, answer, *arguments)
        self.keep(key, document)
        return document

    def _rendered(self, representation: str, answer: Callable[..., Any], *arguments: Any) -> Document:
        with tracing.span(f"summarise {answer.__name__}"):
            return Document.rendered(answer(self.artifact, *arguments), representation)

    def keep(self, key: Any, document: Document, route: Any = None, size: int = 0) -> None:
        """Keep a document, unless it alone is too large; `size` is in bytes, of the key."""
        if (size := size + document.size) <= self.kept.maxsize:
            self.kept[key] = Kept(document, route, size)

    def answer(
        self, request: Request, representation: str, answer: Callable[..., Any], *arguments: Any
    ) -> Response:
        """The answer to a request: `answer(artifact, *arguments)` in that representation."""
        return self.respond(request, self._rendered(representation, answer, *arguments))

    def respond(self, request: Request, document: Document) -> Response:
        """The answer to a request with a document that `Repeated` keeps for the next such request."""
        request.scope["document"] = document
        return document.answer(request)


class Repeated:
    """ASGI middleware: a request that came before gets the same document at once.

    To find its route and to validate its parameters takes longer than all else. It is recognised by its path,
    its query and its `Accept`, which is all that a document depends on.
    """

    def __init__(self, app: ASGIApp, documents: Documents) -> None:
        self.app = app
        self.documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return

        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        request = (scope["path"], scope.get("root_path", ""), scope["query_string"], accept)
        if kept := self.documents.kept.get(request):
            scope["route"] = kept.route
            await kept.document.answer(Request(scope))(scope, receive, send)
            return
        await self.app(scope, receive, send)
        if document := scope.get("document"):
            self.documents.keep(request, document, scope["route"], sum(map(len, request)))
