"""The local gateway, which `make run` starts: every model, under the routes of nginx.

It has no Docker, replicas or cache, but the same apps and answers. Forecasts share its process; any other
model, and one with packages of its own, has a process of its own (`process.py`). A model that cannot start
answers 503 under its own routes; the others are served.

    python -m forecastle.project.local_gateway [--port 8080] [--host 127.0.0.1] [--check] [--given MODEL]
"""

import argparse
import asyncio
import importlib
import logging.config
import os
import re
import shutil
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import uvicorn
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.manifest import ArtifactError
from forecastle.project import compose, environment, pins
from forecastle.project import given as given_artifacts
from forecastle.project.environment import InstallError
from forecastle.project.process import FAILED, Process
from forecastle.project.train import served
from forecastle.runtime import logs
from forecastle.runtime.metrics import own_registry
from forecastle.runtime.monitoring import Monitoring
from forecastle.runtime.server import HttpProtocol
from forecastle.runtime.settings import ServerSettings
from forecastle.web import problems
from forecastle.web.settings import SettingsError

STORE = compose.ROOT / ".cache/store.sqlite"
LIVEZ = "/gateway/livez"
OWNER = re.compile("/+(?:v2/models/)?([^/]+)")  # the model of a path, unless it is the catalogue's
FORECAST = re.compile("/+[^/]+/+(?:countries/+[^/]+/+)?forecast")
PAST = {b"as_of", b"known_at"}
_own_metrics: dict[str, CollectorRegistry] = {}  # of the models that `load` has loaded, by name


class Gateway:
    """An ASGI app that hands `/<model>/...` to that model's app and all else to the catalogue.

    Args:
        apps: The models' apps by name.
        store: Where the catalogue keeps forecasts and observations, if anywhere.
        settings: The catalogue's.
    """

    def __init__(
        self, apps: dict[str, ASGIApp], store: Store | None = None, settings: Settings | None = None
    ) -> None:
        self.apps = apps
        self.processes = [app for app in apps.values() if isinstance(app, Process)]
        self.models: dict[str, ASGIApp] = {
            name: app
            if isinstance(app, Process)
            else Monitoring(app, model=name, prefix=f"/{name}", own=_own_metrics.get(name, REGISTRY))
            for name, app in apps.items()
        }
        clients = {
            name: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
            for name, app in self.models.items()
        }
        about_all = create_catalogue(clients, store, settings)
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
            for name, app in self.apps.items():
                if isinstance(app, Starlette):
                    try:
                        await stack.enter_async_context(app.router.lifespan_context(app))
                    except Exception:
                        print(f"{name} is not served: it fails to start", file=sys.stderr)
                        traceback.print_exc()
                        failed = Monitoring(_not_served, model=name, prefix=f"/{name}")
                        self.models[name] = failed
            await asyncio.gather(*(each.start() for each in self.processes))
            await stack.enter_async_context(self.catalogue_lifespan)
            monitored = [app for app in self.models.values() if isinstance(app, Monitoring)]
            monitored.append(self.catalogue)
            for each in monitored:
                each.start()
            yield
            stops = [each.stop for each in monitored] + [each.stop for each in self.processes]
            await asyncio.gather(*map(asyncio.to_thread, stops))


def load(folder: Path) -> ASGIApp:
    """`app` of a model's main.py, which is imported into this process.

    Its modules are removed again, and its metrics from prometheus_client's registry, since another model may
    have some of the same names.
    """
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        with own_registry() as _own_metrics[folder.name]:
            return importlib.import_module("main").app
    finally:
        sys.path.remove(str(folder))
        for name in sys.modules.keys() - known:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{folder}/"):
                del sys.modules[name]


def load_all(root: Path = compose.ROOT, given: Sequence[str] = (), **variables: str) -> dict[str, ASGIApp]:
    """The apps of all models by name; for one that cannot start, an app that says so.

    What is served of each is put together in `.cache/serving`, as it would be in an image.

    Args:
        root: The project.
        given: The models that are served with an artifact that was trained elsewhere (`given.py`).
        variables: Of the environment of models that have a process of their own.
    """
    apps: dict[str, ASGIApp] = {}
    serving = root / ".cache/serving"
    shutil.rmtree(serving, ignore_errors=True)
    for name in compose.models(root):
        folder, apps[name] = root / "models" / name, _not_served
        try:
            if name in given:
                artifact = given_artifacts.place(name, root)
            elif (folder / "train.py").is_file():
                artifact = folder / folders.ARTIFACT
            else:
                artifact = given_artifacts.own(name, root)
            kind = manifests.read(artifact).get("kind", manifests.FORECAST)
            served(folder, artifact, serving / name)
            python = environment.python(name, pins.SERVE, root)
            if kind == manifests.FORECAST and python == Path(sys.executable):
                apps[name] = load(serving / name)
            else:
                apps[name] = Process(name, serving / name, python, **variables)
        except (ArtifactError, InstallError) as error:
            print(f"{name} is not served: {error}", file=sys.stderr)
        except Exception:
            print(f"{name} is not served: its main.py fails\n{traceback.format_exc()}", file=sys.stderr)
    return apps


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C; exit code 1 and a line on stderr if that is impossible."""
    parser = argparse.ArgumentParser(prog="python -m forecastle.project.local_gateway")
    parser.add_argument("--port", default="8080")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--given", nargs="*", default=[], help="models that serve an artifact from elsewhere")
    parser.add_argument("--check", action="store_true", help="only see whether the port is free")
    options = parser.parse_args(argv)
    listener = _listen(options.host, options.port)
    if options.check:
        return
    try:
        level, settings = ServerSettings().log_level or "warning", Settings()
        store = _store(settings)
        gateway_url = f"http://localhost:{options.port}"
        os.environ["GATEWAY_URL"] = gateway_url
        apps = load_all(given=options.given, GATEWAY_URL=gateway_url, LOG_LEVEL=level)
    except (StoreError, SettingsError) as error:
        sys.exit(str(error))
    url = gateway_url
    print(f"\n{url}/ shows the forecasts; stop with Ctrl-C", file=sys.stderr)
    for name in apps:
        print(f"{url}/{name}/docs", file=sys.stderr)
    config = logs.config(level)
    logging.config.dictConfig(config)
    server = uvicorn.Server(
        uvicorn.Config(
            Gateway(apps, store, settings),
            http=HttpProtocol,
            log_config=config,
            access_log=False,
            server_header=False,
        )
    )
    with suppress(KeyboardInterrupt):  # uvicorn may raise it again once everything is answered
        server.run(sockets=[listener])
    print("stopped", file=sys.stderr)


async def _not_served(scope: Scope, receive: Receive, send: Send) -> None:
    await problems.answer(Request(scope), 503, FAILED)(scope, receive, send)


def _store(settings: Settings) -> Store:
    if settings.database_url:
        return Store(settings.database_url.get_secret_value())
    STORE.parent.mkdir(exist_ok=True)
    return Store(f"sqlite:///{STORE}")


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
