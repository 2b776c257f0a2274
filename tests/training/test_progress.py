"""progress.py: a log has a line for each tenth of a step and for its time."""

import re

import pytest

from forecastle.training.progress import silent, steps


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
