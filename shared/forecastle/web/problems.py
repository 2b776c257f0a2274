"""Errors as RFC 9457 problems (`application/problem+json`), in words that say what to do about them.

`install(app)` makes any FastAPI app answer so; its own code raises `ProblemError` or FastAPI's
`HTTPException`. The `type` of a problem is a path on the same host, under which every app and so the gateway
too has a page about it: see `problem_types.py`.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from forecastle.web import problem_types

MEDIA_TYPE = "application/problem+json"
INFERENCE = re.compile("(/[^/]+)?/v2(/|$)")  # paths of the Open Inference Protocol
UNHANDLED = "The server failed. Its log has the reason, under this request's id."


class Problem(BaseModel):
    """An error in the form of RFC 9457."""

    type: str = Field(
        description="Where its kind is explained, on the same host.",
        examples=["/docs/problems/invalid-request"],
    )
    title: str = Field(description="Its kind in few words.", examples=["Unprocessable Content"])
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
    """An HTTP error that is of a kind of its own, or whose answer has further members.

    Args:
        status: The HTTP status.
        detail: What went wrong, in words.
        type: A name in `problem_types.TYPES`; without it that of the status.
        members: Such as `near_matches`.
    """

    def __init__(self, status: int, detail: str, *, type: str | None = None, **members: Any) -> None:
        super().__init__(status, detail)
        self.members = {"type": type, **members}


class InvalidValue(ProblemError):
    """A value of a query parameter or of a body that the model cannot do with: status 422.

    Args:
        parameter: Its name, after which `words` say what it must be.
        words: Such as "must be a day from ... to ...".
        where: "query" or "body".
        members: Such as `near_matches`.
    """

    def __init__(self, parameter: str, words: str, where: str = "query", **members: Any) -> None:
        self.parameter, self.words, self.others = parameter, words, members
        detail = f"{parameter} {words}"
        self.errors = [{"in": where, "parameter": parameter, "detail": detail}]
        super().__init__(422, detail, errors=self.errors, **members)

    def in_body(self, path: str = "") -> Self:
        """The same error about a member of a body that lies at that path in it."""
        return type(self)(path + self.parameter, self.words, "body", **self.others)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems, in an app with `install`."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def response(
    status: int,
    detail: str,
    *,
    type: str | None = None,
    instance: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The answer that tells of a problem; members that are None are left out."""
    kind = type or problem_types.of_status(status)
    problem = {
        "type": problem_types.uri(kind),
        "title": problem_types.TYPES[kind].title if kind else _phrase(status),
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
    """Make the app answer every error as a problem, explain them, and name them in its OpenAPI document.

    OPTIONS is answered with the methods that a path has. Unhandled exceptions are raised on after their
    answer, for the middleware or the server to log.
    """

    async def http_error(request: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        if detail == _phrase(error.status_code):  # no more than the status says
            if error.status_code == 405:
                return _other_method(request)
            if error.status_code == 404:
                detail = f"There is nothing at {request.url.path}."
        return answer(
            request, error.status_code, detail, headers=error.headers, **getattr(error, "members", {})
        )

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
    app.include_router(problem_types.router)
    _document(app)


def _document(app: FastAPI) -> None:
    """Name the schema of problems where the OpenAPI document has FastAPI's own of invalid requests."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                responses = operation["responses"]
                if "HTTPValidationError" in str(responses.get("422")):
                    responses["422"] = documented(422)[422]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _other_method(request: Request) -> Response:
    """The answer to a method that no route of the path has."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]  # those take any
    allowed = {
        method
        for method in map(str, HTTPMethod)
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    } or {"GET"}  # in a mount are static files
    allowed |= {"HEAD", "OPTIONS"} if "GET" in allowed else {"OPTIONS"}
    headers = {"Allow": ", ".join(sorted(allowed))}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    detail = f"{request.method} is not allowed here, only {headers['Allow']}."
    return answer(request, 405, detail, headers=headers)


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
