"""The local gateway, which `make run` starts: every model, under the routes of nginx.

It has no Docker, replicas or cache, but the same apps and answers. It serves at once: models without a
current artifact are trained meanwhile (`trainings.py`), and each answers as soon as it can (`slot.py`).
Until then, and if it cannot start, it answers 503 under its own routes.

    python -m forecastle.project.local_gateway [--port 8080] [--host 127.0.0.1] [--check] [--install]
        [--given MODEL]
"""

import argparse
import asyncio
import logging.config
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.project import compose
from forecastle.project.slot import Slot
from forecastle.project.trainings import Trainings
from forecastle.runtime import logs
from forecastle.runtime.monitoring import Monitoring
from forecastle.runtime.server import HttpProtocol
from forecastle.runtime.settings import ServerSettings
from forecastle.web.settings import SettingsError

LIVEZ = "/gateway/livez"
OWNER = re.compile("/+(?:v2/models/)?([^/]+)")  # the model of a path, unless it is the catalogue's
FORECAST = re.compile("/+[^/]+/+(?:[^/]+/+[^/]+/+)?forecast")
PAST = {b"as_of", b"known_at"}


class Gateway:
    """An ASGI app that hands `/<model>/...` to that model's app and all else to the catalogue.

    Args:
        apps: The models' apps by name.
        store: Where the catalogue keeps forecasts and observations, if anywhere.
        settings: The catalogue's.
        trainings: What is trained meanwhile.
    """

    def __init__(
        self,
        apps: Mapping[str, ASGIApp],
        store: Store | None = None,
        settings: Settings | None = None,
        trainings: Trainings | None = None,
    ) -> None:
        self.apps, self.trainings = apps, trainings
        self.slots = {name: app for name, app in apps.items() if isinstance(app, Slot)}
        self.models: dict[str, ASGIApp] = {
            name: app if isinstance(app, Slot) else Monitoring(app, model=name, prefix=f"/{name}")
            for name, app in apps.items()
        }
        clients = {
            name: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
            for name, app in self.models.items()
        }
        statuses = {name: slot.status for name, slot in self.slots.items()}
        about_all = create_catalogue(clients, store, settings, statuses=statuses)
        self.catalogue = Monitoring(about_all, model="catalogue")
        self.catalogue_lifespan = about_all.router.lifespan_context(about_all)
        self.keeps_forecasts = store is not None
        self.startup = Starlette(lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.startup(scope, receive, send)
        elif scope["path"] == LIVEZ:
            await Response('{"status":"ok"}\n', media_type="application/json")(scope, receive, send)
        else:
            await self._app(scope)(scope, receive, send)

    def _app(self, scope: Scope) -> ASGIApp:
        """The app that a request is for: nginx.conf has the same rules."""
        owner = OWNER.match(scope["path"])
        app = self.models.get(owner[1]) if owner else None
        if app is None or (self.keeps_forecasts and _of_the_past(scope)):
            return self.catalogue
        return app

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                if isinstance(app, Starlette):
                    await stack.enter_async_context(app.router.lifespan_context(app))
            await stack.enter_async_context(self.catalogue_lifespan)
            monitored = [app for app in self.models.values() if isinstance(app, Monitoring)]
            monitored.append(self.catalogue)
            for each in monitored:
                each.start()
            works = [slot.run() for slot in self.slots.values()]
            works += [self.trainings.run()] if self.trainings else []
            tasks = [asyncio.create_task(work) for work in works]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(asyncio.to_thread(each.stop) for each in monitored))


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C; exit code 1 and a line on stderr if that is impossible."""
    parser = argparse.ArgumentParser(prog="python -m forecastle.project.local_gateway")
    parser.add_argument("--port", default="8080")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--given", nargs="*", default=[], help="models that serve an artifact from elsewhere")
    parser.add_argument("--root", type=Path, default=compose.ROOT, help="the project; by default this one")
    parser.add_argument("--install", action="store_true", help="what trainings need, before the first begins")
    parser.add_argument("--check", action="store_true", help="only see whether the port is free")
    options = parser.parse_args(argv)
    listener = _listen(options.host, options.port)
    if options.check:
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup; else the terminal was closed
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything is answered
        _serve(options.root.resolve(), options.port, listener, options.given, install=options.install)
    print("stopped", file=sys.stderr)


def _serve(root: Path, port: str, listener: socket.socket, given: Sequence[str], *, install: bool) -> None:
    try:
        level, settings = ServerSettings().log_level or "warning", Settings()
        store = _store(settings, root)
    except (StoreError, SettingsError) as error:
        sys.exit(str(error))
    os.environ["GATEWAY_URL"] = url = f"http://localhost:{port}"
    scratch = root / ".cache/run" / port  # which no other process has
    shutil.rmtree(scratch, ignore_errors=True)
    models = compose.models(root)
    trained = [name for name in models if name not in given]
    trainings = Trainings(trained, scratch / "trainings", root, install=install)
    slots = {
        name: Slot(
            name, scratch / name, trainings, root, given=name in given, GATEWAY_URL=url, LOG_LEVEL=level
        )
        for name in models
    }
    print(f"\n{url}/ shows the forecasts; stop with Ctrl-C", file=sys.stderr)
    for name in models:
        print(f"{url}/{name}/docs", file=sys.stderr)
    config = logs.config(level)
    logging.config.dictConfig(config)
    server = uvicorn.Server(
        uvicorn.Config(
            Gateway(slots, store, settings, trainings),
            http=HttpProtocol,
            log_config=config,
            access_log=False,
            server_header=False,
        )
    )
    server.run(sockets=[listener])


def _store(settings: Settings, root: Path) -> Store:
    if settings.database_url:
        return Store(settings.database_url.get_secret_value())
    file = root / ".cache/store.sqlite"
    file.parent.mkdir(exist_ok=True)
    return Store(f"sqlite:///{file}")


def _of_the_past(scope: Scope) -> bool:
    """Whether the request is for a past forecast, which the catalogue keeps."""
    asked = scope["method"] in ("GET", "HEAD") and FORECAST.fullmatch(scope["path"])
    return bool(asked) and not PAST.isdisjoint(parse_qs(scope["query_string"]))


def _listen(host: str, port: str) -> socket.socket:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        sys.exit(f"PORT={port} is no port: choose a number from 1 to 65535")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
        listener.listen()  # two sockets may bind with SO_REUSEADDR, but not listen
    except OSError as error:
        sys.exit(f"port {port} cannot be used ({error.strerror}): choose another, make run PORT=8081 say")
    return listener


if __name__ == "__main__":
    main()
