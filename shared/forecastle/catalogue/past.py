"""`GET /{model}/countries/{code}/forecast?as_of=DATE`: what was answered then, out of the store.

The gateway sends requests with `as_of` here, of all models. If the store has no forecast of that day, the
model itself is asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import httpx
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import model_validator

from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.scores import HUB_QUANTILES
from forecastle.service.forecasts import NO_QUANTILES, ForecastQuery, ends
from forecastle.service.rendering import About, Forecast, HubTable
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.problems import InvalidValue
from forecastle.web.queries import DEFAULT_LEVELS, Code, Day, must_be, wrong
from forecastle.web.representations import chosen

TIMEOUT = 10  # seconds for a model to answer
PASSED_ON = ("content-type", "etag", "cache-control", "vary", "link", "retry-after")
LEVELS = sorted(round(1 - 2 * quantile, 3) for quantile in HUB_QUANTILES if quantile < 0.5)


class PastQuery(ForecastQuery):
    """What a model's own route takes, restricted to the quantiles that the store has."""

    as_of: Day
    level: Annotated[list[float], must_be("a number between 0 and 1 such as 0.9")] = DEFAULT_LEVELS
    quantile: Annotated[list[float], must_be("a number between 0 and 1 such as 0.975")] = NO_QUANTILES
    draws: str | None = None

    @model_validator(mode="after")
    def kept(self) -> Self:
        """No draws, and no quantiles but the 23 and the intervals between them."""
        if self.draws is not None:
            raise wrong("draws of past forecasts are not kept: leave draws out")
        self.level = sorted({_kept("level", level, LEVELS) for level in self.level})
        self.quantile = sorted({_kept("quantile", level, HUB_QUANTILES) for level in self.quantile})
        return self


def routes(clients: Mapping[str, httpx.AsyncClient], store: Store) -> APIRouter:
    """Past forecasts of these models. OpenAPI has the route in the document of each model."""
    router = APIRouter(include_in_schema=False)

    @router.get("/{model}/countries/{code}/forecast")
    async def past_forecast(
        request: Request, model: str, code: Code, query: Annotated[PastQuery, Query()]
    ) -> Response:
        """The forecast as it was known on a day."""
        if model not in clients:
            return problems.answer(
                request, 404, "There is no such model: GET /models lists those that exist."
            )
        try:
            version, found = await asyncio.to_thread(_find, store, model, code.upper(), query)
        except StoreError:
            version = found = None
        if version is None:
            return await _ask(request, clients[model])
        if found is None:
            detail = (
                f"There is no forecast for {code[:60]} in {model} {version.version}, known on {query.as_of}."
            )
            return problems.answer(request, 404, detail, type="unknown-country")
        if query.days > len(found.mean):
            horizon = f"{len(found.mean)}, the horizon of this model"
            raise InvalidValue("days", f"must be a whole number from 1 to {horizon}, not {query.days}")
        representation = chosen(request, query.format)
        if representation == "hubverse":
            answer: Any = HubTable(version.data_through, query.days, [_whole(found)])
        else:
            answer = _chosen(found, query)
        return Document.rendered(answer, representation).answer(request)

    return router


def _find(store: Store, model: str, code: str, query: PastQuery) -> tuple[Any, Any]:
    """The version of that day and its forecast for the country: rows of the store, or None."""
    with store.reading() as connection:
        version = forecasts.as_of(connection, model, query.as_of)
        if version is None:
            return None, None
        counts = query.counts or ("cumulative" if version.cumulative else "daily")
        return version, forecasts.of_country(connection, version.id, code, counts)


async def _ask(request: Request, client: httpx.AsyncClient) -> Response:
    """What the model itself answers."""
    names = ("accept", "if-none-match", "x-request-id", "traceparent")
    headers = {name: request.headers[name] for name in names if name in request.headers}
    url = f"{request.scope['raw_path'].decode('latin-1')}?{request.scope['query_string'].decode('latin-1')}"
    try:
        response = await client.get(url, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError:
        detail = "The model does not answer at the moment: try again in a few seconds."
        return problems.answer(request, 503, detail, headers={"Retry-After": "5"})
    passed_on = {name: value for name, value in response.headers.items() if name in PASSED_ON}
    return Response(response.content, response.status_code, passed_on)


def _whole(row: Any) -> Forecast:
    """A row of the table `forecasts`, with all its quantiles."""
    return Forecast(About(row.answer), row.origin_date, _numbers(row, HUB_QUANTILES), None, HUB_QUANTILES)


def _chosen(row: Any, query: PastQuery) -> Forecast:
    """A row of the table `forecasts`, with the days and the quantiles or intervals of the query."""
    if query.quantile:
        numbers, intervals = _numbers(row, query.quantile), None
    else:
        numbers, intervals = _numbers(row, ends(query.level)), query.level
    return Forecast(About(row.answer), row.origin_date, numbers[: query.days], intervals, query.quantile)


def _numbers(row: Any, levels: Sequence[float]) -> np.ndarray:
    """The mean, the median and the quantiles of these levels, shape (day ahead, number)."""
    places = [HUB_QUANTILES.index(level) for level in (0.5, *levels)]
    return np.column_stack([row.mean, np.array(row.quantiles)[:, places]])


def _kept(name: str, value: float, kept: Sequence[float]) -> float:
    """The level of those that are kept that is meant by this value."""
    for one in kept:
        if abs(one - value) < 1e-9:
            return one
    options = ", ".join(f"{one:g}" for one in kept)
    raise wrong("{} of a past forecast must be one of {}, not {!r}", name, options, value)
