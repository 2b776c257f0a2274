"""Errors as RFC 9457 problems (`application/problem+json`), in words that say what to do about them.

`install(app)` makes any FastAPI app answer so; its own code raises `ProblemError` or FastAPI's
`HTTPException`. The `type` of a problem is a path on the same host, where `problem_pages.py` explains it; the
types are in `problem_types.py`.
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
from starlette.routing import BaseRoute, Match, Mount

from forecastle.web import prefix, problem_pages, problem_types

MEDIA_TYPE = "application/problem+json"
INFERENCE = re.compile("(/[^/]+)?/v2(/|$)")  # paths of the Open Inference Protocol
UNHANDLED = "The server failed. Its log has the reason: search it for this request_id."


class Problem(BaseModel):
    """An error in the form of RFC 9457."""

    type: str = Field(
        description="A page about this type of problem, on the same host.",
        examples=["/docs/problems/invalid-request"],
    )
    title: str = Field(description="The type in a few words.", examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What went wrong here.")
    instance: str | None = Field(None, description="The path of the request.")
    request_id: str | None = Field(None, description="The id of this request in the server's log.")
    errors: list[dict[str, str]] | None = Field(None, description="What is wrong with each parameter.")
    near_matches: list[dict[str, str]] | None = Field(None, description="Values that may be meant.")
    error: str | None = Field(
        None, description="The detail again, where clients of the Open Inference Protocol look for it."
    )


class ProblemError(HTTPException):
    """An HTTP error with a type of its own, or with further members in its answer.

    Args:
        status: The HTTP status.
        detail: What went wrong here.
        type: A name in `problem_types.TYPES`; by default the type of the status.
        members: Further members of the answer, such as `near_matches`.
    """

    def __init__(self, status: int, detail: str, *, type: str | None = None, **members: Any) -> None:
        super().__init__(status, detail)
        self.members = {"type": type, **members}


class InvalidValue(ProblemError):
    """Status 422: the model cannot use a value of the query or of the body.

    Args:
        parameter: The name of the value.
        words: What the value must be, such as "must be a day from ... to ...".
        where: "query" or "body".
        members: Further members of the answer, such as `near_matches`.
    """

    def __init__(self, parameter: str, words: str, where: str = "query", **members: Any) -> None:
        self.parameter, self.words, self.others = parameter, words, members
        detail = f"{parameter} {words}"
        self.errors = [{"in": where, "parameter": parameter, "detail": detail}]
        super().__init__(422, detail, errors=self.errors, **members)

    def in_body(self, path: str = "") -> Self:
        """The same error about a member of the body; `path` leads to the object that holds it."""
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
    before: str = "",
    instance: str | None = None,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The answer about a problem; members that are None are left out, and its link starts with `before`."""
    name = type or problem_types.of_status(status)
    members = {
        "type": before + problem_types.uri(name) if name else problem_types.NO_TYPE,
        "title": problem_types.TYPES[name].title if name else _phrase(status),
        "status": status,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
        **members,
    }
    problem = {member: value for member, value in members.items() if value is not None}
    body = json.dumps(problem, separators=(",", ":"))
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def answer(request: Request, status: int, detail: str, **others: Any) -> Response:
    """`response` with `instance` and `request_id` taken from the request."""
    path = (request.scope.get("raw_path") or b"").decode("latin-1")
    before = prefix.forwarded(request.scope)
    request_id = getattr(request.state, "request_id", None)
    if INFERENCE.match(path):
        others["error"] = detail
    instance = before + path or None
    return response(status, detail, before=before, instance=instance, request_id=request_id, **others)


def install(app: FastAPI) -> None:
    """Make the app answer errors as problems, serve the pages about them, and document them in OpenAPI.

    OPTIONS is answered with the methods of the path. An unhandled exception is answered, then raised again
    for the middleware or the server to log.
    """

    async def http_error(request: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        if detail == _phrase(error.status_code):  # the framework's own error, which says no more
            if error.status_code == 405:
                return _other_method(request)
            if error.status_code == 404:
                path = without_slash(request)
                detail = f"There is nothing at {request.url.path}" + (
                    f"; did you mean {path}?" if path else "."
                )
        return answer(
            request, error.status_code, detail, headers=error.headers, **getattr(error, "members", {})
        )

    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        if detail := _not_sent_as_json(request, error):
            return answer(request, 415, detail)
        if detail := _not_json(error):
            return answer(request, 400, detail)
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
    app.include_router(problem_pages.router)
    _document(app)


def _document(app: FastAPI) -> None:
    """Put the schema of problems in the place of FastAPI's own schema of invalid requests."""
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


def without_slash(request: Request) -> str | None:
    """The path without the slash that it ends in, if there is something at that path."""
    if not request.url.path.endswith("/"):
        return None
    scope = {**request.scope, "path": request.scope["path"].rstrip("/")}
    known = any(route.matches(scope)[0] is not Match.NONE for route in _routes(request))
    return request.url.path.rstrip("/") if known else None


def _routes(request: Request) -> list[BaseRoute]:
    """The routes of the app, without mounts: those match any path below them, with any method."""
    return [route for route in request.app.routes if not isinstance(route, Mount)]


def _other_method(request: Request) -> Response:
    """The answer to a method that no route of the path takes."""
    allowed = {
        method
        for method in map(str, HTTPMethod)
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL for route in _routes(request)
        )
    } or {"GET"}  # the path is in a mount, which has static files
    allowed |= {"HEAD", "OPTIONS"} if "GET" in allowed else {"OPTIONS"}
    headers = {"Allow": ", ".join(sorted(allowed))}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    detail = f"{request.method} is not allowed here, only {headers['Allow']}."
    return answer(request, 405, detail, headers=headers)


def _not_sent_as_json(request: Request, error: RequestValidationError) -> str | None:
    """What to send instead, if a route that takes JSON got a body of another `Content-Type`."""
    field = getattr(request.scope.get("route"), "body_field", None)
    # FastAPI parses a body of type JSON and validates any other as bytes.
    if not (field and field.field_info.media_type == "application/json" and isinstance(error.body, bytes)):
        return None
    content_type = request.headers.get("content-type")
    found = f"Content-Type is {content_type[:60]!r}" if content_type else "Content-Type is missing"
    return f"{found}: send JSON with the header Content-Type: application/json."


def _not_json(error: RequestValidationError) -> str | None:
    """Where the body is not JSON, if it is not."""
    for each in error.errors():
        if each["type"] == "json_invalid":
            return f"The body is not JSON: {each['ctx']['error']} at character {each['loc'][1]}."
    return None


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
