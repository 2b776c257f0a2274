"""The routes of the store: counts are received, and counts, scores and drift are answered."""

import asyncio
import datetime
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, Field

from forecastle.catalogue import drift, upload
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

RETRY_SECONDS = 5  # after a failure of the store
READERS: dict[str, Callable[[bytes], list[upload.Row]]] = {
    "text/csv": upload.from_csv,
    "application/json": upload.from_json,
}

logger = logging.getLogger(__name__)


class StoredDay(BaseModel):
    """A country's counts of a day, as last reported."""

    date: datetime.date
    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    cases: int | None = Field(description="New cases; null if there was no report.")
    deaths: int | None = Field(description="New deaths; null if there was no report.")
    population: int | None = None


class StoredObservations(BaseModel):
    """Received counts, in the columns of `data/current.csv`."""

    observations_through: datetime.date | None = Field(description="The newest day that is stored.")
    observations: list[StoredDay]

    def table(self) -> Iterator[list[Any]]:
        """A row for each country and day; the population only if one is known."""
        known = any(row.population is not None for row in self.observations)
        columns = ("date", "country", "name", "cases", "deaths", *(("population",) if known else ()))
        yield list(columns)
        for row in self.observations:
            yield [getattr(row, column) for column in columns]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A line for each country and day."""
        for row in self.observations:
            yield row.model_dump(mode="json")


class ReceiptAnswer(BaseModel):
    """How many rows were received, and how many of them changed something."""

    received: int = Field(description="All rows.", examples=[214])
    new: int = Field(description="Rows of a country and day that had no counts yet.")
    revised: int = Field(description="Rows that changed a count.")
    unchanged: int = Field(description="Rows that repeated what was stored.")
    observations_through: datetime.date = Field(description="The newest day that is stored.")


class DriftFlag(BaseModel):
    """A reason not to trust a country's forecast: its counts are unlike those before."""

    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    reason: drift.Reason
    date: datetime.date = Field(description="The day of the evidence.")
    detail: str = Field(description="The evidence in words.")


