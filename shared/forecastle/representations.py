"""Answers as they go over the wire: JSON, CSV or NDJSON, cached, and not sent again to who has them.

Any answer is JSON. One that is a table has rows as well, for CSV (the first one names the columns), and lines
for NDJSON, an object each.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from cachetools import LRUCache
from fastapi import Request, Response

from forecastle.artifact import Artifact

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "hubverse": "text/csv; charset=utf-8",
}
ACCEPTED = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
}
MOST_BYTES = 32 * 1024**2
# Short, so that a new version of a model is seen within 5 s; stale answers stand in while the model is down.
CACHE_CONTROL = "public, max-age=2, stale-while-revalidate=3, stale-if-error=86400"


class Table(Protocol):
    """An answer that is a table, too."""

    def table(self) -> Iterator[list[Any]]:
        """Rows, the columns' names first."""

    def lines(self) -> Iterator[dict[str, Any]]:
        """The items of its list, each with what tells them apart from those of other answers."""


class Document(NamedTuple):
    """An answer with its headers."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, body: bytes, media_type: str, next_page: str | None = None) -> Self:
        """With the headers of an answer that may be cached.

        Args:
            body: The answer.
            media_type: What it is.
            next_page: Where the list goes on.
        """
        headers = {**cacheable(hashlib.sha256(body)), "Content-Type": media_type}
        if next_page:
            headers["Link"] = f'<{next_page}>; rel="next"'
        return cls(body, headers)

    @property
    def size(self) -> int:
        """Bytes, and about as many as its headers and its key take."""
        return len(self.body) + 2000


def cacheable(digest: Any) -> dict[str, str]:
    """The headers of an answer that may be cached, with an entity tag out of a hash."""
    return {"ETag": f'"{digest.hexdigest()[:32]}"', "Cache-Control": CACHE_CONTROL, "Vary": "Accept"}


@cache
def _software() -> bytes:
    """A hash of the library, since what is computed from an artifact depends on both."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


def streamed(artifact: Artifact, *parameters: Any) -> dict[str, str]:
    """The headers of an answer that is sent while it is computed: its tag is that of what it depends on."""
    depends = repr((artifact.manifest["manifest_sha256"], _software(), parameters))
    return cacheable(hashlib.sha256(depends.encode()))


class Documents:
    """Answers of a model, each computed and serialised once: nothing that they depend on ever changes.

    The latest are kept, up to `MOST_BYTES` in all.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.kept: LRUCache[Any, Document] = LRUCache(MOST_BYTES, getsizeof=lambda document: document.size)

    def get(self, representation: str, answer: Callable[..., Any], *arguments: Any) -> Document:
        """`answer(artifact, *arguments)`, in that representation."""
        key = (representation, answer, arguments)
        document = self.kept.get(key)
        return document or self.keep(key, render(answer(self.artifact, *arguments), representation))

    def keep(self, key: Any, document: Document) -> Document:
        """Keep a document, unless it alone is too large."""
        if document.size <= self.kept.maxsize:
            self.kept[key] = document
        return document


def render(answer: Any, representation: str) -> Document:
    """An answer as JSON, CSV (also the hubverse's) or NDJSON."""
    media_type, next_page = MEDIA_TYPES[representation], getattr(answer, "links", {}).get("next")
    if representation == "json":
        return Document.of(answer.model_dump_json().encode(), media_type, next_page)
    if next_page:
        next_page += f"&format={representation}"
    rows = answer.lines() if representation == "ndjson" else answer.table()
    return Document.of(b"".join(encode(rows, representation)), media_type, next_page)


def encode(rows: Iterable[Any], representation: str) -> Iterator[bytes]:
    """Each row of CSV, or each line of NDJSON."""
    if representation == "ndjson":
        for row in rows:
            yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    else:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        yield text.getvalue().encode()


def respond(request: Request, document: Document) -> Response:
    """The document, or status 304 if the client has it already (`If-None-Match`)."""
    if is_known(request, document.headers["ETag"]):
        return not_modified(document.headers)
    return Response(document.body, headers=document.headers)


def not_modified(headers: dict[str, str]) -> Response:
    """Status 304, with what the headers say but the type of a body that is not there."""
    return Response(
        status_code=304, headers={name: value for name, value in headers.items() if name != "Content-Type"}
    )


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names the entity tag."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in known


def chosen(request: Request, asked: str | None) -> str:
    """The representation: what `format=` asks for, else what `Accept` likes best, else JSON."""
    if asked:
        return asked
    liked = dict.fromkeys(("csv", "ndjson", "json"), 0.0)  # the first of those that are liked as much
    for item in request.headers.get("accept", "").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if representation := ACCEPTED.get(media_type):
            weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
            try:
                liked[representation] = float(weights[0]) if weights else 1.0
            except ValueError:
                liked[representation] = 0.0
    best = max(liked, key=lambda representation: liked[representation])
    return best if liked[best] > 0 else "json"
