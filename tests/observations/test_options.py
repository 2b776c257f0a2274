"""FILE=, DEATHS=, SINCE= and UNTIL=, which `make data`, `make observe` and `make retrain` share."""

import argparse
import datetime
from pathlib import Path

import pytest

from forecastle.observations import ObservationsError
from forecastle.observations.options import add_options, read_chosen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    rows = [f"2020-04-{day},GBR,1,1" for day in range(20, 26)]
    path.write_text("\n".join(["date,country,cases,deaths", *rows, ""]))
    return path


def chosen(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def days(options: argparse.Namespace, default: Path | None = None) -> list[int]:
    return [day.day for day in read_chosen(options, default).frame["date"]]


def test_options_choose_a_file_and_days(file: Path) -> None:
    assert days(chosen("--file", file)) == [20, 21, 22, 23, 24, 25]
    assert days(chosen("--file", file, "--since", "2020-04-22", "--until", "2020-04-24")) == [22, 23, 24]
    assert days(chosen("--since", "2020-04-25"), file) == [25]
    assert (
        days(chosen("--file", "", "--deaths", "", "--since", "", "--until", ""), file)[0] == 20
    )  # as by Make
    assert read_chosen(chosen("--until", "2020-04-21"), file).last_day == datetime.date(2020, 4, 21)


def test_without_a_file_it_says_how_to_name_one() -> None:
    with pytest.raises(ObservationsError, match=r"^name the observations with FILE=, a path or an address$"):
        read_chosen(chosen())


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["soon", "2020-4-24", "20200424", "2020-W17-5", "2020-02-30"])
def test_a_day_has_one_form(option: str, text: str, file: Path) -> None:
    with pytest.raises(ObservationsError) as raised:
        read_chosen(chosen("--file", file, option, text))
    assert str(raised.value) == f"{option[2:].upper()}={text} is not a date such as 2020-04-24"
