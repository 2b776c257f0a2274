"""Decisions: the best option by enumeration, its loss, and what is refused."""

from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle.artifact import Artifact
from forecastle.service import create_app, decisions, montecarlo
from forecastle.service.naming import named

from ..conftest import HORIZON, Ask, Get, MakeArtifact

Decision = named(decisions.Decision, "country", "countries")

DAY = "2020-05-01"
TABLE: dict[str, Any] = {
    "thresholds": [100, 150],
    "actions": [
        {"name": "wait", "losses": [0, 50, 1000]},
        {"name": "open a ward", "losses": [20, 20, 400]},
        {"name": "open two", "losses": [60, 60, 60]},
    ],
}


@pytest.fixture(scope="module")
def skewed(make_artifact: MakeArtifact) -> FastAPI:
    """Draws of a skewed count, in one country another than in all others."""
    draws = np.random.default_rng(1).negative_binomial(2, 0.02, (500, 4, HORIZON))
    return create_app(Artifact.load(make_artifact(draws=draws)))


def drawn(app: FastAPI, day: int = 6) -> np.ndarray:
    return np.array(app.state.artifact.forecast_draws("GBR")[:, day], dtype=float)


def decide(app: FastAPI, ask: Ask, **asked: Any) -> httpx.Response:
    return ask(app, "/decisions", "POST", json={"country": "GBR", "on": DAY, **asked})


@pytest.mark.parametrize(("over", "under"), [(1, 1), (1, 9), (10, 1), (0.5, 50), (1, 1e9)])
def test_no_other_amount_costs_less(skewed: FastAPI, ask: Ask, over: float, under: float) -> None:
    response = decide(skewed, ask, costs={"over": over, "under": under})
    assert response.status_code == 200 and response.headers["cache-control"] == "no-store"
    body = response.json()
    Decision.model_validate(body)
    counts = drawn(skewed)
    amounts = np.arange(counts.max() + 1)
    expected = [
        np.mean(over * np.maximum(amount - counts, 0) + under * np.maximum(counts - amount, 0))
        for amount in amounts
    ]
    assert body["best"]["expected_loss"] == pytest.approx(min(expected), rel=1e-5)
    assert expected[int(body["best"]["amount"])] == pytest.approx(min(expected))
    assert body["level"] == pytest.approx(under / (under + over))
    assert body["best"]["amount"] == np.quantile(counts, body["level"], method="inverted_cdf")
    assert body["options"] == [body["best"]]
    assert (body["count"], body["draws"]) == (f"daily deaths in United Kingdom on {DAY}", 500)


def test_the_distribution_of_the_loss_is_that_over_the_draws(skewed: FastAPI, ask: Ask) -> None:
    body = decide(skewed, ask, costs={"over": 2, "under": 5}, amounts=[50, 100, 200]).json()
    counts = drawn(skewed)
    effective = montecarlo.effective(skewed.state.artifact.forecast_draws("GBR"))
    losses = {
        amount: 2 * np.maximum(amount - counts, 0) + 5 * np.maximum(counts - amount, 0)
        for amount in (50, 100, 200)
    }
    least = min(losses, key=lambda amount: losses[amount].mean())
    assert body["best"] == body["options"][0] and body["best"]["amount"] == least
    for option in body["options"]:
        loss = losses[int(option["amount"])]
        excess = loss - losses[least]
        assert option["expected_loss"] == pytest.approx(loss.mean(), rel=1e-5)
        assert option["monte_carlo_error"] == pytest.approx(loss.std() / np.sqrt(effective), rel=1e-5)
        assert option["excess_loss"] == pytest.approx(excess.mean(), rel=1e-5)
        assert option["excess_monte_carlo_error"] == pytest.approx(
            excess.std() / np.sqrt(effective), rel=1e-5
        )
        for one in option["loss_quantiles"]:
            assert one["loss"] == pytest.approx(np.quantile(loss, one["quantile"]), rel=1e-5)
    expected = [option["expected_loss"] for option in body["options"]]
    assert expected == sorted(expected) and len(expected) == 3


