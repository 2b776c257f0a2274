"""What a model's routes answer: the shape of each answer, and how it is computed from the artifact.

Answers with a `table` method are also to be had as CSV; its first row holds the names of the columns. Counts
have three significant digits or, from 100 on, one decimal: finer than 2000 draws can tell.
"""

import datetime
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from forecastle.artifact import Artifact, Country


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


class Overview(BaseModel):
    """What a model is and what it offers."""

    title: str
    model: str = Field(description="The name in its routes.", examples=["deaths"])
    version: str = Field(description="Of the artifact: the data's last day and a hash.")
    target: str = Field(description="What is forecast.", examples=["daily deaths"])
    unit: str = Field(description="Of all counts.", examples=["deaths"])
    first_day: datetime.date = Field(description="The first day that was fitted, of any country.")
    data_through: datetime.date = Field(description="The last day in the data.")
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


class CountryEntry(BaseModel):
    """A country that the model forecasts."""

    code: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    origin_date: datetime.date = Field(description="The last fitted day; forecasts start the day after.")
    last_observation: LastObservation | None


class Countries(BaseModel):
    """All countries that the model forecasts."""

    model: str
    version: str
    countries: list[CountryEntry]

    def table(self) -> Iterator[list[Any]]:
        """A row a country."""
        yield ["country", "name", "origin_date", "last_date", "last_observed"]
        for entry in self.countries:
            last = entry.last_observation
            reported = [last.date, last.observed] if last else [None, None]
            yield [entry.code, entry.name, entry.origin_date, *reported]


class _OfCountry(BaseModel):
    country: str = Field(description="ISO 3166 alpha-3.", examples=["GBR"])
    name: str = Field(examples=["United Kingdom"])
    target: str = Field(description="What is counted.", examples=["daily deaths"])
    unit: str = Field(examples=["deaths"])
    origin_date: datetime.date = Field(description="The last fitted day; forecasts start the day after.")
    data_through: datetime.date = Field(description="The last day in the data.")
    model: str
    version: str


class Observation(BaseModel):
    """A day's count."""

    date: datetime.date
    observed: int | None = Field(description="null if nothing was reported, or the day is not fitted.")


class Observations(_OfCountry):
    """The counts that the model was fitted to."""

    observations: list[Observation]

    def table(self) -> Iterator[list[Any]]:
        """A row a day."""
        yield ["country", "date", "observed"]
        for row in self.observations:
            yield [self.country, row.date, row.observed]


class Interval(BaseModel):
    """A central prediction interval."""

    level: float = Field(description="Its probability.", examples=[0.9])
    lower: float
    upper: float


class ForecastDay(BaseModel):
    """The forecast for a day."""

    date: datetime.date
    horizon: int = Field(description="Days after the origin date.")
    mean: float
    median: float
    intervals: list[Interval]


class Forecast(_OfCountry):
    """Posterior predictive means, medians and central intervals."""

    forecast: list[ForecastDay]

    def table(self) -> Iterator[list[Any]]:
        """A row a day, with two columns an interval: `lower_0.5`, `upper_0.5` and so on."""
        levels = [interval.level for interval in self.forecast[0].intervals]
        bounds = [f"{bound}_{level}" for level in levels for bound in ("lower", "upper")]
        yield ["country", "date", "horizon", "mean", "median", *bounds]
        for day in self.forecast:
            intervals = [bound for each in day.intervals for bound in (each.lower, each.upper)]
            yield [self.country, day.date, day.horizon, day.mean, day.median, *intervals]


class Probability(_OfCountry):
    """The probability of an event: the share of posterior predictive draws in which it happens."""

    event: str = Field(description="In words.")
    probability: float
    monte_carlo_error: float = Field(
        description="Standard error of the probability, from the finite number of draws alone."
    )
    draws: int


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


class Parameters(_OfCountry):
    """Posterior summaries."""

    parameters: list[Parameter] = Field(description="The country's own.")
    shared: list[Parameter] = Field(description="Those that all countries share.")


class Health(BaseModel):
    """Answers with status 200 alone."""

    status: str = Field(examples=["ready"])


def overview(artifact: Artifact, root: str) -> Overview:
    """What the model is, with links that start with the path `root`."""
    manifest = artifact.manifest
    example = next(iter(artifact.countries.values()))
    tomorrow = example.origin_date + datetime.timedelta(1)
    links = {
        "countries": "/countries",
        "observations": f"/countries/{example.code}/observations",
        "forecast": f"/countries/{example.code}/forecast",
        "probability": f"/countries/{example.code}/probability?above=0&on={tomorrow}",
        "parameters": f"/countries/{example.code}/parameters",
        "card": "/card",
        "manifest": "/manifest.json",
        "posterior": "/posterior.nc",
        "inference": f"/v2/models/{artifact.model}",
        "openapi": "/openapi.json",
        "docs": "/docs",
    }
    return Overview(
        title=manifest["title"],
        model=artifact.model,
        version=artifact.version,
        target=manifest["target"],
        unit=manifest["unit"],
        first_day=min(country.first_day for country in artifact.countries.values()),
        data_through=artifact.data_through,
        trained_at=manifest["created"],
        horizon=artifact.horizon,
        countries=len(artifact.countries),
        reference=manifest["reference"],
        diagnostics=DiagnosticsSummary(**_diagnostics(manifest)),
        backtest=_backtest(manifest["backtest"]),
        links={name: root + path for name, path in links.items()},
    )


