"""The API that every model has: `create_app(artifact)`.

Here is how it is asked: routes, parameters, formats, caching. What it answers is computed in `answers.py`.
"""

import csv
import datetime
import difflib
import hashlib
import io
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, Self

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi_offline import FastAPIOffline
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle import answers, prose
from forecastle.artifact import Artifact, Country
from forecastle.problems import ProblemError, documented, install

DEFAULT_DAYS = 14
DEFAULT_LEVELS = [0.5, 0.8, 0.95]
MOST_LEVELS = 10
KEPT_DOCUMENTS = 1024  # some 5 kB each
# Short, so that a new version of a model is seen within 5 s; stale answers stand in while the model is down.
CACHE_CONTROL = "public, max-age=2, stale-while-revalidate=3, stale-if-error=86400"
# The card has nothing to load and nothing to run.
CARD_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(artifact: Artifact) -> FastAPI:
    """The app of a model: health, documentation, the forecast routes, and problems for errors.

    It is a plain FastAPI app: a model's own routes are added to it as to any other.
    """
    manifest, horizon = artifact.manifest, artifact.horizon
    app: FastAPI = FastAPIOffline(  # whose Swagger UI loads nothing from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would repeat whatever host the client names
        title=manifest["title"],
        version=artifact.version,
        description=f"Forecasts of {manifest['target']} for {len(artifact.countries)} countries, "
        f"up to {horizon} days ahead, from data through {artifact.data_through}.",
    )
    from forecastle import inference, openapi  # which need this module

    app.state.artifact = artifact
    app.add_middleware(AnswerHead)
    install(app)

    class ForecastQuery(KnownParameters):
        days: Annotated[
            int,
            Field(ge=1, le=horizon, description="Days ahead."),
            _must_be(f"a whole number from 1 to {horizon}, the horizon of this model"),
        ] = min(DEFAULT_DAYS, horizon)
        level: Annotated[
            list[Annotated[float, Field(gt=0, lt=1)]],
            Field(max_length=MOST_LEVELS, description="The probability of a central interval; repeatable."),
            _must_be(f"a number between 0 and 1 such as 0.9, or up to {MOST_LEVELS} of them"),
        ] = DEFAULT_LEVELS

    # Nothing that answers depend on changes while the server runs, so each is computed and serialised once.
    @lru_cache(KEPT_DOCUMENTS)
    def document(answer: Callable[..., Any], as_csv: bool, *arguments: Any) -> Document:
        content = answer(artifact, *arguments)
        if as_csv:
            text = io.StringIO(newline="")
            csv.writer(text).writerows(content.table())
            return Document.of(text.getvalue().encode(), "text/csv; charset=utf-8")
        return Document.of(content.model_dump_json().encode(), "application/json")

    the_manifest = Document.of((artifact.folder / "manifest.json").read_bytes(), "application/json")
    the_card = Document.of(prose.card(artifact).encode(), "text/html; charset=utf-8")
    the_card.headers["Content-Security-Policy"] = CARD_POLICY

    @app.get(
        "/countries/{code}/forecast",
        response_model=answers.Forecast,
        responses=CSV_TOO | documented(404, 422),
    )
    async def forecast(request: Request, code: Code, query: Annotated[ForecastQuery, Query()]) -> Response:
        """Mean, median and central intervals of every coming day; a table with `Accept: text/csv`."""
        country, levels = find(artifact, code), tuple(sorted(set(query.level)))
        return respond(request, document(answers.forecast, wants_csv(request), country, query.days, levels))

    @app.get(
        "/countries/{code}/probability",
        response_model=answers.Probability,
        responses=documented(404, 422),
    )
    async def probability(
        request: Request, code: Code, query: Annotated[ProbabilityQuery, Query()]
    ) -> Response:
        """The probability that a day's count, or the running total by its end, is above or below a number."""
        country = find(artifact, code)
        threshold = query.below if query.above is None else query.above
        day = query.on or query.by
        assert threshold is not None and day is not None  # as ProbabilityQuery.exactly_one ensures
        first, last = (country.origin_date + datetime.timedelta(ahead) for ahead in (1, horizon))
        if not first <= day <= last:
            parameter = "on" if query.on else "by"
            detail = (
                f"{parameter} must be a day from {first} to {last} for {country.name}: "
                f"the horizon of this model is {horizon} days"
            )
            errors = [{"in": "query", "parameter": parameter, "detail": detail}]
            raise ProblemError(422, detail, errors=errors)
        event = (country, day, threshold, query.above is not None, query.by is not None)
        return respond(request, document(answers.probability, False, *event))

    without_parameters: dict[str, Any] = {"dependencies": [Depends(no_parameters)]}

    @app.get("/", response_model=answers.Overview, responses=documented(422), **without_parameters)
    async def overview(request: Request) -> Response:
        """What the model is, and where to go from here."""
        return respond(request, document(answers.overview, False, request.scope.get("root_path", "")))

    @app.get(
        "/countries",
        response_model=answers.Countries,
        responses=CSV_TOO | documented(422),
        **without_parameters,
    )
    async def countries(request: Request) -> Response:
        """The countries that there are forecasts for; a table with `Accept: text/csv`."""
        return respond(request, document(answers.countries, wants_csv(request)))

    @app.get(
        "/countries/{code}/observations",
        response_model=answers.Observations,
        responses=CSV_TOO | documented(404, 422),
        **without_parameters,
    )
    async def observations(request: Request, code: Code) -> Response:
        """The counts that the model was fitted to; a table with `Accept: text/csv`."""
        return respond(request, document(answers.observations, wants_csv(request), find(artifact, code)))

    @app.get(
        "/countries/{code}/parameters",
        response_model=answers.Parameters,
        responses=documented(404, 422),
        **without_parameters,
    )
    async def parameters(request: Request, code: Code) -> Response:
        """Posterior summaries of the parameters, and how well each has converged."""
        return respond(request, document(answers.parameters, False, find(artifact, code)))

    @app.get("/manifest.json", responses=documented(422), **without_parameters)
    async def manifest_json(request: Request) -> Response:
        """What was fitted to which data, with which versions, how well it converged, and files' hashes."""
        return respond(request, the_manifest)

    @app.get("/card", response_class=HTMLResponse, responses=documented(422), **without_parameters)
    async def card(request: Request) -> Response:
        """The model card as a page: what was fitted to what, how well, and how far to trust it."""
        return respond(request, the_card)

    @app.get(
        "/posterior.nc",
        response_class=PosteriorResponse,
        responses=documented(400, 416, 422),
        **without_parameters,
    )
    async def posterior(request: Request) -> Response:
        """The posterior as a NetCDF file in ArviZ's schema, whole or in ranges of bytes."""
        path, etag = artifact.folder / "posterior.nc", f'"{manifest["files"]["posterior.nc"][:32]}"'
        if is_known(request, etag):
            return Response(status_code=304, headers={"ETag": etag, "Cache-Control": CACHE_CONTROL})
        name = f"{artifact.model}-{artifact.version}.nc"
        headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
        return PosteriorResponse(path, 200, headers, PosteriorResponse.media_type, filename=name)

    @app.get("/livez")
    async def livez(response: Response) -> answers.Health:
        """The process answers."""
        response.headers["Cache-Control"] = "no-store"
        return answers.Health(status="alive")

    @app.get("/readyz")
    async def readyz(response: Response) -> answers.Health:
        """The artifact is loaded and verified; without that there is no app to answer."""
        response.headers["Cache-Control"] = "no-store"
        return answers.Health(status="ready")

    app.include_router(inference.routes(artifact))
    openapi.install(app)
    return app


