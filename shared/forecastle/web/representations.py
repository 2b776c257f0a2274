"""Answers as bytes: JSON, CSV or NDJSON, whichever is asked for.

Any answer is JSON. One that is a table has rows as well, for CSV (the first one names the columns), and lines
for NDJSON, an object each.
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
    """The representation: what `format=` asks for, else what `Accept` likes best, else JSON."""
    return asked or _accepted(request.headers.get("accept", ""))


@lru_cache(1000)
def _accepted(accept: str) -> str:
    liked = dict.fromkeys(("csv", "ndjson", "json"), 0.0)  # the first of those that are liked as much
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if representation := ACCEPTED.get(media_type):
            weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
            try:
                liked[representation] = float(weights[0]) if weights else 1.0
            except ValueError:
                liked[representation] = 0.0
    best = max(liked, key=lambda representation: liked[representation])
    return best if liked[best] > 0 else "json"


def encode(answer: Any, representation: str) -> bytes:
    """The answer: a Pydantic model, with rows in `table` and with objects, or JSON, in `lines`."""
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
