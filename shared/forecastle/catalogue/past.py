"""`GET /{model}/countries/{code}/forecast?as_of=DATE`: what was answered then, out of the store.

The gateway sends requests with `as_of` here, whichever model's they are. For what the store does not have the
model itself is asked.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

import httpx
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.scores import HUB_QUANTILES
from forecastle.service.forecasts import CountryForecast, Hubverse
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.problems import InvalidValue
from forecastle.web.queries import (
    DEFAULT_DAYS,
    DEFAULT_LEVELS,
    Code,
    Counts,
    Day,
    KnownParameters,
    must_be,
    wrong,
)
from forecastle.web.representations import MEDIA_TYPES, chosen

TIMEOUT = 10  # seconds that a model may take
PASSED_ON = ("content-type", "etag", "cache-control", "vary", "link", "retry-after")
PLACES = {quantile: index for index, quantile in enumerate(HUB_QUANTILES)}
LEVELS = sorted(round(1 - 2 * quantile, 3) for quantile in HUB_QUANTILES if quantile < 0.5)


class PastQuery(KnownParameters):
    """What a model's own route takes, of what is kept."""

    as_of: Day
    days: Annotated[int, Field(ge=1), must_be("a whole number of at least 1")] = DEFAULT_DAYS
    level: Annotated[list[float], must_be("a number between 0 and 1 such as 0.9")] = DEFAULT_LEVELS
    quantile: Annotated[list[float], must_be("a number between 0 and 1 such as 0.975")] = Field([])
    counts: Counts | None = None
    format: Annotated[
        Literal["json", "csv", "ndjson", "hubverse"] | None, must_be("json, csv, ndjson or hubverse")
    ] = None
    draws: str | None = None

    @model_validator(mode="after")
    def kept(self) -> Self:
        """Means and the 23 quantiles are, and the intervals between them."""
        if self.draws is not None:
            raise wrong("draws of past forecasts are not kept: leave draws out")
        if self.quantile and "level" in self.model_fields_set:
            raise wrong("level and quantile do not go together: ask for one of both")
        if self.format == "hubverse" and {"level", "quantile"} & self.model_fields_set:
            raise wrong("format=hubverse has 23 quantiles of its own: leave level and quantile out")
        self.level = sorted({_known("level", one, LEVELS) for one in self.level})
        self.quantile = sorted({_known("quantile", one, HUB_QUANTILES) for one in self.quantile})
        return self


def routes(clients: Mapping[str, httpx.AsyncClient], store: Store) -> APIRouter:
    """Past forecasts of these models. The route is in the document of each model."""
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
            version, kept = await asyncio.to_thread(_find, store, model, code.upper(), query)
        except StoreError:
            version = kept = None
        if version is None:
            return await _ask(request, clients[model])
        if kept is None:
            detail = (
                f"There is no forecast for {code[:60]} in {model} {version.version}, known on {query.as_of}."
            )
            return problems.answer(request, 404, detail, type="unknown-country")
        if query.days > len(kept.mean):
            horizon = f"{len(kept.mean)}, the horizon of this model"
            raise InvalidValue("days", f"must be a whole number from 1 to {horizon}, not {query.days}")
        return _told(kept, query, chosen(request, query.format)).answer(request)

    return router


def _find(store: Store, model: str, code: str, query: PastQuery) -> tuple[Any, Any]:
    """The version of that day and its forecast for the country; None is there is none."""
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
        told = await client.get(url, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError:
        detail = "The model does not answer at the moment: try again in a few seconds."
        return problems.answer(request, 503, detail, headers={"Retry-After": "5"})
    kept = {name: value for name, value in told.headers.items() if name in PASSED_ON}
    return Response(told.content, told.status_code, kept)


def _told(kept: Any, query: PastQuery, representation: str) -> Document:
    if representation == "hubverse":
        return Document.rendered(Hubverse(list(_hubverse(kept, query.days))), representation)
    days = [_day(kept, query, index) for index in range(query.days)]
    answer = {**kept.answer, "forecast": days}
    if representation == "json":  # as it was, whatever today's answers have
        body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
        return Document.of(body, MEDIA_TYPES[representation])
    return Document.rendered(CountryForecast.model_validate(answer), representation)


def _day(kept: Any, query: PastQuery, index: int) -> dict[str, Any]:
    values = kept.quantiles[index]
    day = {
        "date": _date(kept, index),
        "horizon": index + 1,
        "mean": kept.mean[index],
        "median": values[PLACES[0.5]],
    }
    if query.quantile:
        quantiles = [{"quantile": one, "value": values[PLACES[one]]} for one in query.quantile]
        return {**day, "quantiles": quantiles}
    ends = [(level, *(round((1 + sign * level) / 2, 3) for sign in (-1, 1))) for level in query.level]
    intervals = [
        {"level": level, "lower": values[PLACES[lower]], "upper": values[PLACES[upper]]}
        for level, lower, upper in ends
    ]
    return {**day, "intervals": intervals}


def _hubverse(kept: Any, days: int) -> Iterator[list[Any]]:
    for index in range(days):
        task = [kept.origin_date, kept.answer["target"], index + 1, kept.country]
        values = kept.quantiles[index]
        yield [*task, "mean", "NA", kept.mean[index]]
        yield [*task, "median", "NA", values[PLACES[0.5]]]
        for quantile, value in zip(HUB_QUANTILES, values, strict=True):
            yield [*task, "quantile", quantile, value]


def _date(kept: Any, index: int) -> str:
    day: date = kept.origin_date + timedelta(index + 1)
    return day.isoformat()


def _known(name: str, value: float, known: Any) -> float:
    """The one of those that are known that is meant."""
    for one in known:
        if abs(one - value) < 1e-9:
            return one
    options = ", ".join(f"{one:g}" for one in known)
    raise wrong("{} of a past forecast must be one of {}, not {!r}", name, options, value)
