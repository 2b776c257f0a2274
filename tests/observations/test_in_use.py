"""in_use.py: the default data, and the choice of others."""

import os
from pathlib import Path

import pandas as pd
import pycountry
import pytest

from forecastle import observations
from forecastle.observations import in_use, read
from forecastle.observations.in_use import main
from forecastle.places import NAMES

from .conftest import ECDC, FIRST_WAVE, JHU_CASES, JHU_DEATHS, OURS, Saved, days, refused, table


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
    pd.testing.assert_frame_equal(read(current).frame, read(path).frame)
    assert main(["--file", str(current)], folder) == 0
    assert current.read_bytes() == written
    assert sorted(path.name for path in folder.iterdir()) == [
        "current.csv",
        "current.json",
        "first-wave-2020.csv",
        "vintages",
    ]
    (vintage,) = (folder / "vintages").iterdir()
    assert vintage.name == "2020-04-24.csv" and vintage.read_bytes() == written


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
    assert not (folder / "vintages").exists()  # a part of the data is not what was known on its last day


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
    monkeypatch.setenv("FORECASTLE_DATA", "~/elsewhere.csv")  # as a shell or Make may leave it
    assert observations.default_path() == Path.home() / "elsewhere.csv"


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


@pytest.mark.skipif("ECDC_FILE" not in os.environ, reason="ECDC_FILE does not name the ECDC's file")
def test_ecdc_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ECDC's real file of 24 April 2020 is read whole but for a ship, and can be used."""
    path = Path(os.environ["ECDC_FILE"])
    raw = pd.read_csv(path, keep_default_na=False)
    raw = raw[raw["geoId"] != "JPG11668"]
    known = read(path)
    frame = known.frame
    assert frame["country"].nunique() == 205
    assert frame["cases"].count() == len(raw) == 12737
    assert (frame["cases"].sum(), frame["deaths"].sum()) == (raw["cases"].sum(), raw["deaths"].sum())
    assert {"NAM", "GBR", "GRC", "XKX", "AIA", "BES", "FLK"} <= set(frame["country"])
    assert frame.groupby("country")["population"].first().isna().sum() == 4
    assert main(["--file", str(path)], folder) == 0
    assert "left out: 64 (Cases on an international conveyance Japan)" in capsys.readouterr().out


@pytest.mark.skipif(
    "ECDC_LATER_FILE" not in os.environ, reason="ECDC_LATER_FILE does not name the ECDC's file"
)
def test_a_later_ecdc_file() -> None:
    """The ECDC's real file of 20 June 2020 has the last day of two countries twice."""
    known = read(Path(os.environ["ECDC_LATER_FILE"]))
    assert str(known.last_day) == "2020-06-20"
    assert "taken once: COM on 2020-06-20, COG on 2020-06-20" in "; ".join(known.changes)
