"""The OpenAPI document: a client that is generated from it works, and what it says is true."""

import datetime
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from forecastle.web import problem_types

from ..served import live

# The generator knows no NetCDF by itself. Its hooks would only format what it wrote.
GENERATOR = {"content_type_overrides": {"application/x-netcdf": "application/octet-stream"}, "post_hooks": []}
DAY = datetime.date(2020, 5, 1)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    """Where the app is served, on the loopback interface."""
    with live(app) as address:
        yield address


@pytest.fixture(scope="module")
def generated(app: FastAPI, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package `flu_client`."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(app.openapi()))
    (folder / "config.json").write_text(json.dumps(GENERATOR))
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
        *("--path", "openapi.json", "--config", "config.json", "--output-path", "flu_client"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def client(generated: Path) -> Iterator[ModuleType]:
    sys.path.insert(0, str(generated))
    yield importlib.import_module("flu_client")
    sys.path.remove(str(generated))


def test_a_generated_client_is_typed(generated: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "flu_client"]
    done = subprocess.run(command, cwd=generated, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


CALLS: dict[str, dict[str, Any]] = {  # with what each operation is called
    "get_overview": {},
    "get_countries": {"limit": 2},
    "get_country": {"code": "GBR"},
    "get_observations": {"code": "GBR"},
    "get_forecast": {"code": "GBR", "days": 3, "quantile": [0.5], "draws": 2},
    "get_forecasts": {"level": [0.5, 0.9]},
    "get_probability": {"code": "GBR", "above": 99, "ever_by": DAY},
    "get_parameters": {"code": "GBR"},
    "get_card": {},
    "get_manifest": {},
    "get_backtest": {},
    "get_issue": {},
    "get_posterior": {},
    "get_livez": {},
    "get_readyz": {},
}
BODIES = {
    "post_probability": {
        "events": [
            {"country": "GBR", "above": 9, "on": DAY.isoformat()},
            {"country": "FRA", "halves_within": 7},
        ]
    },
    "post_decisions": {"country": "GBR", "on": DAY.isoformat(), "costs": {"over": 1, "under": 9}},
}


def test_a_generated_client_calls_every_operation(client: ModuleType, url: str) -> None:
    connection = client.Client(base_url=url, raise_on_unexpected_status=True)
    api = importlib.import_module("flu_client.api.default")
    operations = {module.name for module in pkgutil.iter_modules(api.__path__)}
    assert operations == CALLS.keys() | BODIES.keys()
    for name in operations:
        operation = importlib.import_module(f"flu_client.api.default.{name}")
        arguments = CALLS.get(name, {})
        if name in BODIES:
            (model,) = (
                getattr(operation, one)
                for one in dir(operation)
                if one in ("EventsRequest", "DecisionRequest")
            )
            arguments = {"body": model.from_dict(BODIES[name])}
        answered = operation.sync_detailed(client=connection, **arguments)
        assert answered.status_code == HTTPStatus.OK, (name, answered.content)
        assert answered.parsed is not None or answered.content == b"null", name  # no backtest
    forecast = importlib.import_module("flu_client.api.default.get_forecast")
    typed = forecast.sync(client=connection, **CALLS["get_forecast"])
    assert typed.forecast[2].quantiles[0].value == 99.5 and typed.as_of.isoformat() == "2020-04-24"
    assert typed.draws[1].values == [199, 199, 199]
    problem = forecast.sync(client=connection, code="GRB")
    assert problem.status == 404 and problem.near_matches[0]["code"] == "GBR"


# What it says is true


@pytest.fixture(scope="module")
def api(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


# What the schema cannot tell, such as days beyond a country's horizon, is refused although the schema allows
# it; what query parameters and lax numbers take, such as "1", is accepted although it does not.
UNTELLABLE = [positive_data_acceptance, negative_data_rejection]


def operation(api: Any, name: str) -> Any:
    (found,) = (
        one.ok() for one in api.get_all_operations() if one.ok().definition.raw["operationId"] == name
    )
    return found


@pytest.mark.parametrize("name", sorted(CALLS.keys() | BODIES.keys()))
def test_whatever_is_asked_the_answer_is_as_documented(api: Any, name: str) -> None:
    asked = operation(api, name)
    right, wrong = (asked.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=right | wrong, known=st.booleans())  # some have nothing to be wrong
    def answers(case: schemathesis.Case, known: bool) -> None:
        if known and "code" in case.path_parameters:
            case.path_parameters["code"] = "GBR"
        response = case.call_and_validate(excluded_checks=UNTELLABLE)
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"]
            problem = response.json()
            assert problem["detail"] and problem["status"] == response.status_code
            kind = problem["type"].removeprefix("/docs/problems/")
            assert problem_types.TYPES[kind].status == problem["status"]

    answers()


@pytest.mark.parametrize(
    ("name", "query"),
    [
        *(
            ("get_forecast", query)
            for query in (
                {"format": "csv"},
                {"format": "ndjson", "draws": 5},
                {"format": "hubverse"},
                {"quantile": [0.1, 0.9], "draws": 3, "counts": "cumulative"},
                {"as_of": "2020-04-24", "known_at": "2020-04-25T06:00:00+00:00", "days": 28},
            )
        ),
        *(("get_forecasts", {"format": name}) for name in ("json", "csv", "ndjson", "hubverse")),
        *(
            ("get_probability", query)
            for query in (
                {"above": 99, "on": DAY},
                {"below": 99, "by": DAY},
                {"above": 1050, "ever_by": DAY, "counts": "cumulative"},
                {"exceeds": "FRA", "by": DAY},
                {"peak_by": DAY},
                {"doubles_within": 14},
                {"halves_within": 14, "counts": "daily"},
            )
        ),
        *(
            (name, query)
            for name in ("get_countries", "get_observations")
            for query in ({"limit": 1, "offset": 1}, {"format": "csv"}, {"format": "ndjson"})
        ),
    ],
)
def test_what_is_asked_rightly_is_answered_as_documented(api: Any, name: str, query: dict[str, Any]) -> None:
    asked = operation(api, name)
    path_parameters = {"code": "GBR"} if "{code}" in asked.path else {}
    response = asked.Case(path_parameters=path_parameters, query=query).call_and_validate()
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        *BODIES.items(),
        (
            "post_decisions",
            {
                "country": "GBR",
                "by": DAY.isoformat(),
                "thresholds": [1500],
                "actions": [{"name": "a", "losses": [0, 9]}, {"name": "b", "losses": [1, 1]}],
            },
        ),
        (
            "post_probability",
            {"events": [{"country": "FRA", "exceeds": "GBR", "ever_by": DAY.isoformat(), "counts": "daily"}]},
        ),
    ],
)
def test_what_is_posted_rightly_is_answered_as_documented(api: Any, name: str, body: dict[str, Any]) -> None:
    case = operation(api, name).Case(body=body, media_type="application/json")
    assert case.call_and_validate().status_code == 200
