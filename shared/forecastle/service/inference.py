"""The Open Inference Protocol (V2), so that clients of Triton, KServe and MLServer can ask a model.

A facade: it answers what `/series/{code}/forecast` does, for many series at once and as tensors.
docs/inference.md describes them. The protocol: <https://github.com/kserve/open-inference-protocol>.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self, cast

import numpy as np
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, BeforeValidator, Field, create_model, model_validator

from forecastle.artifact import Artifact, Series
from forecastle.service import marginals, paths, tensors
from forecastle.service.lookup import find
from forecastle.web.problems import ProblemError, documented
from forecastle.web.queries import DEFAULT_DAYS, DEFAULT_LEVELS, MOST_LEVELS

EXTENSIONS = ["binary_tensor_data"]
MOST_SERIES = 250  # in a request
MOST_DRAWS = 500_000  # numbers in an answer's `draws`

OutputName = Literal["date", "mean", "median", "lower", "upper", "draws"]
ALWAYS: tuple[OutputName, ...] = ("date", "mean", "median", "lower", "upper")  # if no outputs are named


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Answers with status 200 alone."""

    live: bool


class Ready(BaseModel):
    """Answers with status 200 alone."""

    ready: bool


class ModelReady(Ready):
    """Answers with status 200 alone."""

    name: str


class IndexQuery(BaseModel):
    """What an index is to list."""

    ready: bool = Field(False, description="Only models that are ready.")


class IndexEntry(BaseModel):
    """A model, in the words of Triton's model repository extension."""

    name: str = Field(examples=["deaths"])
    version: str = Field(description="Empty if it is not known.")
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = Field(description="Why it is not ready; else empty.")


class TensorMetadata(BaseModel):
    """A tensor; -1 is a dimension of any size."""

    name: str
    datatype: Literal["BYTES", "INT32", "FP32", "FP64"]
    shape: list[int]


INPUTS = [  # besides the series, named by its noun
    TensorMetadata(name="days", datatype="INT32", shape=[-1]),
    TensorMetadata(name="levels", datatype="FP64", shape=[-1]),
]
OUTPUTS = [
    TensorMetadata(name="date", datatype="BYTES", shape=[-1, -1]),  # series, day ahead
    TensorMetadata(name="mean", datatype="FP64", shape=[-1, -1]),
    TensorMetadata(name="median", datatype="FP64", shape=[-1, -1]),
    TensorMetadata(name="lower", datatype="FP64", shape=[-1, -1, -1]),  # series, day ahead, level
    TensorMetadata(name="upper", datatype="FP64", shape=[-1, -1, -1]),
    TensorMetadata(name="draws", datatype="FP32", shape=[-1, -1, -1]),  # series, draw, day ahead
]


class ModelMetadata(BaseModel):
    """A model's tensors."""

    name: str = Field(examples=["deaths"])
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def _flat(data: Any) -> Any:
    """The elements row by row, of a matrix too."""
    if not isinstance(data, list):
        return data
    return [element for row in data for element in (row if isinstance(row, list) else [row])]


class InputParameters(BaseModel):
    """How an input is sent."""

    binary_data_size: int | None = Field(
        None, description="Bytes of it that follow the JSON, in place of `data`."
    )


class InputTensor(BaseModel):
    """An input."""

    shape: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1, max_length=2, description="[n], or [n, 1] for a batch.", examples=[[2]]
    )
    parameters: InputParameters | None = None

    @model_validator(mode="after")
    def fits(self) -> Self:
        """As many elements as the shape says, in one column."""
        found, expected = len(getattr(self, "data", ())), math.prod(self.shape)
        if found != expected or self.shape[1:] not in ([], [1]):
            raise ValueError(f"shape {self.shape} does not fit {found} elements in one dimension")
        return self


class SeriesInput(InputTensor):
    """Series, by their identifiers."""

    name: Literal["country"]
    datatype: Literal["BYTES"]
    data: Annotated[list[str], BeforeValidator(_flat)] = Field(
        min_length=1, max_length=MOST_SERIES, examples=[["GBR", "ITA"]]
    )


class DaysInput(InputTensor):
    """Days ahead: one number, or the same for each series."""

    name: Literal["days"]
    datatype: Literal["INT32"]
    data: Annotated[list[Annotated[int, Field(strict=True, ge=1)]], BeforeValidator(_flat)] = Field(
        min_length=1, max_length=MOST_SERIES, examples=[[14]]
    )


