"""`GET /models`: every model with its version, data, scores and health."""

import asyncio
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError

from forecastle.catalogue.openapi import METHODS
from forecastle.catalogue.upstreams import Upstream
from forecastle.manifest import FORECAST, PLAIN
from forecastle.service.answers import BacktestSummary, Bound, DataSource, DiagnosticsSummary
from forecastle.web.prefix import forwarded


class Progress(BaseModel):
    """How far a training is, or what comes before it."""

    step: str = Field(description="What is being done.", examples=["sampling"])
    fraction: float | None = Field(
        default=None, description="Of this step, what is done, from 0 to 1; left out if it is not known."
    )
    seconds: int = Field(description="Since that began.")


class Status(BaseModel):
    """What happens to a model's artifact; a model may answer from an older one meanwhile."""

    status: Literal["waiting", "training", "starting", "failed"] | None = Field(
        default=None,
        description="Only with `make run`, and left out when there is nothing to wait for. `waiting`: "
        "packages are installed, or other models trained, first. `starting`: it is trained, and about to "
        "answer. `failed`: `verdict` says why.",
    )
    progress: Progress | None = Field(
        default=None, description="Of a model that is being trained, or waits for packages."
    )
    verdict: list[str] | None = Field(
        default=None,
        description="Of a training that failed, or an artifact that cannot be served: the last "
        "lines that it wrote.",
    )


class ModelEntry(Status):
    """A model. While it is down, its members are those of its last answer.

    What there is not is left out: a model that forecasts nothing has no horizon, and of one that never
    answered only the name is known.
    """

    model: str = Field(description="The name in its routes.", examples=["deaths"])
    health: Literal["ready", "down"]
    kind: Literal["forecast", "plain"] | None = Field(
        default=None, description="`plain`: it has routes of its own, and forecasts nothing."
    )
    title: str | None = None
    version: str | None = Field(default=None, description="A date and a hash.")
    target: str | None = Field(default=None, examples=["daily deaths"])
    unit: str | None = Field(default=None, examples=["deaths"])
    frequency: str | None = Field(
        default=None, description="Of the dates, by pandas' alias: `D` is daily.", examples=["D"]
    )
    noun: str | None = Field(default=None, description="What a series is about.", examples=["country"])
    plural: str | None = Field(
        default=None, description="Of the noun: a part of the routes.", examples=["countries"]
    )
    measure: str | None = Field(default=None, description="What is measured.", examples=["deaths"])
    real: bool | None = Field(
        default=None, description="Whether the values are real numbers rather than counts."
    )
    minimum: Bound | None = Field(
        default=None, description="The least value that there can be; left out if there is none."
    )
    first_day: datetime.date | None = Field(default=None, description="The first fitted date of any series.")
    data_through: datetime.date | None = Field(default=None, description="The last date in the data.")
    data: DataSource | None = Field(default=None, description="Of a forecast: where the data come from.")
    trained_at: datetime.datetime | None = None
    horizon: int | None = Field(default=None, description="The number of periods that are forecast.")
    series: int | None = Field(default=None, description="The number of series with forecasts.")
    reference: bool | None = Field(default=None, description="Whether the model is for comparison only.")
    diagnostics: DiagnosticsSummary | None = None
    backtest: BacktestSummary | None = None
    routes: list[str] | None = Field(
        default=None, description="Of a plain model, by its OpenAPI.", examples=[["POST /iris/predict"]]
    )
    links: dict[str, str]


class ModelList(BaseModel):
    """All models behind this gateway."""

    models: list[ModelEntry]


Statuses = Mapping[str, Callable[[], Status]]


def routes(upstreams: Sequence[Upstream], statuses: Statuses) -> APIRouter:
    """The list of these models.

    Args:
        upstreams: The models.
        statuses: For models that are trained here, by name, what happens to them now.
    """
    router = APIRouter()

    @router.get("/models", operation_id="get_models", response_model_exclude_none=True)
    async def models(request: Request, response: Response) -> ModelList:
        """Every model with its version, data window, diagnostics, backtest and health."""
        response.headers["Cache-Control"] = "no-store"
        before, entries = forwarded(request.scope), await asyncio.gather(*map(_entry, upstreams))
        for entry in entries:
            entry.links = {name: before + path for name, path in entry.links.items()}
            if status := statuses.get(entry.model):
                now = status()
                entry.status, entry.progress, entry.verdict = now.status, now.progress, now.verdict
        return ModelList(models=entries)

    return router


async def _entry(upstream: Upstream) -> ModelEntry:
    manifest, overview = await asyncio.gather(upstream.get("/manifest.json"), upstream.get("/"))
    sealed = manifest.content if isinstance(manifest.content, dict) else {}
    if sealed.get("kind") == PLAIN:
        openapi = await upstream.get("/openapi.json")
        routes = list(_routes(upstream.name, openapi.content))
        known = {"title": sealed.get("title"), "trained_at": sealed.get("created"), "routes": routes or None}
        return _described(upstream.name, manifest.health, {**sealed, **known}, docs=bool(routes))
    about = overview.content if isinstance(overview.content, dict) else {}
    return _described(upstream.name, overview.health, {**about, "kind": FORECAST if sealed else None})


def _described(name: str, health: str, about: dict[str, Any], docs: bool = True) -> ModelEntry:
    always: dict[str, Any] = {"model": name, "health": health}
    links = {"self": f"/{name}/", **({"docs": f"/{name}/docs"} if docs else {"card": f"/{name}/card"})}
    said = ModelEntry.model_fields.keys() - Status.model_fields.keys()
    known = {key: about[key] for key in said if key in about}
    try:
        return ModelEntry.model_validate({"links": links, **known, **always})
    except ValidationError:  # an app without a manifest, which has other things under these names
        return ModelEntry(links=links, **always)


def _routes(name: str, document: Any) -> Iterator[str]:
    """The methods and paths of an OpenAPI document, as the gateway has them."""
    paths = document.get("paths") if isinstance(document, dict) else None
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} /{name}{path}"
