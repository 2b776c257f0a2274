"""What the base image puts around any ASGI app: metrics, request ids and JSON logs.

Metrics are Prometheus's, at `/metrics`, and right under several worker processes. prometheus_client keeps its
numbers in files of the folder that `PROMETHEUS_MULTIPROC_DIR` names (it must be set before
prometheus_client's first import: `server.py` does so), one set of files a process, and adds them up when they
are asked for. Without that variable one process is all there is.
"""

import asyncio
import fcntl
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle import problems

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
BROKEN_ENCODING = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00")

logger = logging.getLogger(__name__)
_request: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


class Monitoring:
    """ASGI middleware around any app.

    Every answer carries `X-Request-ID`: the request's own if it is 1 to 128 letters, digits, dots, hyphens
    and underscores, else a fresh one. The app finds it as `request.state.request_id`, and every log line has
    it. An exception that the app leaves unhandled is logged with its traceback and answered as a problem.

    Args:
        app: The app.
        model: Its model's name, for metrics and logs.
        version: The version of what it serves, for the same.
        prefix: The path under which the gateway has the app, such as `/deaths`. Paths with it and without it
            lead to the same routes; with it `root_path` is set, so that links and Swagger UI keep to it.
    """

    def __init__(self, app: ASGIApp, *, model: str, version: str = "", prefix: str = "") -> None:
        self.app = app
        self.labels = {"model": model, "version": version}
        self.prefix = prefix
        # Not the library's own registry, so that `make run` can have one of these around every model's app.
        self.registry = CollectorRegistry()
        self.durations = Histogram(
            "http_server_request_duration_seconds",
            "From the request's arrival to the end of its answer.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "http_server_active_requests",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        Gauge(
            "forecastle_build_info",
            "What is served; always 1.",
            list(self.labels),
            multiprocess_mode="livemax",
            registry=self.registry,
        ).labels(**self.labels).set(1)
        # `labels()` takes longer than all else here, so its results are kept; see `_route`.
        self.series: dict[tuple[str, str, int], Histogram] = {}
        self.active = 0
        self.next_note: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        app, path = self.app, self._enter_prefix(scope)
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        # Never reset: a server runs every request in a task of its own, and may log after this returns.
        _request.set({**self.labels, "request_id": request_id})
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        if path == "/metrics":
            app = self._metrics
        elif b"%" in (raw_path := scope.get("raw_path") or b"") and BROKEN_ENCODING.search(raw_path):
            app = _bad_path
        started = time.perf_counter()
        self.active += 1
        if self.next_note is None:
            self._note_active()
        try:
            await app(scope, receive, send_with_id)
        except Exception:
            logger.exception("unhandled exception in %s %s", method, path)
            if not status:  # else it is answered, or the server notices that the answer lacks its end
                failed = problems.answer(Request(scope), 500, problems.UNHANDLED)
                await failed(scope, receive, send_with_id)
        finally:
            self.active -= 1
            route = "/metrics" if path == "/metrics" else _route(scope)
            key = (method, route, status or 499)  # cut off without an answer
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = self.durations.labels(*key)
            series.observe(time.perf_counter() - started)

    def _enter_prefix(self, scope: Scope) -> str:
        path: str = scope["path"]
        if not self.prefix or not path.startswith(self.prefix):
            return path
        rest = path[len(self.prefix) :]
        if rest == "":
            scope["path"] = path = path + "/"
        elif rest[0] != "/":
            return path
        scope["root_path"] = self.prefix
        return path[len(self.prefix) :]

    def _note_active(self) -> None:
        """Write down for other processes how many: once a second, since twice a request would be dear."""
        self.in_flight.set(self.active)
        loop = asyncio.get_running_loop()
        self.next_note = loop.call_later(1, self._note_active) if self.active else None

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.in_flight.set(self.active)
        encode, content_type = choose_encoder(Request(scope).headers.get("accept", ""))
        registry = CollectorRegistry()
        if _folder():
            registry.register(AllProcesses())
        else:
            registry.register(self.registry)
            registry.register(REGISTRY)  # Python's, the process's and the app's own
        for collector in getattr(getattr(self.app, "state", None), "collectors", ()):
            registry.register(collector)
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        await Response(encode(registry), headers=headers)(scope, receive, send)


class AllProcesses:
    """A collector that adds up what the files of all processes say."""

    def collect(self) -> Iterable[Metric]:
        with _locked() as folder:
            # The file of a process that has just started may still be empty.
            return MultiProcessCollector.merge(
                [str(file) for file in folder.glob("*.db") if file.stat().st_size]
            )


def keep_totals(pid: int) -> None:
    """Add the totals of a worker that has ended to those of all that have, and remove its files.

    So files do not pile up while workers come and go, and no total ever falls. Gauges go with their worker.
    """
    with _locked() as folder:
        for file in folder.glob(f"*_{pid}.db"):
            kind = file.name.partition("_")[0]
            if kind != "gauge" and file.stat().st_size:  # counters, histograms and summaries are sums
                totals = MmapedDict(str(folder / f"{kind}_ended.db"))
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                    totals.write_value(key, totals.read_value(key)[0] + value, 0.0)
                totals.close()
            file.unlink()


@contextmanager
def _locked() -> Iterator[Path]:
    """The folder of the metrics' files, with no `keep_totals` and no scrape at the same time.

    A scrape amid a `keep_totals` would count a worker twice or not at all. The system drops the lock of a
    process that is killed.
    """
    folder = Path(_folder())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _folder() -> str:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return value.decode()
    return secrets.token_hex(16)


def _route(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that was taken; with the path itself there would be no end of series."""
    # FastAPI's route of an included router lacks the router's prefix; what it made of both lies deeper.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path_format", "unmatched")


async def _bad_path(scope: Scope, receive: Receive, send: Send) -> None:
    detail = "The path has a % that two hexadecimal digits do not follow, or %00."
    await problems.answer(Request(scope), 400, detail)(scope, receive, send)


class JsonFormatter(logging.Formatter):
    """One line of JSON an event, with the id of the request that it belongs to."""

    def __init__(self, **labels: str) -> None:
        super().__init__()
        self.labels = labels

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
            **self.labels,
            **(_request.get() or {}),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event)


def log_config(level: str = "info", **labels: str) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig`: JSON lines on stderr, also from gunicorn and uvicorn.

    Args:
        level: The least level that is logged.
        labels: What every line says besides, such as model and version.
    """
    # The two servers' loggers do not propagate, and uvicorn's worker takes its handlers from gunicorn's.
    servers = ("gunicorn.error", "uvicorn.error")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, **labels}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {
            name: {"level": level.upper(), "handlers": ["stderr"], "propagate": False} for name in servers
        },
    }
