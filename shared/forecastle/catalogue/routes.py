"""The routes of the store: counts come in, scores go out."""

import asyncio
import datetime
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, Field

from forecastle.catalogue import drift, past, upload
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store import observations, schema, scores
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.catalogue.worker import Watch
from forecastle.places import NAMES
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.problems import ProblemError, documented
from forecastle.web.queries import Day, KnownParameters, TableFormat, must_be
from forecastle.web.representations import MEDIA_TYPES, chosen

RETRY_SECONDS = 5  # after which a store that failed may be back
READERS: dict[str, Callable[[bytes], list[upload.Row]]] = {
    "text/csv": upload.from_csv,
    "application/json": upload.from_json,
}

logger = logging.getLogger(__name__)


class StoredDay(BaseModel):
    """A country's counts of a day, as they were reported last."""

    date: datetime.date
    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    cases: int | None = Field(description="New ones; null if nothing was reported.")
    deaths: int | None = Field(description="Likewise.")
    population: int | None = None


class StoredObservations(BaseModel):
    """All counts that were received, in the columns of `data/current.csv`."""

    observations_through: datetime.date | None = Field(description="The newest day that is stored.")
    observations: list[StoredDay]

    def table(self) -> Iterator[list[Any]]:
        """A row a country and day; the population, if any is known."""
        known = any(row.population is not None for row in self.observations)
        columns = ("date", "country", "name", "cases", "deaths", *(("population",) if known else ()))
        yield list(columns)
        for row in self.observations:
            yield [getattr(row, column) for column in columns]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A country and day each."""
        for row in self.observations:
            yield row.model_dump(mode="json")


class ReceiptAnswer(BaseModel):
    """What became of rows that were sent."""

    received: int = Field(description="Rows.", examples=[214])
    new: int = Field(description="Of days that were not known.")
    revised: int = Field(description="That say something else than was known.")
    unchanged: int = Field(description="That say what was known.")
    observations_through: datetime.date = Field(description="The newest day that is stored.")


class DriftFlag(BaseModel):
    """Why not to trust what a country's counts lead to."""

    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    reason: drift.Reason
    date: datetime.date = Field(description="The day that shows it.")
    detail: str = Field(description="In words.")


