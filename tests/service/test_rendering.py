"""JSON of a forecast is what its documented model would give, byte for byte; so are its other forms."""

import csv
import io
import json
from urllib.parse import urlencode

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle.artifact import Artifact
from forecastle.service import create_app, forecasts
from forecastle.service.naming import named

from ..conftest import HORIZON, Ask, MakeArtifact, table

LEVELS = st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), min_size=1, max_size=10)


@pytest.fixture(scope="module")
def spread(make_artifact: MakeArtifact) -> FastAPI:
    """Draws of next to nothing, of few, of many and of more than there are, some below 0."""
    scales = np.array([1e-12, 1, 1e5, 1e20])[:, None]
    draws = scales * np.random.default_rng(1).normal(1, 1, (50, 4, HORIZON))
    return create_app(Artifact.load(make_artifact(draws=draws)))


@settings(max_examples=60, deadline=None)
@given(
    code=st.sampled_from(["DEU", "FRA", "GBR", "GRC"]),
    days=st.integers(1, HORIZON),
    counts=st.sampled_from(["daily", "cumulative"]),
    name=st.sampled_from(["level", "quantile"]),
    levels=LEVELS,
    draws=st.integers(0, 50),
)
def test_every_form_of_a_forecast_says_the_same(
    spread: FastAPI, ask: Ask, code: str, days: int, counts: str, name: str, levels: list[float], draws: int
) -> None:
    asked = [("days", days), ("counts", counts), *((name, level) for level in levels)]
    if draws:
        asked.append(("draws", draws))
    path = f"/countries/{code}/forecast?{urlencode(asked)}"
    content = ask(spread, path).content
    model = named(forecasts.SeriesForecast, "country", "countries").model_validate_json(content)
    assert model.model_dump_json().encode() == content
    answer = json.loads(content)
    about = {"country": code, "origin_date": "2020-04-24"}
    lines = [json.loads(line) for line in ask(spread, f"{path}&format=ndjson").text.splitlines()]
    assert lines == [{**about, **one} for one in answer.get("draws", answer["forecast"])]

    rows = table(ask(spread, f"{path}&format=csv"))
    if draws:
        values = [value for path in answer["draws"] for value in path["values"]]
        assert [float(row["value"]) for row in rows] == values
        return
    for row, day in zip(rows, answer["forecast"], strict=True):
        assert (row["date"], int(row["horizon"])) == (day["date"], day["horizon"])
        numbers = [day["mean"], day["median"]]
        numbers += [end for one in day.get("intervals", []) for end in (one["lower"], one["upper"])]
        numbers += [one["value"] for one in day.get("quantiles", [])]
        assert [float(number) for number in list(row.values())[3:]] == numbers


def test_all_countries_are_one_document_of_the_documented_model(spread: FastAPI, ask: Ask) -> None:
    for query in ("", "?counts=cumulative&level=0.123", "?days=3&quantile=0.5&quantile=1e-7"):
        content = ask(spread, f"/forecast{query}").content
        assert (
            named(forecasts.AllForecasts, "country", "countries")
            .model_validate_json(content)
            .model_dump_json()
            .encode()
            == content
        )


def test_a_name_that_looks_like_json_stays_a_name(make_artifact: MakeArtifact, ask: Ask) -> None:
    name = 'A "forecast":null, 100 %s\\n'
    country = {"name": name, "first_day": "2020-04-20", "origin_date": "2020-04-24", "total": 10}
    series = {code: country for code in ("DEU", "FRA", "GBR", "GRC")}
    app = create_app(Artifact.load(make_artifact(series=series)))
    answer = ask(app, "/countries/GBR/forecast?days=1").json()
    assert answer["name"] == name and len(answer["forecast"]) == 1


def test_a_hubs_table_has_the_numbers_of_the_quantiles(spread: FastAPI, ask: Ask) -> None:
    rows = list(csv.reader(io.StringIO(ask(spread, "/countries/GBR/forecast?days=2&format=hubverse").text)))[
        1:
    ]
    levels = [row[5] for row in rows[:25] if row[4] == "quantile"]
    query = urlencode([("days", 2), *(("quantile", level) for level in levels)])
    days = ask(spread, f"/countries/GBR/forecast?{query}").json()["forecast"]
    expected = [
        number
        for day in days
        for number in (day["mean"], day["median"], *(one["value"] for one in day["quantiles"]))
    ]
    assert [float(row[6]) for row in rows] == expected
