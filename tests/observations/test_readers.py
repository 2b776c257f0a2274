"""readers.py: files and addresses are read, or refused in one line that says where and why."""

import datetime
import functools
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from forecastle.dates import newest_day
from forecastle.observations import ObservationsError, parse, read, readers

from .conftest import ECDC, JHU_CASES, OURS, WHO, Saved, days, refused, table


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files over HTTP without a word on stderr."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an HTTP server over the test's folder."""
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_since_and_until(saved: Saved) -> None:
    """`until` hides later revisions; `since` cuts only after the revisions have reached the earlier days."""
    path = saved(days([10, 20, 70, -50, 5]))
    assert table(read(path, until=datetime.date(2020, 3, 3)), "cases") == {"ESP": [10, 20, 70]}
    assert table(read(path, since=datetime.date(2020, 3, 2)), "cases") == {"ESP": [10, 35, None, 5]}
    with pytest.raises(ObservationsError, match="it goes from 2020-03-01 to 2020-03-05"):
        read(path, since=datetime.date(2021, 1, 1))


def test_a_row_that_is_there_twice_counts_once(saved: Saved) -> None:
    """With the same counts, as in the ECDC's file of 20 June 2020; with others it is refused."""
    row = OURS.splitlines()[-1]
    once, twice = read(saved(OURS)), read(saved(OURS + row + "\n"))
    pd.testing.assert_frame_equal(once.frame, twice.frame)
    assert "rows that are there twice with the same counts, taken once: GBR on 2020-03-04" in twice.changes


def test_a_day_that_has_begun_anywhere_is_not_in_the_future(saved: Saved) -> None:
    latest = newest_day()
    path = saved(OURS.replace("2020-03-04", str(latest)))
    assert read(path).last_day == latest


def weekly(rows_between: bool) -> str:
    """Two countries' weekly counts, whether between rows of zeros or without any."""
    first = datetime.date(2020, 3, 1)
    rows = [
        f"{first + datetime.timedelta(day)},{code},{0 if day % 7 else 700},{0 if day % 7 else 7}"
        for code in ("FRA", "GBR")
        for day in range(0, 50, 1 if rows_between else 7)
    ]
    return "\n".join(["date,country,cases,deaths", *rows, ""])


