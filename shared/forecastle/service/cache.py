"""Answers of a model, computed once and kept: nothing that they depend on changes while it serves."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from cachetools import LRUCache
from cachetools.keys import hashkey  # a tuple that hashes its members once
from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

import forecastle
from forecastle.artifact import Artifact
from forecastle.runtime import tracing
from forecastle.web.documents import Document, cacheable

MOST_BYTES = 32 * 1024**2  # of the documents that are kept
MOST_REPEATED = 4 * 1024**2  # bytes, of the requests that are recognised


def streamed(artifact: Artifact, *parameters: Any) -> dict[str, str]:
    """The headers of an answer that is sent while it is computed: its tag hashes all that it depends on."""
    depends = repr((artifact.manifest.manifest_sha256, _software(), parameters))
    return cacheable(hashlib.sha256(depends.encode()))


@cache
def _software() -> bytes:
    """A hash of the library, since what is computed from an artifact depends on both."""
    sources = sorted(Path(forecastle.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


class Documents:
    """The documents of a model; the latest are kept, up to `MOST_BYTES` in all."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.kept: LRUCache[Any, Document] = LRUCache(MOST_BYTES, getsizeof=lambda document: document.size)

    def get(self, representation: str, answer: Callable[..., Any], *arguments: Any) -> Document:
        """`answer(artifact, *arguments)`, in that representation."""
        return self._get(hashkey(representation, answer, *arguments))

    def _get(self, key: Any) -> Document:
        if (document := self.kept.get(key)) is None:
            representation, answer, *arguments = key
            with tracing.span(f"summarise {answer.__name__}"):
                document = Document.rendered(answer(self.artifact, *arguments), representation)
            self.keep(key, document)
        return document

    def keep(self, key: Any, document: Document) -> None:
        """Keep a document, unless it alone is too large."""
        if document.size <= self.kept.maxsize:
            self.kept[key] = document

    def answer(
        self, request: Request, representation: str, answer: Callable[..., Any], *arguments: Any
    ) -> Response:
        """The answer to a request with what `get` gives."""
        key = hashkey(representation, answer, *arguments)
        return self.respond(request, key, self._get(key))

    def respond(self, request: Request, key: Any, document: Document) -> Response:
        """The answer to a request with a document that is kept under that key: see `Repeated`."""
        request.scope["document"] = key
        return document.answer(request)


class Repeated:
    """ASGI middleware: a request that came before gets the same document at once.

    To find its route and to validate its parameters takes longer than all else. It is recognised by its path,
    its query and its `Accept`, which is all that a document depends on.
    """

    def __init__(self, app: ASGIApp, documents: Documents) -> None:
        self.app = app
        self.documents = documents
        # By request the document's key and the route, which metrics name; and how many bytes that takes.
        self.known: LRUCache[Any, tuple[Any, Any, int]] = LRUCache(MOST_REPEATED, lambda found: found[2])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return

        path, query = scope["path"], scope["query_string"]
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        request = hashkey(path, scope.get("root_path", ""), query, accept)
        if found := self.known.get(request):
            key, scope["route"], _ = found
            document = self.documents.kept.get(key)
            if document is not None:
                await document.answer(Request(scope))(scope, receive, send)
                return
        await self.app(scope, receive, send)
        if "document" in scope:
            size = len(path) + len(query) + len(accept) + 1000
            self.known[request] = (scope["document"], scope["route"], size)