def test_a_table_of_actions_and_losses(get: Get) -> None:
    """The draws are 0 to 199: 101 of them are not above 100, 50 in the middle, 49 above 150."""
    body = get("/decisions", method="POST", json={"country": "GBR", "on": DAY, **TABLE}).json()
    assert body["states"] == [
        {"above": None, "up_to": 100, "probability": 0.505},
        {"above": 100, "up_to": 150, "probability": 0.25},
        {"above": 150, "up_to": None, "probability": 0.245},
    ]
    assert [(option["action"], option["expected_loss"]) for option in body["options"]] == [
        ("open two", 60),
        ("open a ward", pytest.approx(20 * 0.755 + 400 * 0.245)),
        ("wait", pytest.approx(50 * 0.25 + 1000 * 0.245)),
    ]
    assert body["best"]["action"] == "open two" and body["best"]["monte_carlo_error"] == 0
    assert body["options"][2]["loss_quantiles"][-1] == {"quantile": 0.95, "loss": 1000}
    assert "level" not in body and "amount" not in body["best"]


def test_of_actions_that_lose_as_much_the_first_is_best(get: Get) -> None:
    actions = [{"name": name, "losses": [1, 2]} for name in "cab"]
    asked = {"country": "GBR", "on": DAY, "thresholds": [5], "actions": actions}
    body = get("/decisions", method="POST", json=asked).json()
    assert [option["action"] for option in body["options"]] == ["c", "a", "b"]


def test_a_decision_may_hang_on_a_running_total(get: Get) -> None:
    costs = {"over": 1, "under": 1}
    by = get("/decisions", method="POST", json={"country": "GBR", "by": DAY, "costs": costs}).json()
    assert by["count"] == f"total deaths in United Kingdom by the end of {DAY}"
    assert by["best"]["amount"] == 1000 + 7 * 99
    on = {"country": "GBR", "on": DAY, "counts": "cumulative", "costs": costs}
    assert get("/decisions", method="POST", json=on).json() == by


def test_a_decision_may_hang_on_a_week(skewed: FastAPI, ask: Ask) -> None:
    """From Sunday, 26 April, on there are whole weeks, the origin being a Friday."""
    sums = skewed.state.artifact.forecast_draws("GBR")[:, 1:22].astype(float).reshape(500, 3, 7).sum(axis=2)
    for day, week in (("2020-04-26", 0), ("2020-05-02", 0), ("2020-05-06", 1)):
        end = ("2020-05-02", "2020-05-09")[week]
        asked = {"on": day, "period": "week", "costs": {"over": 1, "under": 9}}
        body = decide(skewed, ask, **asked).json()
        assert body["count"] == f"weekly deaths in United Kingdom in the week to {end}"
        best = np.quantile(sums[:, week], 0.9, method="inverted_cdf")
        losses = np.maximum(best - sums[:, week], 0) + 9 * np.maximum(sums[:, week] - best, 0)
        assert body["best"]["amount"] == best
        assert body["best"]["expected_loss"] == pytest.approx(losses.mean(), rel=1e-5)
        error = losses.std() / np.sqrt(montecarlo.effective(sums))
        assert body["best"]["monte_carlo_error"] == pytest.approx(error, rel=1e-5)
        body = decide(skewed, ask, **TABLE | {"on": day, "period": "week", "thresholds": [600, 800]}).json()
        shares = [state["probability"] for state in body["states"]]
        assert shares == pytest.approx(np.bincount(np.digitize(sums[:, week], [600, 800], right=True)) / 500)


def test_models_without_weeks_have_no_decision_by_week(make_artifact: MakeArtifact, ask: Ask) -> None:
    app = create_app(Artifact.load(make_artifact(frequency="MS")))
    refused = decide(app, ask, **COSTS, period="week")
    assert refused.status_code == 422
    assert refused.json()["detail"].endswith("this model's are monthly, up to 28 months ahead")