TOMORROW = newest_day() + datetime.timedelta(1)
BAD: dict[str, tuple[str, str]] = {
    "empty": ("", "the file is empty"),
    "blank": ("\n \n", "the file is empty"),
    "header alone": ("date,country,cases,deaths\n", "no rows under the header"),
    "web page": ("<!DOCTYPE html>\n<html></html>", "a web page, not a CSV file"),
    "missing column": (
        ECDC.replace("deaths", "dead"),
        "columns: deaths; the nearest format is ECDC (known are our own: date",
    ),
    "other columns": ("a,b\n1,2\n", "missing among the columns: date, country, cases, deaths"),
    "text": (OURS.replace("50", "fifty"), "line 3, column cases: 'fifty' is not a whole number"),
    "text of WHO's": (
        WHO.replace("3,3,1", "3,3,one"),
        "line 3, column New_deaths: 'one' is not a whole number",
    ),
    "fraction": (OURS.replace("50", "50.5"), "line 3, column cases: '50.5' is not a whole number"),
    "text after a blank line": (OURS.replace("\n", "\n\n").replace("50", "x"), "line 5, column cases: 'x'"),
    "duplicate": (
        OURS + "2020-03-02,GBR,,1,1\n",
        "line 5, column date: '2020-03-02' is there a second time for GBR",
    ),
    "no date": (
        OURS.replace("2020-03-02", "soon"),
        "line 3, column date: 'soon' is not a date such as 2020-04-24",
    ),
    "impossible date": (ECDC.replace("22/04", "31/04"), "'31/04/2020' is not a date such as 24/04/2020"),
    "year of two digits": (
        OURS.replace("2020-03-02", "0020-03-02"),
        "line 3, column date: '0020-03-02' is not a date such as 2020-04-24",
    ),
    "a century": (
        OURS.replace("2020-03-01", "1919-03-01"),
        "line 2, column date: '1919-03-01' lies more than 100 years before 2020-03-04",
    ),
    "one or a thousand": (
        OURS.replace("50", "1.000"),
        "line 3, column cases: '1.000' may be one or a thousand: write whole numbers as digits alone",
    ),
    "column twice": (OURS.replace("name", " cases "), "the column cases is there twice"),
    "text under sep=": ("sep=,\n" + OURS.replace("50", "x"), "line 4, column cases: 'x'"),
    "row too long under sep=": ("sep=,\n" + OURS + "2020-03-05,GBR,,1,2,3\n", "Expected 5 fields in line 6"),
    "weekly rows": (weekly(rows_between=False), "holds weekly counts"),
    "weekly counts among zeros": (weekly(rows_between=True), "holds weekly counts"),
    "no counts": ("date,country,cases,deaths\n2020-03-01,GBR,,\n", "no date has a value (2020-03-01 to 2020"),
    "future": (
        OURS.replace("2020-03-04", str(TOMORROW)),
        f"line 4, column date: '{TOMORROW}' lies in the future",
    ),
    "unknown country": (OURS.replace("GBR", "UKK"), "line 2, column country: 'UKK' is no country's ISO 3166"),
    "ships alone": (ECDC[: ECDC.index("24/")] + ECDC[ECDC.index("10/03") :], "there is no row of a country"),
    "row too long": (
        OURS + "2020-03-05,GBR,Britain,1,234,5\n",
        "do not fit the header: Expected 5 fields in line 5",
    ),
    "every row too long": (OURS.replace(",GBR", ",,GBR"), "the rows do not fit the header"),
    "open quotes": (OURS + '2020-03-05,"GBR', "the rows do not fit the header: EOF inside string"),
    "under the threshold": (
        "date,country,cases,deaths\n2020-03-01,GBR,99,49\n2020-03-01,FRA,99,49\n",
        "no country over the threshold of 50 deaths or 100 cases in total",
    ),
    "JHU alone": (JHU_CASES, "holds JHU's cases alone"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_file(
    saved: Saved, folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """A bad file is one line that names it, the place and what is wrong; the data in use stay."""
    path = saved(text)
    line = refused(["--file", str(path)], folder, capsys)
    assert line.startswith(str(path))
    assert message in line


def test_not_utf8(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in another encoding is recognised."""
    (tmp_path / "latin.csv").write_bytes(OURS.replace("Britain", "Côte").encode("latin-1"))
    assert "not text in UTF-8" in refused(["--file", str(tmp_path / "latin.csv")], folder, capsys)


def test_no_such_file(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, or that is a folder, is one line."""
    assert "nosuch.csv is not there" in refused(["--file", str(tmp_path / "nosuch.csv")], folder, capsys)
    assert "cannot be read" in refused(["--file", str(tmp_path)], folder, capsys)


def test_url(saved: Saved, server: str) -> None:
    """A file is read from an address as from a path."""
    pd.testing.assert_frame_equal(read(saved(ECDC)).frame, read(f"{server}/given.csv").frame)


def test_url_that_fails(server: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is not found, is a page, or has nobody behind it is one line that names it."""
    assert "/nosuch.csv answered 404" in refused(["--file", f"{server}/nosuch.csv"], folder, capsys)
    assert f"{server}/: this is a web page" in refused(["--file", f"{server}/"], folder, capsys)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/x.csv"
    assert f"{address} does not answer" in refused(["--file", address], folder, capsys)
    assert "cannot be read" in refused(["--file", "http://localhost:port/x.csv"], folder, capsys)


def test_url_that_is_silent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and says nothing is given up."""
    monkeypatch.setattr(readers, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x.csv"
        assert f"{address} does not answer" in refused(["--file", address], folder, capsys)


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '"sep={}"\r\n'])
def test_separators_of_spreadsheets(saved: Saved, separator: str, first: str) -> None:
    """Semicolons and tabs are read as commas, with or without a first line that names them."""
    text = first.format(separator) + OURS.replace("\n", "\r\n").replace(",", separator)
    pd.testing.assert_frame_equal(read(saved(text)).frame, read(saved(OURS, "ours.csv")).frame)


def test_spaces_around_names_and_cells(saved: Saved) -> None:
    """A header such as `date , country` names the same columns."""
    spaced = read(saved(OURS.replace(",", " , ")))
    pd.testing.assert_frame_equal(spaced.frame, read(saved(OURS, "ours.csv")).frame)


def test_daily_counts_with_some_weekly_ones_are_read(saved: Saved) -> None:
    """One country of three that reports once a week makes no weekly file, and neither do rare deaths."""
    read(saved(weekly(rows_between=True) + days([5] * 50).partition("\n")[2]))


def test_the_last_day_is_that_of_the_last_report(saved: Saved) -> None:
    """Blank days at the end are days without a report, not news."""
    known = read(saved(days([*[5] * 70, *[None] * 40]).replace(",0\n", ",\n")))
    assert known.last_day == datetime.date(2020, 5, 9)
    assert len(known.frame) == 110


def test_parsed_once_it_is_cleaned_as_known_on_several_days(saved: Saved) -> None:
    """A revision reaches the days before it only if it was known."""
    path = saved(days([10, 20, 70, -50, 5]))
    reported = parse(path)
    for until in (datetime.date(2020, 3, 3), datetime.date(2020, 3, 4), None):
        once, again = reported.cleaned(until=until), read(path, until=until)
        pd.testing.assert_frame_equal(once.frame, again.frame)
        assert once.changes == again.changes


# Series of anything


SALES = """date,store,name,sold,revenue,price
2020-03-07,s1,High Street,3,-1.5,2
2020-03-21,s1,High Street,5,2.25,2
2020-03-07,north,,,4.0,3
2020-03-28,s1,High Street,,,4
"""


def test_a_plain_file_has_any_noun_and_any_numbers(saved: Saved) -> None:
    known = read(saved(SALES.replace("north", "north south")))
    assert (known.noun, known.format) == ("store", "plain")
    assert list(known.frame.columns) == ["date", "store", "name", "sold", "revenue", "price"]
    high_street = known.frame[known.frame["store"] == "s1"]
    assert high_street["date"].dt.strftime("%m-%d").tolist() == ["03-07", "03-14", "03-21", "03-28"]
    assert high_street["revenue"].isna().tolist() == [False, True, False, True]
    assert high_street["revenue"].iloc[0] == -1.5  # a real number is no revision
    assert known.frame["sold"].dtype == "Int64"
    names = dict(zip(known.frame["store"], known.frame["name"], strict=True))
    assert names == {"north south": "north south", "s1": "High Street"}
    assert known.changes == ["dates without a row, now missing: 1, most of them in s1 (1)"]


@pytest.mark.parametrize("numbers", [["1.250", "12.500"], ["0.250", "12"], ["1.250", "12.5", "3"], ["1.000"]])
def test_decimals_are_known_by_their_digits(saved: Saved, numbers: list[str]) -> None:
    rows = "".join(f"2020-03-0{day},s1,{number}\n" for day, number in enumerate(numbers, 1))
    known = read(saved(f"date,store,sold\n{rows}"))
    assert known.frame["sold"].tolist() == [float(number) for number in numbers]


def test_what_is_known_ahead_is_read_beyond_the_last_day(saved: Saved) -> None:
    reported = parse(saved(SALES))
    until = datetime.date(2020, 3, 7)
    assert reported.cleaned(until=until).frame["date"].max() == pd.Timestamp(until)
    ahead = reported.cleaned(until=until, ahead=["price"]).frame
    later = ahead[(ahead["store"] == "s1") & (ahead["date"] > pd.Timestamp(until))]
    assert later[["sold", "revenue"]].isna().all(axis=None)
    assert later["price"].iloc[-1] == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("north", "north/south", "line 4, column store: 'north/south' is no identifier"),
        ("north", "n" * 65, "is no identifier: it must have 1 to 64 characters, and no slash"),
        ("2.25", "many", "line 3, column revenue: 'many' is not a number (leave it blank for no report)"),
        ("Street,,,4", "Street,,,1.400", "line 5, column price: '1.400' may be a thousand or a decimal"),
        ("price", "revenue", "the column revenue is there twice"),
        ("2020-03-21", "2020-03-07", "line 3, column date: '2020-03-07' is there a second time for s1"),
        ("2020-03-21", "21.3.2020", "line 3, column date: '21.3.2020' is not a date such as 2020-04-24"),
        (SALES, "date,store\n2020-03-07,s1\n", "a column is missing: expected are date, one that says"),
        (SALES, "date,country,tests\n2020-03-07,UKK,1\n", "'UKK' is no country's ISO 3166 alpha-3 code"),
    ],
)
def test_a_bad_plain_file_is_one_line(saved: Saved, old: str, new: str, message: str) -> None:
    with pytest.raises(ObservationsError) as refused_file:
        read(saved(SALES.replace(old, new)))
    assert message in str(refused_file.value)
    assert "\n" not in str(refused_file.value)
