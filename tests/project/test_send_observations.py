"""send_observations.py, which `make observe` starts: what it sends, what it says, and how it ends."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from forecastle import observations
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.settings import Settings
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.store.observations import Stored, by_date
from forecastle.project import send_observations

from ..served import live

KEY = "correct horse battery staple"
OURS = "date,country,cases,deaths\n2020-04-24,GBR,5386,768\n2020-04-25,GBR,4913,813\n2020-04-26,GBR,,\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.sqlite")


@pytest.fixture
def url(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a catalogue that listens."""
    monkeypatch.setenv(send_observations.KEY, KEY)
    nobody = httpx.AsyncClient(base_url="http://127.0.0.1:1")
    app = create_catalogue({"flu": nobody}, store, Settings(OBSERVATIONS_KEY=KEY))
    with live(app, lifespan="off") as address:
        yield address


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    path.write_text(OURS)
    return path


def stored(store: Store, noun: str = "country") -> list[Stored]:
    with store.reading() as connection:
        return by_date(connection, noun)


def run(*arguments: object) -> int:
    return send_observations.main([str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line of an error."""
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("observe: sending")]
    assert len(lines) == 1, lines
    assert KEY not in lines[0]
    return lines[0]


def test_it_says_what_it_read_and_what_became_of_it(
    url: str, store: Store, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--file", file, "--url", url) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: our own, 3 rows, 2020-04-24 to 2020-04-26",
        f"{url} has received 3 rows: 3 new, 0 revised, 0 known before",
    ]
    assert [(row.date.day, row.values["cases"], row.values["deaths"]) for row in stored(store)] == [
        (24, 5386, 768),
        (25, 4913, 813),
        (26, None, None),
    ]
    file.write_text(OURS.replace("813", "843"))
    assert run("--file", file, "--url", f"{url}/") == 0
    assert "0 new, 1 revised, 2 known before" in capsys.readouterr().out


def test_it_tells_how_far_it_is(url: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--file", file, "--url", url) == 0
    assert "observe: sending 100 %" in capsys.readouterr().err


def test_days_may_be_left_out(url: str, store: Store, file: Path) -> None:
    assert run("--file", file, "--url", url, "--since", "2020-04-25", "--until", "2020-04-25") == 0
    assert [row.date for row in stored(store)] == [datetime.date(2020, 4, 25)]


def test_the_formats_of_others_are_read(url: str, store: Store, tmp_path: Path) -> None:
    """A negative count is a revision of the days before it, as in training."""
    file = tmp_path / "who.csv"
    header = "Date_reported,Country_code,Country,New_cases,New_deaths\n"
    file.write_text(header + "2020-04-24,GB,UK,100,10\n2020-04-25,GB,UK,-50,5\n2020-04-24,,Ship,1,1\n")
    assert run("--file", file, "--url", url) == 0
    assert [(row.series, row.values["cases"], row.values["deaths"]) for row in stored(store)] == [
        ("GBR", 50, 10),
        ("GBR", None, 5),
    ]


def test_a_long_file_is_sent_in_parts_of_whole_days() -> None:
    days = pd.date_range("2020-01-01", periods=50)
    frame = pd.DataFrame({"date": [*days, *days], "country": ["GBR"] * 50 + ["FRA"] * 50})
    frame = frame.assign(cases=1, deaths=2, name="")
    parts = list(send_observations.parts(frame, most=500))
    assert len(parts) > 3
    assert all(len(part) <= 500 and part.endswith(b"\n") for part in parts)
    assert all(part.startswith(b"date,country,cases,deaths\n") for part in parts)
    lines = [line for part in parts for line in part.decode().splitlines()[1:]]
    assert lines == [f"{day:%Y-%m-%d},{country},1,2" for day in days for country in ("FRA", "GBR")]


def test_all_parts_are_received(url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        send_observations, "parts", lambda frame, parts=send_observations.parts: parts(frame, most=100_000)
    )
    assert run("--file", observations.DATA / observations.DEFAULT, "--url", url) == 0
    assert len(stored(store)) == 20_025


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (OURS[:-4], "the last line does not end in a line break: is the file half written?"),
        (OURS + "2020-04-27,GBR,17", "the last line does not end in a line break: is the file half written?"),
        (OURS + "2020-04-27,GBR,many,1\n", "line 5, column cases: 'many' is not a whole number"),
        (OURS + "2020-04-26,GBR,1,1\n", "line 5, column date: '2020-04-26' is there a second time for GBR"),
        (OURS + "2020-04-26,XXX,1,1\n", "'XXX' is no country's ISO 3166 alpha-3 code"),
        (OURS + "2120-04-26,GBR,1,1\n", "'2120-04-26' lies in the future"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    content: str, reason: str, url: str, store: Store, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(content)
    assert run("--file", file, "--url", url) == 1
    assert reason in refused(capsys)
    assert stored(store) == []


def test_the_ecdcs_file_has_no_line_break_at_its_end(url: str, tmp_path: Path) -> None:
    file = tmp_path / "ecdc.csv"
    header = "dateRep,day,month,year,cases,deaths,countriesAndTerritories,geoId,continentExp\n"
    file.write_text(header + "24/04/2020,24,4,2020,4583,616,United_Kingdom,UK,Europe")
    assert run("--file", file, "--url", url) == 0


def test_a_wrong_key_is_one_line(
    url: str, store: Store, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(send_observations.KEY, "hunter2")
    assert run("--file", file, "--url", url) == 1
    line = refused(capsys)
    assert line.startswith(
        f"{url} refuses the observations, and has kept none of them: The header must have the key"
    )
    assert "hunter2" not in line
    assert stored(store) == []


def test_a_file_that_is_refused_while_it_is_sent_is_one_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has answered before it has read everything."""
    monkeypatch.setenv(send_observations.KEY, "hunter2")
    assert run("--file", observations.DATA / observations.DEFAULT, "--url", url) == 1
    assert "Authorization: Bearer KEY" in refused(capsys)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "name the observations with FILE=, a path or an address"),
        (("--file", "nosuch.csv"), "nosuch.csv is not there: check the path"),
        (("--file", "FILE", "--url", "http://127.0.0.1:1"), "does not answer (Connection refused): start it"),
        (
            ("--file", "FILE", "--url", "localhost:8080"),
            "URL=localhost:8080 is not an address such as http://",
        ),
        (("--file", "FILE", "--since", "soon"), "SINCE=soon is not a date such as 2020-04-24"),
        (("--file", "FILE", "--until", "2019-01-01"), "has nothing in these days"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    reason: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(send_observations.KEY, KEY)
    assert run(*(str(file) if argument == "FILE" else argument for argument in arguments)) == 1
    assert reason in refused(capsys)


def test_without_a_key_it_says_where_to_put_it(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(send_observations.KEY, raising=False)
    assert run("--file", file) == 1
    assert (
        refused(capsys)
        == "OBSERVATIONS_KEY is not set: it must be the key that the catalogue was started with"
    )


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_no_header_can_hold_is_one_line(
    key: str, url: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(send_observations.KEY, key)
    assert run("--file", file, "--url", url) == 1
    line = refused(capsys)
    assert line.startswith("OBSERVATIONS_KEY has a character that no HTTP header can hold: use ASCII letters")
    assert key not in line


def test_a_password_in_an_address_is_not_printed(
    url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = url.replace("http://", "http://ada:hunter2@")
    assert run("--file", file, "--url", secret) == 1
    assert refused(capsys) == (
        f"URL= must be {url} without a name and password: OBSERVATIONS_KEY is sent in their place"
    )
    assert run("--file", f"{secret}/nosuch.csv", "--url", url) == 1
    assert refused(capsys) == f"{url}/nosuch.csv answered 404 Not Found: check the address"


def test_a_home_folder_that_the_shell_left_is_found(
    url: str, store: Store, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make observe FILE=~/counts.csv`, in a shell that expands `~` only at the start of a word."""
    monkeypatch.setenv("HOME", str(file.parent))
    assert run("--file", f"~/{file.name}", "--url", url) == 0
    assert len(stored(store)) == 3
    file.write_text(OURS[:-4])
    assert run("--file", f"~/{file.name}", "--url", url) == 1
    assert "does not end in a line break" in refused(capsys)


def test_an_address_that_is_no_gateway_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert run("--file", file, "--url", f"{url}/nosuch") == 1
    assert "There is nothing at this path" in refused(capsys)


def test_a_store_that_fails_is_one_line(
    url: str, store: Store, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.check()
    (tmp_path / "store.sqlite").unlink()
    (tmp_path / "store.sqlite").mkdir()
    assert run("--file", file, "--url", url) == 1
    assert "The forecast store cannot be written" in refused(capsys)