class Drift(BaseModel):
    """Counts that leave what the model was trained with, or that are reported in another way than before."""

    model: str
    observations_through: datetime.date | None = Field(description="The newest day that is stored.")
    drift: list[DriftFlag]

    def table(self) -> Iterator[list[Any]]:
        """A row a flag."""
        yield ["model", *DriftFlag.model_fields]
        for flag in self.drift:
            yield [self.model, *flag.model_dump().values()]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A flag each."""
        for flag in self.drift:
            yield flag.model_dump(mode="json")


_BEARER = HTTPBearer(scheme_name="ObservationsKey", description="OBSERVATIONS_KEY's.", auto_error=False)
_COUNT = {"type": ["integer", "null"], "minimum": 0}
_REPORTED_DAY = {
    "type": "object",
    "required": ["date", "country"],
    "properties": {
        "date": {"type": "string", "format": "date"},
        "country": {"type": "string", "examples": ["GBR"]},
        "name": {"type": "string"},
        **dict.fromkeys(upload.COUNTS, _COUNT),
    },
}
_BODY = {
    "text/csv": {
        "schema": {"type": "string"},
        "example": "date,country,cases,deaths\n2020-06-09,GBR,1741,286\n",
    },
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["observations"],
            "properties": {"observations": {"type": "array", "items": _REPORTED_DAY}},
        }
    },
}
_TABLE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            MEDIA_TYPES[name].partition(";")[0]: {"schema": {"type": "string"}} for name in ("csv", "ndjson")
        }
    }
}


class FormatQuery(KnownParameters):
    """The representation."""

    format: TableFormat | None = Field(None, description="Takes precedence over `Accept`.")


def _known_country(code: str) -> str:
    if code.upper() not in NAMES:
        raise ValueError
    return code.upper()


class DaysQuery(FormatQuery):
    """A part of what is stored."""

    since: Day | None = Field(None, description="Leave out earlier days.")
    until: Day | None = Field(None, description="Leave out later days.")
    country: (
        Annotated[str, AfterValidator(_known_country), must_be("a country's ISO 3166 alpha-3 code")] | None
    ) = Field(None, description="Of this country alone.")


def routes(
    clients: Mapping[str, httpx.AsyncClient], store: Store, metrics: StoreMetrics, settings: Settings
) -> APIRouter:
    """What the store is asked and told; as long as the app lives, so does the task that keeps and scores.

    Args:
        clients: For each model what reaches its app, under whose `/<model>/...` the routes are.
        store: The store.
        metrics: What tells Prometheus of it.
        settings: Of observations.
    """
    watch = Watch(clients, store, metrics, settings.observations_url, settings.observations_every)
    router = APIRouter(lifespan=watch.running)

    @router.post(
        "/observations",
        responses=documented(401, 403, 413, 415, 422, 503),
        openapi_extra={"requestBody": {"required": True, "content": _BODY}},
    )
    async def receive_observations(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ReceiptAnswer:
        """Take counts, as CSV or JSON with a key: all rows or none. What is known is not kept again."""
        try:
            _authorise(given, settings.key)
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in READERS:
                raise ProblemError(415, f"Content-Type must be one of {', '.join(READERS)}.")
            content = await _body(request)
            read = await asyncio.to_thread(READERS[media_type], content)
        except upload.RowsError as error:
            REJECTED.inc()
            told = [{"in": "body", "parameter": place, "detail": detail} for place, detail in error.errors]
            raise ProblemError(422, str(error), errors=told) from None
        except ProblemError:
            REJECTED.inc()
            raise
        now = datetime.datetime.now(datetime.UTC)
        try:
            receipt = await asyncio.to_thread(observations.receive, store, read, "POST", now)
        except StoreError as error:
            raise _unavailable(error, " Nothing was kept.") from None
        RECEIVED.inc(receipt.received)
        logger.info("received %(received)d rows: %(new)d new, %(revised)d revised", receipt._asdict())
        watch.wake.set()
        return ReceiptAnswer(**receipt._asdict())

    @router.get("/observations", response_model=StoredObservations, responses=_TABLE | documented(422, 503))
    async def stored_observations(request: Request, query: Annotated[DaysQuery, Query()]) -> Response:
        """All counts that were received, the latest revision of each country and day."""

        def read(connection: sa.Connection) -> StoredObservations:
            countries = [query.country] if query.country else None
            days = observations.current(connection, query.since, query.until, countries)
            told = [
                StoredDay(
                    name=NAMES[row.country], **{k: v for k, v in row._asdict().items() if k != "revision"}
                )
                for row in days
            ]
            return StoredObservations(
                observations_through=observations.through(connection), observations=told
            )

        return await _answer(request, store, query, read)

    @router.get(
        "/models/{model}/scores", response_model=scores.Scores, responses=_TABLE | documented(404, 422, 503)
    )
    async def model_scores(request: Request, model: str, query: Annotated[DaysQuery, Query()]) -> Response:
        """How the forecasts that the model issued compared with what happened, on all or on some days."""

        def read(connection: sa.Connection) -> scores.Scores | None:
            if not _exists(connection, model, clients):
                return None
            return scores.of_model(connection, model, query.since, query.until, query.country)

        return await _answer(request, store, query, read)

    @router.get("/models/{model}/drift", response_model=Drift, responses=_TABLE | documented(404, 422, 503))
    async def model_drift(request: Request, model: str, query: Annotated[FormatQuery, Query()]) -> Response:
        """Countries whose counts leave what the model was trained with or are reported otherwise, and why."""

        def read(connection: sa.Connection) -> Drift | None:
            if not _exists(connection, model, clients):
                return None
            flags = drift.by_model(connection).get(model, [])
            return Drift(
                model=model,
                observations_through=observations.through(connection),
                drift=[DriftFlag(name=NAMES[flag.country], **flag._asdict()) for flag in flags],
            )

        return await _answer(request, store, query, read)

    router.include_router(past.routes(clients, store))
    return router


def _exists(connection: sa.Connection, model: str, clients: Mapping[str, Any]) -> bool:
    """Whether there is such a model, or there was."""
    known = sa.select(schema.versions.c.id).where(schema.versions.c.model == model).limit(1)
    return model in clients or connection.scalar(known) is not None


def _authorise(given: HTTPAuthorizationCredentials | None, key: str) -> None:
    """Let pass who has the key.

    Raises:
        ProblemError: 401, or 403 if there is no key.
    """
    if not key:
        raise ProblemError(
            403, "No counts are taken here: start the catalogue with a key in OBSERVATIONS_KEY to take them."
        )
    # Compared as bytes, in a time that does not tell how much of it was right.
    if given is None or not hmac.compare_digest(given.credentials.encode(), key.encode()):
        error = ProblemError(401, "The header must have the key: Authorization: Bearer KEY.")
        error.headers = {"WWW-Authenticate": "Bearer"}
        raise error


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > upload.LARGEST:
            raise ProblemError(413, f"In the body {upload.TOO_LARGE}.")
    return bytes(content)


async def _answer(
    request: Request, store: Store, query: FormatQuery, read: Callable[[sa.Connection], Any]
) -> Response:
    """What is read from the store, which nobody keeps; None is a model that there is none of."""

    def rendered() -> Any:
        with store.reading() as connection:
            answer = read(connection)
        return answer and Document.rendered(answer, chosen(request, query.format))

    try:
        document = await asyncio.to_thread(rendered)
    except StoreError as error:
        raise _unavailable(error) from None
    if document is None:
        return problems.answer(request, 404, "There is no such model: GET /models lists those that exist.")
    return Response(document.body, headers={**document.headers, "Cache-Control": "no-store"})


def _unavailable(error: StoreError, more: str = "") -> ProblemError:
    problem = ProblemError(503, f"{str(error)[:1].upper()}{str(error)[1:]}.{more} Try again later.")
    problem.headers = {"Retry-After": str(RETRY_SECONDS)}
    return problem
