"""inference.py: the Open Inference Protocol, asked by Triton's client and by hand."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from fastapi import FastAPI
from tritonclient.utils import InferenceServerException

from forecastle.artifact import Artifact
from forecastle.project.local_gateway import Gateway
from forecastle.service import create_app

from ..conftest import DRAWS, HORIZON, Ask, MakeArtifact
from ..served import live

PROBLEM = "application/problem+json"
COUNTRY = {"name": "country", "datatype": "BYTES", "shape": [2], "data": ["GBR", "ITA"]}


@pytest.fixture(scope="module")
def artifact(make_artifact: MakeArtifact) -> Artifact:
    """Draws that differ by country and day."""
    draws = np.arange(DRAWS)[:, None, None] + 1000.0 * np.arange(4)[:, None] + 10.0 * np.arange(HORIZON)
    return Artifact.load(make_artifact("flu", draws=draws))


@pytest.fixture(scope="module")
def app(artifact: Artifact) -> FastAPI:
    return create_app(artifact)


@pytest.fixture(scope="module", params=["model", "gateway"])
def client(request: pytest.FixtureRequest, app: FastAPI) -> Iterator[triton.InferenceServerClient]:
    """Triton's client of a live server: the model's own, then a gateway with that and a plain app."""
    served = app if request.param == "model" else Gateway({"flu": app, "plain": FastAPI()})
    with live(served) as address, triton.InferenceServerClient(address.removeprefix("http://")) as asking:
        yield asking


def tensor(name: str, values: Any, dtype: Any, datatype: str, binary: bool) -> triton.InferInput:
    array = np.array(values, dtype=dtype)
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_tritons_client_gets_the_forecast(
    client: triton.InferenceServerClient,
    artifact: Artifact,
    app: FastAPI,
    ask: Ask,
    binary_in: bool,
    binary_out: bool | None,
) -> None:
    """None leaves the outputs to the server, and their form to the client: in binary."""
    inputs = [
        tensor("country", [b"FRA", b"GBR"], object, "BYTES", binary_in),
        tensor("days", [3], np.int32, "INT32", binary_in),
        tensor("levels", [0.9, 0.5], np.float64, "FP64", binary_in),
    ]
    names = ("date", "mean", "median", "lower", "upper", "draws")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = client.infer("flu", inputs, outputs=None if binary_out is None else outputs, request_id="7")

    reply = result.get_response()
    assert (reply["model_name"], reply["model_version"], reply["id"]) == ("flu", artifact.version, "7")
    assert all(("data" in output) is (binary_out is False) for output in reply["outputs"])
    for index, code in enumerate(("FRA", "GBR")):
        expected = ask(app, f"/countries/{code}/forecast?days=3&level=0.5&level=0.9").json()["forecast"]
        for day, forecast in enumerate(expected):
            date = result.as_numpy("date")[index, day]
            assert (date if isinstance(date, str) else date.decode()) == forecast["date"]
            for name in ("mean", "median"):
                assert result.as_numpy(name)[index, day] == pytest.approx(forecast[name], rel=0.005)
            for level, interval in enumerate(reversed(forecast["intervals"])):
                for bound in ("lower", "upper"):
                    value = result.as_numpy(bound)[index, day, level]
                    assert value == pytest.approx(interval[bound], rel=0.005)
    if binary_out is None:
        assert result.as_numpy("draws") is None  # only if they are asked for
    else:
        draws = result.as_numpy("draws")
        assert draws.dtype == np.float32
        assert np.array_equal(draws[1], artifact.forecast_draws("GBR")[:, :3])


def test_what_comes_out_is_what_the_metadata_says(
    client: triton.InferenceServerClient, artifact: Artifact
) -> None:
    metadata = client.get_model_metadata("flu")
    assert metadata == client.get_model_metadata("flu", artifact.version)
    assert metadata["versions"] == [artifact.version]
    assert [each["name"] for each in metadata["inputs"]] == ["country", "days", "levels"]
    outputs = [triton.InferRequestedOutput(each["name"]) for each in metadata["outputs"]]
    country = tensor("country", [[b"gbr"], [b"FRA"], [b"DEU"]], object, "BYTES", True)  # a batch of three
    days = tensor("days", [[5]] * 3, np.int32, "INT32", True)
    result = client.infer("flu", [country, days], artifact.version, outputs).get_response()
    for expected, output in zip(metadata["outputs"], result["outputs"], strict=True):
        assert (output["name"], output["datatype"]) == (expected["name"], expected["datatype"])
        assert len(output["shape"]) == len(expected["shape"])
    assert [output["shape"] for output in result["outputs"]] == [
        *([3, 5], [3, 5], [3, 5], [3, 5, 3], [3, 5, 3], [3, DRAWS, 5])
    ]


def test_days_and_levels_may_be_left_out(client: triton.InferenceServerClient) -> None:
    result = client.infer("flu", [tensor("country", [b"GBR"], object, "BYTES", True)])
    assert result.as_numpy("lower").shape == (1, 14, 3)


def test_health_and_the_index(client: triton.InferenceServerClient, artifact: Artifact) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flu")
    assert client.is_model_ready("flu", artifact.version)
    assert not client.is_model_ready("flu", "another")
    assert not client.is_model_ready("nosuch")
    metadata = client.get_server_metadata()
    assert (metadata["name"], metadata["extensions"]) == ("forecastle", ["binary_tensor_data"])
    first = client.get_model_repository_index()[0]
    assert first == {"name": "flu", "version": artifact.version, "state": "READY", "reason": ""}


def test_errors_reach_tritons_client_in_words(client: triton.InferenceServerClient) -> None:
    country = tensor("country", [b"GBR"], object, "BYTES", True)
    for inputs, words in [
        ([tensor("country", [b"GRB"], object, "BYTES", True)], "Did you mean GBR"),
        ([tensor("country", [b"AND"], object, "BYTES", True)], "Andorra has no forecast"),
        ([country, tensor("days", [99], np.int32, "INT32", True)], "28, the horizon"),
        ([country, tensor("days", [9], np.int64, "INT64", True)], "should be 'INT32'"),
        ([country, country], "country must not be there more than once"),
        ([tensor("days", [9], np.int32, "INT32", True)], "the input country is missing"),
    ]:
        with pytest.raises(InferenceServerException, match=words) as caught:
            client.infer("flu", inputs)
        assert caught.value.status() == "422"
    with pytest.raises(InferenceServerException, match="nothing at"):
        client.infer("nosuch", [country])
    with pytest.raises(InferenceServerException, match="Content-Encoding gzip"):
        client.infer("flu", [country], request_compression_algorithm="gzip")
    with pytest.raises(InferenceServerException, match="longer than 64"):
        client.infer("flu", [tensor("country", [b"x" * 70_000], object, "BYTES", True)])


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"", {}, 422, "the body is missing"),
        (b"{", {}, 400, "The body is not JSON: Expecting property name enclosed in double quotes"),
        (b"\xff", {}, 400, "body"),
        (b"[" * 60_000, {}, 400, "body"),
        (b"x" * 70_000, {}, 413, "64 KiB"),
        ({"inputs": []}, {}, 422, "country is missing"),
        ({"inputs": [{**COUNTRY, "shape": [3]}]}, {}, 422, "shape [3] does not fit 2 elements"),
        ({"inputs": [{**COUNTRY, "shape": [1, 2]}]}, {}, 422, "shape [1, 2] does not fit"),
        ({"inputs": [{**COUNTRY, "shape": [-2]}]}, {}, 422, "greater than or equal to 0"),
        ({"inputs": [{**COUNTRY, "data": [1, 2]}]}, {}, 422, "string"),
        ({"inputs": [{**COUNTRY, "shape": [251], "data": ["GBR"] * 251}]}, {}, 422, "at most 250"),
        ({"inputs": [{**COUNTRY, "name": "land"}]}, {}, 422, "'country', 'days', 'levels'"),
        ({"inputs": [COUNTRY], "outputs": [{"name": "mode"}]}, {}, 422, "outputs.0.name"),
        ({"inputs": [COUNTRY], "outputs": [{"name": "mean"}] * 2}, {}, 422, "more than once"),
        (b"{}", {"Inference-Header-Content-Length": "3"}, 400, "must be the length of the JSON"),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, 400, "must be the length of the JSON"),
        (b"{}", {"Inference-Header-Content-Length": "²"}, 400, "must be the length of the JSON"),
        (b"{}", {"Inference-Header-Content-Length": "2"}, 400, "no inference request"),
        (b"[]x", {"Inference-Header-Content-Length": "2"}, 400, "no inference request"),
        (b'{"inputs":[]}x', {"Inference-Header-Content-Length": "13"}, 400, "1 bytes are left over"),
    ],
)
def test_requests_that_are_none_are_problems(
    body: Any, headers: dict[str, str], status: int, words: str, app: FastAPI, ask: Ask
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    answer = ask(app, "/v2/models/flu/infer", "POST", content=content, headers=encoded)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert words in answer.json()["detail"]
    assert answer.json()["error"] == answer.json()["detail"]


def test_what_is_null_may_be_left_out(app: FastAPI, ask: Ask) -> None:
    country = {**COUNTRY, "shape": [1], "data": ["GBR"], "parameters": None}
    asked = {"inputs": [country], "outputs": None, "parameters": None, "id": None}
    assert ask(app, "/v2/models/flu/infer", "POST", json=asked).status_code == 200


def test_too_many_draws_are_refused(app: FastAPI, ask: Ask) -> None:
    many = {**COUNTRY, "shape": [100], "data": ["GBR"] * 100}
    days = {"name": "days", "datatype": "INT32", "shape": [1], "data": [HORIZON]}
    asked = {"inputs": [many, days], "outputs": [{"name": "draws"}]}
    answer = ask(app, "/v2/models/flu/infer", "POST", json=asked)
    assert answer.status_code == 422
    assert "560,000 numbers" in answer.json()["detail"]


def test_days_that_differ_are_refused(app: FastAPI, ask: Ask) -> None:
    days = {"name": "days", "datatype": "INT32", "shape": [2], "data": [2, 3]}
    asked = {"inputs": [COUNTRY | {"data": ["GBR", "FRA"]}, days]}
    answer = ask(app, "/v2/models/flu/infer", "POST", json=asked)
    assert answer.status_code == 422
    assert "the same for each series" in answer.json()["detail"]
