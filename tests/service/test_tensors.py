"""Tensors over the wire: what is encoded is decoded again, and sizes that are wrong are refused."""

import json
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from forecastle.service import tensors

from ..conftest import Ask

PROBLEM = "application/problem+json"
COUNTRY = {"name": "country", "datatype": "BYTES", "shape": [1], "data": ["GBR"]}


@given(st.lists(st.text(max_size=5), max_size=5))
def test_strings_come_back(elements: list[str]) -> None:
    data = tensors.encode(np.array(elements, dtype=object), "BYTES")
    assert tensors.decode(data, "BYTES", len(data)) == elements


@pytest.mark.parametrize("datatype", ["INT32", "FP32", "FP64"])
def test_numbers_come_back_row_by_row(datatype: str) -> None:
    data = tensors.encode(np.array([[1, 2], [3, -4]]), datatype)
    assert tensors.decode(data, datatype, len(data)) == [1, 2, 3, -4]


@pytest.mark.parametrize("size", [-4, 0, 3, 5, 6, 8, 2**40, "7", 7.5, True, [7]])
def test_a_binary_size_that_is_wrong_is_a_problem(size: Any, app: FastAPI, ask: Ask) -> None:
    data = b"\x03\x00\x00\x00GBR"
    country = {**COUNTRY, "parameters": {"binary_data_size": size}}
    content = json.dumps({"inputs": [country]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(content))}
    answer = ask(app, "/v2/models/flu/infer", "POST", content=content + data, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
