"""Readers, cleaning, the default data and the choice of data."""

import datetime
import functools
import http.server
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecastle import observations
from forecastle.dates import newest_day
from forecastle.observations import ObservationsError, in_use, read, readers, write
from forecastle.observations.in_use import main
from forecastle.places import CODES, NAMES

Saved = Callable[..., Path]

ECDC = (
    "\ufeffdateRep,day,month,year,cases,deaths,countriesAndTerritories,geoId,countryterritoryCode,popData2018,"
    "continentExp\r\n"
    "24/04/2020,24,4,2020,4583,638,United_Kingdom,UK,GBR,66488991,Europe\r\n"
    "22/04/2020,22,4,2020,4301,828,United_Kingdom,UK,GBR,66488991,Europe\r\n"
    "24/04/2020,24,4,2020,2,1,Namibia,NA,NAM,2448255,Africa\r\n"
    "24/04/2020,24,4,2020,55,4,Greece,EL,,10727668,Europe\r\n"
    "24/04/2020,24,4,2020,39,1,Kosovo,XK,XKX,1845300,Europe\r\n"
    "24/04/2020,24,4,2020,1,0,Taiwan,TW,CNG1925,23780452,Asia\r\n"
    '24/04/2020,24,4,2020,0,0,"Bonaire, Saint Eustatius and Saba",BQ,,,America\r\n'
    "10/03/2020,10,3,2020,-9,1,Cases_on_an_international_conveyance_Japan,JPG11668,N/A,3000,Other\r\n"
)
OWID = """country,date,total_cases,new_cases,new_deaths,code,continent,population
France,2020-03-01,130,30.0,0.0,FRA,Europe,66277412.0
France,2020-03-02,191,61.0,1.0,FRA,Europe,66277412.0
France,2020-03-03,,,,FRA,Europe,66277412.0
Kosovo,2020-03-01,5,5.0,0.0,OWID_KOS,Europe,
Western Sahara,2020-03-01,,,,ESH,Africa,565580.0
World,2020-03-01,87137,1753.0,54.0,OWID_WRL,,7975105024.0
High-income countries,2020-03-01,87,17.0,5.0,,,1250514688.0
"""
OWID_OLD = """iso_code,continent,location,date,new_cases,new_deaths,population
FRA,Europe,France,2020-03-01,30.0,0.0,67813000
OWID_EUR,,Europe,2020-03-01,40.0,0.0,744807803
"""
WHO = """\ufeffDate_reported,Country_code,Country,WHO_region,New_cases,Cumulative_cases,New_deaths,\
Cumulative_deaths
2020-01-04,NA,Namibia,AFR,,0,,0
2020-01-05,NA,Namibia,AFR,3,3,1,1
2020-01-04,XK,Kosovo (in accordance with UN Security Council resolution 1244 (1999)),EUR,2,2,,0
2020-01-04,,International conveyance (Diamond Princess),OTHER,10,10,,0
"""
JHU_CASES = """Province/State,Country/Region,Lat,Long,1/22/20,1/23/20,1/24/2020
,US,40,-100,1,1,4
Hubei,China,30.9,112.2,444,444,549
Beijing,China,40.1,116.4,14,22,36
,"Korea, South",35.9,127.7,1,1,2
,Taiwan*,23.7,121,1,1,3
,Diamond Princess,0,0,0,61,61
"""
JHU_DEATHS = """Province/State,Country/Region,Lat,Long,1/22/20,1/23/20
,US,40,-100,0,0
Hubei,China,30.9,112.2,17,17
Beijing,China,40.1,116.4,0,1
,"Korea, South",35.9,127.7,0,0
,Taiwan*,23.7,121,0,0
,Diamond Princess,0,0,0,0
"""
OURS = """date,country,name,cases,deaths
2020-03-01,GBR,Britain,100,1
2020-03-02,GBR,Britain,50,
2020-03-04,GBR,Britain,70,3
"""


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Save a text in a file of its own."""

    def save(text: str, name: str = "given.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of data in which other data than the default are in use."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "first-wave-2020.csv").write_text(OURS)
    (folder / "current.csv").write_text("what was in use\n")
    return folder


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


def table(frame: pd.DataFrame, column: str) -> dict[str, list[int | None]]:
    """By country, a column's values in the order of the days, None for missing."""
    return {
        str(country): [None if pd.isna(value) else int(value) for value in days[column]]
        for country, days in frame.groupby("country")
    }


