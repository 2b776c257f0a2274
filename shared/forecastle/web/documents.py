"""Answers as they go over the wire, with an entity tag: a client that has one already gets a 304."""

import hashlib
from typing import Any, NamedTuple, Self

from fastapi import Request, Response

from forecastle.web.representations import MEDIA_TYPES, encode

# Short, so that a new version of a model is seen within 5 s; stale answers stand in while the model is down.
CACHE_CONTROL = "public, max-age=2, stale-while-revalidate=3, stale-if-error=86400"


class Document(NamedTuple):
    """An answer with its headers, which stay as they are."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, body: bytes, media_type: str, **headers: str) -> Self:
        """With the headers of an answer that may be cached."""
        return cls(body, {**cacheable(hashlib.sha256(body)), "Content-Type": media_type, **headers})

    @classmethod
    def rendered(cls, told: Any, representation: str) -> Self:
        """An answer as JSON, CSV or NDJSON; a page of a list says in `Link` where the next one is."""
        headers = {}
        if next_page := getattr(told, "links", {}).get("next"):
            asked = "" if representation == "json" else f"&format={representation}"
            headers["Link"] = f'<{next_page}{asked}>; rel="next"'
        return cls.of(encode(told, representation), MEDIA_TYPES[representation], **headers)

    @property
    def size(self) -> int:
        """Bytes, and about as many as its headers and its key take."""
        return len(self.body) + 2000

    def answer(self, request: Request) -> Response:
        """The document, or status 304 if the client has it already (`If-None-Match`)."""
        if is_known(request, self.headers["ETag"]):
            return not_modified(self.headers)
        return Response(self.body, headers=self.headers)


def cacheable(digest: Any) -> dict[str, str]:
    """The headers of an answer that may be cached, with an entity tag out of a hash."""
    return {"ETag": f'"{digest.hexdigest()[:32]}"', "Cache-Control": CACHE_CONTROL, "Vary": "Accept"}


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names the entity tag."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in known


def not_modified(headers: dict[str, str]) -> Response:
    """Status 304, with what the headers say but the type of a body that is not there."""
    return Response(
        status_code=304, headers={name: value for name, value in headers.items() if name != "Content-Type"}
    )
