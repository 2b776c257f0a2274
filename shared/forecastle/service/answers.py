"""What a model says of itself, its series, its data and its parameters.

The shape of each answer, and how it is computed from the artifact; what the model forecasts is in
`forecasts.py`, `events.py` and `decisions.py`.
"""

import datetime
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from forecastle.artifact import Artifact, Backtest, Series
from forecastle.service.naming import Named, named
from forecastle.web import problem_types


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value


Bound = Annotated[float, PlainSerializer(_whole)]  # 0 rather than 0.0


class BacktestSummary(BaseModel):
    """How forecasts of past days compared with a naive forecast, last week's daily mean."""

    origins: list[datetime.date] = Field(description="The last days known to each of the forecasts.")
    wis_ratio: float = Field(
        description="The weighted interval score over the naive forecast's; below 1 is better.",
        examples=[0.8],
    )
    coverage: dict[str, float] = Field(
        description="The share of counts in central intervals, by their level.", examples=[{"0.9": 0.91}]
    )


class DiagnosticsSummary(BaseModel):
    """The worst values of all parameters, chains and series; null where there is none."""

    r_hat: float | None = Field(None, examples=[1.003])
    ess_bulk: float | None = Field(None, description="Effective sample size.", examples=[1424])
    ess_tail: float | None = Field(None, description="The same of the tails.", examples=[2130])
    divergences: int | None = Field(None, examples=[0])
    e_bfmi: float | None = Field(
        None, description="Bayesian fraction of missing information.", examples=[0.8]
    )


class DataSource(BaseModel):
    """Where the counts come from; what is not known is null."""

    title: str | None = Field(default=None, description="What is counted, and where and when.")
    source: str | None = Field(default=None, description="Who collected the counts.")
    url: str | None = Field(default=None, description="A page about them.")
    licence: str | None = Field(default=None, description="Under which they may be used.")


class Overview(BaseModel):
    """What a model is and what it offers."""

    title: str
    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact: the data's last day and a hash.")
    target: str = Field(description="What is forecast.", examples=["daily deaths"])
    unit: str = Field(description="Of all values.", examples=["deaths"])
    noun: str = Field(description="What a series is about.", examples=["country"])
    plural: str = Field(description="Of the noun: a part of the routes.", examples=["countries"])
    measure: str = Field(description="What is measured.", examples=["deaths"])
    frequency: str = Field(description="Of the dates, by pandas' alias.", examples=["D"])
    real: bool = Field(description="Whether the values are real numbers rather than counts.")
    minimum: Bound | None = Field(description="The least value that there can be; null if there is none.")
    first_day: datetime.date = Field(description="The first date that was fitted, of any series.")
    data_through: datetime.date = Field(description="The last day in the data.")
    data: DataSource
    trained_at: datetime.datetime
    horizon: int = Field(description="How many days ahead forecasts reach.", examples=[28])
    series: int = Field(description="How many there are forecasts for.", examples=[92])
    reference: bool = Field(description="Whether it is there to be compared with, and not for use.")
    diagnostics: DiagnosticsSummary
    backtest: BacktestSummary | None
    links: dict[str, str]


class LastObservation(BaseModel):
    """The last value that was reported."""

    date: datetime.date
    observed: int | float


class OfModel(BaseModel):
    """What answers about several series have in common."""

    target: str = Field(description="What is counted.", examples=["daily deaths"])
    unit: str = Field(description="Of all values.", examples=["deaths"])
    frequency: str = Field(
        description="Of the dates, by pandas' alias: `D` is daily, `W-SAT` weekly, `MS` monthly.",
        examples=["D"],
    )
    data_through: datetime.date = Field(description="The last day in the data.", examples=["2020-06-08"])
    as_of: datetime.date = Field(
        description="The answer goes by data through this day: the last one in the data.",
        examples=["2020-06-08"],
    )
    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact.", examples=["2020-06-08-890e765f"])
    links: dict[str, str] = Field(description="Where to go from here, as paths on the same host.")