class Document(NamedTuple):
    """An answer as it goes over the wire."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, body: bytes, media_type: str) -> Self:
        """With the headers of an answer that may be cached."""
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept", "Content-Type": media_type}
        return cls(body, headers)


def respond(request: Request, document: Document) -> Response:
    """The document, or status 304 if the client has it already (`If-None-Match`)."""
    if is_known(request, document.headers["ETag"]):
        headers = {name: value for name, value in document.headers.items() if name != "Content-Type"}
        return Response(status_code=304, headers=headers)
    return Response(document.body, headers=document.headers)


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names the entity tag."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in known


class PosteriorResponse(FileResponse):
    """A NetCDF file, streamed from disk; a range that it does not have is a problem as other errors are."""

    media_type = "application/x-netcdf"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_unless_refused(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                size = self.headers["Content-Length"]
                detail = f"Range must name bytes from 0 to {int(size) - 1}, such as bytes=0-99"
                error = ProblemError(message["status"], detail)
                error.headers = {"Content-Range": f"bytes */{size}"}
                raise error
            await send(message)

        if scope.get("is_head"):  # set by AnswerHead; the file need not be read
            scope = {**scope, "method": "HEAD"}
        await super().__call__(scope, receive, send_unless_refused)


def wants_csv(request: Request) -> bool:
    """Whether `Accept` names text/csv and likes it no less than JSON."""
    quality = {"text/csv": 0.0, "application/json": 0.0}
    for item in request.headers.get("accept", "").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
        try:
            quality[media_type] = float(weights[0]) if weights else 1.0
        except ValueError:
            quality[media_type] = 0.0
    return 0 < quality["text/csv"] >= quality["application/json"]


def find(artifact: Artifact, code: str) -> Country:
    """The country of that ISO 3166 alpha-3 code, in capital letters or not.

    Raises:
        ProblemError: 404, with the reason why the country was left out, or those that may have been meant.
    """
    code = code.upper()[:60]
    if country := artifact.countries.get(code):
        return country
    if excluded := artifact.manifest["excluded"].get(code):
        raise ProblemError(404, f"{excluded['name']} has no forecast: {excluded['reason']}")
    matches = near_matches(artifact, code)
    shown = " or ".join(f"{match['code']} ({match['name']})" for match in matches)
    hint = f"Did you mean {shown}?" if matches else "GET /countries lists all."
    raise ProblemError(404, f"There is no country {code} here. {hint}", near_matches=matches or None)


def near_matches(artifact: Artifact, text: str) -> list[dict[str, str]]:
    """Up to three countries whose code, name or initials look like the text in capitals, most alike first."""
    matcher = difflib.SequenceMatcher(b=text)  # `b` is what it prepares once
    likeness: dict[Country, float] = {}
    for country in artifact.countries.values():
        name = country.name.upper()
        if text == "".join(word[0] for word in name.split()):
            likeness[country] = 1.0
            continue
        for candidate in (country.code, name):
            matcher.set_seq1(candidate)
            if matcher.quick_ratio() > 0.6 and (ratio := matcher.ratio()) > 0.6:
                # GRB is GBR rather than BGR or GRC
                transposed = candidate[0] == text[0] and sorted(candidate) == sorted(text)
                likeness[country] = max(likeness.get(country, 0), ratio + 0.1 * transposed)
    best = sorted(likeness, key=lambda country: -likeness[country])[:3]
    return [{"code": country.code, "name": country.name} for country in best]


def _must_be(words: str) -> WrapValidator:
    """A validator: whatever is wrong with a value, say that it must be what the words tell."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            given = " and ".join(map(str, value)) if isinstance(value, list) else str(value)
            # The message is passed as a value, since a brace in it would be taken for a placeholder.
            message = f"Input must be {words}, not {given[:60]!r}"
            raise PydanticCustomError("invalid", "{message}", {"message": message}) from None

    return WrapValidator(validate)