class LevelsInput(InputTensor):
    """The probabilities of central intervals."""

    name: Literal["levels"]
    datatype: Literal["FP64"]
    data: Annotated[list[Annotated[float, Field(strict=True, gt=0, lt=1)]], BeforeValidator(_flat)] = Field(
        min_length=1, max_length=MOST_LEVELS, examples=[[0.5, 0.9]]
    )


class OutputParameters(BaseModel):
    """How an output is to be answered."""

    binary_data: bool | None = Field(default=None, description="As bytes that follow the JSON.")


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    name: OutputName
    parameters: OutputParameters | None = None

    def in_binary(self, default: bool) -> bool:
        """Whether it is wanted as bytes."""
        own = self.parameters.binary_data if self.parameters else None
        return default if own is None else own


class RequestParameters(BaseModel):
    """How all outputs are to be answered."""

    binary_data_output: bool = Field(default=False, description="As bytes that follow the JSON.")


class InferenceRequest(BaseModel):
    """Series whose forecast is asked for; `days` and `levels` may be left out."""

    noun: ClassVar[str] = "country"
    id: str | None = Field(None, description="Comes back with the answer.")
    parameters: RequestParameters | None = None
    inputs: list[Annotated[SeriesInput | DaysInput | LevelsInput, Field(discriminator="name")]]
    outputs: list[RequestedOutput] | None = Field(
        None, description=f"Those that are wanted, in this order; else {', '.join(ALWAYS)}."
    )

    @model_validator(mode="after")
    def each_once(self) -> Self:
        """The series, and nothing twice."""
        names = Counter(tensor.name for tensor in (*self.inputs, *(self.outputs or [])))
        if self.noun not in names:
            raise ValueError(f"the input {self.noun} is missing")
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"{' and '.join(twice)} must not be there more than once")
        return self


def request_of(noun: str) -> type[InferenceRequest]:
    """What may be asked of a model whose series are about this noun."""
    if noun == InferenceRequest.noun:
        return InferenceRequest
    name: Any = Literal[noun]
    named = create_model(
        SeriesInput.__name__, __base__=SeriesInput, __doc__=SeriesInput.__doc__, name=(name, ...)
    )
    tensor = Annotated[named | DaysInput | LevelsInput, Field(discriminator="name")]  # type: ignore[valid-type]
    made = create_model(
        InferenceRequest.__name__,
        __base__=InferenceRequest,
        __doc__=InferenceRequest.__doc__,
        inputs=(list[tensor], ...),
    )
    made.noun = noun
    return made


class OutputTensor(BaseModel):
    """An output."""

    name: OutputName
    datatype: Literal["BYTES", "FP32", "FP64"]
    shape: list[int]
    parameters: dict[str, int] | None = Field(None, description="`binary_data_size`, if it is in binary.")
    data: list[float] | list[str] | None = Field(None, description="Its elements, row by row.")


