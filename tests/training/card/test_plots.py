"""plots.py: every plot says in words what is seen."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecastle.training.card import plots
from forecastle.training.card.svg import style

from .test_page import Outline, manifest, page


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
        plot = plots.fan("Ruritania", manifest(), rows, fitted, forecast)
    assert ("log scale" in plot.elements) is log
    assert plot.title == "Ruritania, after 2020-04-05"
    assert plot.alt == (
        "Ruritania: 13 deaths on 2020-04-04; the forecast for 2020-05-03 has the median "
        f"{expected:,} and the 95 % interval {expected:,} to {expected:,}."
    )


def test_a_fan_of_real_numbers_may_lie_below_zero_and_keeps_its_digits() -> None:
    weeks = pd.date_range("2020-04-04", periods=5, freq="W-SAT")
    rows = pd.DataFrame({"date": weeks, "count": [0.25, -0.5, -0.75, 0.125, -0.25]})
    weekly = manifest(unit="per cent", frequency="W-SAT", real=True, minimum=None)
    with style():
        plot = plots.fan("High Street", weekly, rows, None, np.full((100, 3), -0.4))
    assert plot.alt == (
        "High Street: −0.25 per cent on 2020-05-02; the forecast for 2020-05-23 has the median "
        "−0.4 and the 95 % interval −0.4 to −0.4."
    )
    assert "−0.6" in plot.elements  # on the axis


@pytest.mark.parametrize("months", [18, 30, 34, 40, 130])
@pytest.mark.filterwarnings("error")
def test_every_span_of_months_has_ticks(months: int) -> None:
    dates = pd.date_range("2017-01-01", periods=months, freq="MS")
    rows = pd.DataFrame({"date": dates, "count": np.full(months, 7.0)})
    monthly = manifest(unit="homes", frequency="MS", noun="city", plural="cities")
    with style():
        plot = plots.fan("Austin", monthly, rows, None, np.full((100, 3), 7.0))
    years = {f"{dates[0] + pd.DateOffset(months=number):%Y}" for number in range(months + 3)}
    assert any(year in plot.elements for year in years)