# The formats.


def test_ecdc(saved: Saved) -> None:
    """ECDC: newest first, day before month, NA is Namibia, UK and EL, Kosovo and Taiwan, no ships."""
    frame = read(saved(ECDC))
    assert table(frame, "cases") == {
        "BES": [0],
        "GBR": [4301, None, 4583],
        "GRC": [55],
        "NAM": [2],
        "TWN": [1],
        "XKX": [39],
    }
    assert table(frame, "deaths")["GBR"] == [828, None, 638]
    assert table(frame, "population")["GBR"] == [66488991] * 3
    assert table(frame, "population")["BES"] == [None]
    assert frame["date"].min() == pd.Timestamp("2020-04-22")
    assert frame.attrs == {
        "format": "ECDC",
        "last_day": datetime.date(2020, 4, 24),
        "changes": [
            "code EL, read as GRC",
            "rows of no country, left out: 1 (Cases on an international conveyance Japan)",
            "days without a row, now missing: 1, most of them in United Kingdom (1)",
        ],
    }


def test_our_world_in_data(saved: Saved) -> None:
    """Our World in Data: counts such as 30.0, blanks are missing, aggregates are left out, Kosovo is not."""
    frame = read(saved(OWID))
    assert table(frame, "cases") == {"ESH": [None], "FRA": [30, 61, None], "XKX": [5]}
    assert table(frame, "population") == {"ESH": [565580], "FRA": [66277412] * 3, "XKX": [None]}
    assert frame.attrs["changes"] == [
        "code OWID_KOS, read as XKX",
        "rows of no country, left out: 2 (World, High-income countries)",
    ]


def test_our_world_in_data_as_it_was(saved: Saved) -> None:
    """Our World in Data's older files name the columns otherwise."""
    assert table(read(saved(OWID_OLD)), "cases") == {"FRA": [30]}


def test_who(saved: Saved) -> None:
    """WHO: alpha-2 codes become alpha-3, NA is Namibia, a blank is no report, conveyances are left out."""
    frame = read(saved(WHO))
    assert table(frame, "cases") == {"NAM": [None, 3], "XKX": [2]}
    assert table(frame, "deaths") == {"NAM": [None, 1], "XKX": [None]}
    assert "population" not in frame
    assert frame["name"].unique().tolist() == ["Namibia", "Kosovo"]


def test_jhu(saved: Saved, tmp_path: Path) -> None:
    """JHU: provinces add up, running totals become daily counts, names become codes."""
    cases, deaths = saved(JHU_CASES), tmp_path / "deaths.csv"
    deaths.write_text(JHU_DEATHS)
    frame = read(cases, deaths)
    assert table(frame, "cases") == {
        "CHN": [458, 8, 119],
        "KOR": [1, 0, 1],
        "TWN": [1, 0, 2],
        "USA": [1, 0, 3],
    }
    assert table(frame, "deaths")["CHN"] == [17, 1, None]
    assert frame.attrs["changes"] == ["rows of no country, left out: 1 (Diamond Princess)"]


def test_jhu_blank(saved: Saved, tmp_path: Path) -> None:
    """A blank running total of JHU's is a missing day, and what came until the next report counts there."""
    deaths = tmp_path / "deaths.csv"
    deaths.write_text(JHU_DEATHS)
    assert table(read(saved(JHU_CASES.replace(",1,1,4", ",1,,4")), deaths), "cases")["USA"] == [1, None, 3]


