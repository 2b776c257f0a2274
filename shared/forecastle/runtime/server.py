"""`python -m forecastle.runtime.server`: serve `app` of the main.py in the working directory, any ASGI app.

gunicorn's master imports the app once, so that a bad artifact stops the start with one line, and forks
workers that share its memory. It reads these variables:

| variable              | default                      | meaning                                            |
|-----------------------|------------------------------|----------------------------------------------------|
| `MODEL`               | the artifact's or the folder | the model's name; with a slash before it, a prefix |
| `WORKERS`             | 1                            | worker processes                                   |
| `LOG_LEVEL`           | info                         | debug, info, warning, error or critical            |
| `BIND`                | 0.0.0.0:8000                 | address and port to listen at                      |
| `CORS_ORIGINS`        | none                         | web origins whose pages may use the app, or *      |
| `FORWARDED_ALLOW_IPS` | *                            | peers whose `X-Forwarded-Proto` and `-For` count   |
| `REVISION`            | unknown                      | the commit, for metrics                            |
| `OTEL_*`              | no traces                    | see `tracing.py`                                   |

It writes to the temporary folder and /dev/shm alone. On SIGTERM it accepts no new connection, so health
checks fail at once. Answers under way have `GRACEFUL_SECONDS`: stop containers no sooner.

A request that is not HTTP, or has a URL of more than 8 KiB, never reaches the app: `HttpProtocol` answers it
with a problem.
"""

import importlib
import logging.config
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

from forecastle import manifest as manifests
from forecastle import sealing
from forecastle.artifact import ArtifactError
from forecastle.runtime import logs
from forecastle.runtime.settings import ServerSettings
from forecastle.web import problems
from forecastle.web.settings import SettingsError

GRACEFUL_SECONDS = 30
LONGEST_URL = 8192  # bytes, as in nginx

logger = logging.getLogger("forecastle.runtime.server")  # as __main__, too


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which answers with a problem what it cannot pass on to the app."""

    url = b""

    def __init__(self, config: Config, *arguments: Any, **more: Any) -> None:
        super().__init__(config, *arguments, **more)
        self.app = WithoutChunks(self.app)

    def on_url(self, url: bytes) -> None:
        if len(self.url) <= LONGEST_URL:  # a longer one is refused, so the rest of it need not be kept
            super().on_url(url)

    def on_headers_complete(self) -> None:
        if len(self.url) > LONGEST_URL:
            raise ValueError("the URL is too long")  # leads to `send_400_response`
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        status, detail = HTTPStatus.BAD_REQUEST, msg
        if len(self.url) > LONGEST_URL:
            status, detail = HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {LONGEST_URL} bytes."
        request_id = secrets.token_hex(16)
        headers = {"Connection": "close", "X-Request-ID": request_id}
        response = problems.response(status, detail, request_id=request_id, headers=headers)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()


class WithoutChunks:
    """ASGI middleware: a client of HTTP/1.0 knows no chunks, and gets an answer of unknown length whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["http_version"] != "1.0" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return

        start: Message | None = None
        body = bytearray()

        async def send_whole(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", ())}
                if b"content-length" not in names and message["status"] not in (204, 304):
                    start = message
                    return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                length = (b"content-length", str(len(body)).encode())
                others = [one for one in start.get("headers", ()) if one[0].lower() != b"transfer-encoding"]
                await send({**start, "headers": [*others, length]})
                await send({"type": "http.response.body", "body": bytes(body)})

        await self.app(scope, receive, send_whole)


class ForecastleWorker(UvicornWorker):
    """A gunicorn worker that runs uvicorn."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": HttpProtocol,
        "ws": "none",
        "server_header": False,
    }


class Server(BaseApplication):
    """gunicorn with these settings alone: it reads no command line and no file."""

    def __init__(self, app: ASGIApp, settings: dict[str, Any]) -> None:
        self.app = app
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> ASGIApp:
        return self.app


def main(load: Callable[[], ASGIApp] | None = None, model: str | None = None) -> None:
    """Serve until a signal says to stop; exit code 1 and an event in the log if that is impossible.

    Args:
        load: Makes the app, in place of main.py.
        model: The model's name, in place of `MODEL`.
    """
    model = model or os.environ.get("MODEL") or None
    labels = {"model": model} if model else {}  # of log lines before the app is loaded
    logging.config.dictConfig(logs.config(**labels))
    # prometheus_client looks for this at its first import, by `metrics` or by main.py.
    metrics, master = tempfile.mkdtemp(prefix="forecastle-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    try:
        _serve(load or load_app, labels)
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        logger.critical(stop.code)
        sys.exit(1)
    except Exception:
        logger.critical("the server cannot start", exc_info=True)
        sys.exit(1)
    finally:
        if os.getpid() == master:  # workers, too, come here when they end
            shutil.rmtree(metrics, ignore_errors=True)


def _serve(load: Callable[[], ASGIApp], labels: dict[str, str]) -> None:
    from forecastle.runtime.any_app import AnyApp
    from forecastle.runtime.metrics import keep_totals
    from forecastle.runtime.monitoring import Monitoring, artifact_of

    try:
        server = ServerSettings()
    except SettingsError as error:
        sys.exit(str(error))
    level = server.log_level or "info"
    logging.config.dictConfig(logs.config(level, **labels))
    logging.captureWarnings(True)

    started = time.time_ns()
    app, version = load(), ""
    loaded = time.time_ns()
    artifact = artifact_of(app)
    model = labels.get("model") or (artifact.model if artifact else Path.cwd().name)
    if load is load_app and not artifact:
        app = AnyApp(app, Path.cwd())
        version = app.manifest.version if app.manifest else ""
    monitoring = Monitoring(app, model=model, version=version, prefix=f"/{model}")

    def post_worker_init(worker: Worker) -> None:
        monitoring.start()
        if monitoring.tracing and worker.age == 1:  # for the master, which loaded the app but sends no spans
            monitoring.tracing.record("load", started, loaded)

    def worker_exit(_: Arbiter, __: Worker) -> None:
        monitoring.stop()

    def child_exit(_: Arbiter, worker: Worker) -> None:
        try:
            monitoring.metrics.restarts.inc()  # gunicorn replaces it, unless the server stops
            keep_totals(worker.pid)
        except Exception:  # or it would stop the server
            logger.exception("the metrics of worker %s are lost", worker.pid)

    settings = {
        "bind": server.bind,
        "workers": server.workers,
        "worker_class": ForecastleWorker,
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir(),
        "control_socket_disable": True,  # it is a file in the home folder
        "forwarded_allow_ips": server.forwarded_allow_ips,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 75,  # longer than nginx keeps a connection idle, so that nginx closes it
        "loglevel": level,
        "logconfig_dict": logs.config(level, **monitoring.labels),
        "post_worker_init": post_worker_init,
        "worker_exit": worker_exit,
        "child_exit": child_exit,
    }
    Server(monitoring, settings).run()


def load_app() -> ASGIApp:
    """`app` of the main.py in the working directory."""
    path, artifact = Path("main.py").absolute(), Path("artifact").absolute()
    if not path.is_file():
        sys.exit(f"{path} is missing: write one that makes `app`, by create_app(artifact) or any ASGI app")
    try:
        if (artifact / manifests.NAME).is_file():
            sealing.verified(artifact)  # before main.py loads any of it
        module = importlib.import_module("main")
    except ArtifactError as error:
        sys.exit(str(error))
    if not callable(app := getattr(module, "app", None)):
        sys.exit(f"{path} makes no `app`: let it make one, by create_app(artifact) or any ASGI app")
    return app


if __name__ == "__main__":
    main()
