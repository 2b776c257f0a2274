"""What the base image adds to an app of any kind, where the app answers nothing itself.

| path             | answer                                                                         |
|------------------|--------------------------------------------------------------------------------|
| `/livez`         | the process answers                                                            |
| `/readyz`        | the artifact is verified; without that no app is started                       |
| `/manifest.json` | the artifact's manifest                                                        |
| `/card`          | a page of the manifest and README.md                                           |
| `/docs`          | Swagger UI of the app's `/openapi.json`, with nothing from elsewhere           |
| `/openapi.json`  | the app's OpenAPI document, if its framework has it elsewhere, as Litestar has |

A plain FastAPI app's own `/docs` loads from a CDN, which many networks do not reach: this one takes its
place. A path that no route of the app matches is a problem (RFC 9457), as at the gateway.
"""

import html
from pathlib import Path
from typing import Any

import fastapi_offline.core
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle.manifest import Sealed
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.markdown import POLICY, render
from forecastle.web.representations import MEDIA_TYPES

STATIC = "/static-offline-docs"
OPENAPI = "/openapi.json"
HEALTH = ("/livez", "/readyz")
# What frameworks leave in the scope: of every request, and of one that a route matched.
ROUTED = {"router", "litestar_app"}
MATCHED = {"route", "endpoint", "route_handler"}
NOTHING = "There is nothing at this path."
OTHER_METHOD = "This path does not take this method."
CARD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
th {{ text-align: left; font-weight: 600; padding: .2rem 1.5rem .2rem 0; vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<table>
{rows}
</table>
<section class="prose">
{prose}</section>
</body>
</html>
"""


class AnyApp:
    """ASGI middleware around an app that `create_app` did not make.

    Args:
        app: The app.
        folder: What is served: main.py, perhaps README.md, and `artifact/`.

    Raises:
        ArtifactError: The manifest cannot be read.
    """

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app = app
        self.state = getattr(app, "state", None)  # where metrics look for collectors
        self.manifest: Sealed | None = None
        self.documents: dict[str, Document] = {}
        path = folder / folders.ARTIFACT / manifests.NAME
        if path.is_file():
            self.manifest = Sealed.of(manifests.read(path.parent))
            self.documents["/manifest.json"] = Document.of(path.read_bytes(), MEDIA_TYPES["json"])
            card = Document.of(_card(self.manifest, folder).encode(), "text/html; charset=utf-8")
            card.headers["Content-Security-Policy"] = POLICY
            self.documents["/card"] = card
        self.static = StaticFiles(directory=Path(fastapi_offline.core.__file__).with_name("static"))
        # FastAPI's own pages load from a CDN.
        own = (app.docs_url, app.redoc_url) if isinstance(app, FastAPI) else ()
        self.replaced = {url for url in own if url}
        self.openapi = _openapi(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in self.replaced and scope["method"] in ("GET", "HEAD"):
            await self._docs(path, scope)(scope, receive, send)
            return
        instead: ASGIApp | None = None

        async def send_or_replace(message: Message) -> None:
            nonlocal instead
            if message["type"] == "http.response.start" and self._unhandled(path, message, scope):
                instead = self._own(path, message, scope)
            if instead is None:
                await send(message)

        await self.app(scope, receive, send_or_replace)
        if instead is not None:
            await instead(scope, receive, send)

    def _own(self, path: str, message: Message, scope: Scope) -> ASGIApp:
        """The answer to a request that the app has no route for."""
        request, status = Request(scope), message["status"]
        if scope["method"] in ("GET", "HEAD"):
            if path in HEALTH:
                word = "alive" if path == "/livez" else "ready"
                return JSONResponse({"status": word}, headers={"Cache-Control": "no-store"})
            if path in self.documents:
                return self.documents[path].answer(request)
            if path == OPENAPI and self.openapi != OPENAPI:
                return self._elsewhere
            if path == "/docs":
                return self._docs(path, scope)
            if path.startswith(f"{STATIC}/"):
                return self._static
        response = problems.answer(request, status, OTHER_METHOD if status == 405 else NOTHING)
        if allowed := Headers(raw=list(message.get("headers", ()))).get("allow"):
            response.headers["Allow"] = allowed
        return response

    def _docs(self, path: str, scope: Scope) -> ASGIApp:
        root = scope.get("root_path", "")
        docs = getattr(self.app, "docs_url", None) or "/docs"
        if path != docs:
            return RedirectResponse(f"{root}{docs}", 307)
        title = getattr(self.app, "title", None) or (self.manifest.title if self.manifest else "API")
        return get_swagger_ui_html(
            openapi_url=f"{root}{self.openapi}",
            title=title,
            swagger_js_url=f"{root}{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{STATIC}/favicon.png",
            swagger_ui_parameters=getattr(self.app, "swagger_ui_parameters", None),
        )

    def _unhandled(self, path: str, message: Message, scope: Scope) -> bool:
        """Whether this is the start of a framework's answer to a request that the app has no route for."""
        if message["status"] == 405:
            return True
        if message["status"] != 404:
            return False
        # An app that answers these by a 404 of its own, as one for every path, does not answer them.
        if path in (*HEALTH, "/docs", OPENAPI, *self.documents) or path.startswith(f"{STATIC}/"):
            return True
        if not MATCHED.isdisjoint(scope):
            return False
        # Starlette, FastAPI and Litestar say whether a route matched. Of others JSON is the app's own.
        media_type = Headers(raw=list(message.get("headers", ()))).get("content-type", "")
        return not ROUTED.isdisjoint(scope) or "json" not in media_type

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("root_path", "") + self.openapi
        await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    async def _static(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        await self.static({**scope, "root_path": root + STATIC}, receive, send)


def _openapi(app: ASGIApp) -> str:
    """Where an app has its OpenAPI document."""
    if isinstance(url := getattr(app, "openapi_url", None), str):  # FastAPI
        return url
    paths = [str(getattr(route, "path", "")) for route in getattr(app, "routes", ())]
    return next((path for path in paths if path.endswith(OPENAPI)), OPENAPI)  # Litestar's is below /schema


def _card(manifest: Sealed, folder: Path) -> str:
    facts: dict[str, Any] = {
        "Version": manifest.version,
        "Trained": f"{manifest.created:%d %B %Y, %H:%M} UTC, in {manifest.training_seconds:.0f} s",
        "With": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        "Sources (SHA-256)": manifest.sources,
        **{f"{name} (SHA-256)": value for name, value in manifest.files.items()},
    }
    rows = "\n".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(fact))}</td></tr>"
        for name, fact in facts.items()
    )
    readme = folder / "README.md"
    prose = render(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else ""
    return CARD.format(title=html.escape(manifest.title), rows=rows, prose=prose)
