"""The routes of the store: observations are received, and they, scores and drift are answered."""

import asyncio
import datetime
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_json

from forecastle.catalogue import backtests, drift, upload
from forecastle.catalogue.metrics import RECEIVED, REJECTED, StoreMetrics
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store import observations, schema, scores
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.catalogue.upload import COUNTRY, COUNTS, number
from forecastle.catalogue.upstreams import Upstream
from forecastle.catalogue.worker import Watch
from forecastle.places import NAMES
from forecastle.web import problems
from forecastle.web.documents import Document
from forecastle.web.problems import InvalidValue, ProblemError, documented
from forecastle.web.queries import Day, KnownParameters, TableFormat, must_be, optional, wrong
from forecastle.web.representations import MEDIA_TYPES, chosen

RETRY_SECONDS = 5  # after a failure of the store
READERS: dict[str, Callable[[bytes], upload.Reports]] = {
    "text/csv": upload.from_csv,
    "application/json": upload.from_json,
}

logger = logging.getLogger(__name__)


class StoredDate(BaseModel):
    """What is stored of a series and a date, as last reported: null where there was no report.

    The member of the noun's name has the identifier; the other members are the measures.
    """

    model_config = ConfigDict(extra="allow")

    date: datetime.date
    country: str | None = optional("ISO 3166 alpha-3, if that is the noun.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])


class StoredObservations(BaseModel):
    """Received observations of one noun, in the columns of `data/current.csv`."""

    observations_through: datetime.date | None = Field(description="The newest date of the noun.")
    observations: list[StoredDate]


class Stored(NamedTuple):
    """The answer that `StoredObservations` documents.

    Attributes:
        through: The newest date.
        columns: `date`, the noun, `name` and the measures.
        rows: Of these columns.
    """

    through: datetime.date | None
    columns: list[str]
    rows: list[list[Any]]

    def model_dump_json(self) -> str:
        """The JSON answer, as Pydantic's models give theirs."""
        answer = {"observations_through": self.through, "observations": list(self.lines())}
        return to_json(answer).decode()

    def table(self) -> Iterator[list[Any]]:
        """A row for each series and date; the population of countries only if one is known."""
        hidden = len(self.columns) - (self.columns[-1] == "population" and not any(r[-1] for r in self.rows))
        for row in (self.columns, *self.rows):
            yield row[:hidden]

    def lines(self) -> Iterator[dict[str, Any]]:
        """An object for each series and date."""
        for row in self.rows:
            yield dict(zip(self.columns, [str(row[0]), *row[1:]], strict=True))


class ReceiptAnswer(BaseModel):
    """How many rows were received, and how many of them changed something."""

    received: int = Field(description="All rows.", examples=[214])
    new: int = Field(description="Rows of a series and date that had no values yet.")
    revised: int = Field(description="Rows that changed a value.")
    unchanged: int = Field(description="Rows that repeated what was stored.")
    observations_through: datetime.date = Field(description="The newest date of the noun that is stored.")


class DriftFlag(BaseModel):
    """A reason not to trust a series' forecast: its values are unlike those before.

    The member of the noun's name has the identifier.
    """

    model_config = ConfigDict(extra="allow")

    country: str | None = optional("ISO 3166 alpha-3, if that is the noun.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    reason: drift.Reason
    date: datetime.date = Field(description="Of the evidence.")
    detail: str = Field(description="The evidence in words.")


class Drift(BaseModel):
    """Series whose values leave the range of the training data, or are reported differently."""

    model: str
    noun: str = Field(description="What a series is about.", examples=[COUNTRY])
    observations_through: datetime.date | None = Field(
        description="The newest date of the noun that is stored."
    )
    drift: list[DriftFlag]

    def table(self) -> Iterator[list[Any]]:
        """A row for each flag."""
        columns = (self.noun, "name", "reason", "date", "detail")
        yield ["model", *columns]
        for flag in self.drift:
            yield [self.model, *(getattr(flag, column) for column in columns)]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A line for each flag."""
        for flag in self.drift:
            yield flag.model_dump(mode="json")


class ModelScores(scores.Scores):
    """Mean scores of a model's forecasts against what was reported later, in use and in its backtest."""

    backtest: backtests.Backtest | None = Field(
        description="Of the version that is served, whatever dates and series are asked for; or null."
    )


_BEARER = HTTPBearer(scheme_name="ObservationsKey", description="OBSERVATIONS_KEY.", auto_error=False)
_REPORTED = {
    "type": "object",
    "description": "What was reported of a series and a date. The member with the name of the noun, such as "
    "`country` or `store`, has the identifier: of a country its ISO 3166 alpha-3 code. Others are measures.",
    "required": ["date"],
    "properties": {
        "date": {"type": "string", "format": "date"},
        "country": {"type": "string", "description": "If that is the noun.", "examples": ["GBR"]},
        "name": {"type": "string", "description": "Of the series. A country's is ignored."},
    },
    "additionalProperties": {
        "type": ["number", "string", "null"],
        "description": "A measure: a number, or null if nothing was reported. Cases, deaths and population "
        "of countries are whole and at least 0.",
    },
    "examples": [{"date": "2020-06-09", "country": "GBR", "cases": 1741, "deaths": 286}],
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
            "properties": {"observations": {"type": "array", "items": _REPORTED}},
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


class PartQuery(FormatQuery):
    """A selection by date and series."""

    since: Day | None = Field(None, description="Leave out earlier dates.")
    until: Day | None = Field(None, description="Leave out later dates.")
    series: str | None = optional("Of the series with this identifier alone.")
    country: (
        Annotated[str, AfterValidator(_known_country), must_be("a country's ISO 3166 alpha-3 code")] | None
    ) = Field(None, description="Of this country alone.")

    @model_validator(mode="after")
    def one_series(self) -> Self:
        """`country` is `series` for countries alone."""
        if self.country and self.series:
            raise wrong("series and country do not go together: leave one of them out")
        return self

    def code(self, noun: str) -> str | None:
        """The identifier that is asked for, if any.

        Raises:
            InvalidValue: A country is asked for where there are none.
        """
        if self.country and noun != COUNTRY:
            raise InvalidValue("country", f"must be left out, as these are of {noun}: use series")
        return self.country or self.series


class ObservationsQuery(PartQuery):
    """A selection of observations."""

    noun: str | None = optional(
        "What the series are about. Without it `country` if there are any, or the only noun that there is.",
        examples=["store"],
    )


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
    upstreams = {name: Upstream(name, client) for name, client in clients.items()}

    @router.post(
        "/observations",
        responses=documented(400, 401, 403, 413, 415, 422, 503),
        openapi_extra={"requestBody": {"required": True, "content": _BODY}},
    )
    async def receive_observations(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> ReceiptAnswer:
        """Receive observations as CSV or JSON, with the key: all rows or none. Only changes are stored."""
        try:
            _authorise(credentials, settings.key)
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in READERS:
                raise ProblemError(415, f"Content-Type must be one of {', '.join(READERS)}.")
            content = await _body(request)
            reports = await asyncio.to_thread(READERS[media_type], content)
        except upload.NotJSONError as error:
            REJECTED.inc()
            raise ProblemError(400, str(error)) from None
        except upload.RowsError as error:
            REJECTED.inc()
            errors = [{"in": "body", "parameter": place, "detail": detail} for place, detail in error.errors]
            raise ProblemError(422, str(error), errors=errors) from None
        except ProblemError:
            REJECTED.inc()
            raise
        now = datetime.datetime.now(datetime.UTC)
        try:
            receipt = await asyncio.to_thread(observations.receive, store, reports, "POST", now)
        except StoreError as error:
            raise unavailable("written", error, " None of these rows is stored.") from None
        RECEIVED.inc(receipt.received)
        logger.info("received %(received)d rows: %(new)d new, %(revised)d revised", receipt._asdict())
        watch.wake.set()
        return ReceiptAnswer(**receipt._asdict())

    @router.get("/observations", response_model=StoredObservations, responses=_TABLE | documented(422, 503))
    async def stored_observations(request: Request, query: Annotated[ObservationsQuery, Query()]) -> Response:
        """What was received of one noun, in the latest revision of each series and date."""

        def read(connection: sa.Connection) -> Stored:
            noun = _chosen_noun(query, observations.nouns(connection))
            return _stored(connection, noun, query)

        return await _answer(request, store, query, read)

    @router.get(
        "/models/{model}/scores", response_model=ModelScores, responses=_TABLE | documented(404, 422, 503)
    )
    async def model_scores(request: Request, model: str, query: Annotated[PartQuery, Query()]) -> Response:
        """Scores of the forecasts that the model issued, against what came, and its backtest."""
        backtest = await backtests.of(upstreams[model]) if model in upstreams else None

        def read(connection: sa.Connection) -> ModelScores | None:
            if not _exists(connection, model, clients):
                return None
            code = query.code(scores.noun_of(connection, model))
            in_use = scores.of_model(connection, model, query.since, query.until, code)
            return ModelScores(**dict(in_use), backtest=backtest)

        return await _answer(request, store, query, read)

    @router.get("/models/{model}/drift", response_model=Drift, responses=_TABLE | documented(404, 422, 503))
    async def model_drift(request: Request, model: str, query: Annotated[FormatQuery, Query()]) -> Response:
        """Series whose values leave the range of the training data, or are reported differently."""

        def read(connection: sa.Connection) -> Drift | None:
            if not _exists(connection, model, clients):
                return None
            noun = scores.noun_of(connection, model)
            flags = drift.by_model(connection).get(model, [])
            names = observations.named(connection, noun, [flag.series for flag in flags])
            return Drift(
                model=model,
                noun=noun,
                observations_through=observations.through(connection, noun),
                drift=[_flag(noun, names[flag.series], flag) for flag in flags],
            )

        return await _answer(request, store, query, read)

    return router


def _chosen_noun(query: ObservationsQuery, known: list[str]) -> str:
    """The noun that a query means, of those that are stored.

    Raises:
        InvalidValue: It names none of them, or could mean several.
    """
    noun = query.noun or (COUNTRY if query.country else None)
    listed = ", ".join(known)
    if noun is not None and noun not in (known or [noun]) and not query.country:
        raise InvalidValue("noun", f"must be one of those that were received: {listed}, not {noun[:60]}")
    if noun is None and len(known) > 1 and COUNTRY not in known:
        raise InvalidValue("noun", f"must say which of these: {listed}")
    if noun is None:
        noun = known[0] if len(known) == 1 else COUNTRY
    return noun


def _stored(connection: sa.Connection, noun: str, query: ObservationsQuery) -> Stored:
    found = observations.by_date(connection, noun, query.since, query.until, query.code(noun))
    measures = observations.measures(connection, noun)
    if noun == COUNTRY:  # these three always, the population last
        measures = ["cases", "deaths", *(one for one in measures if one not in COUNTS), "population"]
    names = observations.named(connection, noun, [row.series for row in found])
    return Stored(
        observations.through(connection, noun),
        ["date", noun, "name", *measures],
        [
            [row.date, row.series, names[row.series], *(number(row.values.get(one)) for one in measures)]
            for row in found
        ],
    )


def _flag(noun: str, name: str, flag: drift.Flag) -> DriftFlag:
    identifier: dict[str, Any] = {noun: flag.series}
    return DriftFlag(**identifier, name=name, reason=flag.reason, date=flag.date, detail=flag.detail)


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
            403,
            "No data are received here: start the catalogue with a key in OBSERVATIONS_KEY first.",
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
