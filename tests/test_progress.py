"""progress.py: what a training tells is read by whoever waits, whatever a train.py writes."""

from pathlib import Path

import pytest

from forecastle import progress
from forecastle.progress import Progress


def test_what_is_told_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "told.json"
    monkeypatch.setenv(progress.VARIABLE, str(file))
    progress.tell("compiling")
    assert progress.read(file) == Progress("compiling", None)
    progress.tell("sampling", 0.25)
    assert progress.read(file) == Progress("sampling", 0.25)
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_nothing_is_written_if_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    progress.tell("sampling", 0.25)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_does_not_stop_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "gone/told.json"))
    progress.tell("sampling", 0.25)


@pytest.mark.parametrize(
    "content", ["", '{"step": "sam', "[]", "7", "{}", '{"step": ""}', '{"step": "a", "fraction": []}']
)
def test_what_cannot_be_understood_is_nothing(content: str, tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    assert progress.read(file) is None
    file.write_text(content)
    assert progress.read(file) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"step": "epoch\\n3"}', Progress("epoch 3")),
        ('{"step": 3, "fraction": 1}', Progress("3", 1.0)),
        ('{"step": "a", "fraction": 1.5}', Progress("a")),
        ('{"step": "a", "fraction": NaN}', Progress("a")),
        ('{"step": "a", "fraction": null, "loss": 2}', Progress("a")),
        ('{"step": "%s"}' % ("x" * 1000), Progress("x" * 80)),
    ],
)
def test_what_a_train_py_writes_is_cut_to_size(content: str, expected: Progress, tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    file.write_text(content)
    assert progress.read(file) == expected
