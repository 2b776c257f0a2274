"""The catalogue's background task: it keeps the models' forecasts, fetches observations, and scores.

Of several worker processes, the one that holds a lock on a file does this; the system releases the lock when
that process ends. Containers do not share this file. That does no harm: every step may be done twice.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx

from forecastle.catalogue import scoring, upload
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.store import forecasts, observations
from forecastle.catalogue.store.engine import Store, StoreError

PAUSE = 5  # seconds between two rounds
TIMEOUT = 2  # seconds within which a model must answer with its version
FETCH_SECONDS = 60

logger = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request otherwise


class Watch:
    """The background task.

    Args:
        clients: For each model a client of its app, which has its routes under `/<model>/...`.
        store: The store.
        metrics: The store's metrics, which it measures.
        url: The address of a CSV file of observations, as `upload.py` reads it; empty if none is fetched.
        every: Seconds between two fetches.
    """

    def __init__(
        self,
        clients: Mapping[str, httpx.AsyncClient],
        store: Store,
        metrics: StoreMetrics,
        url: str = "",
        every: float = 3600,
    ) -> None:
        self.clients = clients
        self.store = store
        self.metrics = metrics
        self.url, self.every = url, every
        self.next_fetch = 0.0
        self.kept: dict[str, str] = {}  # the version that is in the store, by model
        self.logged: dict[str, str] = {}  # the last failure by subject, to log it once
        self.wake = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, _: Any) -> AsyncIterator[None]:
        """A lifespan of the app, during which the task runs."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def once(self) -> None:
        """One round: keep the forecasts of all models, fetch observations if it is time, and score."""
        models = self.clients.items()
        await asyncio.gather(*(self._attempt(model, self._keep(model, client)) for model, client in models))
        if self.url and time.monotonic() >= self.next_fetch:
            self.next_fetch = time.monotonic() + self.every
            await self._attempt("OBSERVATIONS_URL", self._fetch())
        await self._attempt("scores", asyncio.to_thread(scoring.score, self.store))

    async def _run(self) -> None:
        name = f"forecastle-{hashlib.sha256(str(self.store.engine.url).encode()).hexdigest()[:16]}.lock"
        with contextlib.ExitStack() as stack:
            lock: IO[str] | None = None
            with contextlib.suppress(OSError):  # it may belong to another user
                lock = stack.enter_context(Path(tempfile.gettempdir(), name).open("w"))
            while True:
                self.wake.clear()
                try:
                    if lock is None or _held(lock):
                        await self.once()
                    await asyncio.to_thread(self.metrics.measure)
                except Exception:  # an error must not end the task
                    logger.exception("the catalogue's background task failed, and goes on")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), PAUSE)

    async def _attempt(self, subject: str, work: Awaitable[Any]) -> None:
        """Await the work, and log its failure unless it failed in the same way the last time."""
        failure = ""
        try:
            await work
        except (StoreError, forecasts.NotKeptError, upload.RowsError) as error:
            failure = f"{subject}: {error}"
            if isinstance(error, StoreError):
                self.kept.clear()  # an empty store may be there in its place when it is back
        if failure and failure != self.logged.get(subject):
            logger.warning("%s", failure)
        self.logged[subject] = failure

    async def _keep(self, model: str, client: httpx.AsyncClient) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):  # in all; httpx bounds each step alone
                version = (await client.get(f"/{model}/")).json()["version"]
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, KeyError):  # down, or of another kind
            return
        if version == self.kept.get(model):
            return
        if not await asyncio.to_thread(forecasts.is_kept, self.store, model, version):
            issue = await forecasts.ask(model, client)
            await asyncio.to_thread(forecasts.keep, self.store, issue, datetime.now(UTC))
            version = issue.version["version"]
        self.kept[model] = version

    async def _fetch(self) -> None:
        where = str(httpx.URL(self.url).copy_with(userinfo=b"", query=None))  # which may be secret
        try:
            content = await _fetched(self.url)
            reports = await asyncio.to_thread(upload.from_csv, content)
        except upload.RowsError:
            REJECTED.inc()
            raise
        now = datetime.now(UTC)
        receipt = await asyncio.to_thread(observations.receive, self.store, reports, where, now)
        RECEIVED.inc(receipt.received)
        logger.info("%s: %d rows, %d new, %d revised", where, receipt.received, receipt.new, receipt.revised)


async def _fetched(url: str) -> bytes:
    content = bytearray()
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=FETCH_SECONDS) as client,
            client.stream("GET", url) as response,
        ):
            if not response.is_success:
                raise upload.RowsError([("", f"the address answers {response.status_code}")])
            async for part in response.aiter_bytes():
                content += part
                if len(content) > upload.LARGEST:
                    raise upload.RowsError([("", upload.TOO_LARGE)])
    except httpx.HTTPError as error:
        raise upload.RowsError([("", f"the address does not answer ({type(error).__name__})")]) from None
    return bytes(content)


def _held(lock: IO[str]) -> bool:
    """Whether this process holds the lock, which it takes if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
