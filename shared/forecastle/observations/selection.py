"""Selection: which series and days of daily counts a model is fitted to."""

import dataclasses

import numpy as np
import pandas as pd

from forecastle.artifact import Excluded
from forecastle.observations.cleaning import is_weekly, sparsest
from forecastle.observations.schema import Observations, ObservationsError, measures

SILENT = 28  # days without a report after which a series counts as no longer reporting
USUAL = 20  # a day; of fewer, chance alone may leave a day with less than a third
JUMP = 100  # times in a day: after the 100th case real totals at most trebled in a day

# A day of catching up has more than 4 times the counts of the days around it, with a few added to those, lest
# one be more than four times none; and is rare.
LATE_FACTOR, LATE_OFFSET, LATE_SHARE = 4.0, 5.0, 0.1


def since_total(
    observations: Observations | pd.DataFrame,
    column: str,
    *,
    start: int,
    total: int,
    days: int = 7,
    last: int | None = None,
) -> Observations:
    """One daily count, of the series that have enough of it, from the day of their `start`-th on.

    Args:
        observations: As `read` gives them, or a frame like theirs.
        column: Of the counts, such as `deaths`.
        start: The running total that a series' first day must have reached.
        total: The least total of a series that is kept.
        days: The least number of reported days that it must have from its first day on.
        last: At most so many days of a series are kept, its latest.

    Returns:
        Columns `date`, the noun (as `country`), `name`, `count` (of that day, missing if not reported) and
        `total` (the running total, days before the first included). A series' last row is its last reported
        day, or the one before if that day looks reported in part. Series that are left out are `excluded`.

    Raises:
        ObservationsError: No series is kept, there is no such column, or it has weekly counts.
    """
    known = Observations.of(observations)
    noun = known.noun
    if column not in known.frame:
        raise ObservationsError(
            f"the observations have no column {column}, only {', '.join(measures(known.frame))}: name others "
            "with FORECASTLE_DATA=, or make data"
        )
    if sparsest(known.frame["date"]).alias == "D" and is_weekly(known.frame, noun, [column]):
        raise ObservationsError(
            f"{column} are weekly counts, and how they spread over the days is not known: use daily ones"
        )
    kept, excluded, left_out = [], dict(known.excluded), []
    end = known.frame["date"][known.frame[column].notna()].max()
    for code, rows in known.frame.groupby(noun):
        name, reported = rows["name"].iloc[0], rows["date"][rows[column].notna()]
        if reported.empty:
            excluded[str(code)] = Excluded(name, f"no report of {column}")
            continue
        rows = rows[rows["date"] <= reported.max()]
        if in_part := _last_day_in_part(rows[column]):
            left_out.append(f"{name} ({code}) on {rows['date'].iloc[-1]:%Y-%m-%d}: {in_part}")
            rows = rows.iloc[:-1]
        running = rows[column].fillna(0).cumsum()
        selected = rows[["date", noun, "name"]].assign(count=rows[column], total=running)
        selected = selected[running >= start]
        selected = selected if last is None else selected.tail(last)
        if running.iloc[-1] < max(total, 1):
            reason = f"fewer than {total} {column}: {running.iloc[-1]}"
        elif end - reported.max() > pd.Timedelta(SILENT, unit="D"):
            reason = f"no report of {column} since {reported.max():%Y-%m-%d}"
        elif (found := selected["count"].notna().sum()) < days:
            reason = f"fewer than {days} reported days since its {column} reached {start}: {found}"
        else:
            kept.append(selected)
            continue
        excluded[str(code)] = Excluded(name, reason)
    if not kept:
        raise ObservationsError(
            f"no {noun} has {total} {column} or more, and {days} reported days since they reached {start}"
        )
    changes = []
    if left_out:
        changes.append(
            f"last days that look as if {column} were reported in part, left out: {'; '.join(left_out)}"
        )
    selection = known.with_frame(pd.concat(kept, ignore_index=True), *changes)
    return dataclasses.replace(selection, excluded=excluded)


