"""Forecasts are kept as they were issued: a model is asked for all of them when it shows a new version.

A model holds one version and forgets the last; here they stay, so that `as_of=` gives what was answered then
after any number of rebuilds.
"""

import csv
import datetime
import io
import logging
from typing import Any, NamedTuple

import httpx
import numpy as np
import sqlalchemy as sa

from forecastle.catalogue.schema import fitted, forecasts, versions
from forecastle.catalogue.scoring import QUANTILES
from forecastle.catalogue.store import Store

TIMEOUT = 60  # seconds that a model may take for the table of all its forecasts
COUNTS = ("daily", "cumulative")
LEVELS = {f"{level:g}": index for index, level in enumerate(QUANTILES.tolist())}

logger = logging.getLogger(__name__)


class NotKeptError(Exception):
    """A model's forecasts cannot be kept; the message is one line that says why."""


class CountryForecast(NamedTuple):
    """A forecast of daily or of cumulative counts: means, and a list of 23 quantiles, for each day ahead."""

    origin_date: datetime.date
    mean: list[float]
    quantiles: list[list[float]]


class Issue(NamedTuple):
    """Everything that a version of a model forecasts.

    Attributes:
        version: A row of the table `versions`, without `id` and `issued_at`.
        forecasts: By `daily` or `cumulative` and the country's code.
        countries: Rows of the table `fitted`, with `name`, by the country's code.
    """

    version: dict[str, Any]
    forecasts: dict[str, dict[str, CountryForecast]]
    countries: dict[str, dict[str, Any]]


def is_kept(store: Store, model: str, version: str) -> bool:
    """Whether the store has this version.

    Raises:
        StoreError: The store cannot be read.
    """
    with store.reading() as connection:
        return _find(connection, model, version) is not None


