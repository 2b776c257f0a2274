"""data.py: received observations are merged into those in use."""

import pandas as pd

from forecastle.places import NAMES
from forecastle.project.retraining.data import merged


def test_the_later_report_of_a_day_wins_and_silence_does_not() -> None:
    base = observations_of({("FRA", 1): (10, 1), ("FRA", 2): (20, 2), ("GBR", 2): (5, 0)})
    received = observations_of({("FRA", 2): (21, None), ("FRA", 3): (30, 3), ("ITA", 3): (None, 7)})
    both = merged(base, received)
    assert both[["country", "cases", "deaths"]].astype(object).where(both.notna(), None).values.tolist() == [
        ["FRA", 10, 1],
        ["FRA", 21, 2],
        ["FRA", 30, 3],
        ["GBR", 5, 0],
        ["ITA", None, 7],
    ]
    assert list(both.columns) == ["date", "country", "name", "cases", "deaths"]


def observations_of(counts: dict[tuple[str, int], tuple[int | None, int | None]]) -> pd.DataFrame:
    rows = [
        (pd.Timestamp(2020, 4, day), code, NAMES[code], cases, deaths)
        for (code, day), (cases, deaths) in counts.items()
    ]
    frame = pd.DataFrame(rows, columns=["date", "country", "name", "cases", "deaths"])
    return frame.astype({"cases": "Int64", "deaths": "Int64"})
