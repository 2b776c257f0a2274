"""rows.py: what is read, and what is refused with the place and the reason."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecastle import observations
from forecastle.catalogue import upload
from forecastle.catalogue.upload import Row, RowsError

HEADER = "date,country,name,cases,deaths\n"
LINE = "2020-04-25,GBR,United Kingdom,4913,813\n"


def csv(*lines: str, header: str = HEADER) -> bytes:
    return (header + "".join(lines)).encode()


def told(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(RowsError) as raised:
        upload.from_csv(content)
    return raised.value.errors


def test_a_row_says_what_is_reported_of_a_country_and_a_day() -> None:
    read = upload.from_csv(csv(LINE, "2020-04-26,XKX,,,12.0\n"))
    assert read == [
        Row(datetime.date(2020, 4, 25), "GBR", {"cases": 4913, "deaths": 813}),
        Row(datetime.date(2020, 4, 26), "XKX", {"cases": None, "deaths": 12}),
    ]


def test_columns_that_are_not_there_say_nothing() -> None:
    (row,) = upload.from_csv(b"\xef\xbb\xbfcountry,deaths,date\r\nGBR,813,2020-04-25\r\n")
    assert row.counts == {"deaths": 813}


def test_json_says_the_same() -> None:
    entries = [{"date": "2020-04-25", "country": "GBR", "cases": None, "deaths": 813, "name": "UK"}]
    (row,) = upload.from_json(json.dumps({"observations": entries}).encode())
    assert row == Row(datetime.date(2020, 4, 25), "GBR", {"cases": None, "deaths": 813})


def test_the_data_of_training_are_read_as_training_reads_them(tmp_path) -> None:
    frame = observations.read(observations.DATA / observations.DEFAULT)
    observations.write(frame, tmp_path / "clean.csv")
    read = upload.from_csv((tmp_path / "clean.csv").read_bytes())
    assert len(read) == len(frame)
    assert sum(row.counts["deaths"] or 0 for row in read) == frame["deaths"].sum()


@pytest.mark.parametrize(
    ("line", "place", "detail"),
    [
        ("2020-04-25,XXX,,1,2\n", "line 3, country", "'XXX' is no country's ISO 3166 alpha-3 code"),
        ("2020-04-25,gbr,,1,2\n", "line 3, country", "'gbr' is no country's ISO 3166 alpha-3 code"),
        ("2120-04-25,FRA,,1,2\n", "line 3, date", "2120-04-25 lies in the future"),
        ("2020-02-30,FRA,,1,2\n", "line 3, date", "'2020-02-30' is not a date such as 2020-04-24"),
        ("20200425,FRA,,1,2\n", "line 3, date", "'20200425' is not a date such as 2020-04-24"),
        ("2020-04-25,FRA,,-1,2\n", "line 3, cases", "'-1' is not a whole number of at least 0"),
        ("2020-04-25,FRA,,1,many\n", "line 3, deaths", "'many' is not a whole number of at least 0"),
        ("2020-04-25,FRA,,1,2.5\n", "line 3, deaths", "'2.5' is not a whole number of at least 0"),
        ("2020-04-25,FRA,,1,٣\n", "line 3, deaths", "'٣' is not a whole number of at least 0"),
        ("2020-04-25,FRA,,1\n", "line 3", "it has 4 values for 5 columns: is the file half written?"),
        ("2020-04-25,FRA,,1,2", "line 3", "the last line does not end in a line break"),
        ("2020-04-25,GBR,,1,2\n", "line 3", "GBR on 2020-04-25 is there already, in line 2"),
        ('2020-04-25,"FRA,,1,2\n', "line 3", "this is not CSV: unexpected end of data"),
    ],
)
def test_what_is_wrong_has_its_place(line: str, place: str, detail: str) -> None:
    ((found, reason),) = told(csv(LINE, line))
    assert found == place
    assert reason.startswith(detail)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "there are no rows"),
        (csv(), "there are no rows"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (
            csv(LINE, header="date,country,name,cases,death\n"),
            "the columns are date,country,name,cases,death, ",
        ),
        (csv(LINE, header="date,country,name,x,y\n"), "the columns are"),
        (csv("2020-04-25,GBR\n", header="date,country\n"), "the columns are date,country, "),
        (csv(LINE, header="date,country,cases,cases,deaths\n"), "the columns are"),
        (b"<!doctype html>\n<html></html>\n", "the columns are <!doctype html>"),
    ],
)
def test_what_is_no_such_file_is_told(content: bytes, detail: str) -> None:
    ((_, reason),) = told(content)
    assert reason.startswith(detail)


def test_today_is_no_future_day_wherever_it_is_today() -> None:
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=14))).date()
    assert upload.from_csv(csv(f"{today},GBR,,1,2\n"))
    tomorrow = today + datetime.timedelta(1)
    assert told(csv(f"{tomorrow},GBR,,1,2\n")) == [("line 2, date", f"{tomorrow} lies in the future")]


def test_much_that_is_wrong_is_told_in_part() -> None:
    lines = [f"2020-04-{day:02},FRA,,-1,-2\n" for day in range(1, 26)]
    with pytest.raises(RowsError) as raised:
        upload.from_csv(csv(*lines))
    assert (len(raised.value.errors), raised.value.more) == (10, 40)
    assert str(raised.value).endswith("; and 40 more")


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (b"{", "this is not JSON"),
        (b"[" * 100_000, "this is not JSON"),
        (b"[]", "this is not of the form"),
        (b'{"observations": [], "more": 1}', "this is not of the form"),
        (b'{"observations": []}', "there are no rows"),
        (b'{"observations": [1]}', "observations.0: it must have date, country"),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "death": 1}]}',
            "observations.0: it must",
        ),
        (
            b'{"observations": [{"date": 1, "country": ["GBR"], "deaths": 1}]}',
            "observations.0, date: 1 is not",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": true}]}',
            "observations.0, deaths",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": 1e3}]}',
            "observations.0, deaths",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": NaN}]}',
            "observations.0, deaths",
        ),
    ],
)
def test_json_that_is_no_rows_is_told(document: bytes, detail: str) -> None:
    with pytest.raises(RowsError) as raised:
        upload.from_json(document)
    assert str(raised.value).startswith(detail)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for read in (upload.from_csv, upload.from_json):
        try:
            assert read(content)
        except RowsError as error:
            assert str(error)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_values_are_read_or_refused(date: str, country: str, count: str) -> None:
    entry = {"date": date, "country": country, "deaths": count}
    try:
        assert upload.from_json(json.dumps({"observations": [entry]}).encode())
    except RowsError as error:
        assert str(error)
