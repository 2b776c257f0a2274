"""plots.py: every plot says in words what is seen."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastle.training.card import plots
from forecastle.training.card.svg import style

from .test_page import Outline, page


def test_every_plot_says_what_is_seen_and_follows_dark_mode(tmp_path: Path) -> None:
    text = page(tmp_path)
    outline = Outline(text)
    drawn = outline.all("svg")
    assert len(drawn) >= 15
    assert all(svg["role"] == "img" and len(str(svg["aria-label"])) > 30 for svg in drawn)
    for svg in re.findall("<svg.*?</svg>", text, flags=re.DOTALL):
        assert not re.search(r"(fill|stroke|color): *#", svg)
    assert len(outline.all("caption")) == len(outline.all("table")) > 5
    assert all(cell["scope"] in ("col", "row") for cell in outline.all("th"))


@pytest.mark.parametrize(("expected", "log"), [(20, False), (2000, True)])
def test_a_fan_that_leaves_the_counts_far_behind_has_a_log_scale(expected: int, log: bool) -> None:
    days = pd.date_range("2020-04-01", periods=5)
    rows = pd.DataFrame({"date": days, "count": pd.array([3, 5, 8, 13, None], dtype="Int64")})
    fitted, forecast = np.full((100, 5), 9.0), np.full((100, 28), float(expected))
    with style():
        plot = plots.fan("Ruritania", "deaths", rows, fitted, forecast)
    assert ("log scale" in plot.elements) is log
    assert plot.title == "Ruritania, after 2020-04-05"
    assert plot.alt == (
        "Ruritania: 13 deaths on 2020-04-04; the forecast for 2020-05-03 has the median "
        f"{expected:,} and the 95 % interval {expected:,} to {expected:,}."
    )
