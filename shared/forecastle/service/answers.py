"""What a model says of itself, its countries, its data and its parameters.

The shape of each answer, and how it is computed from the artifact; what the model forecasts is in
`forecasts.py`, `events.py` and `decisions.py`.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from forecastle.artifact import Artifact, Backtest, Country
from forecastle.web import problem_types


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
    """The worst values of all parameters, chains and countries; null where there is none."""

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
    unit: str = Field(description="Of all counts.", examples=["deaths"])
    first_day: datetime.date = Field(description="The first day that was fitted, of any country.")
    data_through: datetime.date = Field(description="The last day in the data.")
    data: DataSource
    trained_at: datetime.datetime
    horizon: int = Field(description="How many days ahead forecasts reach.", examples=[28])
    countries: int = Field(description="How many there are forecasts for.", examples=[92])
    reference: bool = Field(description="Whether it is there to be compared with, and not for use.")
    diagnostics: DiagnosticsSummary
    backtest: BacktestSummary | None
    links: dict[str, str]


class LastObservation(BaseModel):
    """The last count that was reported."""

    date: datetime.date
    observed: int


class OfModel(BaseModel):
    """What answers about several countries have in common."""

    target: str = Field(description="What is counted.", examples=["daily deaths"])
    unit: str = Field(description="Of all counts.", examples=["deaths"])
    data_through: datetime.date = Field(description="The last day in the data.", examples=["2020-06-08"])
    as_of: datetime.date = Field(
        description="The answer goes by data through this day: the last one in the data.",
        examples=["2020-06-08"],
    )
    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact.", examples=["2020-06-08-890e765f"])
    links: dict[str, str] = Field(description="Where to go from here, as paths on the same host.")


class Place(BaseModel):
    """A country."""

    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(description="Of the country.", examples=["United Kingdom"])


class OfCountry(OfModel, Place):
    """What answers about a country have in common."""

    origin_date: datetime.date = Field(
        description="The last fitted day; forecasts start the day after.", examples=["2020-06-08"]
    )


class CountryEntry(BaseModel):
    """A country that the model forecasts."""

    code: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
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


class CountryPage(_Page):
    """The countries that the model forecasts."""

    model: str = Field(examples=["deaths"])
    version: str = Field(examples=["2020-06-08-890e765f"])
    countries: list[CountryEntry]

    def table(self) -> Iterator[list[Any]]:
        """A row a country."""
        yield ["country", "name", "origin_date", "last_date", "last_observed"]
        for entry in self.countries:
            last = entry.last_observation
            reported = [last.date, last.observed] if last else [None, None]
            yield [entry.code, entry.name, entry.origin_date, *reported]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A country each."""
        for entry in self.countries:
            yield entry.model_dump(mode="json")


class Observation(BaseModel):
    """A day's count."""

    date: datetime.date
    observed: int | None = Field(description="null if nothing was reported, or the day is not fitted.")


class ObservationPage(_Page, OfCountry):
    """The counts that the model was fitted to."""

    observations: list[Observation]

    def table(self) -> Iterator[list[Any]]:
        """A row a day."""
        yield ["country", "date", "observed"]
        for row in self.observations:
            yield [self.country, row.date, row.observed]

    def lines(self) -> Iterator[dict[str, Any]]:
        """A day each."""
        for row in self.observations:
            yield {"country": self.country, **row.model_dump(mode="json")}


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


class CountryParameters(OfCountry):
    """Posterior summaries."""

    parameters: list[Parameter] = Field(description="The country's own.")
    shared: list[Parameter] = Field(description="Those that all countries share.")


class Health(BaseModel):
    """Answers with status 200 alone."""

    status: str = Field(examples=["ready"])


