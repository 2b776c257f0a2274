"""Answers as bytes: JSON, CSV or NDJSON, as the client prefers.

Every answer is a Pydantic model, which is JSON. One that is a table also has `table()`, rows for CSV of which
the first names the columns, and `lines()`, objects for NDJSON.
"""

import csv
import io
import json
from functools import lru_cache
from typing import Any

from fastapi import Request

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "hubverse": "text/csv; charset=utf-8",
}
ACCEPTED = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
}


def chosen(request: Request, asked: str | None) -> str:
    """The representation: the parameter `format=` (`asked`), else the best of `Accept`, else JSON."""
    return asked or _accepted(request.headers.get("accept", ""))


@lru_cache(1000)
def _accepted(accept: str) -> str:
    weights = dict.fromkeys(("csv", "ndjson", "json"), 0.0)  # of equal weights the first wins
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if representation := ACCEPTED.get(media_type):
            given = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
            try:
                weights[representation] = float(given[0]) if given else 1.0
            except ValueError:
                weights[representation] = 0.0
    best = max(weights, key=lambda representation: weights[representation])
    return best if weights[best] > 0 else "json"


def encode(answer: Any, representation: str) -> bytes:
    """The bytes of an answer: `table()` gives its rows, `lines()` its objects or lines of JSON."""
    if representation == "json":
        return answer.model_dump_json().encode()
    if representation == "ndjson":
        lines = (line if isinstance(line, str) else _in_json(line) for line in answer.lines())
        return "".join(f"{line}\n" for line in lines).encode()
    text = io.StringIO(newline="")
    csv.writer(text).writerows(answer.table())
    return text.getvalue().encode()


def _in_json(line: Any) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))
