"""The page for people, at the gateway's `/`: HTML, CSS and ES modules as they lie here, without a build step.

The files that the HTML names lie under an address with a hash of them all, so that browsers and the gateway
may keep them for good.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from forecastle.web.documents import KEEP, Document
from forecastle.web.prefix import forwarded

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ADDRESS = "/docs/page"  # no model can be called `docs`
# Nothing from elsewhere, nothing inline, and no text that becomes markup or code.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
FOR_GOOD = "public, max-age=31536000, immutable"


def routes() -> APIRouter:
    """The page, and what it loads."""
    folder = Path(__file__).parent
    assets = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in MEDIA_TYPES}
    digest = hashlib.sha256(b"".join(name.encode() + body for name, body in assets.items())).hexdigest()[:16]
    html = (folder / "index.html").read_text(encoding="utf-8")
    html = html.replace("{{assets}}", f"{{{{before}}}}{ADDRESS}/{digest}")

    @lru_cache(32)  # a client may choose what a path starts with
    def document(before: str) -> Document:
        the_page = Document.of(html.replace("{{before}}", before).encode(), "text/html; charset=utf-8")
        the_page.headers["Content-Security-Policy"] = POLICY
        return the_page

    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request) -> Response:
        return document(forwarded(request.scope)).answer(request)

    @router.get(f"{ADDRESS}/{{version}}/{{name}}")
    async def asset(version: str, name: str) -> Response:
        if version != digest or name not in assets:
            raise HTTPException(404)
        media_type = MEDIA_TYPES[Path(name).suffix]
        headers = {"Cache-Control": FOR_GOOD, **KEEP}
        return Response(assets[name], headers=headers, media_type=media_type)

    return router
