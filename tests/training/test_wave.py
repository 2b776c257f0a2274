"""wave.py: the curve has the rates that it is given."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import gammaincinv, log_expit, logit, ndtr

from forecastle.training import wave


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


def flat(draws: int, codes: list[str], level: float, dispersion: float) -> xr.Dataset:
    """A posterior that expects `level` counts on every day."""
    of_country = {
        "log_level": np.log(level),
        "delay": 0,
        "growth": 1e-9,
        "decay": 1e-9,
        "weekday_strength": 1,
    }
    values = {
        name: (("draw", "country"), np.full((draws, len(codes)), float(value)))
        for name, value in {**of_country, "dispersion": dispersion}.items()
    }
    return xr.Dataset({**values, "weekday": (("draw", "day_of_week"), np.zeros((draws, 7)))})


def test_forecasts_go_on_deviating_from_the_curve_as_the_last_weeks_did() -> None:
    """On the curve, above it for six weeks, only in the last one, and without a report in that one."""
    shapes = {
        "AUT": [100] * 42,
        "BEL": [200] * 42,
        "CHE": [100] * 35 + [200] * 7,
        "DEU": [200] * 35 + [None] * 6 + [200],
    }
    rows = pd.DataFrame(
        [
            {"country": code, "date": day, "count": count}
            for code, counts in shapes.items()
            for day, count in zip(pd.date_range("2020-03-02", periods=42), counts, strict=True)
        ]
    ).astype({"count": "Int64"})
    posterior = flat(4000, list(shapes), 100, dispersion=50)
    off = wave.deviation(posterior, rows, "count", 28, np.random.default_rng(1))
    assert off.shape == (4000, 4, 28)
    noise = 1 / (7 * 50) + 1 / 701
    assert np.abs(off[:, 0]).max() == 0  # nothing beside the noise
    variance = 6 / 4 * np.log(2) ** 2 - noise
    share = variance / (variance + noise)
    first, last = off[:, 1, 0], off[:, 1, -1]
    assert first.mean() == pytest.approx(share * np.log(2) * np.exp(-1 / 60), rel=0.02)
    assert last.mean() == pytest.approx(share * np.log(2) * np.exp(-28 / 60), abs=0.03)
    uncertain = noise * share * np.exp(-2 * 28 / 60) + variance * (1 - np.exp(-2 * 28 / 60))
    assert last.std() == pytest.approx(np.sqrt(uncertain), rel=0.05)
    assert 0 < off[:, 2, 0].mean() < first.mean()  # one week in six: more of it may be noise
    assert off[:, 3, 0].mean() == pytest.approx(first.mean(), abs=0.05)
    days = np.array([-1, 0, 1, 28])
    drawn = wave.predict(posterior, rows, "count", days, np.random.default_rng(2))
    assert drawn[:, 1, :2].mean() == pytest.approx(100, rel=0.02)  # fitted days are the curve's
    assert drawn[:, 1, 2].mean() == pytest.approx(195, rel=0.05)


def test_growth_errs_by_as_much_as_it_says() -> None:
    off = wave.growth_error((20000, 1), 28, np.random.default_rng(1))[:, 0]
    np.testing.assert_allclose(off.mean(axis=0), 0, atol=0.03)
    assert off[:, 0].std() == pytest.approx(0.95 * np.hypot(0.05, 0.012), rel=0.03)
    # Of the error of the first day, and of each step, which all later days have.
    damped = 0.95 ** np.arange(1, 29)
    of_steps = np.array([damped[step:].sum() for step in range(28)])
    expected = np.sqrt((0.05 * damped.sum()) ** 2 + (0.012**2 * of_steps**2).sum())
    assert off[:, -1].std() == pytest.approx(expected, rel=0.03)


def test_coming_days_are_as_noisy_as_the_last_weeks_were() -> None:
    """Whatever the dispersion of the likelihood: no noise, its own, and close together with two far off."""
    rng = np.random.default_rng(1)
    shapes = {
        "AUT": np.full(42, 1000),
        "BEL": rng.poisson(rng.gamma(5, 1000 / 5, 42)),
        "CHE": np.where(np.isin(np.arange(42), (10, 30)), 3000, rng.poisson(1000, 42)),
        "DEU": np.full(3, 1000),  # too few to tell
    }
    rows = pd.DataFrame(
        [
            {"country": code, "date": day, "count": count}
            for code, counts in shapes.items()
            for day, count in zip(pd.date_range("2020-03-02", periods=len(counts)), counts, strict=True)
        ]
    )
    posterior = flat(2000, list(shapes), 1000, dispersion=5)
    factor = wave.noise(posterior, rows, "count", 14, rng)
    assert factor.shape == (2000, 4, 14)
    lower, upper = np.quantile(factor, [0.25, 0.75], axis=(0, 2))
    of_gamma = np.subtract(*np.quantile(rng.gamma(5, 1 / 5, 10_000), [0.75, 0.25]))
    width = (upper - lower) / of_gamma
    assert width[0] < 0.1 and width[1] == pytest.approx(1, abs=0.35) and 0.1 < width[2] < 0.5
    assert (factor[:, 2] > 2).mean() == pytest.approx(2 / 42, abs=0.02)
    assert width[3] > width[0]


def test_the_trend_of_coming_days_is_damped() -> None:
    """Growth of 10 % a day, years before its peak; the counts are those expected."""
    dates = pd.date_range("2020-03-02", periods=60)
    growing = np.exp(0.1 * (np.arange(60) - 56)) * 1e6
    rows = pd.DataFrame({"country": "FRA", "date": dates, "count": np.rint(growing)})
    reference, *_ = wave.busiest_week(rows, "count")
    posterior = flat(4000, ["FRA"], 1e6 * np.exp(0.1 * (reference[0] - 56)), dispersion=1e9)
    posterior["growth"] = posterior["growth"] * 0 + 0.1
    posterior["decay"] = posterior["decay"] * 0 + 0.1
    posterior["delay"] = posterior["delay"] * 0 + 1000
    days = np.array([0, 1, 2, 28])
    drawn = np.median(wave.predict(posterior, rows, "count", days, np.random.default_rng(1)), axis=(0, 1))
    damped = [0, 0.095, 0.095 + 0.09025, 0.1 * 0.95 * (1 - 0.95**28) / 0.05]
    np.testing.assert_allclose(np.log(drawn / drawn[0]), damped, atol=0.04)


def test_quantiles_of_noise_are_those_of_the_gamma_distribution() -> None:
    rng = np.random.default_rng(1)
    for dispersion in (np.exp(np.linspace(np.log(0.02), np.log(1e6), 2000))[:, None], np.full((1, 1), 3.0)):
        score = rng.normal(0, 1.5, (len(dispersion), 28))
        level = np.clip(ndtr(score), wave.RAREST, 1 - wave.RAREST)
        exact = gammaincinv(dispersion, level) / dispersion
        found = wave._quantiles(dispersion)(dispersion, score)
        np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-8)
