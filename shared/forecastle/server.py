"""`python -m forecastle.server`: serve `app` of the main.py in the working directory, any ASGI app.

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

from forecastle import problems
from forecastle.artifact import ArtifactError

GRACEFUL_SECONDS = 30
LONGEST_URL = 8192  # bytes, as in nginx
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


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
    """Serve until a signal says to stop; exit code 1 and a line on stderr if that is impossible.

    Args:
        load: What makes the app, instead of main.py.
    """
    workers, level = os.environ.get("WORKERS") or "1", (os.environ.get("LOG_LEVEL") or "info").lower()
    if not workers.isdecimal() or int(workers) < 1:
        sys.exit(f"WORKERS is {workers!r}: it must be a whole number from 1 on")
    if level not in LOG_LEVELS:
        sys.exit(f"LOG_LEVEL is {level!r}: it must be one of {', '.join(LOG_LEVELS)}")

    # prometheus_client looks for this when it is first imported, by `monitoring` or by main.py.
    metrics, master = tempfile.mkdtemp(prefix="forecastle-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    try:
        _serve(load or load_app, int(workers), level)
    finally:
        if os.getpid() == master:  # workers pass here too when they end
            shutil.rmtree(metrics, ignore_errors=True)


def _serve(load: Callable[[], ASGIApp], workers: int, level: str) -> None:
    from forecastle import monitoring

    logging.config.dictConfig(monitoring.log_config(level))
    logging.captureWarnings(True)
    app = load()
    artifact = getattr(getattr(app, "state", None), "artifact", None)  # set by `create_app`
    model = os.environ.get("MODEL") or (artifact.model if artifact else Path.cwd().name)
    version = artifact.version if artifact else ""

    def child_exit(_: Arbiter, worker: Worker) -> None:
        try:
            monitoring.keep_totals(worker.pid)
        except Exception:  # it would stop the server
            logging.getLogger(__name__).exception("the metrics of worker %s are lost", worker.pid)

    settings = {
        "bind": os.environ.get("BIND") or "0.0.0.0:8000",
        "workers": workers,
        "worker_class": ForecastleWorker,
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir(),
        "control_socket_disable": True,  # it would be a file in the home folder
        "forwarded_allow_ips": os.environ.get("FORWARDED_ALLOW_IPS") or "*",  # the gateway's address varies
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": 75,  # longer than nginx keeps a connection idle, so that nginx is who closes it
        "loglevel": level,
        "logconfig_dict": monitoring.log_config(level, model=model, version=version),
        "child_exit": child_exit,
    }
    Server(monitoring.Monitoring(app, model=model, version=version, prefix=f"/{model}"), settings).run()


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
