"""Samples of every format, and what several tests of observations need."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from forecastle import observations
from forecastle.observations import Observations
from forecastle.observations.in_use import main

Saved = Callable[..., Path]
FIRST_WAVE = observations.DATA / observations.DEFAULT

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


def table(observations: Observations, column: str) -> dict[str, list[int | None]]:
    """By country, a column's values in the order of the days, None for missing."""
    return {
        str(country): [None if pd.isna(value) else int(value) for value in days[column]]
        for country, days in observations.frame.groupby("country")
    }


def days(cases: list[int | None]) -> str:
    """Consecutive days of one country in our own columns."""
    first = datetime.date(2020, 3, 1)
    rows = [f"{first + datetime.timedelta(i)},ESP,{'' if n is None else n},0" for i, n in enumerate(cases)]
    return "\n".join(["date,country,cases,deaths", *rows, ""])


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must fail with one line on stderr and change nothing; that line."""
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert main(arguments, folder) == 1
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err
