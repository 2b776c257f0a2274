"""The middleware that the base image puts around any ASGI app: metrics, traces, request ids, problems.

It takes a request through `metrics.py`, `tracing.py` and `logs.py`.
"""

import asyncio
import logging
import random
import re
import time

from prometheus_client import REGISTRY, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle.artifact import Artifact
from forecastle.runtime import logs, tracing
from forecastle.runtime.metrics import Metrics, route_of
from forecastle.runtime.settings import TraceSettings
from forecastle.web import problems
from forecastle.web.prefix import HEADER, forwarded

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
BROKEN_ENCODING = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00")
UNTRACED = frozenset({"/metrics", "/livez", "/readyz"})  # asked every few seconds, by machines

logger = logging.getLogger(__name__)


class Monitoring:
    """ASGI middleware around any app.

    Every answer has `X-Request-ID`: the request's own if it is 1 to 128 letters, digits, dots, hyphens and
    underscores, else a new one. The app finds it in `request.state.request_id`. Every log line has it too,
    with the id of the trace, which the request's `traceparent` names or which begins here. An exception that
    the app does not handle is logged with its traceback and answered with a problem.

    Args:
        app: The app. If `create_app` made it, its artifact gives version and metrics.
        model: The model's name, for metrics, traces and logs.
        version: The version that is served, likewise; without it the artifact's.
        prefix: The path of the app at the gateway, such as `/deaths`. Paths with and without it lead to the
            same routes; with it `root_path` is set, so that links and Swagger UI keep it. So they keep what
            a proxy puts before all paths (`X-Forwarded-Prefix`).
        own: The registry of the app's own metrics.

    Raises:
        SettingsError: A variable cannot be used (`settings.py`).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        model: str,
        version: str = "",
        prefix: str = "",
        own: CollectorRegistry = REGISTRY,
    ) -> None:
        artifact = artifact_of(app)
        version = version or (artifact.version if artifact else "")
        self.app = app
        self.labels = {"model": model, "version": version}
        self.prefix = prefix
        self.metrics = Metrics(model, version, artifact, own)
        self.tracing = tracing.Tracing(self._app, model, version) if TraceSettings().traces_wanted else None
        self.active = 0
        self.next_note: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to answer requests in this process; a server that forks calls it in every worker."""
        self.metrics.workers.set(1)
        if self.tracing:
            self.tracing.start()

    def stop(self) -> None:
        """Write the last metrics and send the last spans, before the process ends."""
        self.metrics.note(self.active)
        if self.tracing:
            self.tracing.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        before = forwarded(scope)
        app, path = self.app, self._enter_prefix(scope, before)
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        request_id, parent = _ids(scope)
        trace_id = parent[1].decode() if parent else _new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        # Never reset: a server runs every request in a task of its own, and may log after this returns.
        logs.request.set({**self.labels, "request_id": request_id, "trace_id": trace_id})
        status = size = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
                if before:
                    message["headers"].append((b"vary", HEADER.encode()))
            elif method != "HEAD":
                size += len(message.get("body", b""))
            await send(message)

        if path == "/metrics":
            app = self._metrics
        elif b"%" in (raw_path := scope.get("raw_path") or b"") and BROKEN_ENCODING.search(raw_path):
            app = _bad_path
        elif self.tracing and path not in UNTRACED and self.tracing.samples(trace_id, parent):
            app = self.tracing
        started = time.perf_counter()
        self.active += 1
        if self.next_note is None:
            self._note_active()
        try:
            await app(scope, receive, send_with_id)
        except Exception:
            shown = logs.shortened(path, logs.LONGEST_LINE)
            logger.exception("unhandled exception in %s %s", method, shown)
            if not status:  # else the answer has begun, and the server notices if its end is missing
                failed = problems.answer(Request(scope), 500, problems.UNHANDLED)
                await failed(scope, receive, send_with_id)
        finally:
            self.active -= 1
            route = "/metrics" if path == "/metrics" else route_of(scope) or "unmatched"
            # 499: cut off without an answer
            self.metrics.count(method, route, status or 499, time.perf_counter() - started, size)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app of now: the local gateway may replace `self.app`."""
        await self.app(scope, receive, send)

    def _enter_prefix(self, scope: Scope, before: str) -> str:
        """The path within the app; `scope` gets what comes before it."""
        path: str = scope["path"]
        own = self.prefix if f"{path}/".startswith(f"{self.prefix}/") else ""
        if own and path == own:
            path += "/"
        if own or before:
            scope["root_path"], scope["path"] = before + own, before + path
        return path[len(own) :]

    def _note_active(self) -> None:
        """Write the metrics for other processes once a second: twice a request would be slow."""
        self.metrics.note(self.active)
        loop = asyncio.get_running_loop()
        self.next_note = loop.call_later(1, self._note_active) if self.active else None

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.metrics.note(self.active)
        body, media_type = self.metrics.exposition(
            Request(scope).headers.get("accept", ""),
            getattr(getattr(self.app, "state", None), "collectors", ()),
        )
        headers = {"Content-Type": media_type, "Cache-Control": "no-store"}
        await Response(body, headers=headers)(scope, receive, send)


def artifact_of(app: ASGIApp) -> Artifact | None:
    """The artifact of an app that `create_app` made; other apps have none."""
    return getattr(getattr(app, "state", None), "artifact", None)


def _ids(scope: Scope) -> tuple[str, re.Match[bytes] | None]:
    """The request's id, and the match of its `traceparent` if that is valid."""
    request_id = parent = None
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = REQUEST_ID.fullmatch(value) and value.decode()
        elif name == b"traceparent":
            parent = tracing.PARENT.fullmatch(value)
    return request_id or _new_id(), parent


def _new_id() -> str:
    """32 hexadecimal digits. They are no secret, and `secrets` would ask the system twice a request."""
    return f"{random.getrandbits(128):032x}"


async def _bad_path(scope: Scope, receive: Receive, send: Send) -> None:
    detail = "The path has a % that two hexadecimal digits do not follow, or %00."
    await problems.answer(Request(scope), 400, detail)(scope, receive, send)
