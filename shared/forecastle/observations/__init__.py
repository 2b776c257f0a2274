"""Observations: from a source's file to the rows that a model is fitted to."""

from forecastle.observations.in_use import CURRENT, DATA, DEFAULT, default_path
from forecastle.observations.readers import read
from forecastle.observations.schema import COLUMNS, ObservationsError, write
from forecastle.observations.selection import running_totals, since_total

__all__ = [
    "COLUMNS",
    "CURRENT",
    "DATA",
    "DEFAULT",
    "ObservationsError",
    "default_path",
    "read",
    "running_totals",
    "since_total",
    "write",
]
