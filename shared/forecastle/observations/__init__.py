"""Observations: from a source's file to the rows that a model is fitted to."""

from forecastle.observations.in_use import CURRENT, DATA, DEFAULT, default_path
from forecastle.observations.readers import Reported, parse, read
from forecastle.observations.schema import (
    COLUMNS,
    Observations,
    ObservationsError,
    last_report,
    noun_of,
    write,
)
from forecastle.observations.selection import running_totals, since_total, without_catching_up

__all__ = [
    "COLUMNS",
    "CURRENT",
    "DATA",
    "DEFAULT",
    "Observations",
    "ObservationsError",
    "Reported",
    "default_path",
    "last_report",
    "noun_of",
    "parse",
    "read",
    "running_totals",
    "since_total",
    "without_catching_up",
    "write",
]