class Place(Named):
    """A series."""

    series: str = Field(description="Its identifier; of a country, ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(description="Of the series.", examples=["United Kingdom"])


class OfSeries(OfModel, Place):
    """What answers about a series have in common."""

    origin_date: datetime.date = Field(
        description="The last fitted day; forecasts start the day after.", examples=["2020-06-08"]
    )


class SeriesEntry(BaseModel):
    """A series that the model forecasts."""

    code: str = Field(description="Its identifier; of a country, ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    origin_date: datetime.date = Field(description="The last fitted day; forecasts start the day after.")
    last_observation: LastObservation | None
    links: dict[str, str] = Field(description="What there is about it, as paths on the same host.")


class _Page(BaseModel):
    total: int = Field(description="How many rows there are in all.", examples=[92])
    links: dict[str, str] = Field(
        description="Where to go from here, as paths on the same host: `next` and `previous` rows, if there "
        "are any."
    )


class SeriesPage(_Page, Named):
    """The series that the model forecasts."""

    model: str = Field(examples=["deaths"])
    version: str = Field(examples=["2020-06-08-890e765f"])
    every: list[SeriesEntry]

    def table(self) -> Iterator[list[Any]]:
        """A row a series."""
        yield [self.noun, "name", "origin_date", "last_date", "last_observed"]
        for entry in self.every:
            last = entry.last_observation
            reported = [last.date, last.observed] if last else [None, None]
            yield [entry.code, entry.name, entry.origin_date, *reported]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A series each."""
        for entry in self.every:
            yield entry.model_dump(mode="json")


class Observation(BaseModel):
    """A day's count."""

    date: datetime.date
    observed: int | float | None = Field(
        description="null if nothing was reported, or the day is not fitted."
    )


class ObservationPage(_Page, OfSeries):
    """The counts that the model was fitted to."""

    observations: list[Observation]

    def table(self) -> Iterator[list[Any]]:
        """A row a day."""
        yield [self.noun, "date", "observed"]
        for row in self.observations:
            yield [self.series, row.date, row.observed]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A day each."""
        for row in self.observations:
            yield {self.noun: self.series, **row.model_dump(mode="json")}


class Parameter(BaseModel):
    """A posterior summary. Values that cannot be computed are null."""

    model_config = ConfigDict(extra="allow")

    parameter: str
    mean: float | None
    sd: float | None
    hdi_probability: float | None = Field(None, description="Of the highest density interval.")
    hdi_lower: float | None = None
    hdi_upper: float | None = None
    r_hat: float | None = None
    ess_bulk: float | None = None
    ess_tail: float | None = None


class SeriesParameters(OfSeries):
    """Posterior summaries."""

    parameters: list[Parameter] = Field(description="The series' own.")
    shared: list[Parameter] = Field(description="Those that all series share.")


class Health(BaseModel):
    """Answers with status 200 alone."""

    status: str = Field(examples=["ready"])


def overview(artifact: Artifact, root: str, before: str) -> Overview:
    """What the model is; links start with the path `root`, those to the gateway's own paths with `before`."""
    manifest = artifact.manifest
    links = {
        manifest.plural: f"{root}/{manifest.plural}",
        "forecasts": f"{root}/forecast",
        **_links(artifact, root, next(iter(artifact.series.values()))),
        "card": f"{root}/card",
        "manifest": f"{root}/manifest.json",
        "posterior": f"{root}/posterior.nc",
        "inference": f"{before}/v2/models/{artifact.model}",
        "openapi": f"{root}/openapi.json",
        "docs": f"{root}/docs",
        "problems": f"{before}{problem_types.PATH}",
    }
    return Overview(
        title=manifest.title,
        model=artifact.model,
        version=artifact.version,
        target=manifest.target,
        unit=manifest.unit,
        noun=manifest.noun,
        plural=manifest.plural,
        measure=manifest.measure,
        frequency=manifest.frequency,
        real=manifest.real,
        minimum=manifest.minimum,
        first_day=min(series.first_day for series in artifact.series.values()),
        data_through=artifact.data_through,
        data=DataSource(
            title=manifest.data.title,
            source=manifest.data.source,
            url=manifest.data.url,
            licence=manifest.data.licence,
        ),
        trained_at=manifest.created,
        horizon=artifact.horizon,
        series=len(artifact.series),
        reference=manifest.reference,
        diagnostics=_diagnostics(manifest.diagnostics.worst),
        backtest=_backtest(manifest.backtest),
        links=links,
    )


def _diagnostics(worst: dict[str, float]) -> DiagnosticsSummary:
    digits = {"r_hat": 4, "e_bfmi": 3}
    rounded: dict[str, Any] = {name: round(value, digits.get(name, 0)) for name, value in worst.items()}
    return DiagnosticsSummary(**rounded)


def _backtest(backtest: Backtest | None) -> BacktestSummary | None:
    if backtest is None:
        return None
    scores = backtest.scores
    return BacktestSummary(
        origins=backtest.origins, wis_ratio=scores["wis_ratio"], coverage=scores["coverage"]
    )


def all_series(artifact: Artifact, root: str, limit: int, offset: int) -> SeriesPage:
    """All series, or those from the `offset`-th on, `limit` at most, with the last count of each."""
    listed = list(artifact.series.values())
    of_noun, path = artifact.manifest.noun, f"{root}/{artifact.manifest.plural}"
    return named(SeriesPage, of_noun, artifact.manifest.plural)(
        model=artifact.model,
        version=artifact.version,
        total=len(listed),
        links={"model": f"{root}/", **_pages(path, limit, offset, len(listed))},
        every=[entry(artifact, root, series) for series in listed[offset : offset + limit]],
    )


def entry(artifact: Artifact, root: str, series: Series) -> SeriesEntry:
    """A series, with its last count."""
    reported = [
        LastObservation(date=day, observed=observed)
        for day, observed in artifact.observations.get(series.code, [])
        if observed is not None
    ]
    return SeriesEntry(
        code=series.code,
        name=series.name,
        origin_date=series.origin_date,
        last_observation=reported[-1] if reported else None,
        links=_links(artifact, root, series),
    )


def observations(artifact: Artifact, root: str, series: Series, limit: int, offset: int) -> ObservationPage:
    """The counts that were fitted, or those from the `offset`-th on, `limit` at most."""
    counted = artifact.observations.get(series.code, [])
    rows = [Observation(date=day, observed=observed) for day, observed in counted[offset : offset + limit]]
    about = of_series(artifact, root, series)
    about["links"] |= _pages(f"{_path(artifact, root, series)}/observations", limit, offset, len(counted))
    return of(artifact, ObservationPage)(**about, total=len(counted), observations=rows)


def parameters(artifact: Artifact, root: str, series: Series) -> SeriesParameters:
    """The posterior summaries of the series' parameters and of the shared ones."""
    return of(artifact, SeriesParameters)(
        **of_series(artifact, root, series),
        parameters=[Parameter(**summary) for summary in artifact.parameters.get(series.code, [])],
        shared=[Parameter(**summary) for summary in artifact.parameters.get("", [])],
    )


def of[Answer: Named](artifact: Artifact, model: type[Answer]) -> type[Answer]:
    """The class of answers with the members that the model's noun names."""
    return named(model, artifact.manifest.noun, artifact.manifest.plural)


def of_model(artifact: Artifact, root: str) -> dict[str, Any]:
    """The members of `OfModel`, in their order."""
    return {
        "target": artifact.manifest.target,
        "unit": artifact.manifest.unit,
        "frequency": artifact.manifest.frequency,
        "data_through": artifact.data_through,
        "as_of": artifact.data_through,
        "model": artifact.model,
        "version": artifact.version,
        "links": {"model": f"{root}/", artifact.manifest.plural: f"{root}/{artifact.manifest.plural}"},
    }


def of_series(artifact: Artifact, root: str, series: Series) -> dict[str, Any]:
    """The members of `OfSeries` in their order, the identifier named by the noun."""
    return {
        artifact.manifest.noun: series.code,
        "name": series.name,
        **of_model(artifact, root),
        "links": {"model": f"{root}/", **_links(artifact, root, series)},  # in its place before `origin_date`
        "origin_date": series.origin_date,
    }


def _path(artifact: Artifact, root: str, series: Series) -> str:
    return f"{root}/{artifact.manifest.plural}/{quote(series.code, safe='')}"


def _links(artifact: Artifact, root: str, series: Series) -> dict[str, str]:
    path = _path(artifact, root, series)
    following = artifact.frequency.after(series.origin_date, 1)
    return {
        artifact.manifest.noun: path,
        "observations": f"{path}/observations",
        "forecast": f"{path}/forecast",
        "probability": f"{path}/probability?above=0&on={following}",
        "parameters": f"{path}/parameters",
    }


def _pages(path: str, limit: int, offset: int, total: int) -> dict[str, str]:
    pages = {}
    if offset + limit < total:
        pages["next"] = f"{path}?limit={limit}&offset={offset + limit}"
    if offset:
        pages["previous"] = f"{path}?limit={limit}&offset={max(0, offset - limit)}"
    return pages
