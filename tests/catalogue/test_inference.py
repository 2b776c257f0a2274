"""inference.py: the Open Inference Protocol of the gateway as a whole; tests/service has that of a model."""

from fastapi import FastAPI

from forecastle.project.local_gateway import Gateway

from ..conftest import Ask
from .test_models import broken


def test_the_gateway_lists_models_of_every_kind(app: FastAPI, ask: Ask) -> None:
    gateway = Gateway({"flu": app, "plain": FastAPI(), "worse": broken})
    assert ask(gateway, "/v2").json()["models"] == ["flu", "plain", "worse"]
    listed = ask(gateway, "/v2/models").json()["models"]
    assert [(one["name"], one["state"], one["reason"]) for one in listed] == [
        ("flu", "READY", ""),
        ("plain", "UNAVAILABLE", "it does not know this protocol"),
        ("worse", "UNAVAILABLE", "it does not answer"),
    ]
    ready = ask(gateway, "/v2/repository/index", "POST", json={"ready": True}).json()
    assert [one["name"] for one in ready] == ["flu"]
    answer = ask(gateway, "/v2/health/ready")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["ready"] is False
    assert answer.json()["error"] == answer.json()["detail"] == "not ready: worse"
