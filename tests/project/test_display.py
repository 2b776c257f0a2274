"""display.py: bars in a terminal, lines elsewhere."""

import pytest

from forecastle.catalogue.models import Progress, Status
from forecastle.project.display import Display

from ..terminal import shown_by

STORY = """
from forecastle.catalogue.models import Progress, Status
from forecastle.project.display import Display

display = Display()
for model in ("deaths", "waves", "iris"):
    display.show(model, Status(status="waiting"))
display.show("deaths", Status(status="training", progress=Progress(step="sampling", fraction=0.4, seconds=3)))
display.say("[a line] of deaths")
display.show("deaths", Status())
display.show("iris", Status(status="training", progress=Progress(step="training", seconds=3)))
display.show("iris", Status(status="failed", verdict=["no"]))
display.close()
"""


def training(step: str, fraction: float | None) -> Status:
    return Status(status="training", progress=Progress(step=step, fraction=fraction, seconds=1))


def test_a_log_has_a_line_for_each_step_and_tenth(capfd: pytest.CaptureFixture[str]) -> None:
    display = Display()
    display.show("deaths", Status(status="waiting"))
    installing = Progress(step="installing packages", seconds=1)
    display.show("deaths", Status(status="waiting", progress=installing))
    display.show("deaths", training("compiling", None))
    for percent in range(101):
        display.show("deaths", training("sampling", percent / 100))
    display.say("[bold] :smile: is text")
    display.show("deaths", Status())
    display.close()
    tenths = [f"deaths: sampling {10 * i} %" for i in range(1, 11)]
    assert capfd.readouterr().err.splitlines() == [
        "deaths: waiting",
        "deaths: compiling",
        "deaths: sampling",
        *tenths,
        "[bold] :smile: is text",
        "deaths: trained",
    ]


def test_a_terminal_has_a_bar_for_each_model() -> None:
    shown = shown_by(STORY)
    assert "[a line] of deaths" in shown
    last = shown.rpartition("\x1b[2K")[2].splitlines()[:3]
    assert [line[:16].strip() for line in last] == ["deaths: trained", "waves: waiting", "iris: failed"]
    ends = ["100% 3 s", "0%", "0% 3 s"]
    assert all(line.strip().endswith(end) for line, end in zip(last, ends, strict=True))