def test_jhu_needs_both_files(saved: Saved, tmp_path: Path) -> None:
    """JHU's cases alone, its files swapped, or a second file for another format are errors that say so."""
    cases, deaths = saved(JHU_CASES), tmp_path / "deaths.csv"
    deaths.write_text(JHU_DEATHS)
    with pytest.raises(ObservationsError, match="DEATHS="):
        read(cases)
    with pytest.raises(ObservationsError, match="swapped"):
        read(deaths, cases)
    ours = tmp_path / "ours.csv"
    ours.write_text(OURS)
    with pytest.raises(ObservationsError, match="leave out"):
        read(ours, deaths)
    with pytest.raises(ObservationsError, match=r"ours\.csv is in the format our own"):
        read(cases, ours)


def test_our_own(saved: Saved) -> None:
    """Our own columns: the names stay, a blank and a day without a row are missing."""
    frame = read(saved(OURS))
    assert list(frame) == ["date", "country", "name", "cases", "deaths"]
    assert frame["name"].tolist() == ["Britain"] * 4
    assert table(frame, "cases") == {"GBR": [100, 50, None, 70]}
    assert table(frame, "deaths") == {"GBR": [1, None, None, 3]}
    assert [str(frame[column].dtype) for column in ("date", "cases", "deaths")] == [
        "datetime64[us]",
        "Int64",
        "Int64",
    ]


def test_our_own_without_names(saved: Saved) -> None:
    """Without a column of names the countries have their usual ones."""
    frame = read(saved("date,country,cases,deaths\n2020-03-01,CIV,1,0\n"))
    assert frame["name"].tolist() == ["Côte d'Ivoire"]


@pytest.mark.parametrize("text", [ECDC, OWID, WHO, OURS], ids=["ecdc", "owid", "who", "ours"])
def test_round_trip(saved: Saved, tmp_path: Path, text: str) -> None:
    """Reading what was written gives the same frame, and there is nothing left to change."""
    frame = read(saved(text))
    write(frame, tmp_path / "written.csv")
    again = read(tmp_path / "written.csv")
    assert again.attrs["changes"] == []
    again.attrs = frame.attrs
    pd.testing.assert_frame_equal(frame, again)
    assert not (tmp_path / "written.csv.part").exists()


def test_countries() -> None:
    """The table of countries is ISO 3166 as pycountry has it, and Kosovo."""
    iso = {country.alpha_2: country.alpha_3 for country in pycountry.countries} | {"XK": "XKX"}
    assert set(NAMES) == set(iso.values())
    assert {alpha2: alpha3 for alpha2, alpha3 in CODES.items() if len(alpha2) == 2} == iso
    assert len(set(NAMES.values())) == len(NAMES)


# Cleaning.


def days(cases: list[int | None]) -> str:
    """Consecutive days of one country in our own columns."""
    first = datetime.date(2020, 3, 1)
    rows = [f"{first + datetime.timedelta(i)},ESP,{'' if n is None else n},0" for i, n in enumerate(cases)]
    return "\n".join(["date,country,cases,deaths", *rows, ""])


def test_revision(saved: Saved) -> None:
    """A negative day becomes missing and the days before it are scaled down to the new running total."""
    frame = read(saved(days([10, 20, None, 70, -50, 5])))
    assert table(frame, "cases") == {"ESP": [5, 10, None, 35, None, 5]}
    assert frame.attrs["changes"] == [
        "negative counts, taken as revisions of the days before: 1",
        "Spain (ESP) on 2020-03-05: -50 cases, the days before are scaled by 0.5000",
    ]


def test_revision_below_zero(saved: Saved) -> None:
    """A revision that takes away more than there was leaves nothing, and never a total below zero."""
    assert table(read(saved(days([-3, 4, -9, 6]))), "cases") == {"ESP": [None, 0, None, 6]}


def test_largest_revision_first(saved: Saved) -> None:
    """The changes list the largest revision first."""
    changes = read(saved(days([100, -1, 5, -20, 5, -3]))).attrs["changes"]
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


def test_since_and_until(saved: Saved) -> None:
    """`until` hides later revisions; `since` cuts only after the revisions have reached the earlier days."""
    path = saved(days([10, 20, 70, -50, 5]))
    assert table(read(path, until=datetime.date(2020, 3, 3)), "cases") == {"ESP": [10, 20, 70]}
    assert table(read(path, since=datetime.date(2020, 3, 2)), "cases") == {"ESP": [10, 35, None, 5]}
    with pytest.raises(ObservationsError, match="it goes from 2020-03-01 to 2020-03-05"):
        read(path, since=datetime.date(2021, 1, 1))


