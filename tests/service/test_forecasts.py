"""Forecasts: intervals, quantiles, whole paths, daily and cumulative, of one country and of all."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.scores import HUB_QUANTILES, QUANTILES
from forecastle.service import create_app

from ..conftest import DRAWS, HORIZON, NAMES, TOTAL, Ask, Get, MakeArtifact, table


def test_a_forecast(get: Get) -> None:
    body = get("/countries/GBR/forecast", params={"days": 2, "level": [0.9, 0.5, 0.9]}).json()
    version, links = body.pop("version"), body.pop("links")
    assert version.startswith("2020-04-24-")
    assert all(get(link).status_code == 200 for link in links.values())
    intervals = [{"level": 0.5, "lower": 49.8, "upper": 149.2}, {"level": 0.9, "lower": 9.95, "upper": 189.0}]
    day = {"mean": 99.5, "median": 99.5, "intervals": intervals}
    assert body == {
        "country": "GBR",
        "name": "United Kingdom",
        "target": "daily deaths",
        "unit": "deaths",
        "frequency": "D",
        "origin_date": "2020-04-24",
        "data_through": "2020-04-24",
        "as_of": "2020-04-24",
        "model": "flu",
        "counts": "daily",
        "forecast": [
            {"date": "2020-04-25", "horizon": 1, **day},
            {"date": "2020-04-26", "horizon": 2, **day},
        ],
    }


def test_a_forecast_without_parameters_is_14_days_and_three_intervals(get: Get) -> None:
    forecast = get("/countries/gbr/forecast").json()["forecast"]
    assert len(forecast) == 14
    assert [interval["level"] for interval in forecast[0]["intervals"]] == [0.5, 0.8, 0.95]


def test_a_forecast_as_a_table(get: Get) -> None:
    path = "/countries/GBR/forecast?days=3&level=0.5"
    rows = table(get(path, headers={"Accept": "text/csv"}))
    assert len(rows) == 3
    assert list(rows[0]) == ["country", "date", "horizon", "mean", "median", "lower_0.5", "upper_0.5"]
    assert (rows[2]["date"], rows[2]["lower_0.5"]) == ("2020-04-27", "49.8")


@pytest.mark.parametrize("days", ["0", "-1", "29", "1000", "abc", "", "1.5", "1e1"])
def test_days_beyond_the_horizon_or_no_number_name_the_horizon(get: Get, days: str) -> None:
    response = get("/countries/GBR/forecast", params={"days": days})
    assert response.status_code == 422
    expected = f"days must be a whole number from 1 to 28, the horizon of this model, not {days!r}"
    assert response.json()["detail"] == expected
    assert response.json()["errors"] == [{"in": "query", "parameter": "days", "detail": expected}]


@pytest.mark.parametrize(
    "levels", ["0", "1", "-0.1", "1.1", "95", "nan", "inf", "abc", "", ["0.5", "2"], ["0.5"] * 11]
)
def test_levels_must_be_probabilities(get: Get, levels: Any) -> None:
    response = get("/countries/GBR/forecast", params={"level": levels})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("level must be a number between 0 and 1")


@pytest.mark.parametrize("quantiles", ["0", "1", "50", "x", ["0.5"] * 31])
def test_quantiles_must_be_probabilities(get: Get, quantiles: Any) -> None:
    response = get("/countries/GBR/forecast", params={"quantile": quantiles})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("quantile must be a number between 0 and 1")


# Quantiles instead of intervals


def test_quantiles_take_the_place_of_intervals(get: Get) -> None:
    path = "/countries/GBR/forecast?days=1&quantile=0.9&quantile=0.025&quantile=0.9"
    (day,) = get(path).json()["forecast"]
    assert day == {
        "date": "2020-04-25",
        "horizon": 1,
        "mean": 99.5,
        "median": 99.5,
        "quantiles": [{"quantile": 0.025, "value": 4.98}, {"quantile": 0.9, "value": 179.1}],
    }
    assert table(get(path + "&format=csv")) == [
        {
            "country": "GBR",
            "date": "2020-04-25",
            "horizon": "1",
            "mean": "99.5",
            "median": "99.5",
            "quantile_0.025": "4.98",
            "quantile_0.9": "179.1",
        }
    ]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("level=0.5&quantile=0.5", "level and quantile do not go together"),
        ("format=hubverse&level=0.5", "format=hubverse has 23 quantiles of its own"),
        ("format=hubverse&quantile=0.5", "format=hubverse has 23 quantiles of its own"),
    ],
)
@pytest.mark.parametrize("path", ["/forecast", "/countries/GBR/forecast"])
def test_quantiles_are_asked_for_in_one_way(get: Get, path: str, query: str, detail: str) -> None:
    response = get(f"{path}?{query}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


# Daily and cumulative


def test_a_daily_target_adds_up_to_running_totals(get: Get) -> None:
    body = get("/countries/GBR/forecast?days=3&level=0.9&counts=cumulative").json()
    assert (body["target"], body["counts"], body["unit"]) == ("cumulative deaths", "cumulative", "deaths")
    assert [day["mean"] for day in body["forecast"]] == [TOTAL + 99.5 * day for day in (1, 2, 3)]
    # Draw i adds i a day: along whole paths, so that the interval widens by days and not by their root.
    assert body["forecast"][2]["intervals"] == [{"level": 0.9, "lower": 1029.8, "upper": 1567.1}]
    assert get("/countries/GBR/forecast?counts=daily").json() == get("/countries/GBR/forecast").json()


def test_a_cumulative_target_has_daily_counts_as_the_differences_of_its_paths(
    make_artifact: MakeArtifact, ask: Ask
) -> None:
    totals = TOTAL + np.cumsum(np.full((50, 4, HORIZON), 7), axis=2)
    totals[1:, :, 1:] += 3  # ten more on the second day, in all draws but one
    app = create_app(
        Artifact.load(make_artifact(cumulative=True, target="cumulative cases", unit="cases", draws=totals))
    )
    body = ask(app, "/countries/GBR/forecast?days=3&counts=daily&draws=2").json()
    assert (body["target"], body["counts"]) == ("daily cases", "daily")
    assert [day["median"] for day in body["forecast"]] == [7, 10, 7]
    assert body["draws"] == [{"draw": 0, "values": [7, 7, 7]}, {"draw": 49, "values": [7, 10, 7]}]
    assert "caveat" not in body
    assert ask(app, "/countries/GBR/forecast").json()["counts"] == "cumulative"


# Whole paths


def test_draws_are_whole_paths(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.random.default_rng(1).poisson(50, (100, 4, HORIZON))
    app = create_app(Artifact.load(make_artifact(draws=draws)))
    path = "/countries/FRA/forecast?days=5&draws=3"
    body = ask(app, path).json()
    assert [one["draw"] for one in body["draws"]] == [0, 50, 99]
    assert body["draws"][1]["values"] == draws[50, 1, :5].tolist()
    assert len(body["forecast"]) == 5

    rows = table(ask(app, path, headers={"Accept": "text/csv"}))
    assert len(rows) == 15
    assert rows[6] == {
        "country": "FRA",
        "draw": "50",
        "date": "2020-04-26",
        "horizon": "2",
        "value": str(float(draws[50, 1, 1])),
    }

    lines = ask(app, path + "&format=ndjson").text.splitlines()
    assert json.loads(lines[1]) == {"country": "FRA", "origin_date": "2020-04-24", **body["draws"][1]}

    every = ask(app, "/countries/FRA/forecast?days=1&draws=100").json()["draws"]
    assert [one["draw"] for one in every] == list(range(100))


@pytest.mark.parametrize("draws", ["0", "-1", "201", "x", "1.5", "1e9"])
def test_draws_beyond_those_there_are_name_their_number(get: Get, draws: str) -> None:
    response = get("/countries/GBR/forecast", params={"draws": draws})
    assert response.status_code == 422
    assert response.json()["detail"] == f"draws must be a whole number from 1 to {DRAWS}, not {draws!r}"


# The hubverse's table


def test_the_hubverses_table(get: Get) -> None:
    rows = table(get("/countries/GBR/forecast?days=2&format=hubverse"))
    assert list(rows[0]) == [
        *("origin_date", "target", "horizon", "location", "output_type", "output_type_id", "value")
    ]
    assert len(rows) == 2 * 25
    first = rows[:25]
    assert {(row["origin_date"], row["target"], row["horizon"], row["location"]) for row in first} == {
        ("2020-04-24", "daily deaths", "1", "GBR")
    }
    values = {(row["output_type"], row["output_type_id"]): row["value"] for row in first}
    assert values["mean", "NA"] == values["median", "NA"] == values["quantile", "0.5"] == "99.5"
    quantiles = [row for row in first if row["output_type"] == "quantile"]
    assert [row["output_type_id"] for row in quantiles][:4] == ["0.01", "0.025", "0.05", "0.1"]
    assert [row["output_type_id"] for row in quantiles][-3:] == ["0.95", "0.975", "0.99"]
    ascending = [float(row["value"]) for row in quantiles]
    assert len(ascending) == 23 and sorted(ascending) == ascending


def test_its_quantiles_are_those_that_backtests_score() -> None:
    assert list(HUB_QUANTILES) == pytest.approx(QUANTILES.tolist())


def test_it_has_one_origin_wherever_the_countries_end(make_artifact: MakeArtifact, ask: Ask) -> None:
    """DEU ends on the data's last day, FRA three days before; GBR's forecast is over by then."""
    draws = np.broadcast_to(np.arange(HORIZON), (10, 4, HORIZON))
    origins = {"DEU": "2020-04-24", "FRA": "2020-04-21", "GBR": "2020-03-01", "GRC": "2020-04-24"}
    series = {
        code: {"name": code, "first_day": "2020-02-01", "origin_date": origin, "total": 10}
        for code, origin in origins.items()
    }
    app = create_app(Artifact.load(make_artifact(draws=draws, series=series)))
    rows = [
        row for row in table(ask(app, "/forecast?days=26&format=hubverse")) if row["output_type"] == "mean"
    ]
    assert {row["origin_date"] for row in rows} == {"2020-04-24"}
    values = {
        code: {int(row["horizon"]): float(row["value"]) for row in rows if row["location"] == code}
        for code in origins
    }
    assert values["DEU"] == values["GRC"] == {horizon: horizon - 1 for horizon in range(1, 27)}
    assert values["FRA"] == {horizon: horizon + 2 for horizon in range(1, 26)}  # up to its 28th day
    assert values["GBR"] == {}
    alone = table(ask(app, "/countries/FRA/forecast?days=1&format=hubverse"))
    assert [(row["horizon"], row["value"]) for row in alone[:1]] == [("1", "3.0")]


def test_its_samples_are_the_draws(get: Get) -> None:
    rows = table(get("/countries/GBR/forecast?days=1&format=hubverse&draws=2&counts=cumulative"))
    assert {row["target"] for row in rows} == {"cumulative deaths"}
    samples = [row for row in rows if row["output_type"] == "sample"]
    assert [(row["output_type_id"], row["value"]) for row in samples] == [("0", "1000.0"), ("199", "1199.0")]


# As it was known at some time


def test_a_forecast_is_as_of_its_last_data(get: Get) -> None:
    now = get("/countries/GBR/forecast")
    for day in ("2020-04-24", "2020-04-25", "9999-12-31"):
        assert get(f"/countries/GBR/forecast?as_of={day}").content == now.content
    for path in ("/countries/GBR/forecast", "/forecast"):
        response = get(f"{path}?as_of=2020-04-23")
        assert response.status_code == 404
        assert response.json()["type"] == "/docs/problems/past-forecast"
        assert "catalogue" in response.json()["detail"]


def test_a_forecast_is_known_since_it_was_trained(get: Get) -> None:
    """That is, the morning after the last day in its data."""
    for path in ("/countries/GBR/forecast", "/forecast"):
        now = get(path)
        for instant in ("2020-04-25T06:00:00Z", "2020-04-25T08:00:00%2B02:00", "9999-12-31T23:59Z"):
            assert get(f"{path}?known_at={instant}").content == now.content
            assert get(f"{path}?known_at={instant}&as_of=2020-04-24").content == now.content
        for query in (
            "known_at=2020-04-25T05:59:59.999Z",
            "known_at=2020-04-25T06:00%2B00:01",
            "known_at=2020-04-26T00:00Z&as_of=2020-04-23",
            "known_at=2020-04-24T23:00Z&as_of=2020-04-24",
        ):
            response = get(f"{path}?{query}")
            assert response.status_code == 404
            assert response.json()["type"] == "/docs/problems/past-forecast"
    detail = get("/forecast?known_at=2020-04-25T07:00%2B02:00").json()["detail"]
    assert detail.startswith(
        "This service has one forecast, trained at 2020-04-25T06:00:00Z. That of known_at="
    )


@pytest.mark.parametrize(
    "instant",
    [
        *(
            "",
            "now",
            "2020-05-01",
            "2020-05-01T12:00:00",
            "2020-05-01 12:00:00Z",
            "2020-05-01T12:00:00 02:00",
        ),
        *("2020-02-30T12:00Z", "2020-05-01T24:30Z", "2020-W18-5T12:00Z", "1588334400", "20200501T120000Z"),
        *("0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00", "2020-05-01T12:00+25:00", "2020-05-01T12Z"),
    ],
)
def test_known_at_must_be_an_instant(get: Get, instant: str) -> None:
    for path in ("/countries/GBR/forecast", "/forecast"):
        response = get(path, params={"known_at": instant})
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        words = "known_at must be an instant with its time zone such as 2020-05-01T12:00:00Z, not "
        assert response.json()["detail"] == words + repr(instant)


# All countries


def test_all_countries_at_once_are_their_forecasts_one_after_the_other(get: Get) -> None:
    query = "?days=2&level=0.9&counts=cumulative"
    body = get("/forecast" + query).json()
    assert (body["model"], body["counts"], body["target"]) == ("flu", "cumulative", "cumulative deaths")
    assert body["as_of"] == "2020-04-24"
    codes = [one["code"] for one in get("/countries").json()["countries"]]
    assert body["forecasts"] == [get(f"/countries/{code}/forecast{query}").json() for code in codes]


@pytest.mark.parametrize("representation", ["csv", "ndjson", "hubverse"])
def test_all_countries_as_a_table(get: Get, representation: str) -> None:
    query = f"?days=3&format={representation}"
    codes = [one["code"] for one in get("/countries").json()["countries"]]
    each = [get(f"/countries/{code}/forecast{query}").text for code in codes]
    whole = get("/forecast" + query)
    assert whole.headers["content-type"] == get("/countries/GBR/forecast" + query).headers["content-type"]
    if representation == "ndjson":
        assert whole.text == "".join(each)
        assert len([json.loads(line) for line in whole.text.splitlines()]) == 12
    else:
        rows = list(csv.reader(io.StringIO(whole.text)))
        assert rows[0] == each[0].split("\r\n")[0].split(",")
        assert rows[1:] == [row for one in each for row in list(csv.reader(io.StringIO(one)))[1:]]


def test_weeks_are_sums_of_daily_draws(make_artifact: MakeArtifact, ask: Ask) -> None:
    """The origin is a Friday: the first whole week starts two days later, and 28 days hold three."""
    draws = np.random.default_rng(1).poisson(20, (DRAWS, len(NAMES), HORIZON))
    app = create_app(Artifact.load(make_artifact(draws=draws)))
    answer = ask(app, "/countries/FRA/forecast?period=week&level=0.9&draws=200").json()
    weeks = draws[:, 1, 1:22].reshape(DRAWS, 3, 7).sum(axis=2)
    assert (answer["counts"], answer["frequency"], answer["target"]) == ("weekly", "W-SAT", "weekly deaths")
    assert answer["origin_date"] == "2020-04-24"
    assert [(one["date"], one["horizon"]) for one in answer["forecast"]] == [
        ("2020-05-02", 1),
        ("2020-05-09", 2),
        ("2020-05-16", 3),
    ]
    assert [one["mean"] for one in answer["forecast"]] == pytest.approx(weeks.mean(axis=0), abs=0.06)
    lower = [one["intervals"][0]["lower"] for one in answer["forecast"]]
    assert lower == pytest.approx(np.quantile(weeks, 0.05, axis=0), abs=0.06)
    assert answer["draws"][3]["values"] == weeks[3].tolist()
    assert len(ask(app, "/countries/FRA/forecast?period=week&days=14").json()["forecast"]) == 1
    every = ask(app, "/forecast?period=week&level=0.9").json()
    assert every["frequency"] == "W-SAT"
    assert every["forecasts"][1]["forecast"] == answer["forecast"]
    rows = table(ask(app, "/countries/FRA/forecast?period=week&format=csv"))
    assert [(row["date"], row["horizon"]) for row in rows[:2]] == [("2020-05-02", "1"), ("2020-05-09", "2")]


def test_weeks_of_a_running_total_are_of_its_daily_counts(make_artifact: MakeArtifact, ask: Ask) -> None:
    daily = np.random.default_rng(1).poisson(20, (DRAWS, len(NAMES), HORIZON))
    totals = create_app(Artifact.load(make_artifact(draws=TOTAL + daily.cumsum(axis=2), cumulative=True)))
    days = create_app(Artifact.load(make_artifact(draws=daily)))
    path = "/countries/FRA/forecast?period=week"
    assert ask(totals, path).json()["forecast"] == ask(days, path).json()["forecast"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=month", "period must be week"),
        ("period=week&counts=cumulative", "does not go with counts=cumulative"),
        ("period=week&days=12", "needs days of at least 13"),
    ],
)
def test_weeks_that_there_are_not_are_refused(get: Get, query: str, said: str) -> None:
    refused = get(f"/countries/FRA/forecast?{query}")
    assert refused.status_code == 422 and said in refused.text


def test_a_hubs_table_of_weeks_counts_from_a_saturday(make_artifact: MakeArtifact, ask: Ask) -> None:
    """The data end on a Friday; those of France ended six days before, on a Saturday."""
    draws = np.random.default_rng(1).poisson(20, (DRAWS, len(NAMES), HORIZON))
    ends = dict.fromkeys(NAMES, "2020-04-24") | {"FRA": "2020-04-18"}
    series = {
        code: {"name": NAMES[code], "first_day": "2020-04-14", "origin_date": end, "total": TOTAL}
        for code, end in ends.items()
    }
    app = create_app(Artifact.load(make_artifact(draws=draws, series=series)))
    rows = table(ask(app, "/forecast?period=week&format=hubverse"))
    assert {row["target"] for row in rows} == {"weekly deaths"}
    means = {
        (row["location"], row["origin_date"], int(row["horizon"])): float(row["value"])
        for row in rows
        if row["output_type"] == "mean"
    }
    weeks = {"GBR": draws[:, 2, 1:22], "FRA": draws[:, 1, 7:28]}  # from Sunday, 26 April, on
    for code, days in weeks.items():
        expected = days.reshape(DRAWS, 3, 7).sum(axis=2).mean(axis=0)
        found = [means[code, "2020-04-25", horizon] for horizon in (1, 2, 3)]
        assert found == pytest.approx(expected, abs=0.06)
    assert len(means) == 3 * len(NAMES)
    alone = table(ask(app, "/countries/FRA/forecast?period=week&format=hubverse&draws=5&days=20"))
    sampled = [row for row in alone if row["output_type"] == "sample"]
    assert {row["horizon"] for row in alone} == {"1", "2"} and len(sampled) == 2 * 5
    assert float(sampled[0]["value"]) == draws[0, 1, 7:14].sum()


def test_months_have_no_weeks(make_artifact: MakeArtifact, ask: Ask) -> None:
    app = create_app(Artifact.load(make_artifact(frequency="MS")))
    refused = ask(app, "/forecast?period=week")
    assert refused.status_code == 422
    assert "this model's are monthly, up to 28 months ahead" in refused.text
