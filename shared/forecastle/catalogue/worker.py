"""What the catalogue does by itself: it keeps what models forecast, fetches counts, and scores.

With several workers one does so for all: who holds a lock on a file, which the system takes back from a
process that ends. Where there is none to hold, as between containers, no harm is done, since every step of it
can be done twice.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx

from forecastle.catalogue import scoring, upload
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.store import forecasts, observations
from forecastle.catalogue.store.engine import Store, StoreError

PAUSE = 5  # seconds between two looks at everything
TIMEOUT = 2  # seconds that a model may take to tell its version
FETCH_SECONDS = 60

logger = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # or there would be a line for every request


class Watch:
    """The task that runs beside the routes.

    Args:
        clients: For each model what reaches its app, under whose `/<model>/...` the routes are.
        store: Where things are kept.
        metrics: What tells Prometheus of it.
        url: Counts are fetched from there, in the columns of `rows.py`; empty if they are not.
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
        self.kept: dict[str, str] = {}  # versions by model
        self.trouble: dict[str, str] = {}  # what was logged last, so that it is logged once
        self.wake = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, _: Any) -> AsyncIterator[None]:
        """A lifespan during which it works."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def once(self) -> None:
        """One look at everything."""
        looks = (self._untroubled(model, self._keep(model, client)) for model, client in self.clients.items())
        await asyncio.gather(*looks)
        if self.url and time.monotonic() >= self.next_fetch:
            self.next_fetch = time.monotonic() + self.every
            await self._untroubled("OBSERVATIONS_URL", self._fetch())
        await self._untroubled("scores", asyncio.to_thread(scoring.score, self.store))

    async def _run(self) -> None:
        name = f"forecastle-{hashlib.sha256(str(self.store.engine.url).encode()).hexdigest()[:16]}.lock"
        with contextlib.ExitStack() as stack:
            lock: IO[str] | None = None
            with contextlib.suppress(OSError):  # another user's, say
                lock = stack.enter_context(Path(tempfile.gettempdir(), name).open("w"))
            while True:
                self.wake.clear()
                try:
                    if lock is None or _held(lock):
                        await self.once()
                    await asyncio.to_thread(self.metrics.measure)
                except Exception:  # or nothing would be kept any more
                    logger.exception("the catalogue's own work failed")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), PAUSE)

    async def _untroubled(self, subject: str, work: Any) -> None:
        """Log what keeps the work from being done, the first time."""
        trouble = ""
        try:
            await work
        except (StoreError, forecasts.NotKeptError, upload.RowsError) as error:
            trouble = f"{subject}: {error}"
            if isinstance(error, StoreError):
                self.kept.clear()  # it may be another one, and empty, when it is back
        if trouble and trouble != self.trouble.get(subject):
            logger.warning("%s", trouble)
        self.trouble[subject] = trouble

    async def _keep(self, model: str, client: httpx.AsyncClient) -> None:
        try:
            told = await client.get(f"/{model}/", timeout=TIMEOUT)
            version = told.json()["version"]
        except (httpx.HTTPError, ValueError, TypeError, KeyError):  # down, or of another kind
            return
        if version == self.kept.get(model):
            return
        if not await asyncio.to_thread(forecasts.is_kept, self.store, model, version):
            issue = await forecasts.ask(model, client)
            await asyncio.to_thread(forecasts.keep, self.store, issue, datetime.now(UTC))
            version = issue.version["version"]
        self.kept[model] = version

    async def _fetch(self) -> None:
        where = str(httpx.URL(self.url).copy_with(userinfo=b"", query=None))  # the rest may be secret
        try:
            content = await _fetched(self.url)
            read = await asyncio.to_thread(upload.from_csv, content)
        except upload.RowsError:
            REJECTED.inc()
            raise
        now = datetime.now(UTC)
        receipt = await asyncio.to_thread(observations.receive, self.store, read, where, now)
        RECEIVED.inc(receipt.received)
        logger.info("%s: %d rows, %d new, %d revised", where, receipt.received, receipt.new, receipt.revised)


async def _fetched(url: str) -> bytes:
    content = bytearray()
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=FETCH_SECONDS) as client,
            client.stream("GET", url) as told,
        ):
            if not told.is_success:
                raise upload.RowsError([("", f"the address answers {told.status_code}")])
            async for part in told.aiter_bytes():
                content += part
                if len(content) > upload.LARGEST:
                    raise upload.RowsError([("", upload.TOO_LARGE)])
    except httpx.HTTPError as error:
        raise upload.RowsError([("", f"the address does not answer ({type(error).__name__})")]) from None
    return bytes(content)


def _held(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
