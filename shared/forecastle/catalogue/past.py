"""`GET /{model}/forecast?as_of=DATE` or `known_at=INSTANT`, also of one series, answered out of the store.

The gateway sends requests with these parameters here, of all models. If the store has no forecast of that
day, or the path has another plural than the model's series, the model itself is asked; for an instant only if
the store has nothing of the model at all. Such a model may also have a route of its own here, with any query.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Self

import httpx
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import model_validator

from forecastle.catalogue.routes import unavailable
from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.catalogue.upload import COUNTRY
from forecastle.dates import written
from forecastle.frequency import Frequency
from forecastle.scores import HUB_QUANTILES
from forecastle.service.answers import OfModel
from forecastle.service.forecasts import NO_QUANTILES, ForecastQuery, ends
from forecastle.service.rendering import About, Forecast, Forecasts, HubTable
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.prefix import forwarded
from forecastle.web.problems import InvalidValue, ProblemError
from forecastle.web.queries import DEFAULT_LEVELS, Code, must_be, wrong
from forecastle.web.representations import chosen

TIMEOUT = 10  # seconds for a model to answer
# Headers of one connection, and what httpx and the server write themselves: they are not passed on.
HOP = {"connection", "keep-alive", "trailer", "transfer-encoding", "upgrade", "content-length"}
NOT_ASKED = HOP | {"host", "accept-encoding", "x-request-id"}
NOT_ANSWERED = HOP | {"content-encoding", "date", "server", "x-request-id"}
Place = tuple[str, str]  # the plural and the code of a path
LEVELS = sorted(round(1 - 2 * quantile, 3) for quantile in HUB_QUANTILES if quantile < 0.5)


class PastQuery(ForecastQuery):
    """What a model's own route takes, restricted to the quantiles that the store has."""

    level: Annotated[list[float], must_be("a number between 0 and 1 such as 0.9")] = DEFAULT_LEVELS
    quantile: Annotated[list[float], must_be("a number between 0 and 1 such as 0.975")] = NO_QUANTILES

    @model_validator(mode="after")
    def kept(self) -> Self:
        """A past, and no quantiles but the 23 and the intervals between them."""
        if self.as_of is None and self.known_at is None:
            raise wrong("as_of or known_at is missing")
        self.level = sorted({_kept("level", level, LEVELS) for level in self.level})
        self.quantile = sorted({_kept("quantile", level, HUB_QUANTILES) for level in self.quantile})
        return self


class SeriesPastQuery(PastQuery):
    """The same for one series."""

    draws: str | None = None

    @model_validator(mode="after")
    def without_draws(self) -> Self:
        """Draws are refused in words."""
        if self.draws is not None:
            raise wrong("draws of past forecasts are not kept: leave draws out")
        return self


def routes(clients: Mapping[str, httpx.AsyncClient], store: Store) -> APIRouter:
    """Past forecasts of these models. OpenAPI has the routes in the document of each model."""
    router = APIRouter(include_in_schema=False)
    for model, client in clients.items():
        router.include_router(_of_model(model, client, store))
    return router


