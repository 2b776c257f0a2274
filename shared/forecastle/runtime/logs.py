"""Logs: one line of JSON for each event, on stderr, also from gunicorn and uvicorn.

Every line has time, level, logger, message, model and version. A line about a request also has the request's
id and the id of its trace. What looks like a secret is masked, and long text loses its middle, since a client
may have chosen it.
"""

import ipaddress
import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# What follows `Authorization:`, `Bearer` or `Basic`, and passwords in addresses and settings.
SECRET = re.compile(
    r"(?i)(\b[\w-]*(?:authorization|password|secret|token|[_-]key|apikey)\b[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?"
    r"|\b(?:bearer|basic)\s+(?=\S{8})|://[^/\s:@]*:(?=[^\s/@]*@))[^\s\"',;@]+"
)

# Characters of a message, of a line of an exception, and of all of its lines.
LONGEST_MESSAGE, LONGEST_LINE, LONGEST_EXCEPTION = 2000, 500, 8000

# Labels of lines about the current request: model, version, request id and trace id.
request: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


class JsonFormatter(logging.Formatter):
    """One line of JSON for each event.

    Args:
        labels: Further members of lines that belong to no request, such as model and version.
    """

    def __init__(self, **labels: str) -> None:
        super().__init__()
        self.labels = labels

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shortened(masked(record.getMessage().strip()), LONGEST_MESSAGE),
            **(request.get() or self.labels),
        }
        if record.exc_info:
            lines = masked(self.formatException(record.exc_info)).split("\n")
            text = "\n".join(shortened(line, LONGEST_LINE) for line in lines)
            event["exception"] = shortened(text, LONGEST_EXCEPTION)
        return json.dumps(event)


def config(level: str = "info", **labels: str) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig`: JSON lines on stderr, also from gunicorn and uvicorn.

    Args:
        level: The lowest level that is logged.
        labels: Further members of every line, such as model and version.
    """
    # The servers' loggers do not propagate, and uvicorn's worker takes its handlers from gunicorn's.
    servers = {"level": level.upper(), "handlers": ["stderr"], "propagate": False}
    # httpx logs the whole address of every request at `info`.
    clients = {"level": max(logging.WARNING, getattr(logging, level.upper()))}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, **labels}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": servers,
            "uvicorn.error": servers,
            "httpx": clients,
            "httpcore": clients,
        },
    }


def masked(text: str) -> str:
    """The text with *** for what looks like a secret."""
    return SECRET.sub(r"\1***", text)


def shortened(text: str, longest: int) -> str:
    """The text, without its middle if it has more characters than `longest`."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"


def anonymous(address: str) -> str:
    """An IP address without its last 8 bits, of IPv6 without its last 80; "" for anything else."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped
    kept = 24 if known.version == 4 else 48
    return str(ipaddress.ip_network((known, kept), strict=False).network_address)