def _diagnostics(manifest: dict[str, Any]) -> dict[str, Any]:
    worst = manifest.get("diagnostics", {}).get("worst", {})
    digits = {"r_hat": 4, "e_bfmi": 3}
    return {name: round(value, digits.get(name, 0)) for name, value in worst.items()}


def _backtest(told: dict[str, Any] | None) -> BacktestSummary | None:
    if told is None:
        return None
    scores = told["scores"]
    return BacktestSummary(
        origins=told["origins"], wis_ratio=scores["wis_ratio"], coverage=scores["coverage"]
    )


def countries(artifact: Artifact) -> Countries:
    """All countries, with the last count of each."""
    entries = []
    for country in artifact.countries.values():
        reported = [
            LastObservation(date=day, observed=observed)
            for day, observed in artifact.observations.get(country.code, [])
            if observed is not None
        ]
        entries.append(
            CountryEntry(
                code=country.code,
                name=country.name,
                origin_date=country.origin_date,
                last_observation=reported[-1] if reported else None,
            )
        )
    return Countries(model=artifact.model, version=artifact.version, countries=entries)


def observations(artifact: Artifact, country: Country) -> Observations:
    """The counts that were fitted."""
    rows = [
        Observation(date=day, observed=observed)
        for day, observed in artifact.observations.get(country.code, [])
    ]
    return Observations(**_of(artifact, country), observations=rows)


def forecast(artifact: Artifact, country: Country, days: int, levels: tuple[float, ...]) -> Forecast:
    """The forecast for the first `days` days, with a central interval for each of `levels`."""
    draws = artifact.forecast_draws(country.code)[:, :days]
    tails = [probability for level in levels for probability in ((1 - level) / 2, (1 + level) / 2)]
    means = draws.mean(axis=0, dtype=float)
    medians, *bounds = np.quantile(draws, [0.5, *tails], axis=0)
    coming = [
        ForecastDay(
            date=country.origin_date + datetime.timedelta(day + 1),
            horizon=day + 1,
            mean=_rounded(means[day]),
            median=_rounded(medians[day]),
            intervals=[
                Interval(level=level, lower=_rounded(lower[day]), upper=_rounded(upper[day]))
                for level, lower, upper in zip(levels, bounds[::2], bounds[1::2], strict=True)
            ],
        )
        for day in range(days)
    ]
    return Forecast(**_of(artifact, country), forecast=coming)


def probability(
    artifact: Artifact, country: Country, day: datetime.date, threshold: float, above: bool, total: bool
) -> Probability:
    """The probability that a count is above (or below) a threshold, which itself is neither.

    The count is the target's of `day`, which lies in the horizon, or with `total` the running total by the
    end of that day, days before the forecast included. A cumulative target is a running total anyway.
    """
    ahead = (day - country.origin_date).days
    draws = artifact.forecast_draws(country.code)
    summed = total and not artifact.cumulative
    counts = country.total + draws[:, :ahead].sum(axis=1, dtype=float) if summed else draws[:, ahead - 1]
    happened = int(np.sum(counts > threshold if above else counts < threshold))
    what = f"total {artifact.manifest['unit']}" if summed else artifact.manifest["target"]
    event = (
        f"{what} in {country.name} {'by the end of' if summed else 'on'} {day} "
        f"{'above' if above else 'below'} {threshold:,.15g}"
    )
    return Probability(
        **_of(artifact, country),
        event=event,
        probability=round(happened / len(counts), 5),
        monte_carlo_error=round(monte_carlo_error(happened, len(counts)), 5),
        draws=len(counts),
    )


def monte_carlo_error(happened: int, draws: int) -> float:
    """The standard error of a share of draws, sqrt(p (1 - p) / draws).

    For p it takes (happened + 1/2) / (draws + 1), the mean under Jeffreys' prior: with the share itself an
    event of no or of every draw would have an error of 0, as if more draws could tell nothing else.
    """
    share = (happened + 0.5) / (draws + 1)
    return math.sqrt(share * (1 - share) / draws)


def parameters(artifact: Artifact, country: Country) -> Parameters:
    """The posterior summaries of the country's parameters and of the shared ones."""
    return Parameters(
        **_of(artifact, country),
        parameters=[Parameter(**summary) for summary in artifact.parameters.get(country.code, [])],
        shared=[Parameter(**summary) for summary in artifact.parameters.get("", [])],
    )


def _of(artifact: Artifact, country: Country) -> dict[str, Any]:
    return {
        "country": country.code,
        "name": country.name,
        "target": artifact.manifest["target"],
        "unit": artifact.manifest["unit"],
        "origin_date": country.origin_date,
        "data_through": artifact.data_through,
        "model": artifact.model,
        "version": artifact.version,
    }


def _rounded(count: float) -> float:
    return round(float(count), 1) if abs(count) >= 100 else float(f"{count:.3g}")
