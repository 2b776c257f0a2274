"""A model that runs in a process of its own under `make run`, as it would in its container.

It has its own working directory and its own packages, so that neither its files nor what it imports can meet
another model's.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from forecastle.runtime.server import GRACEFUL_SECONDS
from forecastle.web import problems

START_SECONDS = 300  # after which a model that does not answer counts as failed; trainings may slow it
PAUSE = 0.1  # seconds between two looks at a model that starts
RETRY_SECONDS = 5
HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"trailer"}
FAILED = "This model could not start: the terminal of `make run` shows why."


class StartError(Exception):
    """A model's server cannot start; the message is one line."""


class Process:
    """An ASGI app that passes every request on to the server of a model, over a socket of its own.

    Args:
        model: The model's name.
        folder: What the model's image would hold: main.py, `artifact/` and what else is served.
        python: The interpreter that has its packages.
        variables: Of the environment, besides those that this process has.
    """

    def __init__(self, model: str, folder: Path, python: Path, **variables: str) -> None:
        self.model, self.folder, self.python, self.variables = model, folder, python, variables
        self.scratch = tempfile.TemporaryDirectory(prefix="forecastle-")
        self.address = Path(self.scratch.name, "socket")
        self.server: subprocess.Popen[bytes] | None = None
        transport = httpx.AsyncHTTPTransport(uds=str(self.address))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60)

    async def start(self) -> None:
        """Start the server, and wait until it is ready.

        Raises:
            StartError: Its server has ended, or is not ready after `START_SECONDS`.
        """
        environ = {**os.environ, **self.variables, "MODEL": self.model, "BIND": f"unix:{self.address}"}
        command = [str(self.python), "-m", "forecastle.runtime.server"]
        # In a session of its own, since Ctrl-C is for `make run`, which stops it when all is answered.
        self.server = subprocess.Popen(command, cwd=self.folder, env=environ, start_new_session=True)
        try:
            async with asyncio.timeout(START_SECONDS):
                while self.server.poll() is None and not await self._is_ready():
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            raise StartError(f"its server is not ready after {START_SECONDS} s") from None
        if self.server.poll() is not None:
            raise StartError("its server has ended, see above")

    def stop(self) -> None:
        """Stop the server when it has answered what it was asked."""
        if self.server and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(GRACEFUL_SECONDS + 5)
            except subprocess.TimeoutExpired:
                self.server.kill()
        self.scratch.cleanup()

    async def _is_ready(self) -> bool:
        try:
            return (await self.client.get("/readyz")).is_success
        except httpx.HTTPError:
            return False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw_path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        url = self.client.base_url.copy_with(raw_path=raw_path + (b"?" + query if query else b""))
        headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        try:
            content = _body(request) if has_body else None
            forwarded = httpx.Request(scope["method"], url, headers=headers, content=content)
            response = await self.client.send(forwarded, stream=True)
        except ClientDisconnect:
            return
        except httpx.HTTPError:
            detail = f"{self.model} does not answer at the moment: try again in a few seconds."
            if self.server is None or self.server.poll() is not None:
                detail = FAILED
            answer = problems.answer(request, 503, detail)
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
            await answer(scope, receive, send)
            return
        try:
            kept = [(name.lower(), value) for name, value in response.headers.raw]
            kept = [(name, value) for name, value in kept if name not in HOP_BY_HOP]
            await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk
