"""Events: which draws they happen in, their words, and what is refused."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.service import create_app, montecarlo
from forecastle.service.events import EventProbabilities
from forecastle.service.naming import named

from ..conftest import HORIZON, NAMES, ORIGIN, TOTAL, Ask, Get, MakeArtifact


@pytest.mark.parametrize(
    ("query", "event", "probability"),
    [
        ("above=99&on=2020-04-25", "daily deaths in United Kingdom on 2020-04-25 above 99", 0.5),
        ("above=98.5&on=2020-04-25", "daily deaths in United Kingdom on 2020-04-25 above 98.5", 0.505),
        ("below=99&on=2020-05-22", "daily deaths in United Kingdom on 2020-05-22 below 99", 0.495),
        # 1000 at the origin, then ten days of 0 to 199 each
        (
            "above=2000&by=2020-05-04",
            "total deaths in United Kingdom by the end of 2020-05-04 above 2,000",
            0.495,
        ),
        (
            "below=1000&by=2020-05-04",
            "total deaths in United Kingdom by the end of 2020-05-04 below 1,000 "
            "(it was 1,000 on 2020-04-24 already)",
            0,
        ),
    ],
)
def test_a_probability_is_a_share_of_draws(get: Get, query: str, event: str, probability: float) -> None:
    body = get(f"/countries/GBR/probability?{query}").json()
    assert (body["event"], body["probability"], body["draws"]) == (event, probability, 200)


def test_for_a_cumulative_target_on_and_by_are_the_same(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.broadcast_to(TOTAL + np.arange(200)[:, None, None], (200, 4, HORIZON))
    app = create_app(Artifact.load(make_artifact(cumulative=True, target="cumulative cases", draws=draws)))
    on, by = (
        ask(app, f"/countries/GBR/probability?above=1099&{word}=2020-05-04").json() for word in ("on", "by")
    )
    assert on == by
    assert on["probability"] == 0.5


@pytest.mark.parametrize("cumulative", [False, True])
def test_what_the_observed_total_settles_is_certain(
    make_artifact: MakeArtifact, ask: Ask, cumulative: bool
) -> None:
    """The cumulative model's draws are 0 to 199, though 1,000 were observed."""
    app = create_app(Artifact.load(make_artifact(cumulative=cumulative)))
    for query, probability, words in (
        ("above=199&by=2020-05-04", 1, "above 199 (it was 1,000 on 2020-04-24 already)"),
        ("above=99&ever_by=2020-05-04&counts=cumulative", 1, "above 99 (it was 1,000 on 2020-04-24 already)"),
        ("below=100&by=2020-05-04", 0, "below 100 (it was 1,000 on 2020-04-24 already)"),
    ):
        body = ask(app, f"/countries/GBR/probability?{query}").json()
        assert (body["probability"], body["monte_carlo_error"]) == (probability, 0)
        assert body["event"].endswith(words)
        assert ("contradicts what was observed" in body.get("caveat", "")) is cumulative
    for query in ("above=1000&by=2020-05-04", "below=1001&by=2020-05-04"):
        body = ask(app, f"/countries/GBR/probability?{query}").json()
        assert body["monte_carlo_error"] > 0 and "already" not in body["event"]


def test_the_monte_carlo_error_is_never_zero(get: Get) -> None:
    body = get("/countries/GBR/probability?below=0&on=2020-05-01").json()
    assert body["probability"] == 0 < body["monte_carlo_error"]


@pytest.mark.parametrize("day", ["2020-04-24", "2020-05-23", "1999-01-01"])
@pytest.mark.parametrize("parameter", ["on", "by", "ever_by"])
def test_days_outside_of_the_forecast_name_the_horizon(get: Get, parameter: str, day: str) -> None:
    response = get(f"/countries/GBR/probability?above=1&{parameter}={day}")
    assert response.status_code == 422
    assert response.json()["detail"] == (
        f"{parameter} must be a day from 2020-04-25 to 2020-05-22 for United Kingdom: "
        "the horizon of this model is 28 days"
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "exactly one of above, below and exceeds is needed, and exactly one of on, by and ever_by; or"),
        ("above=1", "exactly one of above, below and exceeds"),
        ("on=2020-05-01", "exactly one of above, below and exceeds"),
        ("above=1&below=2&on=2020-05-01", "exactly one of above, below and exceeds"),
        ("above=1&exceeds=ITA&on=2020-05-01", "exactly one of above, below and exceeds"),
        ("above=1&on=2020-05-01&by=2020-05-01", "exactly one of above, below and exceeds"),
        ("above=1&on=2020-05-01&ever_by=2020-05-01", "exactly one of above, below and exceeds"),
        ("above=1&peak_by=2020-05-01", "exactly one of above, below and exceeds"),
        ("peak_by=2020-05-01&halves_within=7", "exactly one of above, below and exceeds"),
        ("above=1&by=2020-05-01&counts=daily", "by is about the running total: of daily counts ask on a day"),
        ("peak_by=2020-05-01&counts=cumulative", "a running total neither peaks nor halves"),
        ("halves_within=7&counts=cumulative", "a running total neither peaks nor halves"),
        ("above=1&on=2020-05-01&counts=weekly", "counts must be daily or cumulative, not 'weekly'"),
        ("doubles_within=0", "doubles_within must be a whole number of periods, at least 1, not '0'"),
        ("halves_within=x", "halves_within must be a whole number of periods, at least 1, not 'x'"),
        ("doubles_within=29", "doubles_within must be a whole number of days from 1 to 28, the horizon of"),
        (
            "exceeds=GRB&on=2020-05-01",
            "exceeds must be a country of this model: There is no country GRB here",
        ),
        ("exceeds=AND&on=2020-05-01", "exceeds must be a country of this model: Andorra has no forecast"),
        ("above=-1&on=2020-05-01", "above must be a number of at least 0, not '-1'"),
        ("above=nan&on=2020-05-01", "above must be a number of at least 0, not 'nan'"),
        ("below=inf&on=2020-05-01", "below must be a number of at least 0, not 'inf'"),
        ("above=1&on=tomorrow", "on must be a date such as 2020-05-01, not 'tomorrow'"),
        ("above=1&by=1588291200", "by must be a date such as 2020-05-01, not '1588291200'"),
    ],
)
def test_an_event_must_be_whole(get: Get, query: str, detail: str) -> None:
    response = get(f"/countries/GBR/probability?{query}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


# Along whole paths


@pytest.fixture(scope="module")
def waves(make_artifact: MakeArtifact) -> FastAPI:
    """Four draws of a country's days: steady, falling, a wave, rising. The last week reported 20 a day."""
    day = np.arange(1, HORIZON + 1)
    paths = [np.full(HORIZON, 20), 20 * 0.9**day, 10 + 90 * np.exp(-((day - 14) ** 2) / 20), 20 * 1.1**day]
    draws = np.repeat(np.array(paths)[:, None, :], 4, axis=1)
    draws[:, 0] += 1  # Germany has one more a day, whatever happens
    return create_app(Artifact.load(make_artifact(draws=draws)))


@pytest.mark.parametrize(
    ("query", "words", "share"),
    [
        (
            "above=80&ever_by=2020-05-08",
            "daily deaths in United Kingdom on any day from 2020-04-25 to 2020-05-08 above 80",
            1 / 4,  # the wave
        ),
        ("above=80&ever_by=2020-04-30", None, 0),
        ("above=80&ever_by=2020-05-22", None, 2 / 4),  # and what rises
        ("below=5&ever_by=2020-05-22", None, 1 / 4),
        (
            "above=1250&ever_by=2020-05-22&counts=cumulative",
            "total deaths in United Kingdom on any day from 2020-04-25 to 2020-05-22 above 1,250",
            3 / 4,
        ),
        ("above=50&on=2020-05-22", "daily deaths in United Kingdom on 2020-05-22 above 50", 1 / 4),
        (
            "above=1250&on=2020-05-22&counts=cumulative",
            "total deaths in United Kingdom by the end of 2020-05-22 above 1,250",
            3 / 4,
        ),
        (
            "peak_by=2020-05-11",
            "the seven days with the most deaths in United Kingdom, of those from 2020-04-20 to 2020-05-22, "
            "end by 2020-05-11",
            3 / 4,  # all but what rises
        ),
        ("peak_by=2020-05-10", None, 2 / 4),  # the wave's middle is the 8th: its best week ends on the 11th
        ("peak_by=2020-04-28", None, 2 / 4),  # what falls, and what does not rise, after 10, 20, 30 and 40
        ("peak_by=2020-04-27", None, 0),
        ("peak_by=2020-04-24", None, 0),
        ("peak_by=2020-05-22", None, 1),
        (
            "doubles_within=28",
            "the mean of seven days' deaths in United Kingdom rises to twice the 20 of the week to "
            "2020-04-24 by 2020-05-22",
            2 / 4,
        ),
        ("doubles_within=7", None, 0),
        (
            "halves_within=28",
            "the mean of seven days' deaths in United Kingdom falls to half the 20 of the week to 2020-04-24 "
            "by 2020-05-22",
            1 / 4,
        ),
        (
            "doubles_within=28&counts=cumulative",
            "total deaths in United Kingdom rise to twice the 1,000 of 2020-04-24 by 2020-05-22",
            1 / 4,
        ),
        ("doubles_within=14&counts=cumulative", None, 0),
        (
            "exceeds=DEU&by=2020-05-22",
            "total deaths in United Kingdom by the end of 2020-05-22 above those in Germany",
            0,
        ),
        (
            "exceeds=FRA&on=2020-05-22",
            "daily deaths in United Kingdom on 2020-05-22 above those in France",
            0,  # as many are not more
        ),
    ],
)
def test_an_event_along_paths(waves: FastAPI, ask: Ask, query: str, words: str | None, share: float) -> None:
    response = ask(waves, f"/countries/GBR/probability?{query}")
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["probability"] == share
    assert body["event"] == words or words is None
    assert body["draws"] == 4 and body["monte_carlo_error"] > 0 and "caveat" not in body


def test_a_comparison_goes_draw_by_draw(waves: FastAPI, ask: Ask) -> None:
    for query in ("exceeds=gbr&on=2020-05-01", "exceeds=GBR&by=2020-05-01", "exceeds=GBR&ever_by=2020-05-01"):
        body = ask(waves, f"/countries/DEU/probability?{query}").json()
        assert body["probability"] == 1  # one more in each draw, though the draws differ by far more


def test_countries_are_compared_on_days_that_both_have_ahead(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.zeros((10, 4, HORIZON))
    draws[:, 2, 0] = 5  # GBR, on its first day, which is FRA's second
    countries = {
        code: {"name": code, "first_day": "2020-04-20", "origin_date": origin, "total": 10}
        for code, origin in [
            ("DEU", "2020-04-24"),
            ("FRA", "2020-04-23"),
            ("GBR", "2020-04-24"),
            ("GRC", "2020-04-24"),
        ]
    }
    app = create_app(Artifact.load(make_artifact(draws=draws, series=countries)))
    for when in ("on", "ever_by"):
        body = ask(app, f"/countries/GBR/probability?exceeds=FRA&{when}=2020-04-25").json()
        assert body["probability"] == 1
    body = ask(app, "/countries/FRA/probability?below=1&ever_by=2020-04-24").json()
    assert body["event"].startswith("daily deaths in FRA on any day from 2020-04-24 to 2020-04-24")
    beyond = ask(app, "/countries/GBR/probability?exceeds=FRA&on=2020-05-22")
    assert beyond.status_code == 422
    assert "must be a day from 2020-04-24 to 2020-05-21 for FRA" in beyond.json()["detail"]


def test_nothing_doubles_that_is_not_there(make_artifact: MakeArtifact, ask: Ask) -> None:
    countries = {
        code: {"name": code, "first_day": "2020-04-24", "origin_date": "2020-04-24", "total": 0}
        for code in ("DEU", "FRA", "GBR", "GRC")
    }
    app = create_app(Artifact.load(make_artifact(series=countries)))
    for query in ("doubles_within=7&counts=cumulative", "doubles_within=7", "halves_within=7"):
        response = ask(app, f"/countries/GRC/probability?{query}")  # nothing was reported on its last day
        assert response.status_code == 422
        assert "has no answer for GRC: there were no deaths" in response.json()["detail"]


def test_a_peak_is_looked_for_among_days_with_reports(make_artifact: MakeArtifact, ask: Ask) -> None:
    origin = {"first_day": "2020-04-24", "origin_date": "2020-04-24", "total": 10}
    countries = {code: {"name": code, **origin} for code in ("DEU", "FRA", "GBR", "GRC")}
    app = create_app(Artifact.load(make_artifact(series=countries)))
    body = ask(app, "/countries/GRC/probability?peak_by=2020-04-24").json()
    assert body["probability"] == 0  # there was none to the origin


# Many at once


def test_many_events_are_answered_in_their_order(get: Get) -> None:
    asked = [
        {"country": "gbr", "above": 99, "on": "2020-04-25"},
        {"country": "FRA", "peak_by": "2020-05-22"},
        {"country": "DEU", "exceeds": "FRA", "by": "2020-05-01"},
    ]
    response = get("/probability", method="POST", json={"events": asked})
    assert response.status_code == 200 and response.headers["cache-control"] == "no-store"
    body = response.json()
    named(EventProbabilities, "country", "countries").model_validate(body)
    first, second, third = body["probabilities"]
    alone = get("/countries/GBR/probability?above=99&on=2020-04-25").json()
    assert first == {name: alone[name] for name in first}
    assert (second["country"], second["probability"]) == ("FRA", 1)
    assert third["event"] == "total deaths in Germany by the end of 2020-05-01 above those in France"


def test_all_that_is_wrong_with_many_events_is_told(get: Get) -> None:
    asked: list[dict[str, Any]] = [
        {"country": "GRB", "above": 1, "on": "2020-05-01"},
        {"country": "GBR", "above": 1, "on": "2020-05-01"},
        {"country": "GBR", "above": 1, "on": "2021-05-01"},
    ]
    response = get("/probability", method="POST", json={"events": asked})
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [(error["in"], error["parameter"]) for error in errors] == [
        ("body", "events.0.country"),
        ("body", "events.2.on"),
    ]
    assert "Did you mean GBR (United Kingdom)" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "events is missing"),
        ({"events": []}, "events: List should have at least 1 item"),
        (
            {"events": [{"country": "GBR", "peak_by": "2020-05-01"}] * 101},
            "events: List should have at most 100",
        ),
        ({"events": 1}, "events should be a valid list"),
        ([], "the body should be a valid dictionary"),
        ({"events": [{}]}, "events.0.country is missing"),
        ({"events": [{"country": "GBR"}]}, "events.0: exactly one of above, below and exceeds"),
        (
            {"events": [{"country": 7, "peak_by": "2020-05-01"}]},
            "events.0.country must be a series' identifier",
        ),
        ({"events": [{"country": "GBR", "peak_by": 20200501}]}, "events.0.peak_by must be a date such as"),
        (
            {"events": [{"country": "GBR", "peak": "2020-05-01"}]},
            "events.0: unknown member peak (known here: above, below, ",
        ),
        ({"event": []}, "unknown member event (known here: events)"),
    ],
)
def test_a_body_must_be_a_list_of_events(get: Get, body: Any, detail: str) -> None:
    response = get("/probability", method="POST", json=body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)


# By week


CALENDAR = [
    ("FRA", 0),
    ("GBR", 1),
    ("DEU", 5),
]  # days from a Friday to the origin: Friday, Saturday, Wednesday


class Weeks:
    """Sums over the whole weeks after each country's origin, by the calendar, from draws.npy itself."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        draws = np.load(folder / "draws.npy").astype(float)
        self.draws = len(draws)
        self.sums: dict[str, dict[datetime.date, np.ndarray]] = {}
        for index, (code, series) in enumerate(manifest["series"].items()):
            origin = datetime.date.fromisoformat(series["origin_date"])
            days: dict[datetime.date, list[np.ndarray]] = {}
            for ahead in range(draws.shape[2]):
                date = origin + datetime.timedelta(ahead + 1)
                saturday = date + datetime.timedelta((6 - date.isoweekday()) % 7)
                days.setdefault(saturday, []).append(draws[:, index, ahead])
            self.sums[code] = {end: np.sum(each, axis=0) for end, each in days.items() if len(each) == 7}

    def ends(self, *codes: str) -> list[datetime.date]:
        """The last days of the weeks that all these countries have."""
        return sorted(set.intersection(*({*self.sums[code]} for code in codes)))


@pytest.fixture(scope="module")
def weekly(make_artifact: MakeArtifact) -> tuple[FastAPI, Weeks]:
    """Correlated draws of countries whose origins are of different weekdays; 30 days were reported."""
    rng = np.random.default_rng(1)
    size = np.repeat(rng.gamma(4, 1, (50, 3, 1)), 10, axis=0)  # ten draws in turn are alike
    draws = rng.poisson(size * [[[30], [25], [20]]], (500, 3, HORIZON))
    origins = {code: ORIGIN + datetime.timedelta(after) for code, after in CALENDAR}
    series = {
        code: {
            "name": NAMES[code],
            "first_day": str(origin - datetime.timedelta(29)),
            "origin_date": str(origin),
            "total": 6000,
        }
        for code, origin in origins.items()
    }
    lines = [
        f"{origin - datetime.timedelta(before)},{code},{60 + 2 * before}"
        for code, origin in origins.items()
        for before in reversed(range(30))
    ]
    folder = make_artifact(draws=draws, series=series, observations=["date,country,observed", *lines])
    return create_app(Artifact.load(folder)), Weeks(folder)


def probability_of(ask: Ask, app: FastAPI, code: str, **event: Any) -> dict[str, Any]:
    answer = ask(app, f"/countries/{code}/probability", params={"period": "week", **event})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("code", [code for code, _ in CALENDAR])
def test_a_probability_by_week_is_a_share_of_sums_along_paths(
    weekly: tuple[FastAPI, Weeks], ask: Ask, code: str
) -> None:
    app, weeks = weekly
    for end in weeks.ends(code):
        sums = weeks.sums[code][end]
        threshold = float(np.median(sums))
        for before in (0, 3, 6):  # any day of the week
            day = end - datetime.timedelta(before)
            above = probability_of(ask, app, code, above=threshold, on=day)
            below = probability_of(ask, app, code, below=threshold, on=day)
            assert above["probability"] == (sums > threshold).mean()
            assert below["probability"] == (sums < threshold).mean()
            assert (
                above["event"] == f"weekly deaths in {NAMES[code]} in the week to {end} above {threshold:,g}"
            )
        earlier = np.array([each for date, each in weeks.sums[code].items() if date <= end])
        ever = probability_of(ask, app, code, above=threshold, ever_by=end)
        assert ever["probability"] == (earlier > threshold).any(axis=0).mean()
    paths = np.array([*weeks.sums[code].values()]).T
    effective = montecarlo.effective(paths)
    assert effective < 200  # of 500 draws
    expected = montecarlo.error_of_share(above["probability"], effective)
    assert above["monte_carlo_error"] == pytest.approx(expected, abs=1e-5)
    many = {"events": [{"country": code, "above": threshold, "on": str(end), "period": "week"}]}
    (one,) = ask(app, "/probability", "POST", json=many).json()["probabilities"]
    assert one["probability"] == above["probability"] and one["event"] == above["event"]


def test_countries_are_compared_in_weeks_that_both_have_ahead(
    weekly: tuple[FastAPI, Weeks], ask: Ask
) -> None:
    app, weeks = weekly
    for code, other in (("FRA", "DEU"), ("DEU", "FRA"), ("GBR", "FRA")):
        ends = weeks.ends(code, other)
        assert len(ends) >= 2
        more = np.array([weeks.sums[code][end] > weeks.sums[other][end] for end in ends])
        for index, end in enumerate(ends):
            on, ever = (
                probability_of(ask, app, code, exceeds=other, **{time: end}) for time in ("on", "ever_by")
            )
            assert on["probability"] == more[index].mean()
            assert ever["probability"] == more[: index + 1].any(axis=0).mean()
            assert f"in any week that ends from {ends[0]} to {end} above those" in ever["event"]


@pytest.mark.parametrize(("code", "after"), CALENDAR)
def test_weeks_peak_double_and_halve(weekly: tuple[FastAPI, Weeks], ask: Ask, code: str, after: int) -> None:
    """A week that had begun by the origin has its reported days and the draws of the others."""
    app, weeks = weekly
    origin = ORIGIN + datetime.timedelta(after)
    index = [code for code, _ in CALENDAR].index(code)
    days = {origin - datetime.timedelta(before): np.full(500, 60.0 + 2 * before) for before in range(30)}
    drawn = app.state.artifact.draws[:, index]
    days |= {
        origin + datetime.timedelta(ahead + 1): drawn[:, ahead].astype(float) for ahead in range(HORIZON)
    }
    whole: dict[datetime.date, np.ndarray] = {}
    for end in sorted(days):
        week = [days.get(end - datetime.timedelta(before)) for before in range(7)]
        if end.isoweekday() == 6 and all(day is not None for day in week):
            whole[end] = np.sum(week, axis=0)
    peaks = np.array([*whole])[np.array([*whole.values()]).argmax(axis=0)]  # of each draw
    shares = []
    for end in whole:
        if end >= origin:
            body = probability_of(ask, app, code, peak_by=end)
            assert body["probability"] == pytest.approx((peaks <= end).mean())
            assert body["event"].endswith(f"is that to {end} or one before")
            shares.append(body["probability"])
    assert 0 < shares[0] < 1 == shares[-1] and len({*shares}) > 2
    last = max(end for end in whole if end <= origin)
    for within in range(1, len(weeks.ends(code)) + 1):
        coming = np.array([weeks.sums[code][end] for end in weeks.ends(code)[:within]])
        doubled = probability_of(ask, app, code, doubles_within=within)
        halved = probability_of(ask, app, code, halves_within=within)
        assert doubled["probability"] == (coming >= 2 * whole[last]).any(axis=0).mean()
        assert halved["probability"] == (coming <= whole[last] / 2).any(axis=0).mean()
    assert 0 < doubled["probability"] < 1 and 0 < halved["probability"] < 1
    assert halved["event"] == (
        f"a whole week's deaths in {NAMES[code]} fall to half the {whole[last][0]:,g} of that to {last} "
        f"by {weeks.ends(code)[-1]}"
    )


def test_weeks_of_a_running_total_are_of_its_differences(make_artifact: MakeArtifact, ask: Ask) -> None:
    daily = np.random.default_rng(1).poisson(20, (200, 4, HORIZON))
    totals = create_app(Artifact.load(make_artifact(draws=TOTAL + daily.cumsum(axis=2), cumulative=True)))
    days = create_app(Artifact.load(make_artifact(draws=daily)))
    for event in ({"above": 140, "on": "2020-05-01"}, {"below": 120, "ever_by": "2020-05-16"}):
        assert probability_of(ask, totals, "FRA", **event) | {"target": "", "version": ""} == (
            probability_of(ask, days, "FRA", **event) | {"target": "", "version": ""}
        )
    falling = np.random.default_rng(1).permuted(TOTAL + daily.cumsum(axis=2), axis=0)
    loose = create_app(Artifact.load(make_artifact(draws=falling, cumulative=True)))
    assert "caveat" in probability_of(ask, loose, "FRA", above=140, on="2020-05-01")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        # The origin is a Friday, and the horizon ends on one.
        *(
            (
                f"above=1&{time}={day}",
                f"{time} must be a day from 2020-04-26 to 2020-05-16 for United Kingdom: the horizon of this "
                "model is 28 days, and whole weeks are from a Sunday to a Saturday",
            )
            for time in ("on", "ever_by")
            for day in ("2020-04-25", "2020-05-17")
        ),
        ("peak_by=2020-04-18", "peak_by must be a day from 2020-04-19 to 2020-05-16 for United Kingdom"),
        ("above=1&by=2020-05-01", "period=week is about sums by week: it goes with neither by nor"),
        ("above=1&on=2020-05-01&counts=cumulative", "period=week is about sums by week"),
        ("doubles_within=1&counts=cumulative", "period=week is about sums by week"),
        ("doubles_within=4", "doubles_within must be a whole number of weeks from 1 to 3, the horizon of"),
        (
            "halves_within=1",
            "halves_within has no answer for United Kingdom: there were no deaths in the week ",
        ),
        ("exceeds=ITA&on=2020-05-01", "exceeds must be a country of this model"),
    ],
)
def test_weeks_that_there_are_not_are_refused(get: Get, query: str, detail: str) -> None:
    """Five days were reported before the origin: no whole week of them."""
    refused = get(f"/countries/GBR/probability?period=week&{query}")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"].startswith(detail)


def test_a_period_is_a_week_or_none(get: Get) -> None:
    day = get("/countries/GBR/probability?above=99&on=2020-04-28").json()
    assert get("/countries/GBR/probability?above=99&on=2020-04-28&period=week").json() != day  # another key
    assert get("/countries/GBR/probability?above=99&on=2020-04-28").json() == day
    for period in ("month", "", "WEEK"):
        refused = get(f"/countries/GBR/probability?above=99&on=2020-04-28&period={period}")
        assert refused.status_code == 422
        assert refused.json()["detail"] == f"period must be week, not {period!r}"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"frequency": "MS"}, "this model's are monthly, up to 28 months ahead"),
        ({"frequency": "W-FRI"}, "this model's are weekly, up to 28 weeks ahead"),
        (
            {"horizon": 12, "draws": np.ones((9, 4, 12))},
            "this model's are daily, up to 12 days ahead",
        ),
    ],
)
def test_models_without_whole_weeks_refuse_them(
    make_artifact: MakeArtifact, ask: Ask, members: dict[str, Any], words: str
) -> None:
    app = create_app(Artifact.load(make_artifact(**members)))
    detail = f"period can be week only of daily values up to 13 days ahead: {words}"
    refused = ask(app, "/countries/GBR/probability?above=1&on=2020-05-01&period=week")
    assert (refused.status_code, refused.json()["detail"]) == (422, detail)
    events = {"events": [{"country": "GBR", "above": 1, "on": "2020-05-01", "period": "week"}]}
    refused = ask(app, "/probability", "POST", json=events)
    assert (refused.status_code, refused.json()["detail"]) == (422, f"events.0.{detail}")


def test_a_week_may_lie_seven_times_below_the_least_day(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.random.default_rng(1).uniform(-5, -3, (200, 4, HORIZON))
    app = create_app(Artifact.load(make_artifact(draws=draws, real=True, minimum=-5)))
    assert 0 < probability_of(ask, app, "GBR", below=-28, on="2020-05-01")["probability"] < 1
    refused = ask(app, "/countries/GBR/probability?above=-36&on=2020-05-01&period=week")
    assert refused.json()["detail"] == "above must be a number of at least -35, not '-36'"
