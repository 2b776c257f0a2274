"""upstreams.py: a model that is down keeps its last answer; an unchanged answer is not sent again."""

import httpx
import pytest

from forecastle.artifact import Artifact
from forecastle.catalogue import upstreams
from forecastle.catalogue.app import create_catalogue
from forecastle.service import create_app

from ..conftest import Ask, MakeArtifact
from .test_models import Switch, broken, client, entry, silent


def test_one_that_keeps_silent_is_down(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstreams, "TIMEOUT", 0.1)
    assert entry(silent, ask)["health"] == "down"


def test_one_that_went_down_is_listed_with_what_it_said_last(make_artifact: MakeArtifact, ask: Ask) -> None:
    artifact = Artifact.load(make_artifact("flu"))
    goes_down = Switch(create_app(artifact))
    catalogue = create_catalogue({"flu": client(goes_down, "flu")})
    (before,) = ask(catalogue, "/models").json()["models"]
    goes_down.app = broken
    (after,) = ask(catalogue, "/models").json()["models"]
    assert before["version"] == artifact.version
    assert after == before | {"health": "down"}


def test_what_did_not_change_is_not_sent_again(make_artifact: MakeArtifact, ask: Ask) -> None:
    artifact = Artifact.load(make_artifact("flu"))
    switch = Switch(create_app(artifact))
    catalogue = create_catalogue({"flu": client(switch, "flu")})
    first, second = (ask(catalogue, "/models").json() for _ in range(2))
    assert first == second
    assert switch.statuses == [200, 200, 304, 304]  # what it is, and its manifest


def test_one_that_refuses_connections_is_down(ask: Ask) -> None:
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    (listed,) = ask(create_catalogue({"flu": nobody}), "/models").json()["models"]
    assert listed["health"] == "down"