def test_a_day_that_has_begun_anywhere_is_not_in_the_future(saved: Saved) -> None:
    latest = newest_day()
    path = saved(OURS.replace("2020-03-04", str(latest)))
    assert read(path).attrs["last_day"] == latest


# Bad input.

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
BAD_JHU: dict[str, tuple[str, str]] = {
    "text": (
        JHU_CASES.replace("444,444", "444,many"),
        "line 3, column 1/23/20: 'many' is not a whole number",
    ),
    "duplicate": (
        JHU_CASES + "Hubei,China,0,0,1,1,1\n",
        "line 8, column Country/Region: 'China Hubei' is there a second time",
    ),
    "no days": ("Province/State,Country/Region,Lat,Long\n,US,0,0\n", "no column of a day such as 1/22/20"),
    "odd day": (JHU_CASES.replace("1/23/20", "1/32/20"), "line 1: '1/32/20' is not a date such as 04/24/20"),
    "ships alone": (
        "Province/State,Country/Region,Lat,Long,1/22/20\n,MS Zaandam,0,0,1\n",
        "there is no row of a country",
    ),
}


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must fail with one line on stderr and change nothing; that line."""
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert main(arguments, folder) == 1
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_file(
    saved: Saved, folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """A bad file is one line that names it, the place and what is wrong; the data in use stay."""
    path = saved(text)
    line = refused(["--file", str(path)], folder, capsys)
    assert line.startswith(str(path))
    assert message in line


@pytest.mark.parametrize(("text", "message"), BAD_JHU.values(), ids=BAD_JHU)
def test_bad_jhu_file(
    saved: Saved, folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """The same for JHU's, whichever of the two it is."""
    path, good = saved(text), saved(JHU_CASES, "good.csv")
    for cases, deaths in ((path, good), (good, path)):
        line = refused(["--file", str(cases), "--deaths", str(deaths)], folder, capsys)
        assert line.startswith(f"{path}: ")
        assert message in line