class Drift(BaseModel):
    """Countries whose counts leave the range of the training data, or are reported differently."""

    model: str
    observations_through: datetime.date | None = Field(description="The newest day that is stored.")
    drift: list[DriftFlag]

    def table(self) -> Iterator[list[Any]]:
        """A row for each flag."""
        yield ["model", *DriftFlag.model_fields]
        for flag in self.drift:
            yield [self.model, *flag.model_dump().values()]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A line for each flag."""
        for flag in self.drift:
            yield flag.model_dump(mode="json")


_BEARER = HTTPBearer(scheme_name="ObservationsKey", description="OBSERVATIONS_KEY.", auto_error=False)
_BODY = {
    "text/csv": {
        "schema": {"type": "string"},
        "example": "date,country,cases,deaths\n2020-06-09,GBR,1741,286\n",
    },
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["observations"],
            "properties": {
                "observations": {"type": "array", "items": upload.ReportedDay.model_json_schema()}
            },
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
    """The parameters of every route here."""

    format: TableFormat | None = Field(None, description="Takes precedence over `Accept`.")


def _known_country(code: str) -> str:
    if code.upper() not in NAMES:
        raise ValueError
    return code.upper()


class DaysQuery(FormatQuery):
    """A selection by day and country."""

    since: Day | None = Field(None, description="Leave out earlier days.")
    until: Day | None = Field(None, description="Leave out later days.")
    country: (
        Annotated[str, AfterValidator(_known_country), must_be("a country's ISO 3166 alpha-3 code")] | None
    ) = Field(None, description="Of this country alone.")


def routes(
    clients: Mapping[str, httpx.AsyncClient], store: Store, metrics: StoreMetrics, settings: Settings
) -> APIRouter:
    """The routes, and the task that keeps forecasts and scores them while the app runs.

    Args:
        clients: For each model a client of its app, which has its routes under `/<model>/...`.
        store: The store.
        metrics: The store's metrics.
        settings: The settings for receiving observations.
    """
    watch = Watch(clients, store, metrics, settings.observations_url, settings.observations_every)
    router = APIRouter(lifespan=watch.running)

    @router.post(
        "/observations",
        responses=documented(401, 403, 413, 415, 422, 503),
        openapi_extra={"requestBody": {"required": True, "content": _BODY}},
    )
    async def receive_observations(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ReceiptAnswer:
        """Receive counts as CSV or JSON, with the key: all rows or none. Only changes are stored."""
        try:
            _authorise(credentials, settings.key)
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in READERS:
                raise ProblemError(415, f"Content-Type must be one of {', '.join(READERS)}.")
            content = await _body(request)
            rows = await asyncio.to_thread(READERS[media_type], content)
        except upload.RowsError as error:
            REJECTED.inc()
            errors = [{"in": "body", "parameter": place, "detail": detail} for place, detail in error.errors]
            raise ProblemError(422, str(error), errors=errors) from None
        except ProblemError:
            REJECTED.inc()
            raise
        now = datetime.datetime.now(datetime.UTC)
        try:
            receipt = await asyncio.to_thread(observations.receive, store, rows, "POST", now)
        except StoreError as error:
            raise unavailable("written", error, " None of these counts is stored.") from None
        RECEIVED.inc(receipt.received)
        logger.info("received %(received)d rows: %(new)d new, %(revised)d revised", receipt._asdict())
        watch.wake.set()
        return ReceiptAnswer(**receipt._asdict())

    @router.get("/observations", response_model=StoredObservations, responses=_TABLE | documented(422, 503))
    async def stored_observations(request: Request, query: Annotated[DaysQuery, Query()]) -> Response:
        """The counts that were received, in the latest revision of each country and day."""

        def read(connection: sa.Connection) -> StoredObservations:
            countries = [query.country] if query.country else None
            reported = observations.current(connection, query.since, query.until, countries)
            days = [StoredDay(name=NAMES[row.country], **row._asdict()) for row in reported]
            through = observations.through(connection)
            return StoredObservations(observations_through=through, observations=days)

        return await _answer(request, store, query, read)

    @router.get(
        "/models/{model}/scores", response_model=scores.Scores, responses=_TABLE | documented(404, 422, 503)
    )
    async def model_scores(request: Request, model: str, query: Annotated[DaysQuery, Query()]) -> Response:
        """Scores of the forecasts that the model issued, against the counts that were reported later."""

        def read(connection: sa.Connection) -> scores.Scores | None:
            if not _exists(connection, model, clients):
                return None
            return scores.of_model(connection, model, query.since, query.until, query.country)

        return await _answer(request, store, query, read)

    @router.get("/models/{model}/drift", response_model=Drift, responses=_TABLE | documented(404, 422, 503))
    async def model_drift(request: Request, model: str, query: Annotated[FormatQuery, Query()]) -> Response:
        """Countries whose counts leave the range of the training data, or are reported differently."""

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

    return router


def _exists(connection: sa.Connection, model: str, clients: Mapping[str, Any]) -> bool:
    """Whether the model is served, or was and is in the store."""
    known = sa.select(schema.versions.c.id).where(schema.versions.c.model == model).limit(1)
    return model in clients or connection.scalar(known) is not None


def _authorise(credentials: HTTPAuthorizationCredentials | None, key: str) -> None:
    """Check the key of a request.

    Raises:
        ProblemError: 401 for a wrong key or none; 403 if the catalogue itself has no key.
    """
    if not key:
        raise ProblemError(
            403, "No counts are received here: start the catalogue with a key in OBSERVATIONS_KEY first."
        )
    # Compared as bytes, in a time that does not depend on how much of it is right.
    if credentials is None or not hmac.compare_digest(credentials.credentials.encode(), key.encode()):
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
    """What `read` returns, in the format that the request wants; 404 for None: there is no such model."""

    def rendered() -> Document | None:
        with store.reading() as connection:
            content = read(connection)
        return content and Document.rendered(content, chosen(request, query.format))

    try:
        document = await asyncio.to_thread(rendered)
    except StoreError as error:
        raise unavailable("read", error) from None
    if document is None:
        return problems.answer(request, 404, "There is no such model: GET /models lists those that exist.")
    return Response(document.body, headers={**document.headers, "Cache-Control": "no-store"})


def unavailable(action: Literal["read", "written"], error: StoreError, more: str = "") -> ProblemError:
    """A problem of the store, in fixed words.

    The log alone has the database's own words, which may name hosts and files.
    """
    logger.error("%s", error)
    detail = f"The forecast store cannot be {action} at the moment.{more} Try again later."
    problem = ProblemError(503, detail)
    problem.headers = {"Retry-After": str(RETRY_SECONDS)}
    return problem
