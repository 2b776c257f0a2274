"""upload.py: what is read, and what is refused, with the place and the reason."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecastle import observations
from forecastle.catalogue import upload
from forecastle.catalogue.upload import Reports, Row, RowsError

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
    assert read == Reports(
        "country",
        [
            Row(datetime.date(2020, 4, 25), "GBR", {"cases": 4913, "deaths": 813}),
            Row(datetime.date(2020, 4, 26), "XKX", {"cases": None, "deaths": 12}),
        ],
    )


def test_columns_that_are_not_there_say_nothing() -> None:
    (row,) = upload.from_csv(b"\xef\xbb\xbfdeaths,country,date\r\n813,GBR,2020-04-25\r\n").rows
    assert row.values == {"deaths": 813}


def test_json_says_the_same() -> None:
    entries = [{"date": "2020-04-25", "country": "GBR", "cases": None, "deaths": 813, "name": "UK"}]
    (row,) = upload.from_json(json.dumps({"observations": entries}).encode()).rows
    assert row == Row(datetime.date(2020, 4, 25), "GBR", {"cases": None, "deaths": 813})


@pytest.mark.parametrize("count", ["286", "286.0", '"286.0"', "2.86e2"])
def test_json_has_whole_numbers_in_whatever_way_it_writes_them(count: str) -> None:
    """As programs that keep missing numbers write all others with a point."""
    entry = f'{{"date": "2020-04-25", "country": "GBR", "cases": {count}}}'
    (row,) = upload.from_json(f'{{"observations": [{entry}]}}'.encode()).rows
    assert row.values == {"cases": 286} and isinstance(row.values["cases"], int)


@pytest.mark.parametrize("separator", [";", "\t", " , "])
def test_csv_is_read_as_spreadsheets_write_it(separator: str) -> None:
    content = csv(LINE).decode().replace(",", separator).replace("\n", "\r\n")
    assert upload.from_csv(content.encode()) == upload.from_csv(csv(LINE))


def test_the_data_of_training_are_read_as_training_reads_them(tmp_path) -> None:
    frame = observations.read(observations.DATA / observations.DEFAULT).frame
    observations.write(frame, tmp_path / "clean.csv")
    read = upload.from_csv((tmp_path / "clean.csv").read_bytes()).rows
    assert len(read) == len(frame)
    assert sum(row.values["deaths"] or 0 for row in read) == frame["deaths"].sum()


@pytest.mark.parametrize(
    ("line", "place", "detail"),
    [
        ("2020-04-25,XXX,,1,2\n", "line 3, country", "must be a country's ISO 3166 alpha-3 code, not 'XXX'"),
        ("2020-04-25,gbr,,1,2\n", "line 3, country", "must be a country's ISO 3166 alpha-3 code, not 'gbr'"),
        ("2120-04-25,FRA,,1,2\n", "line 3, date", "2120-04-25 lies in the future"),
        ("2020-02-30,FRA,,1,2\n", "line 3, date", "must be a date such as 2020-04-24, not '2020-02-30'"),
        ("20200425,FRA,,1,2\n", "line 3, date", "must be a date such as 2020-04-24, not '20200425'"),
        ("0020-04-25,FRA,,1,2\n", "line 3, date", "must be a date such as 2020-04-24, not '0020-04-25'"),
        ("2020-04-25,FRA,,1.000,2\n", "line 3, cases", "'1.000' may be one or a thousand: write whole"),
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
            csv(LINE, header="day,country,name,cases,deaths\n"),
            "the columns are day,country,name,cases,deaths: there must be date, one that says",
        ),
        (csv("2020-04-25,1\n", header="date,sales\n"), "the columns are date,sales: "),
        (csv("2020-04-25,s1,1,2\n", header="date,store,sales,\n"), "the column '' must have a name of 1 to"),
        (csv("2020-04-25,s1,1\n", header="date,store,a\x07\n"), "the column 'a\\x07' must have a name"),
        (
            csv("2020-04-25,s1\n", header="date,store," + ",".join(f"m{i}" for i in range(101)) + "\n"),
            "there are 101 measures, and up to 100 are taken",
        ),
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
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "cases": 1, "cases": 2}]}',
            "the member 'cases' is there twice in an object",
        ),
        (b"{", "this is not JSON"),
        (b"[" * 100_000, "this is not JSON"),
        (b"[]", "this is not of the form"),
        (b'{"observations": [], "more": 1}', "this is not of the form"),
        (b'{"observations": []}', "there are no rows"),
        (b'{"observations": [1]}', "observations.0: must be an object with date, country"),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", " a": 1}]}',
            "observations.0: the measure ' a' must have a name of 1 to 64 characters",
        ),
        (
            b'{"observations": [{"date": 1, "country": ["GBR"], "deaths": 1}]}',
            "observations.0, date: must be a date such as 2020-04-24, not 1; observations.0, country: ",
        ),
        (b'{"observations": ["2020-04-25"]}', "observations.0: must be an object with date, country"),
        (
            b'{"observations": [{"date": "2020-04-25", "deaths": 1}]}',
            "observations.0, deaths: must be an identifier of 1 to 64 characters",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "store": "s1", "sales": 1}, '
            b'{"date": "2020-04-25", "shop": "s1", "sales": 1}]}',
            "observations.1, store: is missing",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR"}]}',
            "observations.0: there must be at least one measure beside date and country",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": true}]}',
            "observations.0, deaths",
        ),
        (
            b'{"observations": [{"date": "2020-04-25", "country": "GBR", "deaths": 1.5}]}',
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


def test_sales_of_stores_are_read_with_their_names_and_blanks() -> None:
    content = csv(
        "2020-04-25,s1,High Street,-12.50,3\n",
        "2020-05-02,s1,,,4\n",
        "2020-04-25,Größe 2,,1e3,\n",
        header="date,store,name,sales,visits\n",
    )
    assert upload.from_csv(content) == Reports(
        "store",
        [
            Row(datetime.date(2020, 4, 25), "s1", {"sales": -12.5, "visits": 3}),
            Row(datetime.date(2020, 5, 2), "s1", {"sales": None, "visits": 4}),
            Row(datetime.date(2020, 4, 25), "Größe 2", {"sales": 1000, "visits": None}),
        ],
        {"s1": "High Street"},
    )


def test_the_first_column_beside_date_and_name_is_the_noun() -> None:
    content = b"name,date,country code,sales\nx,2020-04-25,7,8\n"
    assert upload.from_csv(content).noun == "country code"


def test_members_of_json_may_have_any_order() -> None:
    """As from programs that sort them."""
    entry = {"sales": 1.5, "date": "2020-04-25", "store": "s1"}
    read = upload.from_json(json.dumps({"observations": [entry]}).encode())
    assert read == Reports("store", [Row(datetime.date(2020, 4, 25), "s1", {"sales": 1.5})])


@pytest.mark.parametrize(
    ("line", "place", "detail"),
    [
        (
            "2020-05-02,s/1,1,\n",
            "line 3, store",
            "must be an identifier of 1 to 64 characters, with no slash",
        ),
        (f"2020-05-02,{'s' * 65},1,\n", "line 3, store", "must be an identifier of 1 to 64 characters"),
        ("2020-05-02,s\x07,1,\n", "line 3, store", "must be an identifier"),
        ("2020-05-02,,1,\n", "line 3, store", "must be an identifier"),
        (
            "2020-05-02,s1,many,\n",
            "line 3, sales",
            "must be a number, or blank or null if nothing was reported",
        ),
        ("2020-05-02,s1,nan,\n", "line 3, sales", "must be a number"),
        ("2020-05-02,s1," + "9" * 101 + ",\n", "line 3, sales", "must be a number"),
        ("2020-05-02,s1,0x1F,\n", "line 3, sales", "must be a number"),
        ("2120-05-02,s1,1,\n", "line 3, date", "2120-05-02 lies more than 3 years in the future"),
        ("2020-04-25,s1,1,\n", "line 3", "s1 on 2020-04-25 is there already, in line 2"),
    ],
)
def test_what_is_wrong_with_a_store_has_its_place(line: str, place: str, detail: str) -> None:
    content = csv("2020-04-25,s1,1.5,2\n", line, header="date,store,sales,visits\n")
    ((found, reason),) = errors(content)
    assert found == place
    assert reason.startswith(detail)


def test_covariates_may_be_known_ahead() -> None:
    ahead = datetime.date.today() + datetime.timedelta(60)
    (row,) = upload.from_csv(csv(f"{ahead},s1,,2.5\n", header="date,store,sales,price\n")).rows
    assert row == Row(ahead, "s1", {"sales": None, "price": 2.5})


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