def without_catching_up(observations: Observations) -> Observations:
    """The same with `count` missing on days of catching up, which are named in `changes`.

    Args:
        observations: As `since_total` gives them.
    """
    frame, noun = observations.frame, observations.noun
    late = frame.groupby(noun)["count"].transform(catching_up).astype(bool)
    if not late.any():
        return observations
    days = [f"{row[noun]} on {row['date']:%Y-%m-%d}" for _, row in frame[late].iterrows()]
    change = f"days of catching up, not fitted: {len(days)} ({', '.join(days)})"
    return observations.with_frame(frame.assign(count=frame["count"].mask(late)), change)


def catching_up(count: pd.Series) -> pd.Series:
    """Which days of a series added counts of many days before them: they say nothing of that day's.

    As China's 17 April 2020 (1290 deaths) or the United Kingdom's 30 April (5093). A series that is reported
    so all the time has no other days to go by, and keeps them.
    """
    median = count.astype(float).rolling(15, center=True, min_periods=1).median()
    late = (count > LATE_FACTOR * (median + LATE_OFFSET)).fillna(False).astype(bool)
    return late if late.mean() <= LATE_SHARE else late & False


def _last_day_in_part(count: pd.Series) -> str | None:
    """What makes the last of these daily counts look like a part of that day's; None if nothing does.

    It is less than a third of the mean of the seven days before, and less than half of the same weekday's
    count a week before, so that no Sunday is left out for being one.
    """
    last, week = count.iloc[-1], count.iloc[-8:-1]
    usual = week.mean()
    if len(week) < 7 or week.iloc[[0]].isna().any() or usual < USUAL:
        return None
    if last >= usual / 3 or last >= week.iloc[0] / 2:
        return None
    return f"{last:,}, where {usual:,.0f} a day were usual"


def running_totals(
    observations: Observations | pd.DataFrame,
    column: str,
    *,
    start: int,
    days: int = 7,
    first: int | None = None,
) -> Observations:
    """The running total of one daily count, of the series that have enough of it, from its `start`-th on.

    A total that stands still from its first day on, or jumps, is no curve's: such a series is left out.

    Args:
        observations: As `read` gives them, or a frame like theirs.
        column: Of the counts, such as `deaths`.
        start: The running total that a series' first day must have reached.
        days: The least number of reported days among those kept.
        first: At most so many days of a series are kept, its first.

    Returns:
        As `since_total` gives it, but `count` is the running total, missing on days without a report. Where
        the frame has it, `population` besides.

    Raises:
        ObservationsError: No series is kept, or there is no such column.
    """
    known = Observations.of(observations)
    noun = known.noun
    selected = since_total(known, column, start=start, total=start, days=days)
    kept, excluded = [], dict(selected.excluded)
    for code, group in selected.frame.groupby(noun):
        days_kept = group if first is None else group.head(first)
        totals = days_kept.set_index("date")["total"][days_kept["count"].notna().to_numpy()]
        if reason := _no_curve(totals, column, days):
            excluded[str(code)] = Excluded(group["name"].iloc[0], reason)
        else:
            until_last = days_kept[days_kept["date"] <= totals.index[-1]]
            kept.append(until_last.assign(count=until_last["total"].mask(until_last["count"].isna())))
    if not kept:
        reasons = sorted({entry.reason for entry in excluded.values()})
        raise ObservationsError(f"no {noun}'s {column} can be fitted: {'; '.join(reasons[:3])}")
    frame = pd.concat(kept, ignore_index=True)
    if "population" in known.frame:
        frame["population"] = frame[noun].map(known.frame.groupby(noun)["population"].first())
    return dataclasses.replace(selected, frame=frame, excluded=excluded)


def _no_curve(totals: pd.Series, column: str, days: int) -> str | None:
    """Why no growth curve can be fitted to these reported totals; None if one can."""
    if len(totals) < days:
        return f"fewer than {days} reported days of {column} to fit: {len(totals)}"
    if totals.iloc[0] == totals.iloc[-1]:
        return f"no new {column} from {totals.index[0]:%Y-%m-%d} to {totals.index[-1]:%Y-%m-%d}"
    elapsed = np.diff(totals.index) / pd.Timedelta(1, unit="D")
    growth = np.diff(np.log(totals.to_numpy(dtype=float))) / elapsed
    if growth.max() > np.log(JUMP):
        jump = int(growth.argmax())
        before, after = totals.iloc[jump], totals.iloc[jump + 1]
        return f"{column} jump from {before:,} to {after:,} on {totals.index[jump + 1]:%Y-%m-%d}"
    return None
