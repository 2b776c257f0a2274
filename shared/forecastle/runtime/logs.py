"""Logs: one line of JSON an event, on stderr, also from gunicorn and uvicorn.

Every line has the time, the level, the logger and the message, then model and version and, where it belongs
to a request, that one's id and the id of its trace. What looks like a secret is masked.
"""

import ipaddress
import json
import logging
import os
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

LEVELS = ("debug", "info", "warning", "error", "critical")
# What follows `Authorization:`, `Bearer` or `Basic`, and passwords in addresses and settings.
SECRET = re.compile(
    r"(?i)(\b[\w-]*(?:authorization|password|secret|token|[_-]key|apikey)\b[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?"
    r"|\b(?:bearer|basic)\s+(?=\S{8})|://[^/\s:@]*:(?=[^\s/@]*@))[^\s\"',;@]+"
)

# Of the request that is being answered, what its lines say: model, version, request id and trace id.
request: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


class JsonFormatter(logging.Formatter):
    """One line of JSON an event.

    Args:
        labels: What every line says that belongs to no request, such as model and version.
    """

    def __init__(self, **labels: str) -> None:
        super().__init__()
        self.labels = labels

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage().strip()),
            **(request.get() or self.labels),
        }
        if record.exc_info:
            event["exception"] = masked(self.formatException(record.exc_info))
        return json.dumps(event)


def config(level: str = "info", **labels: str) -> dict[str, Any]:
    """A configuration for `logging.config.dictConfig`: JSON lines on stderr, also from gunicorn and uvicorn.

    Args:
        level: The least level that is logged.
        labels: What every line says besides, such as model and version.
    """
    # The two servers' loggers do not propagate, and uvicorn's worker takes its handlers from gunicorn's.
    servers = {"level": level.upper(), "handlers": ["stderr"], "propagate": False}
    # httpx logs every request at `info`, with its whole address.
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


def level_from_environment(default: str) -> str:
    """The level that `LOG_LEVEL` names.

    Raises:
        ValueError: There is no such level; the message is one line.
    """
    level = (os.environ.get("LOG_LEVEL") or default).lower()
    if level not in LEVELS:
        raise ValueError(f"LOG_LEVEL is {level!r}: it must be one of {', '.join(LEVELS)}")
    return level


def masked(text: str) -> str:
    """The text with *** for what looks like a secret."""
    return SECRET.sub(r"\1***", text)


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
