"""upload.py: what is read, and what is refused, with the place and the reason."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecastle import observations
from forecastle.catalogue import upload
from forecastle.catalogue.upload import Row, RowsError

HEADER = "date,country,name,cases,deaths\n"
WHOLE = "must be a whole number of at least 0, or blank or null if nothing was reported"
LINE = "2020-04-25,GBR,United Kingdom,4913,813\n"


def csv(*lines: str, header: str = HEADER) -> bytes:
    return (header + "".join(lines)).encode()


def errors(content: bytes) -> list[tuple[str, str]]:
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
    frame = observations.read(observations.DATA / observations.DEFAULT).frame
    observations.write(frame, tmp_path / "clean.csv")
    read = upload.from_csv((tmp_path / "clean.csv").read_bytes())
    assert len(read) == len(frame)
    assert sum(row.counts["deaths"] or 0 for row in read) == frame["deaths"].sum()


@pytest.mark.parametrize(
    ("line", "place", "detail"),
    [
        ("2020-04-25,XXX,,1,2\n", "line 3, country", "must be a country's ISO 3166 alpha-3 code, not 'XXX'"),
        ("2020-04-25,gbr,,1,2\n", "line 3, country", "must be a country's ISO 3166 alpha-3 code, not 'gbr'"),
        ("2120-04-25,FRA,,1,2\n", "line 3, date", "2120-04-25 lies in the future"),
        ("2020-02-30,FRA,,1,2\n", "line 3, date", "must be a date such as 2020-04-24, not '2020-02-30'"),
        ("20200425,FRA,,1,2\n", "line 3, date", "must be a date such as 2020-04-24, not '20200425'"),
        ("2020-04-25,FRA,,-1,2\n", "line 3, cases", f"{WHOLE}, not '-1'"),
        ("2020-04-25,FRA,,1,many\n", "line 3, deaths", f"{WHOLE}, not 'many'"),
        ("2020-04-25,FRA,,1,2.5\n", "line 3, deaths", f"{WHOLE}, not '2.5'"),
        ("2020-04-25,FRA,,1,٣\n", "line 3, deaths", f"{WHOLE}, not '٣'"),
        ("2020-04-25,FRA,,1\n", "line 3", "it has 4 values for 5 columns: is the file half written?"),
        ("2020-04-25,FRA,,1,2", "line 3", "the last line does not end in a line break"),
        ("2020-04-25,GBR,,1,2\n", "line 3", "GBR on 2020-04-25 is there already, in line 2"),
        ('2020-04-25,"FRA,,1,2\n', "line 3", "this is not CSV: unexpected end of data"),
    ],
)
def test_what_is_wrong_has_its_place(line: str, place: str, detail: str) -> None:
    ((found, reason),) = errors(csv(LINE, line))
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
            "the columns are date,country,name,cases,death: there must be date, country and at least one of",
        ),
        (csv(LINE, header="date,country,name,x,y\n"), "the columns are"),
        (csv("2020-04-25,GBR\n", header="date,country\n"), "the columns are date,country: "),
        (csv(LINE, header="date,country,cases,cases,deaths\n"), "the columns are"),
        (b"<!doctype html>\n<html></html>\n", "the columns are <!doctype html>"),
    ],
)
def test_a_file_of_another_kind_is_refused(content: bytes, detail: str) -> None:
    ((_, reason),) = errors(content)
    assert reason.startswith(detail)


def test_today_is_no_future_day_wherever_it_is_today() -> None:
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=14))).date()
    assert upload.from_csv(csv(f"{today},GBR,,1,2\n"))
    tomorrow = today + datetime.timedelta(1)
    assert errors(csv(f"{tomorrow},GBR,,1,2\n")) == [("line 2, date", f"{tomorrow} lies in the future")]


def test_many_errors_are_counted_and_ten_are_listed() -> None:
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
        (b'{"observations": [1]}', "observations.0: must be an object with date, country"),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "death": 1}]}',
            "observations.0, death: is unknown: there are date, country",
        ),
        (
            b'{"observations": [{"date": 1, "country": ["GBR"], "deaths": 1}]}',
            "observations.0, date: must be a date such as 2020-04-24, not 1; observations.0, country: ",
        ),
        (b'{"observations": ["2020-04-25"]}', "observations.0: must be an object with date, country"),
        (b'{"observations": [{"date": "2020-04-25", "deaths": 1}]}', "observations.0, country: is missing"),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR"}]}',
            "observations.0: there must be at least one of cases, deaths, population",
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
def test_json_of_another_kind_is_refused(document: bytes, detail: str) -> None:
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
