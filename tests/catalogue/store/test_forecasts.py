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
from forecastle.catalogue.store import forecasts, schema
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
        "data_through": ORIGIN,
        "first_date": day(1),
        "last_date": day(HORIZON),
        "trained_at": datetime.datetime(2020, 4, 25, 6, tzinfo=datetime.UTC),
    }
    for counts, paths in (("daily", draws), ("cumulative", TOTAL + draws.cumsum(axis=2))):
        assert set(issue.forecasts[counts]) == set(NAMES)
        for index, code in enumerate(NAMES):
            told = issue.forecasts[counts][code]
            assert told.origin_date == ORIGIN
            assert told.mean == pytest.approx(paths[:, index].mean(axis=0), rel=0.005)
            expected = np.quantile(paths[:, index], QUANTILES, axis=0).T
            assert np.array(told.quantiles) == pytest.approx(expected, rel=0.005)
            assert told.answer["country"] == code
            assert told.answer["forecast"] is None


def test_it_tells_what_it_was_fitted_to(make_artifact: MakeArtifact) -> None:
    issue = ask(create_app(Artifact.load(make_artifact())))
    assert issue.fitted["FRA"] == {"first_day": day(-4), "counts": [0, 10, 20, 30, 40], "total": TOTAL}
    assert issue.fitted["GRC"]["counts"][-1] is None


def test_a_long_past_is_told_in_pages(make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Artifact.load(make_artifact()))
    asked: list[str] = []

    class Short(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/observations") and "limit" not in request.url.params:
                request.url = request.url.copy_add_param("limit", "2")
            asked.append(request.url.path)
            return await super().handle_async_request(request)

    monkeypatch.setattr("httpx.ASGITransport", Short)
    assert ask(app).fitted["FRA"]["counts"] == [0, 10, 20, 30, 40]
    assert asked.count("/flu/countries/FRA/observations") == 3


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
        kept = forecasts.of_country(connection, 1, "GBR", "daily")
        assert forecasts.of_country(connection, 1, "ITA", "daily") is None
    told = issue.forecasts["daily"]["GBR"]
    assert (kept.mean, kept.quantiles, kept.answer) == (told.mean, told.quantiles, told.answer)


def test_a_failure_keeps_nothing(store: Store, make_issue: MakeIssue) -> None:
    issue = make_issue()
    broken = issue._replace(fitted={**issue.fitted, "ITA": {**issue.fitted["GBR"], "total": None}})
    with pytest.raises(StoreError, match="total"):
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


def plain() -> FastAPI:
    """An app that never heard of `create_app`."""
    app = FastAPI()

    @app.get("/manifest.json")
    def manifest() -> dict[str, str]:
        return {"version": "1"}

    return app


async def broken(scope: Any, receive: Any, send: Any) -> None:
    await JSONResponse({}, 500)(scope, receive, send)


@pytest.mark.parametrize(
    ("app", "reason"),
    [(plain(), "not what they should be"), (FastAPI(), "answers 404"), (broken, "answers 500")],
)
def test_another_kind_of_app_is_told_in_a_line(app: Any, reason: str) -> None:
    with pytest.raises(NotKeptError, match=reason) as raised:
        ask(app)
    assert len(str(raised.value).splitlines()) == 1


def test_one_that_does_not_answer_is_told_in_a_line() -> None:
    with pytest.raises(NotKeptError, match="does not answer"):
        asyncio.run(forecasts.ask("flu", httpx.AsyncClient(base_url="http://127.0.0.1:1")))


def test_one_that_is_replaced_meanwhile_is_asked_again_later(make_artifact: MakeArtifact) -> None:
    """Half of the answers are of another version."""
    first = create_app(Artifact.load(make_artifact()))
    second = create_app(Artifact.load(make_artifact(draws=np.ones((10, len(NAMES), HORIZON)))))

    async def deployed(scope: Any, receive: Any, send: Any) -> None:
        await (first if "manifest" in scope["path"] else second)(scope, receive, send)

    with pytest.raises(NotKeptError, match="it changed from"):
        ask(deployed)
