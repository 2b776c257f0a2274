"""Countries: their ISO 3166 codes, and the names that sources give them."""

import csv
from pathlib import Path

with Path(__file__).with_name("countries.csv").open(encoding="utf-8", newline="") as file:
    _COUNTRIES = list(csv.DictReader(file))

NAMES = {row["alpha3"]: row["name"] for row in _COUNTRIES}  # in English, by ISO 3166 alpha-3 (XKX is Kosovo)
CODES = {row[kind]: row["alpha3"] for row in _COUNTRIES for kind in ("alpha2", "alpha3")}  # to alpha-3
JHU_CODES = {row["jhu"] or row["name"]: row["alpha3"] for row in _COUNTRIES}  # by JHU's name
