"""Forecasts are kept as they were issued: a model that shows a new version is asked once for all of them.

A model serves one version; the store keeps all, so that `as_of=` and `known_at=` give what was answered then,
after any number of rebuilds.
"""

import datetime
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import sqlalchemy as sa
from pydantic import ValidationError

from forecastle.catalogue.store import observations
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.schema import fitted, forecasts, versions
from forecastle.catalogue.upload import COUNTRY
from forecastle.frequency import Frequency
from forecastle.scores import HUB_QUANTILES
from forecastle.service.issue import Issue as IssueDocument

TIMEOUT = 60  # seconds for a model to answer with all its forecasts

logger = logging.getLogger(__name__)


class NotKeptError(Exception):
    """A model's forecasts cannot be kept; the message is one line that says why."""


class SeriesForecast(NamedTuple):
    """A forecast of a series, as it was answered.

    Attributes:
        origin_date: The last fitted date.
        answer: The JSON answer; its `forecast` is None, and stands in `mean` and `quantiles` instead.
        mean: Of each period ahead.
        quantiles: Those of `HUB_QUANTILES`, for each period ahead.
    """

    origin_date: datetime.date
    answer: dict[str, Any]
    mean: list[float]
    quantiles: list[list[float]]


class Issue(NamedTuple):
    """Everything that a version of a model forecasts.

    Attributes:
        version: A row of the table `versions`, without `id` and `issued_at`.
        forecasts: By kind, such as `daily` or `cumulative`, and the series' code.
        fitted: Rows of the table `fitted`, without `version_id`, by the series' code.
        names: Of the series, by code.
    """

    version: dict[str, Any]
    forecasts: dict[str, dict[str, SeriesForecast]]
    fitted: dict[str, dict[str, Any]]
    names: dict[str, str]


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
        NotKeptError: It does not answer, has no such route, or answers something else.
    """
    path = f"/{model}/issue.json"
    try:
        response = await client.get(path, timeout=TIMEOUT)
        response.raise_for_status()
        return _issue(model, IssueDocument.model_validate_json(response.content))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        advice = ": if this model forecasts, build its image again" if status == 404 else ""
        raise NotKeptError(f"{path} answers {status}{advice}") from None
    except httpx.HTTPError as error:
        raise NotKeptError(f"{path} does not answer: {error!r}") from None
    except ValidationError as error:
        first = error.errors()[0]
        member = ".".join(map(str, first["loc"]))
        reason = f"{member}: {first['msg']}"
        raise NotKeptError(f"{path} is not an issue of forecasts: {reason}: build its image again") from None


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
                    "series": code,
                    "counts": kind,
                    **forecast._asdict(),
                }
                for kind, by_series in issue.forecasts.items()
                for code, forecast in by_series.items()
            ],
        )
        connection.execute(
            sa.insert(fitted),
            [{"version_id": version_id, "series": code, **past} for code, past in issue.fitted.items()],
        )
        if issue.version["noun"] != COUNTRY:
            observations.name(store, connection, issue.version["noun"], issue.names)
    logger.info("the forecasts of %(model)s %(version)s are kept", issue.version)
    return True


def as_of(
    connection: sa.Connection,
    model: str,
    day: datetime.date | None = None,
    known_at: datetime.datetime | None = None,
) -> Any:
    """The row of `versions` that a question about the past means; None if none is kept.

    By the day alone, that is the version with the latest data through that day or before; of several with the
    same data, the one that was issued first. By the instant, it is the one that was issued last by then, of
    those with data through that day or before if there is a day, too.
    """
    query = sa.select(versions).where(versions.c.model == model).limit(1)
    if day is not None:
        query = query.where(versions.c.data_through <= day)
    if known_at is None:
        query = query.order_by(versions.c.data_through.desc(), versions.c.id)
    else:
        query = query.where(versions.c.issued_at <= known_at)
        query = query.order_by(versions.c.issued_at.desc(), versions.c.id.desc())
    return connection.execute(query).one_or_none()


def of_version(
    connection: sa.Connection, version_id: int, counts: str, series: str | None = None
) -> Sequence[Any]:
    """Rows of `forecasts` by series: of all, or of one, in capital letters or not, if there is any."""
    of_kind = (forecasts.c.version_id == version_id, forecasts.c.counts == counts)
    query = sa.select(forecasts).where(*of_kind)
    if series is not None:
        codes = connection.scalars(sa.select(forecasts.c.series).where(*of_kind)).all()
        alike = [code for code in codes if code.upper() == series.upper()]
        query = query.where(forecasts.c.series.in_([series] if series in codes else alike))
    found = sorted(connection.execute(query), key=lambda row: row.series)
    return found if series is None or len(found) == 1 else []


def _find(connection: sa.Connection, model: str, version: str) -> int | None:
    return connection.scalar(
        sa.select(versions.c.id).where(versions.c.model == model, versions.c.version == version)
    )


def _issue(model: str, issued: IssueDocument) -> Issue:
    if tuple(issued.levels) != HUB_QUANTILES:
        raise NotKeptError("its quantiles are not the 23 that are kept")
    if not issued.series:
        raise NotKeptError(f"it forecasts no {issued.noun}")
    try:
        frequency = Frequency.of(issued.frequency)
    except ValueError as error:
        raise NotKeptError(str(error)) from None
    kinds = [frequency.adjective, *([] if issued.real else ["cumulative"])]
    tables: dict[str, dict[str, SeriesForecast]] = {kind: {} for kind in kinds}
    for code, series in issued.series.items():
        for kind in kinds:
            one = series.forecasts.get(kind)
            periods = [len(values) for values in one.quantiles] if one else []
            if one is None or not periods or periods != [len(HUB_QUANTILES)] * len(one.mean):
                raise NotKeptError(f"the {kind} forecast of {code} lacks dates or quantiles")
            tables[kind][code] = SeriesForecast(series.origin_date, one.answer, one.mean, one.quantiles)
    each = tables[frequency.adjective].values()
    described = ("version", "target", "unit", "cumulative", "noun", "plural", "measure", "real", "minimum")
    version = {
        "model": model,
        **{name: getattr(issued, name) for name in described},
        "frequency": frequency.alias,
        "data_through": issued.data_through,
        "first_date": min(frequency.after(one.origin_date, 1) for one in each),
        "last_date": max(frequency.after(one.origin_date, len(one.mean)) for one in each),
        "trained_at": issued.trained_at,
    }
    fitted = {
        code: {"first_day": series.first_day, "counts": series.observed, "total": series.total}
        for code, series in issued.series.items()
    }
    return Issue(version, tables, fitted, {code: series.name for code, series in issued.series.items()})
