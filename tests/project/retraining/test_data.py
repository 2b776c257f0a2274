"""data.py: observations are received whole, and merged into those in use."""

import pandas as pd
import pytest

from forecastle.places import NAMES
from forecastle.project.retraining.data import held_out, merged

from ...tiny import KNOWN, NEW, THROUGH, TRUTH, as_csv
from .conftest import Project


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


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": as_csv(NEW).encode()[:-3]}, "gives observations that end within a line"),
        ({"body": as_csv(NEW).encode(), "missing": b"100"}, "gives no observations (peer closed connection"),
        ({"body": b'{"observations": []}\n{}\n'}, "missing among the columns"),
        ({"body": as_csv(NEW).replace("DEU", "XYZ").encode()}, "'XYZ' is no country's"),
        ({"body": b""}, "gives observations that end within a line"),
    ],
)
def test_observations_that_are_not_whole_are_refused_in_one_line(
    answer: dict[str, bytes], message: str, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    project.received.update(answer)
    before = project.state()
    assert project.run() == 1
    assert project.state() == before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"tiny: {project.url}/observations") and message in line


def test_a_gateway_without_observations_is_one_line(
    project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    assert project.run("--url", f"{project.url}/elsewhere") == 1
    assert "/elsewhere/observations answers 404 Not Found: name another" in capfd.readouterr().err


def test_data_of_the_environment_are_not_renewed(
    project: Project, incumbent, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    monkeypatch.setenv("FORECASTLE_DATA", "elsewhere.csv")
    assert project.run() == 1
    assert "FORECASTLE_DATA=elsewhere.csv is in use" in capfd.readouterr().err


def test_a_challenger_is_compared_on_what_the_incumbent_knew(project: Project, incumbent) -> None:
    """Later revisions of those days are not for it to know, as long as the data of then are there."""
    known = incumbent(TRUTH)
    revised = merged(KNOWN, KNOWN.assign(deaths=KNOWN["deaths"] + 1000))
    new = pd.concat([revised, NEW], ignore_index=True)
    rows = held_out(known, new, project.folder)
    until = rows["date"] <= pd.Timestamp(THROUGH)
    assert rows[until]["deaths"].sum() == KNOWN["deaths"].sum()
    assert rows[~until]["deaths"].sum() == NEW["deaths"].sum()
    with (project.folder / "data/first-wave-2020.csv").open("a") as file:
        file.write("\n")
    assert held_out(known, new, project.folder)["deaths"].max() > 1000
