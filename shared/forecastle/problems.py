"""Errors as RFC 9457 problems (`application/problem+json`), in words that say what to do about them.

`install(app)` makes any FastAPI app answer so; its own code raises `ProblemError` or FastAPI's
`HTTPException`.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
INFERENCE = re.compile("(/[^/]+)?/v2(/|$)")  # paths of the Open Inference Protocol
UNHANDLED = "The server failed. Its log has the reason, under this request's id."


class Problem(BaseModel):
    """An error in the form of RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What went wrong, in words.")
    instance: str | None = Field(None, description="The path that was asked for.")
    request_id: str | None = Field(None, description="What the server's log has this request under.")
    errors: list[dict[str, str]] | None = Field(None, description="What is wrong with which parameter.")
    near_matches: list[dict[str, str]] | None = Field(None, description="What may have been meant.")
    error: str | None = Field(
        None, description="The detail again, where clients of the Open Inference Protocol look for it."
    )


class ProblemError(HTTPException):
    """An HTTP error whose answer has further members, such as `near_matches`."""

    def __init__(self, status: int, detail: str, **members: Any) -> None:
        super().__init__(status, detail)
        self.members = members


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def response(
    status: int,
    detail: str,
    *,
    instance: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The answer that tells of a problem; members that are None are left out."""
    problem = {
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
        **members,
    }
    told = {name: value for name, value in problem.items() if value is not None}
    body = json.dumps(told, separators=(",", ":"))
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def answer(request: Request, status: int, detail: str, **others: Any) -> Response:
    """`response` with `instance` and `request_id` taken from the request."""
    instance = (request.scope.get("raw_path") or b"").decode("latin-1") or None
    request_id = getattr(request.state, "request_id", None)
    if INFERENCE.match(instance or ""):
        others["error"] = detail
    return response(status, detail, instance=instance, request_id=request_id, **others)


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem.

    Unhandled exceptions are raised on after their answer, for the middleware or the server to log.
    """

    async def http_error(request: Request, error: HTTPException) -> Response:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        detail = str(error.detail)
        if detail == _phrase(error.status_code):  # no more than the status says
            if error.status_code == 404:
                detail = f"There is nothing at {request.url.path}."
            elif error.status_code == 405:
                detail = f"{request.method} is not allowed here, only {allowed}."
        headers = {**(error.headers or {}), **({"Allow": allowed} if allowed else {})}
        members = getattr(error, "members", {})
        return answer(request, error.status_code, detail, headers=headers, **members)

    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"in": str(one["loc"][0]), "parameter": _parameter(one), "detail": _in_words(one)}
            for one in error.errors()
        ]
        return answer(request, 422, "; ".join(one["detail"] for one in errors), errors=errors)

    async def unhandled_error(request: Request, _: Exception) -> Response:
        return answer(request, 500, UNHANDLED)

    app.add_exception_handler(HTTPException, http_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid_request)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, unhandled_error)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _parameter(error: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in error["loc"][1:])


def _in_words(error: Mapping[str, Any]) -> str:
    parameter, message = _parameter(error), error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{parameter or 'the body'} is missing"
    if message.startswith("Input "):  # as all of Pydantic's messages about a value do
        return message.replace("Input", parameter or "the body", 1)
    return f"{parameter}: {message}" if parameter else message
