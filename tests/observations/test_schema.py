"""schema.py: what is read can be written and read again, and a plain frame is observations too."""

import datetime
from pathlib import Path

import pandas as pd
import pytest

from forecastle.observations import Observations, ObservationsError, last_report, read, write

from .conftest import ECDC, OURS, OWID, WHO, Saved


@pytest.mark.parametrize("text", [ECDC, OWID, WHO, OURS], ids=["ecdc", "owid", "who", "ours"])
def test_round_trip(saved: Saved, tmp_path: Path, text: str) -> None:
    """Reading what was written gives the same frame, and there is nothing left to change."""
    known = read(saved(text))
    write(known.frame, tmp_path / "written.csv")
    again = read(tmp_path / "written.csv")
    assert again.changes == []
    assert again.last_day == known.last_day
    pd.testing.assert_frame_equal(known.frame, again.frame)
    assert not (tmp_path / "written.csv.part").exists()


def test_a_plain_frame_has_no_changes_and_ends_on_its_last_report() -> None:
    dates = pd.date_range("2020-03-01", periods=4)
    frame = pd.DataFrame({"date": dates, "country": "FRA", "count": [1, 2, None, None]})
    plain = Observations.of(frame)
    assert plain.frame is frame
    assert plain.last_day == datetime.date(2020, 3, 2)
    assert (plain.changes, plain.excluded) == ([], {})
    assert Observations.of(plain) is plain


def test_any_count_is_a_report_and_without_one_there_is_no_last_day() -> None:
    frame = pd.DataFrame(
        {"date": pd.date_range("2020-03-01", periods=3), "cases": [1, None, None], "deaths": [None, 1, None]}
    )
    assert last_report(frame) == pd.Timestamp("2020-03-02")
    with pytest.raises(ObservationsError, match="no date has a value"):
        last_report(frame[2:])


def test_more_changes_leave_the_first_observations_as_they_were() -> None:
    first = Observations(pd.DataFrame(), datetime.date(2020, 3, 1), changes=["a"])
    assert first.with_frame(first.frame, "b").changes == ["a", "b"]
    assert first.changes == ["a"]