class InferenceResponse(BaseModel):
    """Forecasts as tensors."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


def routes(artifact: Artifact) -> APIRouter:
    """The protocol's routes of the model."""
    router = APIRouter(prefix="/v2", tags=["inference"], route_class=tensors.BinaryTensors)
    model = f"/models/{artifact.model}"

    async def this_version(
        version: Annotated[str, Path(description="The one there is.", examples=[artifact.version])],
    ) -> None:
        if version != artifact.version:
            raise ProblemError(404, f"{artifact.model} has the version {artifact.version} here, no other.")

    versioned: dict[str, Any] = {"dependencies": [Depends(this_version)]}
    version = model + "/versions/{version}"

    @router.get("", operation_id="get_server_metadata")
    async def server_metadata(request: Request) -> ServerMetadata:
        """What this server is."""
        return ServerMetadata(name="forecastle", version=request.app.version, extensions=EXTENSIONS)

    @router.get("/health/live", operation_id="get_server_live")
    async def server_live(response: Response) -> Live:
        """The process answers."""
        response.headers["Cache-Control"] = "no-store"
        return Live(live=True)

    @router.get("/health/ready", operation_id="get_server_ready")
    async def server_ready(response: Response) -> Ready:
        """The artifact is loaded and verified."""
        response.headers["Cache-Control"] = "no-store"
        return Ready(ready=True)

    @router.post(
        "/repository/index", operation_id="post_repository_index", responses=documented(400, 413, 415, 422)
    )
    async def repository_index(query: IndexQuery | None = None) -> list[IndexEntry]:
        """The only model."""
        return [IndexEntry(name=artifact.model, version=artifact.version, state="READY", reason="")]

    @router.get(model, operation_id="get_model_metadata")
    @router.get(version, operation_id="get_version_metadata", responses=documented(404), **versioned)
    async def model_metadata() -> ModelMetadata:
        """The tensors that go in and come out."""
        return ModelMetadata(
            name=artifact.model,
            versions=[artifact.version],
            platform="forecastle",
            inputs=[of_series, *INPUTS],
            outputs=OUTPUTS,
        )

    @router.get(f"{model}/ready", operation_id="get_model_ready")
    @router.get(f"{version}/ready", operation_id="get_version_ready", responses=documented(404), **versioned)
    async def model_ready(response: Response) -> ModelReady:
        """The artifact is loaded and verified."""
        response.headers["Cache-Control"] = "no-store"
        return ModelReady(name=artifact.model, ready=True)

    asked_type = request_of(artifact.manifest.noun)
    of_series = TensorMetadata(name=artifact.manifest.noun, datatype="BYTES", shape=[-1])
    inferring: dict[str, Any] = {
        "response_model": InferenceResponse,
        "responses": {
            200: {
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            },
            **documented(400, 404, 413, 415, 422),
        },
    }

    @router.post(f"{model}/infer", operation_id="post_infer", **inferring)
    @router.post(f"{version}/infer", operation_id="post_version_infer", **inferring, **versioned)
    async def infer(asked: asked_type) -> Response:  # type: ignore[valid-type]
        """Forecasts of many series as tensors: each day's mean, median and central intervals, or draws."""
        request = cast(InferenceRequest, asked)
        wanted = request.outputs or [RequestedOutput(name=name) for name in ALWAYS]
        names = [output.name for output in wanted]
        outputs = await run_in_threadpool(forecast, artifact, request, names)
        head = {"model_name": artifact.model, "model_version": artifact.version}
        if request.id is not None:
            head["id"] = request.id
        default = request.parameters is not None and request.parameters.binary_data_output
        return tensors.answer(head, outputs, {each.name for each in wanted if each.in_binary(default)})

    return router


def forecast(artifact: Artifact, asked: InferenceRequest, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The outputs of these names, as `OUTPUTS` describes them.

    Raises:
        ProblemError: 422, a series is unknown, days lie beyond the horizon, or draws would be too many.
    """
    given: dict[str, Any] = {tensor.name: tensor.data for tensor in asked.inputs}
    asked_for = [_known(artifact, code) for code in given[artifact.manifest.noun]]
    days = _days(artifact, given.get("days", [min(DEFAULT_DAYS, artifact.horizon)]), len(asked_for))
    levels = given.get("levels", DEFAULT_LEVELS)
    tails = [probability for level in levels for probability in ((1 - level) / 2, (1 + level) / 2)]
    many = len(asked_for) * len(artifact.draws) * days
    if "draws" in names and many > MOST_DRAWS:
        detail = f"draws would be {many:,} numbers, more than {MOST_DRAWS:,}: ask for fewer series or days"
        raise ProblemError(422, detail)
    found: dict[str, list[Any]] = {name: [] for name in names}
    for one in asked_for:
        known = marginals.of(artifact, one, paths.own(artifact))
        quantiles = known.quantiles([0.5, *tails], days)
        tensors_of_one = {
            "date": [str(artifact.frequency.after(one.origin_date, period + 1)) for period in range(days)],
            "mean": known.means[:days],
            "median": quantiles[:, 0],
            "lower": quantiles[:, 1::2],
            "upper": quantiles[:, 2::2],
            "draws": artifact.forecast_draws(one.code)[:, :days],
        }
        for name, tensor in found.items():
            tensor.append(tensors_of_one[name])
    return {name: np.array(tensor) for name, tensor in found.items()}


def _known(artifact: Artifact, code: str) -> Series:
    try:
        return find(artifact, code)
    except ProblemError as error:  # a wrong value rather than a wrong address
        raise ProblemError(422, error.detail, **error.members) from None


def _days(artifact: Artifact, given: list[int], series: int) -> int:
    days = given[0]
    if any(others != days for others in given) or len(given) not in (1, series):
        raise ProblemError(
            422, "days must be one number, or the same for each series: an output has one shape"
        )
    if days > artifact.horizon:
        raise ProblemError(422, f"days must be at most {artifact.horizon}, the horizon of this model")
    return days