COSTS = {"costs": {"over": 1, "under": 1}}


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ({}, "either costs are needed"),
        ({**COSTS, **TABLE}, "either costs are needed"),
        ({"amounts": [1, 2]}, "either costs are needed"),
        ({"thresholds": [1]}, "either costs are needed"),
        ({**COSTS, "by": DAY}, "exactly one of on and by is needed"),
        ({**COSTS, "on": None}, "exactly one of on and by is needed"),
        ({**COSTS, "on": None, "by": DAY, "counts": "daily"}, "by is about the running total"),
        ({**COSTS, "on": "2021-05-01"}, "on must be a day from 2020-04-25 to 2020-05-22 for United Kingdom"),
        ({**COSTS, "on": "soon"}, "on must be a date such as 2020-05-01, not 'soon'"),
        (
            {**COSTS, "on": "2020-04-25", "period": "week"},
            "on must be a day from 2020-04-26 to 2020-05-16 for United Kingdom",
        ),
        ({**COSTS, "on": None, "by": DAY, "period": "week"}, "period=week is about sums by week"),
        ({**COSTS, "counts": "cumulative", "period": "week"}, "period=week is about sums by week"),
        ({**COSTS, "period": "month"}, "period must be week, not 'month'"),
        ({**COSTS, "country": "GRB"}, "country must be a country of this model: There is no country GRB"),
        ({"costs": {"over": 0, "under": 1}}, "costs.over must be a number above 0"),
        ({"costs": {"over": 1, "under": 1e13}}, "costs.under must be a number above 0 and at most 1e+12"),
        ({"costs": {"over": 1, "under": "lots"}}, "costs.under must be a number above 0"),
        ({"costs": {"over": 1}}, "costs.under is missing"),
        (
            {"costs": {"over": 1, "under": 1, "unde": 2}},
            "costs: unknown member unde (known here: over, under)",
        ),
        ({**COSTS, "amounts": [1]}, "amounts: List should have at least 2 items"),
        ({**COSTS, "amounts": [1, -1]}, "amounts.1 must be a number from 0 to 1e+12, not '-1'"),
        ({**COSTS, "amounts": list(range(51))}, "amounts: List should have at most 50 items"),
        ({**TABLE, "thresholds": [150, 100]}, "thresholds must ascend"),
        ({**TABLE, "thresholds": [100, 100]}, "thresholds must ascend"),
        ({**TABLE, "thresholds": [100]}, "each action needs one more loss than there are thresholds"),
        ({**TABLE, "actions": TABLE["actions"][:1]}, "actions: List should have at least 2 items"),
        ({**TABLE, "actions": TABLE["actions"][:1] * 2}, "each action needs a name of its own"),
        (
            {**TABLE, "actions": [{"name": "", "losses": [1, 2, 3]}] * 2},
            "actions.0.name must be a name of 1 to 100 characters, not ''",
        ),
        ({**COSTS, "loss": "x**2"}, "unknown member loss"),
    ],
)
def test_a_decision_must_be_whole(get: Get, asked: dict[str, Any], detail: str) -> None:
    response = get("/decisions", method="POST", json={"country": "GBR", "on": DAY, **asked})
    assert response.status_code == 422
    assert response.json()["detail"].startswith(detail)
    assert all(error["in"] == "body" for error in response.json()["errors"])


@settings(max_examples=50, deadline=None)
@given(
    over=st.floats(0, 1e12, exclude_min=True),
    under=st.floats(0, 1e12, exclude_min=True),
    amounts=st.none() | st.lists(st.floats(0, 1e12), min_size=2, max_size=5),
)
def test_whatever_it_costs_there_is_a_best_amount(
    get: Get, over: float, under: float, amounts: list[float] | None
) -> None:
    asked = {"country": "GBR", "on": DAY, "costs": {"over": over, "under": under}, "amounts": amounts}
    response = get("/decisions", method="POST", json=asked)
    assert response.status_code == 200
    best = Decision.model_validate_json(response.content).best
    assert best.amount is not None and best.expected_loss >= 0
    assert amounts is None or best.amount in amounts
