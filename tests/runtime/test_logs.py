"""Lines of JSON, and what is not in them."""

import json
import logging
import logging.config
import re
from typing import Any

import pytest

from forecastle.runtime import logs


def line(message: str, *arguments: Any, exc_info: Any = None, **labels: str) -> dict[str, str]:
    """What is logged of an event."""
    record = logging.LogRecord("app", logging.WARNING, __file__, 1, message, arguments, exc_info)
    text = logs.JsonFormatter(**labels).format(record)
    assert "\n" not in text
    return json.loads(text)


def test_an_event_is_one_line_of_json() -> None:
    event = line("two\nlines of %s", "text", model="flu", version="v1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", event.pop("time"))
    assert event == {
        "level": "warning",
        "logger": "app",
        "message": "two\nlines of text",
        "model": "flu",
        "version": "v1",
    }


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer hunter2hunter2",
        "authorization=Basic aHVudGVyMg==",
        "{'Authorization': 'Bearer hunter2'}",
        '{"authorization": "hunter2"}',
        "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20hunter2",
        "Bearer hunter2hunter2",
        "postgresql://user:hunter2@db/forecasts",
        "http://user:hunter2@index.example:8080/simple",
        "OBSERVATIONS_KEY='hunter2'",
        "password=hunter2, user=me",
        "api-key: hunter2",
    ],
)
def test_what_looks_like_a_secret_is_masked(secret: str) -> None:
    assert "hunter2" not in (message := line("before %s after", secret)["message"])
    assert "aHVudGVyMg" not in message
    assert "***" in message
    assert message.startswith("before ") and message.endswith(" after")
    try:
        raise ValueError(secret)
    except ValueError as error:
        assert "hunter2" not in line("failed", exc_info=(ValueError, error, None))["exception"]


def test_a_long_text_loses_its_middle() -> None:
    for length in (2000, 2001, 100_000):
        message = line("%s", "a" * length + "b")["message"]
        assert message.startswith("a" * 1000) and message.endswith("a" * 999 + "b")
        assert f"{length + 1 - 2000} characters" in message and len(message) < 2100
    assert line("%s", "a" * 2000)["message"] == "a" * 2000
    for text in ("a" * 100_000, "a\n" * 50_000):
        try:
            raise ValueError(text + "b")
        except ValueError as error:
            exception = line("failed", exc_info=(ValueError, error, error.__traceback__))["exception"]
        assert exception.startswith("Traceback") and "test_logs.py" in exception and exception.endswith("b")
        assert len(exception) < 8100


def test_a_secret_is_masked_before_a_text_loses_its_middle() -> None:
    text = "a" * 990 + " password=" + "hunter2" * 5000 + " " + "b" * 995
    assert "hunter2" not in line(text)["message"]


@pytest.mark.parametrize(
    "harmless",
    [
        "Listening at: http://0.0.0.0:8000 (7)",
        "GET http://deaths:8000/countries/GBR/forecast?days=3",
        "the artifact's keys: model, version",
        "Basic checks passed",
        "a bearer of bad news",
    ],
)
def test_all_else_is_left_as_it_is(harmless: str) -> None:
    assert line(harmless)["message"] == harmless


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234::"),
        ("2001:db8::1", "2001:db8::"),
        ("::1", "::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("unix:", ""),
        ("testclient", ""),
    ],
)
def test_an_address_is_kept_without_what_tells_who_it_is(address: str, kept: str) -> None:
    assert logs.anonymous(address) == kept
