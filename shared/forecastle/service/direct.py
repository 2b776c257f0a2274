"""Valid requests of the hot routes, answered without FastAPI's own way to an endpoint.

FastAPI finds the route and reads the query parameter by parameter, which takes several times as long as to
look a forecast up. Here the query is read at once, by the same Pydantic model. What is refused goes FastAPI's
way, so that errors are its own; and the OpenAPI document is FastAPI's, from the same route.
"""

from typing import Any, NamedTuple, Self, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send


class DirectRoute(NamedTuple):
    """A GET route of FastAPI whose endpoint is a coroutine that returns a response.

    It takes `request`, parameters of the path that are strings, and a query that is one Pydantic model.

    Attributes:
        route: FastAPI's.
        name: The endpoint's parameter for the query.
        model: The query's.
        lists: Those of its members that are lists.
    """

    route: APIRoute
    name: str
    model: type[BaseModel]
    lists: frozenset[str]

    @classmethod
    def of(cls, route: APIRoute) -> Self:
        """The route, for `Direct`."""
        (query,) = route.dependant.query_params
        model: Any = query.field_info.annotation
        lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
        return cls(route, query.name, model, frozenset(lists))

    def read(self, query: bytes) -> BaseModel:
        """The query as its model.

        Raises:
            ValidationError: It is not valid.
        """
        values: dict[str, Any] = {}
        text = query.decode("latin-1")
        if "%" in text or "+" in text:
            pairs: Any = parse_qsl(text, keep_blank_values=True)
        else:  # nothing is encoded
            pairs = (pair.partition("=")[::2] for pair in text.split("&") if pair)
        for name, value in pairs:
            if name in self.lists:
                values.setdefault(name, []).append(value)
            else:
                values[name] = value  # as FastAPI does, the last one
        return self.model.model_validate(values)


class Direct:
    """ASGI middleware: answers what it can for these routes, and leaves all else to the app."""

    def __init__(self, app: ASGIApp, routes: list[DirectRoute]) -> None:
        self.app = app
        self.routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path = get_route_path(scope)
            for one in self.routes:
                if match := one.route.path_regex.match(path):
                    try:
                        query = one.read(scope["query_string"])
                        request = Request(scope)
                        response = await one.route.endpoint(
                            request=request, **match.groupdict(), **{one.name: query}
                        )
                    except (ValidationError, HTTPException):
                        break
                    scope["route"] = one.route  # which metrics name
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)
