"""Cleaning: a row for every day of every country, and no negative counts.

Sources count down as well as up. A negative day is a revision of the days before it: it becomes missing, and
they are scaled down in proportion, so that the running total stays the reported one and no count is negative.
"""

import numpy as np
import pandas as pd

from forecastle.observations.schema import COLUMNS
from forecastle.places import NAMES


def clean(frame: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """A row for every day of every country, and no negative counts."""
    cleaned = []
    gaps: dict[str, int] = {}
    revisions: list[tuple[int, str]] = []
    for country, rows in frame.groupby("country"):
        days = rows.set_index("date").sort_index()
        days = days.reindex(pd.date_range(days.index[0], days.index[-1], name="date", unit="us"))
        gaps[NAMES[country]] = len(days) - len(rows)
        for constant in {"country", "name", "population"} & set(days):
            days[constant] = rows[constant].bfill().iloc[0]
        for column in ("cases", "deaths"):
            counts = days[column]
            days[column], found = _without_revisions(counts)
            for i, effect in found:
                where = f"{NAMES[country]} ({country}) on {days.index[i]:%Y-%m-%d}"
                revisions.append((counts.iloc[i], f"{where}: {counts.iloc[i]:,} {column}, {effect}"))
        cleaned.append(days.reset_index())
    if total := sum(gaps.values()):
        most = max(gaps, key=lambda name: gaps[name])
        changes.append(f"days without a row, now missing: {total:,}, most of them in {most} ({gaps[most]})")
    if revisions:
        changes.append(f"negative counts, taken as revisions of the days before: {len(revisions):,}")
        changes.extend(line for _, line in sorted(revisions))
    result = pd.concat(cleaned, ignore_index=True)
    if "name" not in result:
        result["name"] = result["country"].map(NAMES)
    if "population" in result:
        result["population"] = result["population"].astype("Int64")
    return result[[column for column in COLUMNS if column in result]]


def _without_revisions(counts: pd.Series) -> tuple[pd.Series, list[tuple[int, str]]]:
    """Make each negative day missing and scale the days before it down to the new running total.

    Returns:
        The counts, and for each negative day its position and what became of the days before.
    """
    missing = counts.isna().to_numpy(copy=True)
    values = counts.fillna(0).to_numpy(dtype=float)
    found = []
    for i in np.flatnonzero(values < 0).tolist():
        # Differences of rounded running totals, not rounded counts: they add up to the new total.
        totals = values[:i].cumsum()
        before = totals[-1] if i else 0.0
        after = max(before + values[i], 0.0)
        scale = after / before if before else 0.0
        found.append((i, f"the days before are scaled by {scale:.4f}"))
        values[:i] = np.diff(np.rint(totals * scale), prepend=0.0)
        values[i], missing[i] = 0.0, True
    return pd.Series(values, counts.index).astype("Int64").mask(missing), found
