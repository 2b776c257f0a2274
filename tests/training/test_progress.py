"""progress.py: a log has a line for each tenth of a step and for its time; who waits is told instead."""

import re
from pathlib import Path

import pytest

from forecastle import progress
from forecastle.training.progress import silent, steps

from ..terminal import shown_by


def test_a_log_has_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with steps("deaths") as step, step("sampling") as report:
        for i in range(101):
            report(i / 100)
    printed = capsys.readouterr()
    *tenths, last = printed.err.splitlines()
    assert tenths == [f"deaths: sampling {10 * i} %" for i in range(1, 11)]
    assert re.fullmatch(r"deaths: sampling took \d+\.\d s", last)
    assert printed.out == ""


def test_a_step_without_reports_has_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with steps("deaths") as step:
        with step("compiling"):
            pass
        with step("saving"):
            pass
    assert [line.split(" took")[0] for line in capsys.readouterr().err.splitlines()] == [
        "deaths: compiling",
        "deaths: saving",
    ]


def test_a_step_that_fails_did_not_take_any_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), steps("deaths") as step, step("sampling") as report:
        report(0.15)
        raise ValueError
    assert capsys.readouterr().err == "deaths: sampling 10 %\n"


def test_silent_steps_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with silent("sampling") as report:
        report(0.5)
    assert capsys.readouterr() == ("", "")


def test_a_process_that_waits_is_told_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "told.json"))
    with steps("deaths") as step:
        with step("compiling"):
            assert progress.read(tmp_path / "told.json") == ("compiling", None)
        with step("sampling") as report:
            report(0.256)
            assert progress.read(tmp_path / "told.json") == ("sampling", 0.256)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_one_bar() -> None:
    code = """
from forecastle.training.progress import steps
with steps("deaths") as step:
    for name in ("compiling", "sampling", "saving"):
        with step(name) as report:
            report(0.5)
"""
    shown = shown_by(code)
    *_, last = shown.split("\x1b[2K")  # a line is erased to be drawn anew
    assert "deaths: saving" in last and "100%" in last
    assert "compiling" not in last and "sampling" not in last