def _of_model(model: str, client: httpx.AsyncClient, store: Store) -> APIRouter:
    class PastRoute(APIRoute):
        """A query that is not understood here is for the model, if the store has nothing of it."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def answer_or_ask(request: Request) -> Response:
                try:
                    return await answer(request)
                except RequestValidationError:
                    if await asyncio.to_thread(_knows, store, model):
                        raise
                    return await _ask(request, client)

            return answer_or_ask

    router = APIRouter(prefix=f"/{model}", route_class=PastRoute)

    @router.get("/{plural}/{code}/forecast")
    async def past_forecast(
        request: Request, plural: str, code: Code, query: Annotated[SeriesPastQuery, Query()]
    ) -> Response:
        """A past forecast of a series."""
        return await past(request, query, (plural, code))

    @router.get("/forecast")
    async def past_forecasts(request: Request, query: Annotated[PastQuery, Query()]) -> Response:
        """Past forecasts of all series."""
        return await past(request, query)

    async def past(request: Request, query: PastQuery, one: Place | None = None) -> Response:
        representation = chosen(request, query.format)
        try:
            before = forwarded(request.scope)
            found = await asyncio.to_thread(_find, store, model, query, one, representation, before)
        except StoreError as error:
            if query.known_at is not None:  # of which the model knows nothing
                raise unavailable("read", error) from None
            found = None
        return found.answer(request) if found else await _ask(request, client)

    return router


def _knows(store: Store, model: str) -> bool:
    """Whether the store has any forecast of the model, as far as it can be read."""
    try:
        with store.reading() as connection:
            return forecasts.as_of(connection, model) is not None
    except StoreError:
        return False


def _find(
    store: Store, model: str, query: PastQuery, one: Place | None, representation: str, before: str
) -> Document | None:
    """The answer about a series, or without `one` about all; None if the model itself is to be asked."""
    with store.reading() as connection:
        version = forecasts.as_of(connection, model, query.as_of, query.known_at)
        if version is None and query.known_at is not None and forecasts.as_of(connection, model) is not None:
            through = "" if query.as_of is None else f" from data through {query.as_of}"
            detail = f"No forecast of {model}{through} had been kept by {written(query.known_at)}."
            raise ProblemError(404, detail, type="past-forecast")
        if version is None or (one is not None and one[0] != version.plural):
            return None
        kind = _kind(query.counts, version)
        found = forecasts.of_version(connection, version.id, kind, one and one[1])
    if one is not None and not found:
        detail = f"There is no forecast for {one[1][:60]} in {model} {version.version}."
        problem = "unknown-country" if version.noun == COUNTRY else "unknown-series"
        raise ProblemError(404, detail, type=problem)
    if query.days > (horizon := max(len(row.mean) for row in found)):
        words = f"must be a whole number from 1 to {horizon}, the horizon of this model, not {query.days}"
        raise InvalidValue("days", words)
    for row in found if before else ():
        row.answer["links"] = {name: before + path for name, path in row.answer["links"].items()}
    if representation == "hubverse":
        table = HubTable(version.data_through, query.days, [_whole(row) for row in found])
        return Document.rendered(table, representation)
    each = [_chosen(row, query) for row in found]
    if one is not None:
        return Document.rendered(each[0], representation)
    about = _about_all(f"{before}/{model}", found[0].answer, version.plural)
    return Document.rendered(Forecasts(about, each), representation)


async def _ask(request: Request, client: httpx.AsyncClient) -> Response:
    """What the model itself answers."""
    headers = [(name, value) for name, value in request.headers.items() if name not in NOT_ASKED]
    if request_id := getattr(request.state, "request_id", None):
        headers.append(("x-request-id", request_id))
    url = f"{request.scope['raw_path'].decode('latin-1')}?{request.scope['query_string'].decode('latin-1')}"
    try:
        asked = await client.get(url, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError:
        detail = "The model does not answer at the moment: try again in a few seconds."
        return problems.answer(request, 503, detail, headers={"Retry-After": "5"})
    response = Response(asked.content, asked.status_code)
    for name, value in asked.headers.multi_items():
        if name not in NOT_ANSWERED:
            response.headers.append(name, value)
    return response


def _kind(asked: str | None, version: Any) -> str:
    """Which of the kept forecasts is meant: of a period's values or of running totals.

    Raises:
        InvalidValue: The model has none of these.
    """
    own = Frequency.of(version.frequency).adjective
    kinds = [own] if version.real else [own, "cumulative"]
    if asked is not None and asked not in kinds:
        raise InvalidValue("counts", f"must be {' or '.join(kinds)}, not {asked[:60]}")
    return asked or ("cumulative" if version.cumulative else own)


def _about_all(root: str, of_series: dict[str, Any], plural: str) -> dict[str, Any]:
    """The members of an answer about all series before its forecasts, out of those about one."""
    links = {"model": f"{root}/", plural: f"{root}/{plural}"}
    # Forecasts that were kept by earlier releases lack what was added since.
    members = {name: of_series[name] for name in OfModel.model_fields if name in of_series}
    return {**members, "links": links, "counts": of_series["counts"]}


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
