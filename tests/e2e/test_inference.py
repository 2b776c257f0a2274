"""The Open Inference Protocol behind the gateway, asked by Triton's own client."""

import json
import time

import numpy as np
import pytest
import tritonclient.http as triton
from openapi_spec_validator import validate
from tritonclient.utils import InferenceServerException

from .conftest import FORECASTS, MODELS, Project, until
from .test_gateway import assert_problem
from .test_operation import stopped

pytestmark = pytest.mark.engine

INFER = "/v2/models/newcomer/infer"


@pytest.fixture(scope="module")
def client(stack: Project) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(f"localhost:{stack.port}")


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("model", FORECASTS)
def test_tritons_client_gets_every_models_forecast(
    stack: Project, client: triton.InferenceServerClient, model: str, binary: bool
) -> None:
    assert client.is_model_ready(model)
    manifest = stack.get(f"/{model}/manifest.json").json
    first, *_, last = manifest["series"]
    series = triton.InferInput(manifest["noun"], [2], "BYTES")
    series.set_data_from_numpy(np.array([first.encode(), last.encode()], dtype=object), binary_data=binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("mean", "upper")]
    result = client.infer(model, [series], outputs=outputs)
    forecast = stack.get(f"/{model}/{manifest['plural']}/{last}/forecast").json["forecast"]
    assert result.as_numpy("mean")[1] == pytest.approx([day["mean"] for day in forecast], rel=0.005)
    upper = [[interval["upper"] for interval in day["intervals"]] for day in forecast]
    assert result.as_numpy("upper")[1] == pytest.approx(np.array(upper), rel=0.005)


def test_the_index_has_every_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.get_server_metadata()["models"] == sorted(MODELS)
    states = {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}
    assert states == {**dict.fromkeys(MODELS, "READY"), "diagnosis": "UNAVAILABLE"}  # it has no such routes


def test_a_model_that_is_down_is_told_of_everywhere(
    stack: Project, client: triton.InferenceServerClient
) -> None:
    """The index, readiness and the OpenAPI document say so, and a request for it fails at once."""
    before = stack.get("/openapi.json").json
    country = triton.InferInput("country", [1], "BYTES")
    country.set_data_from_numpy(np.array([b"GBR"], dtype=object))
    with stopped(stack, "newcomer"):
        started = time.monotonic()
        with pytest.raises(InferenceServerException, match="newcomer does not answer") as caught:
            client.infer("newcomer", [country])
        assert time.monotonic() - started < 5
        assert caught.value.status() == "503"
        answer = stack.get(INFER, "POST", b"{}")
        assert_problem(answer.headers, answer.body, 503)
        assert int(answer.headers["retry-after"]) > 0

        assert not client.is_server_ready()
        assert client.is_server_live()
        assert not client.is_model_ready("newcomer")
        assert client.is_model_ready("deaths")
        states = {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}
        unavailable = dict.fromkeys(("newcomer", "diagnosis"), "UNAVAILABLE")
        assert states == {**dict.fromkeys(MODELS, "READY"), **unavailable}
        answer = stack.get("/v2/health/ready")
        assert_problem(answer.headers, answer.body, 503)
        assert answer.json["error"] == "not ready: newcomer"

        def marked() -> bool:
            tags = {tag["name"]: tag.get("x-health") for tag in stack.get("/openapi.json").json["tags"]}
            return (tags["newcomer"], tags["deaths"]) == ("down", "ready")

        until(marked, 6, "the document says that newcomer is down")
        document = stack.get("/openapi.json").json
        validate(document)
        assert document["paths"] == before["paths"]
        (entry,) = [one for one in stack.get("/models").json["models"] if one["model"] == "newcomer"]
        assert entry["health"] == "down"
        assert entry["version"]
    until(lambda: stack.get("/openapi.json").json == before, 6, "the document is as it was")
    assert client.is_server_ready()


def test_errors_are_problems_that_the_client_understands(stack: Project) -> None:
    for path, method, status in [
        ("/v2/models/nosuch", "GET", 404),
        ("/v2/models/nosuch/infer", "POST", 404),
        ("/v2/models/deaths/versions/1/infer", "POST", 404),
        ("/v2/models/deaths/infer", "GET", 405),
        ("/v2/models/deaths/infer", "POST", 422),
    ]:
        answer = stack.get(path, method, b"{}" if method == "POST" else None)
        assert answer.status == status, path
        assert_problem(answer.headers, answer.body, status)
        assert answer.json["error"] == answer.json["detail"]
    long = stack.get("/v2/models/deaths/infer", "POST", json.dumps({"id": "x" * 70_000}).encode())
    assert (long.status, long.json["error"]) == (413, "The body is longer than 64 KiB.")
