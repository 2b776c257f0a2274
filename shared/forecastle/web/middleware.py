"""What every app does with HTTP around its routes: HEAD, limits to bodies, other origins."""

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle.web import problems
from forecastle.web.settings import WebSettings

LONGEST_BODY = 64 * 1024  # bytes, as in nginx


def install(app: FastAPI, longest_body: int = LONGEST_BODY) -> None:
    """Add problems for errors, HEAD, a limit to bodies, and the web origins that `CORS_ORIGINS` allows.

    Args:
        app: The app.
        longest_body: The most bytes of a body.

    Raises:
        SettingsError: `CORS_ORIGINS` names no web origins.
    """
    problems.install(app)
    app.add_middleware(AnswerHead)
    app.add_middleware(LimitBody, longest=longest_body)
    if origins := WebSettings().cors_origins:
        # It always adds Origin to Vary, so that no cache gives the answer for one origin to another.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=("If-None-Match", "X-Request-ID", "traceparent"),
            expose_headers=("Content-Disposition", "ETag", "Link", "Retry-After", "X-Request-ID"),
        )


class AnswerHead:
    """ASGI middleware that answers HEAD as GET, which FastAPI does not; the server drops the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_as_head(message: Message) -> None:
            scope["method"] = "HEAD"  # the server looks at it to drop the body
            await send(message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope["method"], scope["is_head"] = "GET", True
            await self.app(scope, receive, send_as_head)
        else:
            await self.app(scope, receive, send)


class LimitBody:
    """ASGI middleware that refuses a body that is too long, before reading the rest of it.

    Args:
        app: The app.
        longest: The most bytes of a body.
    """

    def __init__(self, app: ASGIApp, longest: int) -> None:
        self.app = app
        self.longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":  # no route reads the body of a GET
            await self.app(scope, receive, send)
            return

        received = 0

        async def receive_no_more() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.longest:
                raise self._too_long()
            return message

        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self.longest:
            error = self._too_long()
            await problems.answer(Request(scope), error.status_code, error.detail)(scope, receive, send)
        else:
            await self.app(scope, receive_no_more, send)

    def _too_long(self) -> problems.ProblemError:
        return problems.ProblemError(413, f"The body is longer than {self.longest // 1024} KiB.")
