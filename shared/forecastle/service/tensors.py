"""Tensors of the Open Inference Protocol as they go over the wire: in JSON, or as bytes behind it.

The latter is Triton's binary tensor data extension: elements in row-major order, little-endian; one of BYTES
is preceded by its length in four bytes. `BinaryTensors` turns such a request into one in JSON before FastAPI
sees it, `answer` makes either form of answer.
"""

import json
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from forecastle.web.problems import ProblemError

JSON_LENGTH = "Inference-Header-Content-Length"  # of a body that goes on in binary: the bytes before that
# NumPy's names of the protocol's data types; of all, so that an input of another one is refused by its name.
NUMBERS = {
    "BOOL": "?",
    **{"INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8"},
    **{"UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8"},
    **{"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"},
}


class BinaryTensors(APIRoute):
    """A route whose requests may carry tensors in binary."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


class JsonRequest(Request):
    """A request whose body is JSON alone, with the tensors that came in binary where JSON has them."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        # Triton's client names no type, or that of bytes.
        super().__init__({**scope, "headers": [*others, (b"content-type", b"application/json")]}, receive)
        self.json_body: bytes | None = None

    async def body(self) -> bytes:
        """All of it, in JSON.

        Raises:
            ProblemError: 415 it is compressed, 400 its bytes are not what the JSON says.
        """
        if self.json_body is None:
            if encoding := self.headers.get("Content-Encoding"):
                raise ProblemError(415, f"The body has the Content-Encoding {encoding[:60]}: send it plain.")
            body = b"".join([chunk async for chunk in self.stream()])
            self.json_body = in_json(body, self.headers.get(JSON_LENGTH))
        return self.json_body


def in_json(body: bytes, json_length: str | None) -> bytes:
    """The body with its binary tensors put into the JSON, of which there are `json_length` bytes.

    Raises:
        ProblemError: 400, the bytes do not fit the JSON.
    """
    if json_length is None:
        return body
    if not json_length.isascii() or not json_length.isdecimal() or int(json_length) > len(body):
        raise ProblemError(400, f"{JSON_LENGTH} must be the length of the JSON, at most that of the body.")
    content, position = body[: int(json_length)], int(json_length)
    try:
        request = json.loads(content)
        for tensor in request["inputs"]:
            if (size := (tensor.get("parameters") or {}).get("binary_data_size")) is None:
                continue
            tensor["data"] = decode(body[position : position + size], tensor["datatype"], size)
            position += size
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ProblemError(
            400, f"The first {json_length} bytes, as {JSON_LENGTH} says, are no inference request."
        ) from None
    if position != len(body):
        raise ProblemError(400, f"{len(body) - position} bytes are left over behind the inputs' binary data.")
    return json.dumps(request).encode()


def decode(data: bytes, datatype: str, size: int) -> list[Any]:
    """The elements of a tensor in binary that has `size` bytes.

    Raises:
        ProblemError: 400, there are more or fewer bytes.
    """
    try:
        if len(data) != size:
            raise ValueError
        if datatype in NUMBERS:
            return np.frombuffer(data, NUMBERS[datatype]).tolist()
        elements, position = [], 0
        while position < size:
            (length,) = struct.unpack_from("<I", data, position)
            position += 4 + length
            elements.append(data[position - length : position].decode(errors="replace"))
        if position != size:
            raise ValueError
    except (ValueError, struct.error):
        raise ProblemError(
            400, f"binary_data_size {size!r} does not fit the data of type {datatype}."
        ) from None
    return elements


def encode(array: np.ndarray, datatype: str) -> bytes:
    """A tensor in binary."""
    if datatype in NUMBERS:
        return array.astype(NUMBERS[datatype]).tobytes()
    elements = [str(element).encode() for element in array.flat]
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def answer(head: dict[str, Any], outputs: dict[str, np.ndarray], in_binary: set[str]) -> Response:
    """The response with these output tensors.

    Args:
        head: What stands in the JSON before `outputs`.
        outputs: By name; of strings, float32 or float64.
        in_binary: Those that are to follow the JSON as bytes.
    """
    described, data = [], []
    for name, array in outputs.items():
        datatype = {"U": "BYTES", "f": f"FP{8 * array.itemsize}"}[array.dtype.kind]
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if name in in_binary:
            data.append(encode(array, datatype))
            tensor["parameters"] = {"binary_data_size": len(data[-1])}
        else:
            tensor["data"] = array.ravel().tolist()
        described.append(tensor)
    content = json.dumps({**head, "outputs": described}, separators=(",", ":")).encode()
    if not data:
        return Response(content, media_type="application/json")
    headers = {JSON_LENGTH: str(len(content))}
    return Response(b"".join([content, *data]), 200, headers, "application/octet-stream")
