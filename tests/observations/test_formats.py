"""formats.py: each publisher's columns become the same typed ones."""

import datetime
from pathlib import Path

import pandas as pd
import pytest

from forecastle.observations import ObservationsError, read

from .conftest import ECDC, JHU_CASES, JHU_DEATHS, OURS, OWID, OWID_OLD, WHO, Saved, refused, table


def test_ecdc(saved: Saved) -> None:
    """ECDC: newest first, day before month, NA is Namibia, UK and EL, Kosovo and Taiwan, no ships."""
    known = read(saved(ECDC))
    assert table(known, "cases") == {
        "BES": [0],
        "GBR": [4301, None, 4583],
        "GRC": [55],
        "NAM": [2],
        "TWN": [1],
        "XKX": [39],
    }
    assert table(known, "deaths")["GBR"] == [828, None, 638]
    assert table(known, "population")["GBR"] == [66488991] * 3
    assert table(known, "population")["BES"] == [None]
    assert f"{known.frame['date'].min():%Y-%m-%d}" == "2020-04-22"
    assert known.format == "ECDC"
    assert known.last_day == datetime.date(2020, 4, 24)
    assert known.changes == [
        "code EL, read as GRC",
        "rows of no country, left out: 1 (Cases on an international conveyance Japan)",
        "days without a row, now missing: 1, most of them in United Kingdom (1)",
    ]
    assert known.excluded == {}


def test_our_world_in_data(saved: Saved) -> None:
    """Our World in Data: counts such as 30.0, blanks are missing, aggregates are left out, Kosovo is not."""
    known = read(saved(OWID))
    assert table(known, "cases") == {"ESH": [None], "FRA": [30, 61, None], "XKX": [5]}
    assert table(known, "population") == {"ESH": [565580], "FRA": [66277412] * 3, "XKX": [None]}
    assert known.changes == [
        "code OWID_KOS, read as XKX",
        "rows of no country, left out: 2 (World, High-income countries)",
    ]


def test_our_world_in_data_as_it_was(saved: Saved) -> None:
    """Our World in Data's older files name the columns otherwise."""
    assert table(read(saved(OWID_OLD)), "cases") == {"FRA": [30]}


def test_who(saved: Saved) -> None:
    """WHO: alpha-2 codes become alpha-3, NA is Namibia, a blank is no report, conveyances are left out."""
    known = read(saved(WHO))
    assert table(known, "cases") == {"NAM": [None, 3], "XKX": [2]}
    assert table(known, "deaths") == {"NAM": [None, 1], "XKX": [None]}
    assert "population" not in known.frame
    assert known.frame["name"].unique().tolist() == ["Namibia", "Kosovo"]


def test_jhu(saved: Saved, tmp_path: Path) -> None:
    """JHU: provinces add up, running totals become daily counts, names become codes."""
    cases, deaths = saved(JHU_CASES), tmp_path / "deaths.csv"
    deaths.write_text(JHU_DEATHS)
    known = read(cases, deaths)
    assert table(known, "cases") == {
        "CHN": [458, 8, 119],
        "KOR": [1, 0, 1],
        "TWN": [1, 0, 2],
        "USA": [1, 0, 3],
    }
    assert table(known, "deaths")["CHN"] == [17, 1, None]
    assert known.changes == ["rows of no country, left out: 1 (Diamond Princess)"]


def test_jhu_blank(saved: Saved, tmp_path: Path) -> None:
    """A blank running total of JHU's is a missing day, and what came until the next report counts there."""
    deaths = tmp_path / "deaths.csv"
    deaths.write_text(JHU_DEATHS)
    assert table(read(saved(JHU_CASES.replace(",1,1,4", ",1,,4")), deaths), "cases")["USA"] == [1, None, 3]


def test_jhu_days_may_come_in_any_order(saved: Saved, tmp_path: Path) -> None:
    """Daily counts are differences of running totals, so the columns are sorted first."""
    deaths = saved(JHU_DEATHS, "deaths.csv")
    cells = [line.rsplit(",", 3) for line in JHU_CASES.splitlines()]
    turned = "\n".join(",".join([place, *reversed(days)]) for place, *days in cells)
    in_order, reverse = read(saved(JHU_CASES), deaths), read(saved(turned, "turned.csv"), deaths)
    pd.testing.assert_frame_equal(in_order.frame, reverse.frame)


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
    known = read(saved(OURS))
    assert list(known.frame) == ["date", "country", "name", "cases", "deaths"]
    assert known.frame["name"].tolist() == ["Britain"] * 4
    assert table(known, "cases") == {"GBR": [100, 50, None, 70]}
    assert table(known, "deaths") == {"GBR": [1, None, None, 3]}
    assert [str(known.frame[column].dtype) for column in ("date", "cases", "deaths")] == [
        "datetime64[us]",
        "Int64",
        "Int64",
    ]


def test_our_own_without_names(saved: Saved) -> None:
    """Without a column of names the countries have their usual ones."""
    known = read(saved("date,country,cases,deaths\n2020-03-01,CIV,1,0\n"))
    assert known.frame["name"].tolist() == ["Côte d'Ivoire"]


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
    "a day twice": (
        JHU_CASES.replace("1/23/20", "01/22/2020"),
        "line 1: '01/22/2020' is there a second time",
    ),
    "odd day": (JHU_CASES.replace("1/23/20", "1/32/20"), "line 1: '1/32/20' is not a date such as 04/24/20"),
    "ships alone": (
        "Province/State,Country/Region,Lat,Long,1/22/20\n,MS Zaandam,0,0,1\n",
        "there is no row of a country",
    ),
}


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