def test_not_utf8(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in another encoding is told from UTF-8."""
    (tmp_path / "latin.csv").write_bytes(OURS.replace("Britain", "Côte").encode("latin-1"))
    assert "not text in UTF-8" in refused(["--file", str(tmp_path / "latin.csv")], folder, capsys)


def test_no_such_file(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, or that is a folder, is one line."""
    assert "nosuch.csv is not there" in refused(["--file", str(tmp_path / "nosuch.csv")], folder, capsys)
    assert "cannot be read" in refused(["--file", str(tmp_path)], folder, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "2020-13-01"], "SINCE=2020-13-01 is not a date"),
        (["--until", "yesterday"], "UNTIL=yesterday is not a date"),
        (["--since", "2021-01-01"], "has nothing in these days: it goes from 2020-03-01 to 2020-03-04"),
        (["--since", "2020-03-04", "--until", "2020-03-03"], "has nothing in these days"),
        (["--deaths", "deaths.csv"], "deaths.csv is the second of two files"),
    ],
)
def test_bad_arguments(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Dates that are none or leave nothing, and a second file without a first, are one line each."""
    assert message in refused(arguments, folder, capsys)


# Addresses.


def test_url(saved: Saved, server: str) -> None:
    """A file is read from an address as from a path."""
    pd.testing.assert_frame_equal(read(saved(ECDC)), read(f"{server}/given.csv"))


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


# The choice of data.


def test_use(saved: Saved, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--file` writes the cleaned data and reports on them; using what it wrote changes nothing more."""
    path = saved(ECDC)
    assert main(["--file", str(path)], folder) == 0
    report = capsys.readouterr().out
    assert f"{path}: ECDC\n  rows 8, countries 6, days 2020-04-22 to 2020-04-24\n  cases 8,981" in report
    assert "Cases on an international conveyance Japan" in report
    assert "current.csv is written: `make run` and `make build` now use it" in report
    current = folder / "current.csv"
    written = current.read_bytes()
    assert written.startswith(b'date,country,name,cases,deaths,population\n2020-04-24,BES,"Bonaire, ')
    pd.testing.assert_frame_equal(read(current), read(path))
    assert main(["--file", str(current)], folder) == 0
    assert current.read_bytes() == written
    assert sorted(path.name for path in folder.iterdir()) == ["current.csv", "first-wave-2020.csv"]


def test_use_jhu(saved: Saved, folder: Path) -> None:
    """`--deaths` gives JHU's second file."""
    cases, deaths = saved(JHU_CASES), saved(JHU_DEATHS, "deaths.csv")
    assert main(["--file", str(cases), "--deaths", str(deaths)], folder) == 0
    assert table(read(folder / "current.csv"), "deaths")["CHN"] == [17, 1, None]


def test_many_changes_are_cut_short(saved: Saved, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report shows the largest of many revisions and counts the others."""
    assert main(["--file", str(saved(days([1000, *[9, -1] * 20])))], folder) == 0
    report = capsys.readouterr().out
    assert report.count("are scaled by") == in_use.SHOWN - 1
    assert "  ... and 9 more like these\n" in report


def test_cut(folder: Path) -> None:
    """`--since` and `--until` alone cut the default data; empty arguments are none."""
    assert (
        main(["--file", "", "--since", "2020-03-02", "--until", "2020-03-03"], folder) == 1
    )  # 50 cases are too few
    assert main(["--file", "", "--since", "2020-03-01", "--until", "2020-03-02"], folder) == 0
    assert table(read(folder / "current.csv"), "cases") == {"GBR": [100, 50]}


def test_back_to_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments the default is in use again, and newer, so that Make sees a change."""
    os.utime(folder / "first-wave-2020.csv", (0, 0))
    assert main([], folder) == 0
    assert not (folder / "current.csv").exists()
    assert (folder / "first-wave-2020.csv").read_text() == OURS
    assert (folder / "first-wave-2020.csv").stat().st_mtime > 0
    assert "first-wave-2020.csv is in use again" in capsys.readouterr().out
    assert main([], folder) == 0


def test_default_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the default there is no way back to it, and nothing is removed."""
    (folder / "first-wave-2020.csv").unlink()
    assert "first-wave-2020.csv is missing" in refused([], folder, capsys)


def test_unwritable(saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be written to is one line."""
    assert main(["--file", str(saved(ECDC))], tmp_path / "nosuch") == 1
    assert "current.csv cannot be written: " in capsys.readouterr().err


def test_default_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`FORECASTLE_DATA` wins over the chosen data, and these over the default."""
    monkeypatch.delenv("FORECASTLE_DATA", raising=False)
    monkeypatch.setattr(in_use, "DATA", folder)
    assert observations.default_path() == folder / "current.csv"
    (folder / "current.csv").unlink()
    assert observations.default_path() == folder / "first-wave-2020.csv"
    monkeypatch.setenv("FORECASTLE_DATA", "elsewhere.csv")
    assert observations.default_path() == Path("elsewhere.csv")


# Real data.

FIRST_WAVE = observations.DATA / observations.DEFAULT


def test_first_wave_as_reported() -> None:
    """The default data are as reported: sorted, under 1 MB, with the source's negative increments."""
    assert FIRST_WAVE.stat().st_size < 1_000_000
    assert b"\r" not in FIRST_WAVE.read_bytes()
    raw = pd.read_csv(FIRST_WAVE)
    assert list(raw) == ["date", "country", "name", "cases", "deaths"]
    assert raw.equals(raw.sort_values(["country", "date"], ignore_index=True))
    assert (len(raw), raw["country"].nunique()) == (20024, 214)
    assert (raw["date"].min(), raw["date"].max()) == ("2020-01-19", "2020-06-08")
    assert ((raw["cases"] < 0).sum(), (raw["deaths"] < 0).sum()) == (36, 36)
    spain = raw[raw["country"] == "ESP"].set_index("date")
    assert (spain["cases"]["2020-04-26"], spain["deaths"]["2020-05-25"]) == (-16125, -1918)
    iso = {country.alpha_3 for country in pycountry.countries}
    assert set(raw["country"]) <= iso | {"XKX"}
    assert {"GIB", "GNB"} <= set(raw["country"])
    assert dict(zip(raw["country"], raw["name"], strict=True)).items() <= NAMES.items()


def test_first_wave_cleaned() -> None:
    """Cleaned, every country keeps its totals, no count is negative, and the one gap is a missing day."""
    raw, frame = pd.read_csv(FIRST_WAVE), read(FIRST_WAVE)
    for column in ("cases", "deaths"):
        totals = frame.groupby("country")[column].sum()
        assert totals.eq(raw.groupby("country")[column].sum()).all()
        assert (frame[column].dropna() >= 0).all()
        assert frame[column].isna().sum() == 37
    assert len(frame) == len(raw) + 1
    gap = frame[(frame["country"] == "BLM") & (frame["date"] == pd.Timestamp("2020-03-17"))]
    assert gap[["cases", "deaths"]].isna().all(axis=None)
    assert "negative counts, taken as revisions of the days before: 72" in frame.attrs["changes"]


@pytest.mark.skipif("ECDC_FILE" not in os.environ, reason="ECDC_FILE does not name the ECDC's file")
def test_ecdc_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ECDC's real file of 24 April 2020 is read whole but for a ship, and can be used."""
    path = Path(os.environ["ECDC_FILE"])
    raw = pd.read_csv(path, keep_default_na=False)
    raw = raw[raw["geoId"] != "JPG11668"]
    frame = read(path)
    assert frame["country"].nunique() == 205
    assert frame["cases"].count() == len(raw) == 12737
    assert (frame["cases"].sum(), frame["deaths"].sum()) == (raw["cases"].sum(), raw["deaths"].sum())
    assert {"NAM", "GBR", "GRC", "XKX", "AIA", "BES", "FLK"} <= set(frame["country"])
    assert frame.groupby("country")["population"].first().isna().sum() == 4
    assert main(["--file", str(path)], folder) == 0
    assert "left out: 64 (Cases on an international conveyance Japan)" in capsys.readouterr().out


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
    rows = observations.running_totals(frame, "cases", start=100, days=3, first=6)
    assert rows["date"].dt.day.tolist() == [2, 3, 4, 5, 6]  # up to the last report of the first six days
    assert rows["count"].tolist() == [120, 130, pd.NA, 140, 160]
    assert rows["total"].tolist() == [120, 130, 130, 140, 160]
    assert rows["population"].tolist() == [1_000_000] * 5
    assert rows.attrs["excluded"] == {}
    assert len(observations.running_totals(frame, "cases", start=100, days=3)) == 8


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
    rows = observations.running_totals(frame, "cases", start=100, days=3, first=6)
    assert rows["country"].unique().tolist() == ["DEU", "FRA"]
    reasons = {code: entry["reason"] for code, entry in rows.attrs["excluded"].items()}
    assert reasons == {
        "AND": "no new cases from 2020-03-01 to 2020-03-06",
        "BEL": "fewer than 3 reported days of cases to fit: 2",
        "CHE": "cases jump from 140 to 15,140 on 2020-03-04",
        "ESP": "fewer than 100 cases: 99",
    }
    with pytest.raises(
        observations.ObservationsError, match=r"^no country's cases can be fitted: no new .*$"
    ):
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
    rows = observations.since_total(frame, "cases", start=100, total=100, days=3)
    last = rows.groupby("country").tail(1).set_index("country")
    days = {"AUT": 14, "BEL": 15, "CHE": 14, "DEU": 15, "ESP": 15, "FRA": 14, "ITA": 5}
    assert last["date"].dt.day.to_dict() == days
    assert last["total"]["AUT"] == 2720  # without that day
    assert rows.attrs["changes"] == [
        "last days that look as if cases were reported in part, left out: AUT (AUT) on 2020-03-15: 90, where "
        "299 a day were usual; CHE (CHE) on 2020-03-15: 5, where 89 a day were usual"
    ]