class KnownParameters(BaseModel):
    """Query parameters. Others are refused: a misspelt one would change nothing, unseen."""

    @model_validator(mode="before")
    @classmethod
    def no_others(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Names those that are not known, and those that are."""
        if unknown := ", ".join(sorted(values.keys() - cls.model_fields.keys()))[:60]:
            known = ", ".join(cls.model_fields) or "none"
            message = f"unknown query parameter {unknown} (known here: {known})"
            raise PydanticCustomError("unknown_parameter", "{message}", {"message": message})
        return values


Threshold = Annotated[float, Field(ge=0, allow_inf_nan=False), _must_be("a number of at least 0")]
Day = Annotated[
    datetime.date, BeforeValidator(datetime.date.fromisoformat), _must_be("a date such as 2020-05-01")
]


class ProbabilityQuery(KnownParameters):
    """An event: `above` or `below` a number, `on` a day or `by` its end."""

    above: Threshold | None = Field(None, description="The event is a count above this number.")
    below: Threshold | None = Field(None, description="The event is a count below this number.")
    on: Day | None = Field(None, description="It is about the target's count on this day.")
    by: Day | None = Field(None, description="It is about the running total by the end of this day.")

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        """Of `above` and `below`, and of `on` and `by`."""
        if (self.above is None) == (self.below is None) or (self.on is None) == (self.by is None):
            message = "exactly one of above and below is needed, and exactly one of on and by"
            raise PydanticCustomError("exactly_one", message)
        return self


class NoParameters(KnownParameters):
    """None at all."""


async def no_parameters(_: Annotated[NoParameters, Query()]) -> None:
    """A dependency of routes without query parameters: those that are given are refused."""


Code = Annotated[str, Path(description="ISO 3166 alpha-3, in capital letters or not.", examples=["GBR"])]
CSV_TOO: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


class AnswerHead:
    """ASGI middleware: answers HEAD as GET, which FastAPI's routes do not; the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_as_head(message: Message) -> None:
            scope["method"] = "HEAD"  # by which the server knows
            await send(message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope["method"], scope["is_head"] = "GET", True
            await self.app(scope, receive, send_as_head)
        else:
            await self.app(scope, receive, send)
