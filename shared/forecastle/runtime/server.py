"""`python -m forecastle.runtime.server`: serve `app` of the main.py in the working directory, any ASGI app.

gunicorn's master imports the app once, so that a bad artifact stops the start with one line, and forks
workers that share its memory. Read from the environment:

| variable              | default                      | meaning                                     |
|-----------------------|------------------------------|---------------------------------------------|
| `MODEL`               | the artifact's or the folder | the model's name; after a slash, its prefix |
| `WORKERS`             | 1                            | worker processes                            |
| `LOG_LEVEL`           | info                         | debug, info, warning, error or critical     |
| `BIND`                | 0.0.0.0:8000                 | address and port to listen at               |
| `CORS_ORIGINS`        | none                         | web origins that may ask, or *; see service |
| `FORWARDED_ALLOW_IPS` | *                            | whose `X-Forwarded-Proto` and `-For` count  |
| `REVISION`            | unknown                      | the commit, which metrics tell              |
| `OTEL_*`              | no traces                    | see `tracing.py`                            |

Nothing is written but to the temporary folder and /dev/shm. On SIGTERM no new connection is accepted, so
every health check fails at once; what is being answered has `GRACEFUL_SECONDS` more, so stop containers no
sooner.

What is not HTTP, or has a URL of more than 8 KiB, never reaches the app: `HttpProtocol` answers it, in the
form of all other errors.
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
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

from forecastle.artifact import ArtifactError
from forecastle.runtime import logs
from forecastle.web import problems

GRACEFUL_SECONDS = 30
LONGEST_URL = 8192  # bytes, as in nginx

logger = logging.getLogger("forecastle.runtime.server")  # as __main__, too


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with problems for an answer to what it cannot pass on to the app."""

    url = b""

    def on_url(self, url: bytes) -> None:
        if len(self.url) <= LONGEST_URL:  # what goes beyond is not kept
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


class ForecastleWorker(UvicornWorker):
    """A gunicorn worker that runs uvicorn."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "uvloop",
        "http": HttpProtocol,
        "ws": "none",
        "server_header": False,
    }


class Server(BaseApplication):
    """gunicorn, configured here alone: it reads no command line and no file."""

    def __init__(self, app: ASGIApp, settings: dict[str, Any]) -> None:
        self.app = app
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> ASGIApp:
        return self.app


def main(load: Callable[[], ASGIApp] | None = None) -> None:
    """Serve until a signal says to stop; exit code 1 and an event in the log if that is impossible.

    Args:
        load: What makes the app, instead of main.py.
    """
    logging.config.dictConfig(logs.config(**_known_labels()))
    # prometheus_client looks for this when it is first imported, by `metrics` or by main.py.
    metrics, master = tempfile.mkdtemp(prefix="forecastle-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    try:
        _serve(load or load_app)
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        logger.critical(stop.code)
        sys.exit(1)
    except Exception:
        logger.critical("the server cannot start", exc_info=True)
        sys.exit(1)
    finally:
        if os.getpid() == master:  # workers pass here too when they end
            shutil.rmtree(metrics, ignore_errors=True)


def _serve(load: Callable[[], ASGIApp]) -> None:
    from forecastle.runtime import tracing
    from forecastle.runtime.metrics import keep_totals
    from forecastle.runtime.monitoring import Monitoring, artifact_of

    workers = os.environ.get("WORKERS") or "1"
    if not workers.isdecimal() or int(workers) < 1:
        sys.exit(f"WORKERS is {workers!r}: it must be a whole number from 1 on")
    try:
        level, _ = logs.level_from_environment("info"), tracing.wanted()
    except ValueError as error:
        sys.exit(str(error))
    logging.config.dictConfig(logs.config(level, **_known_labels()))
    logging.captureWarnings(True)

    started = time.time_ns()
    app = load()
    loaded = time.time_ns()
    artifact = artifact_of(app)
    model = os.environ.get("MODEL") or (artifact.model if artifact else Path.cwd().name)
    monitoring = Monitoring(app, model=model, prefix=f"/{model}")

    def post_worker_init(worker: Worker) -> None:
        monitoring.start()
        if monitoring.tracing and worker.age == 1:  # the master, which loaded, sends no spans
            monitoring.tracing.record("load", started, loaded)

    def worker_exit(_: Arbiter, __: Worker) -> None:
        monitoring.stop()

    def child_exit(_: Arbiter, worker: Worker) -> None:
        try:
            monitoring.metrics.restarts.inc()  # if it is not replaced, the server stops
            keep_totals(worker.pid)
        except Exception:  # it would stop the server
            logger.exception("the metrics of worker %s are lost", worker.pid)

    settings = {
        "bind": os.environ.get("BIND") or "0.0.0.0:8000",
        "workers": int(workers),
        "worker_class": ForecastleWorker,
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir(),
        "control_socket_disable": True,  # it would be a file in the home folder
        "forwarded_allow_ips": os.environ.get("FORWARDED_ALLOW_IPS") or "*",  # the gateway's address varies
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 75,  # longer than nginx keeps a connection idle, so that nginx is who closes it
        "loglevel": level,
        "logconfig_dict": logs.config(level, **monitoring.labels),
        "post_worker_init": post_worker_init,
        "worker_exit": worker_exit,
        "child_exit": child_exit,
    }
    Server(monitoring, settings).run()


def _known_labels() -> dict[str, str]:
    """What log lines say before the app is loaded."""
    return {"model": os.environ["MODEL"]} if os.environ.get("MODEL") else {}


def load_app() -> ASGIApp:
    """`app` of the main.py in the working directory."""
    path = Path("main.py").absolute()
    if not path.is_file():
        sys.exit(f"{path} is missing: it makes `app`, with create_app(artifact) or as any ASGI app")
    try:
        module = importlib.import_module("main")
    except ArtifactError as error:
        sys.exit(str(error))
    if not callable(app := getattr(module, "app", None)):
        sys.exit(f"{path} makes no `app`, such as create_app(artifact) or any ASGI app")
    return app


if __name__ == "__main__":
    main()
