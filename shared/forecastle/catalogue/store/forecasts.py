"""Forecasts are kept as they were issued: a model is asked for all of them when it shows a new version.

A model holds one version and forgets the last; here they stay, so that `as_of=` gives what was answered then
after any number of rebuilds.
"""

import datetime
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import sqlalchemy as sa

from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.schema import fitted, forecasts, versions
from forecastle.scores import HUB_QUANTILES

TIMEOUT = 60  # seconds that a model may take for all its forecasts
COUNTS = ("daily", "cumulative")

logger = logging.getLogger(__name__)


class NotKeptError(Exception):
    """A model's forecasts cannot be kept; the message is one line that says why."""


class CountryForecast(NamedTuple):
    """A forecast of a country, as it was answered.

    Attributes:
        origin_date: The last fitted day.
        answer: The members of the answer; its `forecast` is None, since it is what follows.
        mean: Of each day ahead.
        quantiles: The 23 of each day ahead.
    """

    origin_date: datetime.date
    answer: dict[str, Any]
    mean: list[float]
    quantiles: list[list[float]]


class Issue(NamedTuple):
    """Everything that a version of a model forecasts.

    Attributes:
        version: A row of the table `versions`, without `id` and `issued_at`.
        forecasts: By `daily` or `cumulative` and the country's code.
        fitted: Rows of the table `fitted`, without `version_id`, by the country's code.
    """

    version: dict[str, Any]
    forecasts: dict[str, dict[str, CountryForecast]]
    fitted: dict[str, dict[str, Any]]


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
        tables = {counts: await _forecasts(model, client, manifest, counts) for counts in COUNTS}
        past = {
            code: await _fitted(model, client, manifest["version"], code) | {"total": country["total"]}
            for code, country in manifest["series"].items()
        }
        return _issue(model, manifest, tables, past)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise NotKeptError(f"the model's answers are not what they should be: {error!r}") from None


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
                    **forecast._asdict(),
                }
                for counts, by_country in issue.forecasts.items()
                for code, forecast in by_country.items()
            ],
        )
        connection.execute(
            sa.insert(fitted),
            [{"version_id": version_id, "country": code, **past} for code, past in issue.fitted.items()],
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


async def _forecasts(
    model: str, client: httpx.AsyncClient, manifest: Mapping[str, Any], counts: str
) -> dict[str, CountryForecast]:
    parameters = {"counts": counts, "days": manifest["horizon"], "quantile": list(HUB_QUANTILES)}
    told = (await _get(client, f"/{model}/forecast", parameters)).json()
    _check_version(manifest["version"], told)
    table = {}
    for one in told["forecasts"]:
        days, origin = one["forecast"], datetime.date.fromisoformat(one["origin_date"])
        for ahead, day in enumerate(days, 1):
            levels = tuple(entry["quantile"] for entry in day["quantiles"])
            if day["horizon"] != ahead or levels != HUB_QUANTILES:
                raise NotKeptError(f"the {counts} forecast of {one['country']} lacks days or quantiles")
        table[one["country"]] = CountryForecast(
            origin,
            {**one, "forecast": None},
            [day["mean"] for day in days],
            [[entry["value"] for entry in day["quantiles"]] for day in days],
        )
    return table


async def _fitted(model: str, client: httpx.AsyncClient, version: str, code: str) -> dict[str, Any]:
    days, page = [], f"/{model}/countries/{code}/observations"
    while page:
        told = (await _get(client, page)).json()
        _check_version(version, told)
        days += told["observations"]
        page = told["links"].get("next")
    first_day = datetime.date.fromisoformat(days[0]["date"])
    return {"first_day": first_day, "counts": [day["observed"] for day in days]}


def _check_version(version: str, told: Mapping[str, Any]) -> None:
    if told["version"] != version:
        raise NotKeptError(f"it changed from {version} to {told['version']} while it was asked")


async def _get(client: httpx.AsyncClient, path: str, parameters: Any = None) -> httpx.Response:
    try:
        told = await client.get(path, params=parameters, timeout=TIMEOUT)
        told.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise NotKeptError(f"{path} answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise NotKeptError(f"{path} does not answer: {error!r}") from None
    return told


def _issue(
    model: str,
    manifest: Mapping[str, Any],
    tables: dict[str, dict[str, CountryForecast]],
    past: dict[str, dict[str, Any]],
) -> Issue:
    if any(table.keys() != past.keys() for table in tables.values()):
        raise NotKeptError("its forecasts are of other countries than its manifest")
    own = tables["cumulative" if manifest["cumulative"] else "daily"].values()
    version = {
        "model": model,
        "version": manifest["version"],
        "target": manifest["target"],
        "unit": manifest["unit"],
        "cumulative": manifest["cumulative"],
        "data_through": datetime.date.fromisoformat(manifest["data"]["last_day"]),
        "first_date": min(each.origin_date for each in own) + datetime.timedelta(1),
        "last_date": max(each.origin_date + datetime.timedelta(len(each.mean)) for each in own),
        "trained_at": datetime.datetime.fromisoformat(manifest["created"]),
    }
    return Issue(version, tables, past)
