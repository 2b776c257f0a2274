"""Cleaning: a row for every date of every series, and no negative counts of countries.

Sources of cases and deaths count down as well as up. A negative day is a revision of the days before it: it
becomes missing, and they are scaled down in proportion, so that the running total stays the reported one and
no count is negative.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecastle.frequency import WEEKDAYS, Frequency
from forecastle.observations.schema import COLUMNS, noun_of
from forecastle.places import NAMES

WEEKLY = 0.5  # of the days with counts follow the one before by whole weeks: more are weekly counts
LEAST_GAPS = 8  # between days with counts, or chance alone may make them weeks
FREQUENCIES = ("YS", "QS", "MS", *(f"W-{day}" for day in WEEKDAYS), "D")  # the sparsest first


def complete(frame: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """A row for every date of every series, sorted; what is added is told in `changes`.

    Args:
        frame: `date`, the noun, perhaps `name`, and numbers.
        changes: What was changed so far, in words.
    """
    noun, frequency = noun_of(frame), sparsest(frame["date"])
    names = frame["name"] if "name" in frame else frame[noun]
    frame = frame.assign(name=names)[
        ["date", noun, "name", *frame.columns.drop(["date", noun, "name"], "ignore")]
    ]
    parts, gaps = [], {}
    for code, rows in frame.groupby(noun):
        dates = pd.date_range(
            rows["date"].min(), rows["date"].max(), freq=frequency.alias, unit="us", name="date"
        )
        every = rows.set_index("date").reindex(dates).reset_index()
        gaps[str(code)] = len(every) - len(rows)
        parts.append(every.assign(**{noun: code, "name": rows["name"].iloc[0]}))
    if total := sum(gaps.values()):
        most = max(gaps, key=lambda code: gaps[code])
        changes.append(f"dates without a row, now missing: {total:,}, most of them in {most} ({gaps[most]})")
    return pd.concat(parts, ignore_index=True)[list(frame.columns)]


def sparsest(dates: pd.Series) -> Frequency:
    """The sparsest frequency that may have all these dates: that of a file, which does not say it."""
    days = [date.date() for date in dates.unique()]
    frequencies = map(Frequency.of, FREQUENCIES)
    return next(frequency for frequency in frequencies if all(map(frequency.has, days)))


def is_weekly(frame: pd.DataFrame, noun: str, columns: Sequence[str]) -> bool:
    """Whether these are weekly counts: rows a week apart, or six days of nothing and then the week's."""
    counted = frame[(frame[list(columns)].fillna(0) != 0).any(axis="columns")]
    gaps = counted.sort_values("date").groupby(noun)["date"].diff().dropna().dt.days.to_numpy()
    return len(gaps) >= LEAST_GAPS and bool(np.mean(gaps % 7 == 0) > WEEKLY)


def clean(frame: pd.DataFrame, changes: list[str]) -> pd.DataFrame:
    """A row for every day of every country, and no negative counts; what is changed is added to `changes`."""
    constants = frame.groupby("country")[[name for name in ("name", "population") if name in frame]].first()
    reported = frame.groupby("country")["date"].agg(["min", "max", "size"])
    length = ((reported["max"] - reported["min"]).dt.days + 1).to_numpy()
    country = reported.index.repeat(length)
    date = reported["min"].to_numpy().repeat(length) + _counters(length).astype("timedelta64[D]")
    days = pd.MultiIndex.from_arrays([country, date.astype("datetime64[us]")], names=["country", "date"])
    cleaned = frame.set_index(["country", "date"])[["cases", "deaths"]].reindex(days)
    if total := (gaps := length - reported["size"]).sum():
        most = NAMES[str(gaps.idxmax())]
        changes.append(f"days without a row, now missing: {total:,}, most of them in {most} ({gaps.max()})")
    revisions: list[tuple[int, str]] = []
    for column in ("cases", "deaths"):
        for code in cleaned.index[cleaned[column].fillna(0) < 0].unique("country"):
            counts = cleaned.loc[code, column]
            mended, found = _without_revisions(counts)
            cleaned.loc[[code], column] = mended.array
            for i, effect in found:
                where = f"{NAMES[code]} ({code}) on {counts.index[i]:%Y-%m-%d}"
                revisions.append((counts.iloc[i], f"{where}: {counts.iloc[i]:,} {column}, {effect}"))
    if revisions:
        changes.append(f"negative counts, taken as revisions of the days before: {len(revisions):,}")
        changes.extend(line for _, line in sorted(revisions))
    result = cleaned.reset_index().join(constants, on="country")
    if "name" not in result:
        result["name"] = result["country"].map(NAMES)
    return result[[column for column in COLUMNS if column in result]]


def _counters(lengths: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... for each length, one after another."""
    starts = np.repeat(lengths.cumsum() - lengths, lengths)
    return np.arange(lengths.sum()) - starts


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