def overview(artifact: Artifact, root: str, before: str) -> Overview:
    """What the model is; links start with the path `root`, those to the gateway's own paths with `before`."""
    manifest = artifact.manifest
    links = {
        "countries": f"{root}/countries",
        "forecasts": f"{root}/forecast",
        **_links(root, next(iter(artifact.countries.values()))),
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
        first_day=min(country.first_day for country in artifact.countries.values()),
        data_through=artifact.data_through,
        data=DataSource(
            title=manifest.data.title,
            source=manifest.data.source,
            url=manifest.data.url,
            licence=manifest.data.licence,
        ),
        trained_at=manifest.created,
        horizon=artifact.horizon,
        countries=len(artifact.countries),
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


def countries(artifact: Artifact, root: str, limit: int, offset: int) -> CountryPage:
    """All countries, or those from the `offset`-th on, `limit` at most, with the last count of each."""
    listed = list(artifact.countries.values())
    return CountryPage(
        model=artifact.model,
        version=artifact.version,
        total=len(listed),
        links={"model": f"{root}/", **_pages(f"{root}/countries", limit, offset, len(listed))},
        countries=[entry(artifact, root, country) for country in listed[offset : offset + limit]],
    )


def entry(artifact: Artifact, root: str, country: Country) -> CountryEntry:
    """A country, with its last count."""
    reported = [
        LastObservation(date=day, observed=observed)
        for day, observed in artifact.observations.get(country.code, [])
        if observed is not None
    ]
    return CountryEntry(
        code=country.code,
        name=country.name,
        origin_date=country.origin_date,
        last_observation=reported[-1] if reported else None,
        links=_links(root, country),
    )


def observations(artifact: Artifact, root: str, country: Country, limit: int, offset: int) -> ObservationPage:
    """The counts that were fitted, or those from the `offset`-th on, `limit` at most."""
    counted = artifact.observations.get(country.code, [])
    rows = [Observation(date=day, observed=observed) for day, observed in counted[offset : offset + limit]]
    about = of_country(artifact, root, country)
    about["links"] |= _pages(f"{root}/countries/{country.code}/observations", limit, offset, len(counted))
    return ObservationPage(**about, total=len(counted), observations=rows)


def parameters(artifact: Artifact, root: str, country: Country) -> CountryParameters:
    """The posterior summaries of the country's parameters and of the shared ones."""
    return CountryParameters(
        **of_country(artifact, root, country),
        parameters=[Parameter(**summary) for summary in artifact.parameters.get(country.code, [])],
        shared=[Parameter(**summary) for summary in artifact.parameters.get("", [])],
    )


def of_model(artifact: Artifact, root: str) -> dict[str, Any]:
    """The members of `OfModel`, in their order."""
    return {
        "target": artifact.manifest.target,
        "unit": artifact.manifest.unit,
        "data_through": artifact.data_through,
        "as_of": artifact.data_through,
        "model": artifact.model,
        "version": artifact.version,
        "links": {"model": f"{root}/", "countries": f"{root}/countries"},
    }


def of_country(artifact: Artifact, root: str, country: Country) -> dict[str, Any]:
    """The members of `OfCountry`, in their order."""
    return {
        "country": country.code,
        "name": country.name,
        **of_model(artifact, root),
        "links": {"model": f"{root}/", **_links(root, country)},  # in its place before `origin_date`
        "origin_date": country.origin_date,
    }


def _links(root: str, country: Country) -> dict[str, str]:
    path = f"{root}/countries/{country.code}"
    tomorrow = country.origin_date + datetime.timedelta(1)
    return {
        "country": path,
        "observations": f"{path}/observations",
        "forecast": f"{path}/forecast",
        "probability": f"{path}/probability?above=0&on={tomorrow}",
        "parameters": f"{path}/parameters",
    }


def _pages(path: str, limit: int, offset: int, total: int) -> dict[str, str]:
    pages = {}
    if offset + limit < total:
        pages["next"] = f"{path}?limit={limit}&offset={offset + limit}"
    if offset:
        pages["previous"] = f"{path}?limit={limit}&offset={max(0, offset - limit)}"
    return pages