async def ask(model: str, client: httpx.AsyncClient) -> Issue:
    """Everything that the model forecasts at the moment.

    Raises:
        NotKeptError: It does not answer, has not these routes, or changed meanwhile.
    """
    try:
        manifest = (await _get(client, f"/{model}/manifest.json")).json()
        tables = {}
        for counts in COUNTS:
            parameters = {"format": "hubverse", "counts": counts, "days": str(manifest["horizon"])}
            tables[counts] = from_hubverse((await _get(client, f"/{model}/forecast", parameters)).text)
        countries = {}
        for code, entry in manifest["countries"].items():
            told = (await _get(client, f"/{model}/countries/{code}/observations")).json()
            _check_version(manifest, told)
            days = told["observations"]
            countries[code] = {
                "name": entry["name"],
                "first_day": datetime.date.fromisoformat(days[0]["date"] if days else entry["first_day"]),
                "counts": [day["observed"] for day in days],
                "total": entry["total"],
            }
        _check_version(manifest, (await _get(client, f"/{model}/manifest.json")).json())
        return _issue(model, manifest, tables, countries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotKeptError(f"the model's answers are not what they should be: {error!r}") from None


def from_hubverse(text: str) -> dict[str, CountryForecast]:
    """The forecasts of a hubverse table by location.

    Raises:
        NotKeptError: A mean or one of the 23 quantiles is missing, or is there twice, or is no number.
    """
    origins: dict[str, datetime.date] = {}
    cells: dict[str, dict[tuple[int, int], float]] = {}  # by horizon and quantile's index, -1 for the mean
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            kind = row["output_type"]
            if kind not in ("mean", "quantile"):
                continue
            index = -1 if kind == "mean" else LEVELS[f"{float(row['output_type_id']):g}"]
            location, cell = row["location"], (int(row["horizon"]), index)
            origin = datetime.date.fromisoformat(row["origin_date"])
            if origins.setdefault(location, origin) != origin or cell in cells.setdefault(location, {}):
                raise NotKeptError(f"{location} is there twice in the table of forecasts")
            cells[location][cell] = float(row["value"])
        return {
            location: CountryForecast(origins[location], *_by_horizon(values))
            for location, values in cells.items()
        }
    except (KeyError, ValueError, TypeError) as error:
        raise NotKeptError(f"the table of forecasts is not what it should be: {error!r}") from None


def keep(store: Store, issue: Issue, issued_at: datetime.datetime) -> bool:
    """Keep the forecasts, all of them or none; False if they are kept already.

    Raises:
        StoreError: They cannot be kept.
    """
    with store.writing() as connection:
        if _find(connection, issue.version["model"], issue.version["version"]) is not None:
            return False
        version_id = connection.scalar(
            sa.insert(versions).returning(versions.c.id), {**issue.version, "issued_at": issued_at}
        )
        connection.execute(
            sa.insert(forecasts),
            [
                {
                    "version_id": version_id,
                    "country": code,
                    "counts": counts,
                    "name": issue.countries[code]["name"],
                    **forecast._asdict(),
                }
                for counts, by_country in issue.forecasts.items()
                for code, forecast in by_country.items()
            ],
        )
        connection.execute(
            sa.insert(fitted),
            [
                {"version_id": version_id, "country": code}
                | {key: country[key] for key in ("first_day", "counts", "total")}
                for code, country in issue.countries.items()
            ],
        )
    logger.info("the forecasts of %(model)s %(version)s are kept", issue.version)
    return True


def as_of(connection: sa.Connection, model: str, day: datetime.date) -> Any:
    """The row of `versions` whose forecasts were the model's on that day; None if none is kept.

    Of those with data through that day at most it is the one with the latest, and of several of these the one
    that was issued first.
    """
    return connection.execute(
        sa.select(versions)
        .where(versions.c.model == model, versions.c.data_through <= day)
        .order_by(versions.c.data_through.desc(), versions.c.id)
        .limit(1)
    ).one_or_none()


def of_country(connection: sa.Connection, version_id: int, country: str, counts: str) -> Any:
    """A row of `forecasts`, None if there is none."""
    return connection.execute(
        sa.select(forecasts).where(
            forecasts.c.version_id == version_id,
            forecasts.c.country == country,
            forecasts.c.counts == counts,
        )
    ).one_or_none()


def _find(connection: sa.Connection, model: str, version: str) -> int | None:
    return connection.scalar(
        sa.select(versions.c.id).where(versions.c.model == model, versions.c.version == version)
    )


async def _get(
    client: httpx.AsyncClient, path: str, parameters: dict[str, str] | None = None
) -> httpx.Response:
    try:
        told = await client.get(path, params=parameters, timeout=TIMEOUT)
        told.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise NotKeptError(f"{path} answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise NotKeptError(f"{path} does not answer: {error!r}") from None
    return told


def _check_version(manifest: dict[str, Any], told: dict[str, Any]) -> None:
    if told["version"] != manifest["version"]:
        raise NotKeptError(f"it changed from {manifest['version']} to {told['version']} while it was asked")


def _by_horizon(values: dict[tuple[int, int], float]) -> tuple[list[float], list[list[float]]]:
    horizon = max(day for day, _ in values)
    days = range(1, horizon + 1)
    if len(values) != horizon * (len(QUANTILES) + 1) or not np.isfinite(list(values.values())).all():
        raise NotKeptError("the table of forecasts lacks some")
    return (
        [values[day, -1] for day in days],
        [[values[day, index] for index in range(len(QUANTILES))] for day in days],
    )


def _issue(
    model: str,
    manifest: dict[str, Any],
    tables: dict[str, dict[str, CountryForecast]],
    countries: dict[str, dict[str, Any]],
) -> Issue:
    ends = set()
    for table in tables.values():
        if table.keys() != countries.keys():
            raise NotKeptError("the table of forecasts has other countries than the manifest")
        ends |= {(each.origin_date, len(each.mean)) for each in table.values()}
    version = {
        "model": model,
        "version": manifest["version"],
        "target": manifest["target"],
        "unit": manifest["unit"],
        "cumulative": manifest["cumulative"],
        "data_through": datetime.date.fromisoformat(manifest["data"]["last_day"]),
        "first_date": min(origin for origin, _ in ends) + datetime.timedelta(1),
        "last_date": max(origin + datetime.timedelta(days) for origin, days in ends),
        "trained_at": datetime.datetime.fromisoformat(manifest["created"]),
    }
    return Issue(version, tables, countries)
