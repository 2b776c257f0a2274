"""forecasts.py: everything that a model's real app forecasts is kept once, as it was answered."""

import asyncio
import datetime
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.responses import JSONResponse

from forecastle.artifact import Artifact
from forecastle.catalogue.store import forecasts, observations, schema
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.catalogue.store.forecasts import NotKeptError
from forecastle.scores import QUANTILES
from forecastle.service import create_app

from ...conftest import NAMES, ORIGIN, TOTAL, MakeArtifact
from ..conftest import HORIZON, NOW, MakeIssue, client, day, keep


def ask(app: Any, model: str = "flu") -> forecasts.Issue:
    return asyncio.run(forecasts.ask(model, client(app, model)))


def count(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_model_tells_all_that_it_forecasts(make_artifact: MakeArtifact, draws: np.ndarray) -> None:
    artifact = Artifact.load(make_artifact(draws=draws))
    issue = ask(create_app(artifact))
    assert issue.version == {
        "model": "flu",
        "version": artifact.version,
        "target": "daily deaths",
        "unit": "deaths",
        "cumulative": False,
        "noun": "country",
        "plural": "countries",
        "measure": "deaths",
        "frequency": "D",
        "real": False,
        "minimum": 0,
        "data_through": ORIGIN,
        "first_date": day(1),
        "last_date": day(HORIZON),
        "trained_at": datetime.datetime(2020, 4, 25, 6, tzinfo=datetime.UTC),
    }
    for counts, paths in (("daily", draws), ("cumulative", TOTAL + draws.cumsum(axis=2))):
        assert set(issue.forecasts[counts]) == set(NAMES)
        for index, code in enumerate(NAMES):
            forecast = issue.forecasts[counts][code]
            assert forecast.origin_date == ORIGIN
            assert forecast.mean == pytest.approx(paths[:, index].mean(axis=0), rel=0.005)
            expected = np.quantile(paths[:, index], QUANTILES, axis=0).T
            assert np.array(forecast.quantiles) == pytest.approx(expected, rel=0.005)
            assert forecast.answer["country"] == code
            assert forecast.answer["forecast"] is None


def test_it_tells_what_it_was_fitted_to(make_artifact: MakeArtifact) -> None:
    issue = ask(create_app(Artifact.load(make_artifact())))
    assert issue.fitted["FRA"] == {"first_day": day(-4), "counts": [0, 10, 20, 30, 40], "total": TOTAL}
    assert issue.fitted["GRC"]["counts"][-1] is None


def test_one_request_is_enough(make_artifact: MakeArtifact) -> None:
    """So that all of it is of one version, whenever the model is replaced."""
    app, paths = create_app(Artifact.load(make_artifact())), []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        await app(scope, receive, send)

    assert set(ask(counting).fitted) == set(NAMES)
    assert paths == ["/flu/issue.json"]


def test_it_is_kept_once(store: Store, make_artifact: MakeArtifact) -> None:
    issue = ask(create_app(Artifact.load(make_artifact())))
    model, version = "flu", issue.version["version"]
    assert not forecasts.is_kept(store, model, version)
    assert forecasts.keep(store, issue, NOW)
    assert forecasts.is_kept(store, model, version)
    assert not forecasts.keep(store, issue, NOW + datetime.timedelta(1))
    assert (count(store, schema.versions), count(store, schema.forecasts)) == (1, 2 * len(NAMES))
    with store.reading() as connection:
        assert connection.scalar(sa.select(schema.versions.c.issued_at)) == NOW
        (kept,) = forecasts.of_version(connection, 1, "daily", "GBR")
        assert forecasts.of_version(connection, 1, "daily", "ITA") == []
        every = forecasts.of_version(connection, 1, "cumulative")
        assert [row.series for row in every] == sorted(NAMES)
    forecast = issue.forecasts["daily"]["GBR"]
    assert (kept.mean, kept.quantiles, kept.answer) == (forecast.mean, forecast.quantiles, forecast.answer)


def test_a_failure_keeps_nothing(store: Store, make_issue: MakeIssue) -> None:
    issue = make_issue()
    broken = issue._replace(fitted={**issue.fitted, "ITA": {**issue.fitted["GBR"], "first_day": None}})
    with pytest.raises(StoreError, match="first_day"):
        forecasts.keep(store, broken, NOW)
    store.check()
    assert count(store, schema.versions) == count(store, schema.forecasts) == 0


def test_a_day_has_the_forecast_with_the_latest_data_that_was_issued_first(
    store: Store, make_issue: MakeIssue
) -> None:
    for version, through in (("a", day(0)), ("b", day(7)), ("c", day(0)), ("d", day(7)), ("e", day(3))):
        keep(store, make_issue(version=version, data_through=through))
    keep(store, make_issue(model="cold", version="f", data_through=day(5)))
    with store.reading() as connection:

        def known(on: datetime.date) -> str | None:
            found = forecasts.as_of(connection, "flu", on)
            return found and found.version

        assert [known(day(ahead)) for ahead in (-1, 0, 2, 3, 6, 7, 99)] == [
            None,
            "a",
            "a",
            "e",
            "e",
            "b",
            "b",
        ]


def test_an_instant_has_the_forecast_that_had_been_issued_last(store: Store, make_issue: MakeIssue) -> None:
    """With a day, the last of those with data through it."""
    hour = datetime.timedelta(hours=1)
    for after, (version, through) in enumerate((("a", 0), ("b", 7), ("c", 3), ("d", 0))):
        assert forecasts.keep(
            store, make_issue(version=version, data_through=day(through)), NOW + after * hour
        )
    assert forecasts.keep(store, make_issue(model="cold", version="e"), NOW)
    with store.reading() as connection:

        def known(at: datetime.datetime, on: datetime.date | None = None) -> str | None:
            found = forecasts.as_of(connection, "flu", on, at)
            return found and found.version

        instants = [NOW + (after - 0.001) * hour for after in range(5)]
        assert [known(at) for at in instants] == [None, "a", "b", "c", "d"]
        assert [known(at, day(0)) for at in instants] == [None, "a", "a", "a", "d"]
        assert [known(at, day(6)) for at in instants] == [None, "a", "a", "c", "d"]
        assert [known(at, day(-1)) for at in instants] == [None] * 5
        eastern = datetime.timezone(datetime.timedelta(hours=5))
        assert known(NOW.astimezone(eastern)) == "a"


def answering(**changes: Any) -> FastAPI:
    """An app whose issue is not quite one."""
    issued = {
        **{"model": "flu", "version": "1", "target": "daily deaths", "unit": "deaths", "cumulative": False},
        **{"data_through": "2020-04-24", "trained_at": "2020-04-25T06:00:00Z"},
        **{"levels": QUANTILES.tolist(), "series": {}, "noun": "store", "plural": "stores"},
        **{"measure": "sales", "frequency": "W-SAT", "real": True, "minimum": None},
        **changes,
    }
    app = FastAPI()

    @app.get("/issue.json")
    def issue() -> dict[str, Any]:
        return issued

    return app


FORECAST = {"answer": {}, "mean": [1.0, 1.0], "quantiles": [[1.0] * 23] * 2}
SHORT = {**FORECAST, "quantiles": [[1.0] * 23]}  # of a week less
SERIES = {
    **{"name": "High Street", "origin_date": "2020-04-25", "first_day": "2020-04-18"},
    **{"observed": [-1.5, None], "total": None},
}


def test_a_store_that_sells_is_kept_with_its_weeks(store: Store) -> None:
    """Real numbers have no running total."""
    app = answering(series={"s1": {**SERIES, "forecasts": {"weekly": FORECAST}}})
    issue = ask(app)
    assert forecasts.keep(store, issue, NOW)
    with store.reading() as connection:
        version = forecasts.as_of(connection, "flu")
        (kept,) = forecasts.of_version(connection, version.id, "weekly")
        fitted = connection.execute(sa.select(schema.fitted)).one()
        assert observations.named(connection, "store", ["s1"]) == {"s1": "High Street"}
    assert (version.noun, version.plural, version.measure) == ("store", "stores", "sales")
    assert (version.frequency, version.real, version.minimum) == ("W-SAT", True, None)
    assert (version.first_date, version.last_date) == (day(8), day(15))
    assert (kept.series, kept.mean, fitted.counts, fitted.total) == ("s1", [1.0, 1.0], [-1.5, None], None)


async def broken(scope: Any, receive: Any, send: Any) -> None:
    await JSONResponse({}, 500)(scope, receive, send)


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (FastAPI(), "/flu/issue.json answers 404: if this model forecasts, build its image again"),
        (broken, "/flu/issue.json answers 500$"),
        (answering(version=None), "/flu/issue.json is not an issue of forecasts: version: Input should be"),
        (answering(levels=[0.5]), "its quantiles are not the 23"),
        (answering(noun=None), "noun: Input should be a valid string: build its image again"),
        (answering(), "it forecasts no store"),
        (answering(frequency="H", series={"s1": {**SERIES, "forecasts": {}}}), "frequency 'H' is unknown"),
        (
            answering(series={"s1": {**SERIES, "forecasts": {"weekly": SHORT}}}),
            "the weekly forecast of s1 lacks dates or quantiles",
        ),
        (
            answering(series={"s1": {**SERIES, "forecasts": {"daily": FORECAST}}}),
            "the weekly forecast of s1 lacks dates or quantiles",
        ),
    ],
)
def test_another_kind_of_app_is_told_in_a_line(app: Any, reason: str) -> None:
    with pytest.raises(NotKeptError, match=reason) as raised:
        ask(app)
    assert len(str(raised.value).splitlines()) == 1


def test_one_that_does_not_answer_is_told_in_a_line() -> None:
    with pytest.raises(NotKeptError, match="does not answer"):
        asyncio.run(forecasts.ask("flu", httpx.AsyncClient(base_url="http://127.0.0.1:1")))
