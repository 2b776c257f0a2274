"""data.py: observations are received whole, and merged into those in use."""

from pathlib import Path

import httpx
import pandas as pd
import pytest

from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.places import NAMES
from forecastle.project.retraining.data import held_out, merged, receive

from ...served import live
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


def test_columns_that_were_not_received_stay() -> None:
    """As of a model's own file, which the result replaces."""
    own = observations_of({("FRA", 1): (10, 1)}).assign(mobility=0.5).drop(columns=["cases", "deaths"])
    both = merged(own, observations_of({("FRA", 2): (21, 2)}))
    assert both["mobility"].tolist()[0] == 0.5
    assert set(both.columns) == {"date", "country", "name", "cases", "deaths", "mobility"}


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


def test_of_each_noun_what_was_received_of_it_is_asked_for(tmp_path: Path) -> None:
    app = create_catalogue({}, Store(f"sqlite:///{tmp_path}/store.sqlite"), Settings(OBSERVATIONS_KEY="key"))
    headers = {"Authorization": "Bearer key", "Content-Type": "text/csv"}
    rows = "date,store,name,sales,visits\n2020-04-25,s1,High Street,-1.5,3\n2020-05-02,s1,,,4\n"
    with live(app, lifespan="off") as url:
        assert receive(url, tmp_path, "country") is None
        assert receive(url, tmp_path, "store") is None
        assert httpx.post(f"{url}/observations", content=rows, headers=headers).status_code == 200
        assert receive(url, tmp_path, "country") is None
        received = receive(url, tmp_path, "store")
    assert received is not None
    assert list(received.columns) == ["date", "store", "name", "sales", "visits"]
    assert received["name"].tolist() == ["High Street", "High Street"]
    assert received["sales"].astype(object).where(received["sales"].notna(), None).tolist() == [-1.5, None]


def test_whole_and_real_numbers_are_merged_and_columns_of_either_stay() -> None:
    dates = pd.date_range("2020-01-01", periods=3, freq="MS")
    base = pd.DataFrame({"date": dates[:2], "store": "s1", "sales": [1.5, 2.5], "price": [3, 4]})
    received = pd.DataFrame({"date": dates[1:], "store": "s1", "name": "s1", "sales": [7, 8], "visits": 9})
    base = base.astype({"sales": "Float64", "price": "Int64"})
    both = merged(base, received.astype({"sales": "Int64", "visits": "Int64"}))
    assert list(both.columns) == ["date", "store", "sales", "price", "visits"]
    assert both["sales"].tolist() == [1.5, 7, 8]
    assert both["price"].isna().tolist() == [False, False, True]
