"""selection.py: which countries and days are fitted, and why the others are not."""

import datetime

import numpy as np
import pandas as pd
import pytest

from forecastle import observations
from forecastle.observations import Observations, ObservationsError
from forecastle.observations.selection import catching_up


def by_country(counts: dict[str, list[int | None]]) -> pd.DataFrame:
    """As `read` gives daily cases that begin on 1 March 2020."""
    parts = [
        pd.DataFrame({"date": pd.date_range("2020-03-01", periods=len(cases)), "country": code, "name": code})
        .assign(cases=pd.Series(cases, dtype="Int64"), population=1_000_000)
        .astype({"population": "Int64"})
        for code, cases in counts.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_running_totals_are_those_of_the_first_days_and_missing_where_nothing_was_reported() -> None:
    frame = by_country({"FRA": [60, 60, 10, None, 10, 20, None, 30, 40]})
    selected = observations.running_totals(frame, "cases", start=100, days=3, first=6)
    rows = selected.frame
    assert rows["date"].dt.day.tolist() == [2, 3, 4, 5, 6]  # up to the last report of the first six days
    assert rows["count"].tolist() == [120, 130, pd.NA, 140, 160]
    assert rows["total"].tolist() == [120, 130, 130, 140, 160]
    assert rows["population"].tolist() == [1_000_000] * 5
    assert selected.excluded == {}
    assert len(observations.running_totals(frame, "cases", start=100, days=3).frame) == 8


def test_running_totals_that_are_no_curve_are_left_out_with_the_reason() -> None:
    frame = by_country(
        {
            "AND": [120, *[0] * 9],
            "BEL": [120, None, 30, None, None, None, *[10] * 4],
            "CHE": [120, 10, 10, 15_000, *[10] * 6],
            "DEU": [120, None, None, 15_000, *[10] * 6],  # within three days
            "ESP": [99, *[0] * 9],
            "FRA": [120, *[30] * 9],
        }
    )
    selected = observations.running_totals(frame, "cases", start=100, days=3, first=6)
    rows = selected.frame
    assert rows["country"].unique().tolist() == ["DEU", "FRA"]
    reasons = {code: entry.reason for code, entry in selected.excluded.items()}
    assert reasons == {
        "AND": "no new cases from 2020-03-01 to 2020-03-06",
        "BEL": "fewer than 3 reported days of cases to fit: 2",
        "CHE": "cases jump from 140 to 15,140 on 2020-03-04",
        "ESP": "fewer than 100 cases: 99",
    }
    with pytest.raises(ObservationsError, match=r"^no country's cases can be fitted: no new .*$"):
        observations.running_totals(by_country({"AND": [120, *[0] * 9]}), "cases", start=100)


def test_a_last_day_that_looks_reported_in_part_is_left_out_and_named() -> None:
    frame = by_country(
        {
            "AUT": [*[90] * 7, 300, 290, 310, 280, 300, 310, 300, 90],  # less than a third
            "BEL": [*[90] * 7, 300, 290, 310, 280, 300, 310, 300, 110],  # more
            "CHE": [*[20] * 8, *[100] * 6, 5],  # less than half of a low day a week before
            "DEU": [*[20] * 8, *[100] * 6, 15],  # not less: such days are low
            "ESP": [*[60] * 7, *[15] * 7, 0],  # by chance
            "FRA": [*[90] * 14, None],  # not reported at all
            "ITA": [300] * 4 + [1],  # no week before it
        }
    )
    selected = observations.since_total(frame, "cases", start=100, total=100, days=3)
    last = selected.frame.groupby("country").tail(1).set_index("country")
    days = {"AUT": 14, "BEL": 15, "CHE": 14, "DEU": 15, "ESP": 15, "FRA": 14, "ITA": 5}
    assert last["date"].dt.day.to_dict() == days
    assert last["total"]["AUT"] == 2720  # without that day
    assert selected.changes == [
        "last days that look as if cases were reported in part, left out: AUT (AUT) on 2020-03-15: 90, where "
        "299 a day were usual; CHE (CHE) on 2020-03-15: 5, where 89 a day were usual"
    ]


def test_countries_without_any_report_are_left_out_with_the_reason() -> None:
    frame = by_country({"AND": [None] * 20, "FRA": [50] * 20, "GBR": [None] * 12 + [50] * 8})
    selected = observations.since_total(frame, "cases", start=100, total=100)
    assert selected.frame["country"].unique().tolist() == ["FRA", "GBR"]
    assert selected.excluded["AND"].reason == "no report of cases"
    until = frame[frame["date"] < "2020-03-10"]
    selected = observations.since_total(until, "cases", start=100, total=100)
    assert {code: entry.reason for code, entry in selected.excluded.items()} == dict.fromkeys(
        ("AND", "GBR"), "no report of cases"
    )
    with pytest.raises(ObservationsError, match="no country has 100 deaths or more"):
        blank = frame.assign(deaths=pd.Series(pd.NA, frame.index, dtype="Int64"))
        observations.since_total(blank, "deaths", start=100, total=100)


def test_blank_days_at_the_end_silence_nobody() -> None:
    """A country is silent if others have reported since, not if the file goes on without counts."""
    frame = by_country({"FRA": [50] * 70 + [None] * 40, "GBR": [50] * 20 + [None] * 90})
    selected = observations.since_total(frame, "cases", start=100, total=100)
    assert selected.frame["country"].unique().tolist() == ["FRA"]
    assert selected.excluded["GBR"].reason == "no report of cases since 2020-03-20"
    assert selected.last_day == datetime.date(2020, 5, 9)


def test_what_was_known_of_the_observations_is_kept() -> None:
    """Changes and exclusions of `read` and of an earlier selection stay."""
    frame = by_country({"AND": [1] * 20, "FRA": [50] * 20})
    known = Observations(frame, datetime.date(2020, 3, 20), "ECDC", ["a change"])
    once = observations.since_total(known, "cases", start=100, total=100)
    assert (once.format, once.changes, set(once.excluded)) == ("ECDC", ["a change"], {"AND"})
    again = observations.since_total(
        once.with_frame(once.frame.assign(cases=once.frame["count"]), "another"), "cases", start=1, total=1
    )
    assert (again.changes, set(again.excluded)) == (["a change", "another"], {"AND"})


def test_a_country_that_reports_once_a_week_keeps_its_days() -> None:
    weekly = pd.Series([0, 0, 0, 0, 0, 0, 700] * 10, dtype="Int64")
    assert not catching_up(weekly).any()
    steep = pd.Series((10 * 1.3 ** np.arange(30)).astype(int), dtype="Int64")
    assert not catching_up(steep).any()


def test_weekly_counts_of_one_column_are_refused() -> None:
    """Of any series, and also where another column is daily."""
    days = pd.date_range("2020-03-01", periods=84)
    states = pd.DataFrame({"date": days, "state": "BY", "name": "Bavaria", "cases": 90, "deaths": 0})
    states.loc[::7, "deaths"] = 70
    assert len(observations.since_total(states, "cases", start=1, total=1).frame) == 84
    with pytest.raises(ObservationsError, match="deaths are weekly counts"):
        observations.since_total(states, "deaths", start=1, total=1)


def test_days_of_catching_up_are_missing_and_named() -> None:
    selected = observations.since_total(
        by_country({"FRA": [50] * 20 + [900] + [50] * 10, "GBR": [50] * 31}), "cases", start=1, total=1
    )
    cleaned = observations.without_catching_up(selected)
    missing = cleaned.frame[cleaned.frame["count"].isna()]
    assert missing[["country", "date"]].values.tolist() == [["FRA", pd.Timestamp("2020-03-21")]]
    assert cleaned.changes == [*selected.changes, "days of catching up, not fitted: 1 (FRA on 2020-03-21)"]
    assert cleaned.frame["total"].equals(selected.frame["total"])
    calm = observations.since_total(by_country({"GBR": [50] * 31}), "cases", start=1, total=1)
    assert observations.without_catching_up(calm) is calm
