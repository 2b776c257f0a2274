"""The API that every model has: `create_app(artifact)`.

Here are its routes, their parameters and what is cached. Answers are computed in `answers.py`,
`forecasts.py`, `events.py`, `decisions.py` and `issue.py`, and put into JSON, CSV or NDJSON in `rendering.py`
and `representations.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Self, cast

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field, model_validator
from starlette.types import Message, Receive, Scope, Send

from forecastle.artifact import Artifact, Series
from forecastle.dates import written
from forecastle.service import answers, decisions, events, forecasts, inference, issue, paths, rendering
from forecastle.service.cache import Documents, Repeated, streamed
from forecastle.service.card import page as card_page
from forecastle.service.direct import Direct, DirectRoute
from forecastle.service.horizon import period_of
from forecastle.service.lookup import find
from forecastle.service.naming import named
from forecastle.service.paths import Kind
from forecastle.web import middleware, openapi, prefix
from forecastle.web.documents import CACHE_CONTROL, Document, is_known, not_modified
from forecastle.web.markdown import POLICY
from forecastle.web.problems import ProblemError, documented
from forecastle.web.queries import (
    DEFAULT_DAYS,
    Code,
    TableQuery,
    counts_of,
    must_be,
    no_parameters,
    optional,
    wrong,
)
from forecastle.web.representations import MEDIA_TYPES, chosen

IN_BYTES = re.compile(rb"\s*bytes\s*(=|$)", re.IGNORECASE)  # a header `Range`
MOST_DRAWS = 10_000
DIRECT = {"/{plural}/{code}/forecast", "/{plural}/{code}/probability", "/forecast"}

NETCDF: dict[str, Any] = {"application/x-netcdf": {"schema": {"type": "string", "format": "binary"}}}
WITHOUT_PARAMETERS: dict[str, Any] = {"dependencies": [Depends(no_parameters)]}


def create_app(artifact: Artifact) -> FastAPI:
    """The app of a model: health, documentation, the forecast routes, and problems for errors.

    It is a plain FastAPI app: a model's own routes are added to it as to any other. `CORS_ORIGINS` in the
    environment names the web origins whose pages may use it, with spaces between, or is `*`.
    """
    manifest = artifact.manifest
    codes = ", countries by their codes of ISO 3166 alpha-3" if manifest.noun == "country" else ""
    app: FastAPI = FastAPIOffline(  # whose Swagger UI loads nothing from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `runtime` has its own
        redirect_slashes=False,  # it would repeat whatever host the client names
        generate_unique_id_function=_operation,
        title=manifest.title,
        version=artifact.version,
        description=f"Forecasts of {manifest.target} for {len(artifact.series)} {manifest.plural}, "
        f"up to {artifact.frequency.periods(artifact.horizon)} ahead, from data through "
        f"{artifact.data_through}. Values are in {manifest.unit}, dates in ISO 8601{codes}.\n\n"
        "Answers to GET carry a strong `ETag`: with `If-None-Match` what is known already is not sent again "
        "(304). Errors are `application/problem+json` (RFC 9457), of a `type` that leads to a page about it.",
    )
    app.state.artifact = artifact
    documents, direct = Documents(artifact), list[DirectRoute]()
    app.add_middleware(Direct, routes=direct)
    app.add_middleware(Repeated, documents=documents)
    middleware.install(app)
    _add_forecasts(app, documents)
    _add_events(app, documents)
    _add_series(app, documents)
    _add_files(app, artifact)
    app.include_router(inference.routes(artifact))
    openapi.install(app)
    hot = {path.format(plural=manifest.plural, code="{code}") for path in DIRECT}
    direct += [
        DirectRoute.of(route) for route in app.routes if isinstance(route, APIRoute) and route.path in hot
    ]
    return app


def _add_forecasts(app: FastAPI, documents: Documents) -> None:
    artifact, horizon = documents.artifact, documents.artifact.horizon
    nouns = artifact.manifest.noun, artifact.manifest.plural
    most_draws = min(len(artifact.draws), MOST_DRAWS)

    class AllQuery(forecasts.ForecastQuery):
        days: Annotated[
            int,
            Field(ge=1, le=horizon, description="Periods ahead: days, if the frequency is D."),
            must_be(f"a whole number from 1 to {horizon}, the horizon of this model"),
        ] = min(DEFAULT_DAYS, horizon)

        counts: counts_of(paths.kinds(artifact)) | None = optional(  # type: ignore[valid-type]
            str(forecasts.ForecastQuery.model_fields["counts"].description)
        )

        period: period_of(artifact) | None = optional(  # type: ignore[valid-type]
            "Sums of daily values over whole weeks after the origin date, from a Sunday to a Saturday. "
            "`days` is then the horizon by default, and the weeks are those that end within them."
        )

        @model_validator(mode="after")
        def weeks_of_days(self) -> Self:
            """Sums by week are of as many days as surely hold a week."""
            if not self.period:
                return self
            if self.counts == "cumulative":
                raise wrong("period=week does not go with counts=cumulative")
            if "days" not in self.model_fields_set:
                self.days = horizon
            if self.days < paths.SURE_WEEK:
                raise wrong(
                    "period=week needs days of at least {}, lest no whole week lie in them", paths.SURE_WEEK
                )
            return self

        @property
        def kind(self) -> Kind:
            return "weekly" if self.period else self.counts or paths.own(artifact)

        def arguments(self) -> tuple[Any, ...]:
            """What `forecasts.forecast` takes after the series."""
            intervals = None if self.quantile else tuple(sorted(set(self.level)))
            return self.days, self.kind, intervals, tuple(sorted(set(self.quantile)))

    class SeriesQuery(AllQuery):
        draws: (
            Annotated[int, Field(ge=1, le=most_draws), must_be(f"a whole number from 1 to {most_draws}")]
            | None
        ) = optional("Whole paths besides, so many of the draws.")

    def only_this(query: AllQuery) -> None:
        """Refuse what asks for an earlier forecast than this one."""
        created = artifact.manifest.created
        if query.as_of is not None and query.as_of < artifact.data_through:
            has, asked = f"from data through {artifact.data_through}", f"as_of={query.as_of}"
        elif query.known_at is not None and query.known_at < created:
            has, asked = f"trained at {written(created)}", f"known_at={written(query.known_at)}"
        else:
            return
        raise ProblemError(
            404,
            f"This service has one forecast, {has}. That of {asked} is kept by the gateway's catalogue, "
            "if it was running by then.",
            type="past-forecast",
        )

    @app.get(
        f"/{artifact.manifest.plural}/{{code}}/forecast",
        response_model=answers.of(artifact, forecasts.SeriesForecast),
        responses=_also(*MEDIA_TYPES) | documented(404, 422),
    )
    async def forecast(request: Request, code: Code, query: Annotated[SeriesQuery, Query()]) -> Response:
        """Mean, median and central intervals or quantiles of every coming day; with `draws` whole paths."""
        series, representation = find(artifact, code), chosen(request, query.format)
        only_this(query)
        if representation == "hubverse":
            arguments = (series, query.days, query.kind, query.draws)
            return documents.answer(request, representation, forecasts.hub_table, *arguments)
        arguments = (_root(request), series, *query.arguments(), query.draws)
        return documents.answer(request, representation, forecasts.forecast, *arguments)

    @app.get(
        "/forecast",
        name="forecasts",
        response_model=named(forecasts.AllForecasts, *nouns),
        responses=_also(*MEDIA_TYPES) | documented(404, 422),
    )
    async def all_forecasts(request: Request, query: Annotated[AllQuery, Query()]) -> Response:
        """The forecasts for all series at once; as NDJSON they are sent while they are computed."""
        only_this(query)
        root, representation = _root(request), chosen(request, query.format)
        arguments = query.arguments()
        if representation == "ndjson":
            headers = {
                **streamed(artifact, representation, root, *arguments),
                "Content-Type": MEDIA_TYPES["ndjson"],
            }
            if is_known(request, headers["ETag"]):
                return not_modified(headers)
            return StreamingResponse(lines(root, arguments), headers=headers)
        answer: rendering.HubTable | rendering.Forecasts
        if representation == "hubverse":
            each = [forecasts.for_hub(artifact, one, query.kind) async for one in in_turn()]
            answer = rendering.HubTable(artifact.data_through, query.days, each)
        else:
            each = [forecasts.forecast(artifact, root, one, *arguments) async for one in in_turn()]
            answer = forecasts.of_all(artifact, root, query.kind, each)
        return documents.respond(request, Document.rendered(answer, representation))

    async def in_turn() -> AsyncIterator[Series]:
        """All series; other requests are answered between them."""
        for series in artifact.series.values():
            yield series
            await asyncio.sleep(0)

    async def lines(root: str, arguments: tuple[Any, ...]) -> AsyncIterator[bytes]:
        async for series in in_turn():
            yield documents.get("ndjson", forecasts.forecast, root, series, *arguments).body


def _add_events(app: FastAPI, documents: Documents) -> None:
    """What is posted is computed in threads (hence no `async`), so that no other request waits for it."""
    artifact = documents.artifact
    nouns = artifact.manifest.noun, artifact.manifest.plural
    event_type, events_type = events.asked(artifact)
    decision_type = decisions.asked(artifact)

    @app.get(
        f"/{artifact.manifest.plural}/{{code}}/probability",
        response_model=answers.of(artifact, events.Probability),
        responses=documented(404, 422),
    )
    async def probability(
        request: Request,
        code: Code,
        event: Annotated[event_type, Query()],  # type: ignore[valid-type]
    ) -> Response:
        """The probability of an event: of a count on a day, of a running total, or along whole paths."""
        arguments = (_root(request), find(artifact, code), event)
        return documents.answer(request, "json", events.probability, *arguments)

    @app.post(
        "/probability",
        name="probability",
        response_model=named(events.EventProbabilities, *nouns),
        responses=documented(400, 413, 415, 422),
        **WITHOUT_PARAMETERS,
    )
    def many_probabilities(request: Request, asked: events_type) -> Response:  # type: ignore[valid-type]
        """The probabilities of many events, also of one series' count above another's."""
        return _not_kept(
            events.probabilities(artifact, _root(request), cast(events.EventsRequest, asked).events)
        )

    @app.post(
        "/decisions",
        name="decisions",
        response_model=answers.of(artifact, decisions.Decision),
        responses=documented(400, 413, 415, 422),
        **WITHOUT_PARAMETERS,
    )
    def decide(request: Request, asked: decision_type) -> Response:  # type: ignore[valid-type]
        """The action with the least expected loss, and the distribution of its loss."""
        return _not_kept(decisions.decide(artifact, _root(request), asked))


def _add_series(app: FastAPI, documents: Documents) -> None:
    artifact = documents.artifact

    @app.get("/", response_model=answers.Overview, responses=documented(422), **WITHOUT_PARAMETERS)
    async def overview(request: Request) -> Response:
        """What the model is, and where to go from here."""
        before = prefix.forwarded(request.scope)
        return documents.answer(request, "json", answers.overview, _root(request), before)

    @app.get(
        f"/{artifact.manifest.plural}",
        name=artifact.manifest.plural,
        response_model=answers.of(artifact, answers.SeriesPage),
        responses=_also("csv", "ndjson") | documented(422),
    )
    async def all_series(request: Request, query: Annotated[TableQuery, Query()]) -> Response:
        """The series that there are forecasts for."""
        arguments = (_root(request), query.limit, query.offset)
        return documents.answer(request, chosen(request, query.format), answers.all_series, *arguments)

    @app.get(
        f"/{artifact.manifest.plural}/{{code}}",
        name=artifact.manifest.noun,
        response_model=answers.SeriesEntry,
        responses=documented(404, 422),
        **WITHOUT_PARAMETERS,
    )
    async def series(request: Request, code: Code) -> Response:
        """A series, and what there is about it."""
        return documents.answer(request, "json", answers.entry, _root(request), find(artifact, code))

    @app.get(
        f"/{artifact.manifest.plural}/{{code}}/observations",
        response_model=answers.of(artifact, answers.ObservationPage),
        responses=_also("csv", "ndjson") | documented(404, 422),
    )
    async def observations(request: Request, code: Code, query: Annotated[TableQuery, Query()]) -> Response:
        """The counts that the model was fitted to."""
        arguments = (_root(request), find(artifact, code), query.limit, query.offset)
        return documents.answer(request, chosen(request, query.format), answers.observations, *arguments)

    @app.get(
        f"/{artifact.manifest.plural}/{{code}}/parameters",
        response_model=answers.of(artifact, answers.SeriesParameters),
        responses=documented(404, 422),
        **WITHOUT_PARAMETERS,
    )
    async def parameters(request: Request, code: Code) -> Response:
        """Posterior summaries of the parameters, and how well each has converged."""
        arguments = (_root(request), find(artifact, code))
        return documents.answer(request, "json", answers.parameters, *arguments)


def _add_files(app: FastAPI, artifact: Artifact) -> None:
    """The artifact's files, all its forecasts in one, and health."""
    the_manifest = Document.of((artifact.folder / "manifest.json").read_bytes(), MEDIA_TYPES["json"])
    the_backtest = Document.of((artifact.folder / "backtest.json").read_bytes(), MEDIA_TYPES["json"])
    the_card = Document.of(card_page(artifact).encode(), "text/html; charset=utf-8")
    the_card.headers["Content-Security-Policy"] = POLICY

    @app.get("/manifest.json", response_model=dict[str, Any], responses=documented(422), **WITHOUT_PARAMETERS)
    async def manifest(request: Request) -> Response:
        """What was fitted to which data, with which versions, how well it converged, and files' hashes."""
        return the_manifest.answer(request)

    @app.get(
        "/backtest.json",
        response_model=dict[str, Any] | None,
        responses=documented(422),
        **WITHOUT_PARAMETERS,
    )
    async def backtest(request: Request) -> Response:
        """All scores of forecasts of past days, as training found them; null without a backtest."""
        return the_backtest.answer(request)

    @app.get(
        "/issue.json",
        name="issue",
        response_model=issue.Issue,
        responses=documented(422),
        **WITHOUT_PARAMETERS,
    )
    def whole_issue(request: Request) -> Response:
        """Everything that this version forecasts, and the counts that it rests on; for archives."""
        # In a thread, since it takes some tenths of a second. It is not kept: an archive asks once.
        return Document.of(issue.issue(artifact, _root(request)), MEDIA_TYPES["json"]).answer(request)

    @app.get("/card", response_class=HTMLResponse, responses=documented(422), **WITHOUT_PARAMETERS)
    async def card(request: Request) -> Response:
        """The model card as a page: what was fitted to what, how well, and how far to trust it."""
        return the_card.answer(request)

    @app.get(
        "/posterior.nc",
        response_class=PosteriorResponse,
        responses={200: {"content": NETCDF}, **documented(400, 416, 422)},
        **WITHOUT_PARAMETERS,
    )
    async def posterior(request: Request) -> Response:
        """The posterior as a NetCDF file in ArviZ's schema, whole or in ranges of bytes."""
        etag = f'"{artifact.manifest.files["posterior.nc"][:32]}"'
        headers = {"ETag": etag, "Cache-Control": CACHE_CONTROL}
        if is_known(request, etag):
            return not_modified(headers)
        path, name = artifact.folder / "posterior.nc", f"{artifact.model}-{artifact.version}.nc"
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

        # A server ignores units of ranges that it does not know (RFC 9110).
        headers = [
            (name, value) for name, value in scope["headers"] if name != b"range" or IN_BYTES.match(value)
        ]
        scope = {**scope, "headers": headers}
        if scope.get("is_head"):  # set by AnswerHead; the file need not be read
            scope["method"] = "HEAD"
        await super().__call__(scope, receive, send_unless_refused)


def _operation(route: APIRoute) -> str:
    """An operation's id, by which clients are named that are generated from the OpenAPI document."""
    return f"{min(route.methods or {'get'}).lower()}_{route.name}"


def _also(*representations: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that has representations besides JSON."""
    types = {MEDIA_TYPES[name].partition(";")[0] for name in representations} - {MEDIA_TYPES["json"]}
    return {200: {"content": {media_type: {"schema": {"type": "string"}} for media_type in sorted(types)}}}


def _root(request: Request) -> str:
    """The path that the app's routes start with, such as `/deaths` behind the gateway."""
    return request.scope.get("root_path", "")


def _not_kept(answer: BaseModel) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(answer.model_dump_json(), headers=headers, media_type=MEDIA_TYPES["json"])
