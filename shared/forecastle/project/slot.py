"""A model's place at the local gateway, where the newest artifact in the model's folder is served.

It looks at the manifest once a second. A new artifact is loaded beside the one that is served, and takes its
place when it answers; one that cannot be served leaves the one before. A forecast shares the gateway's
process; any other model, and one with packages of its own, has a process of its own (`process.py`).
"""

import asyncio
import importlib
import os
import shutil
import sys
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle.catalogue.models import Status
from forecastle.manifest import ArtifactError
from forecastle.project import environment, pins
from forecastle.project import given as given_artifacts
from forecastle.project.compose import ROOT
from forecastle.project.environment import InstallError
from forecastle.project.process import RETRY_SECONDS, Process, StartError
from forecastle.project.train import served
from forecastle.project.trainings import Trainings
from forecastle.runtime.metrics import own_registry
from forecastle.runtime.monitoring import Monitoring
from forecastle.web import problems

POLL = 1  # seconds between two looks at the manifest
_loading = threading.Lock()

Stamp = tuple[int, int, int] | None  # of a manifest; None if there is none


class Slot:
    """An ASGI app: that of the newest artifact which could be served, or else a problem that says why not.

    Args:
        model: The model's name.
        scratch: A folder, on the file system of the artifacts, for what is served.
        trainings: Those that may replace the artifact.
        root: The project.
        given: Whether an artifact that was trained elsewhere is served in the place of the model's own.
        variables: Of the environment of a process of its own.
    """

    def __init__(
        self,
        model: str,
        scratch: Path,
        trainings: Trainings,
        root: Path = ROOT,
        *,
        given: bool = False,
        **variables: str,
    ) -> None:
        self.model, self.scratch, self.trainings, self.root = model, scratch, trainings, root
        self.variables = variables
        self.folder = root / "models" / model
        self.artifact = given_artifacts.place(model, root) if given else self.folder / folders.ARTIFACT
        self.needs_artifact = given or (self.folder / "train.py").is_file()
        self.app: ASGIApp | None = None
        self.failure = ""  # of the last attempt to serve
        self.attempts = 0
        self.opened = AsyncExitStack()  # closes the app
        self.oldest = self._stamp()
        self.closed = Monitoring(self._problem, model=model, prefix=f"/{model}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.app or self.closed)(scope, receive, send)

    def status(self) -> Status:
        """What happens to the model's artifact now."""
        trained = self.trainings.of(self.model)
        if trained.status:
            return trained
        if self.failure:
            return Status(status="failed", verdict=[self.failure])
        return Status() if self.app else Status(status="starting")

    async def run(self) -> None:
        """Serve, and look for a newer artifact, until this is cancelled."""
        tried: Stamp = None
        self.closed.start()
        try:
            while True:
                stamp = self._stamp()
                # Between two artifacts there is none for a moment.
                due = stamp != tried if stamp else not (self.needs_artifact or self.attempts)
                if due:
                    tried = stamp
                    await self._renew(stamp)
                await asyncio.sleep(POLL)
        finally:
            await self.opened.aclose()
            await asyncio.to_thread(self.closed.stop)

    def _stamp(self) -> Stamp:
        try:
            found = (self.artifact / manifests.NAME).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    async def _renew(self, stamp: Stamp) -> None:
        """Try to serve the artifact with this manifest."""
        opened = AsyncExitStack()
        self.failure = ""
        self.attempts += 1
        try:
            app = await opened.enter_async_context(self._open(self.scratch / str(self.attempts)))
        except Exception as error:
            if stamp == self._stamp():  # else it was replaced meanwhile, and the next look finds that
                self._failed(error)
        else:
            before, self.app, self.opened = self.opened, app, opened
            if stamp != self.oldest:
                self.trainings.replaced(self.model)
            try:
                await before.aclose()
            except Exception as error:  # which is not the new app's
                self.trainings.display.say("".join(traceback.format_exception(error)).rstrip())

    def _failed(self, error: Exception) -> None:
        self.failure = str(error)
        if not isinstance(error, ArtifactError | InstallError | StartError):
            self.trainings.display.say("".join(traceback.format_exception(error)).rstrip())
            self.failure = f"its main.py fails ({error!r})"
        words = "the one before is served" if self.app else "it is not served"
        self.trainings.display.say(f"{self.model}: {self.failure}; {words}")

    @asynccontextmanager
    async def _open(self, scratch: Path) -> AsyncIterator[ASGIApp]:
        """The app of the artifact as it is now; closed, it has answered and ends."""
        folder = scratch / self.model
        try:
            is_forecast = await asyncio.to_thread(self._put_together, folder, scratch / folders.ARTIFACT)
            python = await asyncio.to_thread(environment.python, self.model, pins.SERVE, self.root)
            if is_forecast and python == Path(sys.executable):
                async with self._in_this_process(folder) as app:
                    yield app
            else:
                process = Process(self.model, folder, python, **self.variables)
                try:
                    await process.start()
                    yield process
                finally:
                    await asyncio.to_thread(process.stop)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @asynccontextmanager
    async def _in_this_process(self, folder: Path) -> AsyncIterator[ASGIApp]:
        app, own = await asyncio.to_thread(load, folder)
        monitored = Monitoring(app, model=self.model, prefix=f"/{self.model}", own=own)
        async with AsyncExitStack() as stack:
            if isinstance(app, Starlette):
                await stack.enter_async_context(app.router.lifespan_context(app))
            monitored.start()
            yield monitored
            await asyncio.to_thread(monitored.stop)

    def _put_together(self, folder: Path, artifact: Path) -> bool:
        """What the model's image would hold, and whether that is a forecast.

        The artifact is one of its own, so that it stays whole when the model's is replaced.
        """
        found = self.artifact if self.needs_artifact else given_artifacts.own(self.model, self.root)
        shutil.copytree(found, artifact, copy_function=_linked)
        served(self.folder, artifact, folder)
        content = manifests.read(artifact)
        if content.get("model") != self.model:  # the folder has a new name since
            content["model"] = self.model
            (artifact / manifests.NAME).unlink()  # it is a link
            manifests.write_json(
                artifact / manifests.NAME, {**content, "manifest_sha256": manifests.digest(content)}
            )
        return content.get("kind", manifests.FORECAST) == manifests.FORECAST

    async def _problem(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = self.status()
        answer = problems.answer(
            Request(scope),
            503,
            _detail(self.model, status),
            training=status.model_dump(exclude_none=True),
        )
        if status.status != "failed":
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
        await answer(scope, receive, send)


def load(folder: Path) -> tuple[ASGIApp, CollectorRegistry]:
    """`app` of a model's main.py, which is imported into this process, and its own metrics.

    Its modules are removed again, and its metrics from prometheus_client's registry, since another model may
    have some of the same names.
    """
    with _loading, own_registry() as own:
        known = set(sys.modules)
        sys.path.insert(0, str(folder))
        try:
            return importlib.import_module("main").app, own
        finally:
            sys.path.remove(str(folder))
            for name in sys.modules.keys() - known:
                if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{folder}/"):
                    del sys.modules[name]


def _linked(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, destination)


def _detail(model: str, status: Status) -> str:
    progress = status.progress
    if status.status == "waiting":
        first = f"{progress.step} ({progress.seconds} s so far)" if progress else "training other models"
        return f"{model} has no artifact yet: {first} comes first."
    if status.status == "failed":
        return f"{model} is not served: {(status.verdict or [''])[-1].removeprefix(f'{model}: ')}"
    if progress is None:
        return f"{model} is starting: try again in a few seconds."
    done = "" if progress.fraction is None else f" {progress.fraction:.0%}"
    return f"{model} is being trained ({progress.step}{done}, {progress.seconds} s so far): try again later."
