"""Answers as bytes with an entity tag: a client that already has the answer gets a 304."""

import hashlib
from typing import Any, NamedTuple, Self

from fastapi import Request, Response

from forecastle.web.representations import MEDIA_TYPES, encode

# Short: clients see a new version of a model within 5 s. Stale answers stand in while the model is down.
CACHE_CONTROL = "public, max-age=2, stale-while-revalidate=3, stale-if-error=86400"
# An answer with this depends on path and query alone, on `X-Forwarded-Prefix`, and on which representation
# `Accept` chooses: not on the host, for one. The gateway's cache keeps no others.
KEEP = {"X-Gateway-Keep": "yes"}


class Document(NamedTuple):
    """An answer that does not change: its body and its headers."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, body: bytes, media_type: str, **headers: str) -> Self:
        """A document that caches may keep; `headers` are further ones."""
        return cls(body, {**cacheable(hashlib.sha256(body)), "Content-Type": media_type, **headers})

    @classmethod
    def rendered(cls, answer: Any, representation: str) -> Self:
        """An answer as JSON, CSV or NDJSON (see `encode`); one page of a list links to the next in `Link`."""
        headers = {}
        if next_page := getattr(answer, "links", {}).get("next"):
            format_parameter = "" if representation == "json" else f"&format={representation}"
            headers["Link"] = f'<{next_page}{format_parameter}>; rel="next"'
        return cls.of(encode(answer, representation), MEDIA_TYPES[representation], **headers)

    @property
    def size(self) -> int:
        """Bytes in memory: the body's, and about 2000 for headers and cache key."""
        return len(self.body) + 2000

    def answer(self, request: Request) -> Response:
        """The document, or status 304 if the client has it already (`If-None-Match`)."""
        if is_known(request, self.headers["ETag"]):
            return not_modified(self.headers)
        return Response(self.body, headers=self.headers)


def cacheable(digest: Any) -> dict[str, str]:
    """The headers of an answer that caches may keep; `digest` is a hash of what the answer depends on."""
    return {"ETag": f'"{digest.hexdigest()[:32]}"', "Cache-Control": CACHE_CONTROL, "Vary": "Accept", **KEEP}


def is_known(request: Request, etag: str) -> bool:
    """Whether the client already has the answer with this entity tag (`If-None-Match`)."""
    headers = request.scope["headers"]
    known = next((value for name, value in headers if name == b"if-none-match"), b"").decode("latin-1")
    return known.strip() == "*" or etag in known


def not_modified(headers: dict[str, str]) -> Response:
    """Status 304, with the headers of the answer that are not about its body."""
    return Response(
        status_code=304, headers={name: value for name, value in headers.items() if name != "Content-Type"}
    )
