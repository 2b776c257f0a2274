"""vintages.py: what was known on a day is in the oldest file that reaches it."""

import datetime
from pathlib import Path

import pytest

from forecastle.observations import ObservationsError
from forecastle.training import vintages


def write(path: Path, *days: int) -> Path:
    lines = ["date,place,sales", *(f"2020-04-{day:02},north,{day}" for day in days)]
    path.write_text("\n".join(lines) + "\n")
    return path


def day(number: int) -> datetime.date:
    return datetime.date(2020, 4, number)


def test_the_oldest_file_that_reaches_a_day_is_what_was_known_on_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    newest, oldest = write(folder / "a.csv", 1, 2, 3, 20), write(folder / "b.csv", 5, 1)  # in any order
    (folder / "notes.txt").write_text("no data")
    between = write(tmp_path / "c.csv", 1, 2, 9)
    known = vintages.read([folder, between])
    assert [Path(vintage.source) for vintage in known] == [oldest, between, newest]
    assert [vintages.last_date(vintage) for vintage in known] == [day(5), day(9), day(20)]
    reaches = {1: oldest, 5: oldest, 6: between, 9: between, 10: newest, 20: newest, 21: newest}
    for number, file in reaches.items():
        assert vintages.known_on(known, day(number)).source == file


def test_no_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ObservationsError, match="no CSV file is there"):
        vintages.read([tmp_path])
    with pytest.raises(ObservationsError):
        vintages.read([tmp_path / "missing.csv"])
