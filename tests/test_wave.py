"""wave.py: the curve has the rates that it is given."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_expit, logit

from forecastle import wave


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def test_the_curve_is_the_one_of_growth_and_decay_about_its_peak() -> None:
    """h (g + d) / (d exp(-g u) + g exp(d u)), u days after the peak, height h."""
    day, g, d, delay, level = np.arange(-40.0, 60), 0.2, 0.05, 8.0, np.log(100)
    curve = np.exp(wave.log_curve(softplus, np.asarray, day, level, delay, g, d))
    u = day - delay
    published = (g + d) / (d * np.exp(-g * u) + g * np.exp(d * u))
    np.testing.assert_allclose(curve / curve.max(), published / published.max(), rtol=1e-10)
    assert curve[day == 0] == pytest.approx(100)
    assert day[np.argmax(curve)] == delay


def test_the_curve_bends_where_logistic_growth_would() -> None:
    """Its slope goes from the growth rate to minus the decay rate along a logistic function."""
    day, g, d = np.linspace(-300, 300, 6001), 0.3, 0.1
    slope = np.gradient(wave.log_curve(softplus, np.asarray, day, 0.0, 0.0, g, d), day)
    expected = g - (g + d) * np.exp(log_expit(logit(g / (g + d)) + (g + d) * day))
    np.testing.assert_allclose(slope[1:-1], expected[1:-1], atol=1e-4)


def test_the_busiest_week_of_each_country_and_whether_it_is_the_last() -> None:
    falling, rising = [1] * 10 + [8] * 7 + [1] * 23, list(range(1, 41))
    rows = pd.DataFrame({"country": ["FRA"] * 40 + ["GBR"] * 40, "count": falling + rising})
    middle, mean, last = wave.busiest_week(rows, "count")
    assert middle.tolist() == [13, 39]
    assert mean == pytest.approx([8, 38.5])  # of the last four days, since there are no later ones
    assert last.tolist() == [False, True]


def bell(height: float, peak: int, days: int) -> np.ndarray:
    """Poisson counts around a bell."""
    mean = height * np.exp(-0.5 * ((np.arange(days) - peak) / 12) ** 2)
    return np.random.default_rng(peak).poisson(mean)


def test_one_wave_is_fitted_whole_and_of_two_the_latest() -> None:
    one = pd.Series(bell(100, 40, 110), dtype="Int64")
    two = pd.Series(bell(100, 40, 220) + bell(60, 160, 220), dtype="Int64")
    assert wave.latest_wave(one) == 0
    assert 80 < wave.latest_wave(two) < 120


@pytest.mark.parametrize(
    "count",
    [
        [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 1, 2] * 3,  # a lull between a few deaths
        [20] * 50 + [1300] + [1] * 40,  # as China added 1290 deaths on a day
        [50] * 30 + [None] * 20 + [45] * 30,  # no reports
        [0] * 60,
        [7],
    ],
)
def test_neither_lulls_nor_days_of_catching_up_are_waves(count: list[int | None]) -> None:
    assert wave.latest_wave(pd.Series(count, dtype="Int64")) == 0
