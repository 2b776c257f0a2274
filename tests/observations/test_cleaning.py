"""cleaning.py: a row for every day, no negative counts, and the reported totals."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle.observations import cleaning, read

from .conftest import FIRST_WAVE, Saved, days, table


def test_revision(saved: Saved) -> None:
    """A negative day becomes missing and the days before it are scaled down to the new running total."""
    known = read(saved(days([10, 20, None, 70, -50, 5])))
    assert table(known, "cases") == {"ESP": [5, 10, None, 35, None, 5]}
    assert known.changes == [
        "negative counts, taken as revisions of the days before: 1",
        "Spain (ESP) on 2020-03-05: -50 cases, the days before are scaled by 0.5000",
    ]


def test_revision_below_zero(saved: Saved) -> None:
    """A revision that takes away more than there was leaves nothing, and never a total below zero."""
    assert table(read(saved(days([-3, 4, -9, 6]))), "cases") == {"ESP": [None, 0, None, 6]}


def test_largest_revision_first(saved: Saved) -> None:
    """The changes list the largest revision first."""
    changes = read(saved(days([100, -1, 5, -20, 5, -3]))).changes
    assert [line.split(": ")[1].split(" ")[0] for line in changes[1:]] == ["-20", "-3", "-1"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-1000, 1000) | st.integers(0, 10**8), min_size=1, max_size=30))
def test_revisions_keep_totals(tmp_path_factory: pytest.TempPathFactory, counts: list[int | None]) -> None:
    """No count is negative, the total is the reported one where that was never below zero, and only days that
    were missing or negative are missing."""
    path = tmp_path_factory.mktemp("any") / "given.csv"
    path.write_text(days(counts))
    cleaned = table(read(path), "cases")["ESP"]
    total = 0
    for count in counts:
        total = max(0, total + (count or 0))
    assert sum(count or 0 for count in cleaned) == total
    assert all(count is None or count >= 0 for count in cleaned)
    assert [count is None for count in cleaned] == [count is None or count < 0 for count in counts]


def test_first_wave_cleaned() -> None:
    """Cleaned, every country keeps its totals, no count is negative, and the one gap is a missing day."""
    raw, known = pd.read_csv(FIRST_WAVE), read(FIRST_WAVE)
    frame = known.frame
    for column in ("cases", "deaths"):
        totals = frame.groupby("country")[column].sum()
        assert totals.eq(raw.groupby("country")[column].sum()).all()
        assert (frame[column].dropna() >= 0).all()
        assert frame[column].isna().sum() == 37
    assert len(frame) == len(raw) + 1
    gap = frame[(frame["country"] == "BLM") & (frame["date"] == pd.Timestamp("2020-03-17"))]
    assert gap[["cases", "deaths"]].isna().all(axis=None)
    assert "negative counts, taken as revisions of the days before: 72" in known.changes


@pytest.mark.parametrize("alias", ["D", "W-SAT", "MS", "QS", "YS"])
def test_the_frequency_of_a_file_is_the_sparsest_that_its_dates_allow(alias: str) -> None:
    dates = pd.Series(pd.date_range("2019-02-03", periods=9, freq=alias))
    assert cleaning.sparsest(dates).alias == alias
