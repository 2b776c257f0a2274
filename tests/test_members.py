"""members.py: which models an ensemble averages, and what is wrong with its file."""

from pathlib import Path

import pytest

from forecastle import members


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Models `one` and `two`, and an ensemble of both."""
    for name in ("one", "two", "both"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "main.py").touch()
    (tmp_path / "models/both/members").write_text("two # the better one\n\n# another\n one\n")
    return tmp_path / "models"


def test_names_stand_one_a_line(models: Path) -> None:
    assert members.read(models / "both") == ["two", "one"]
    assert members.read(models / "one") == []
    assert members.is_ensemble(models / "both") and not members.is_ensemble(models / "one")
    assert members.fault(models / "both") is members.fault(models / "one") is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "its file members names 0 models: name at least 2, one a line"),
        ("one\none", "its file members names 1 models: name at least 2, one a line"),
        ("one\ntwo\none", "its file members names one twice: leave one out"),
        ("one\nthree", "its member three is no model of models/: correct its file members"),
        ("one\n../models/two", "its member ../models/two is no model of models/: correct its file members"),
        ("one\nboth", "its member both is an ensemble itself: name that one's members instead"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(content: str, fault: str, models: Path) -> None:
    (models / "both/members").write_text(content)
    assert members.fault(models / "both") == fault


def test_members_come_before_their_ensembles(models: Path) -> None:
    root = models.parent
    assert members.first(["both"], root) == ["two", "one", "both"]
    assert members.first(["both", "one"], root) == ["two", "one", "both"]
    assert members.first(["one"], root) == ["one"]
    (models / "both/members").write_text("one\nthree")
    assert members.first(["both", "one"], root) == ["one", "both"]
