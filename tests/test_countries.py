"""Answers about countries are those of the release before there were series of anything else.

`countries.json` was written by that release, from the same artifact.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.service import create_app

from .conftest import Ask, MakeArtifact

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("countries.json").read_bytes())


@pytest.fixture(scope="module", params=ANSWERS)
def kind_and_app(request: pytest.FixtureRequest, make_artifact: MakeArtifact) -> tuple[str, FastAPI]:
    kind: str = request.param
    return kind, create_app(Artifact.load(make_artifact(cumulative=kind == "cumulative")))


def without_what_is_new(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: without_what_is_new(value) for name, value in answer.items() if name != "frequency"}
    return [without_what_is_new(value) for value in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("path", ANSWERS["daily"])
def test_the_answer_is_the_same(kind_and_app: tuple[str, FastAPI], ask: Ask, path: str) -> None:
    kind, app = kind_and_app
    response, before = ask(app, path), ANSWERS[kind][path]
    assert response.status_code == before["status"]
    if isinstance(before["answer"], str):
        assert response.text == before["answer"]
    else:
        assert list(without_what_is_new(response.json())) == list(before["answer"])  # the members' order, too
        assert without_what_is_new(response.json()) == before["answer"]
