"""levels.py: the filter's likelihood, its derivatives, and draws of levels."""

import numpy as np
import pymc as pm
import pytensor
import pytest
import scipy.stats
import xarray as xr

from forecastle.training.trend import levels
from forecastle.training.trend.levels import Weeks

SHARED = np.array([0.1, 0.7, 0.5])  # relative change, damping, braking
CHANGE, NOISE = np.array([0.03, 0.05, 0.02]), np.array([0.02, 0.05, 0.01])  # of each series


def weeks(seed: int = 1) -> Weeks:
    """Twelve weeks of three series: one whole, one that begins later, one with days that are missing."""
    count = np.random.default_rng(seed).poisson(np.geomspace(5, 90, 84), (3, 84)).astype(float)
    count[1, :40] = np.nan
    count[2, 30:46] = np.nan
    return Weeks.of(count)


def filtered(of: Weeks, shared: np.ndarray, change: np.ndarray, noise: np.ndarray) -> tuple:
    return levels.filtered(of.log_count, of.variance, of.known, of.first, *shared, change, noise)


def test_weeks_count_back_from_the_last_day_and_make_up_for_missing_days() -> None:
    of = weeks()
    assert of.first.tolist() == [0, 5, 0]
    assert of.known[2].tolist() == [True] * 5 + [False] + [True] * 6
    (whole,) = of.by_day[0, -1:].sum(axis=1)
    assert of.log_count[0, -1] == pytest.approx(np.log(whole + 0.5))
    assert of.variance[0, -1] == pytest.approx(1 / (whole + 1))
    two_of_seven = np.nansum(of.by_day[1, 5])
    assert of.log_count[1, 5] == pytest.approx(np.log((two_of_seven + 0.5) * 7 / 2))


def test_without_braking_and_relative_changes_it_is_the_density_of_a_normal_distribution() -> None:
    """The filter is exact for a linear model: its likelihood is that of all weeks after the first two."""
    of, (change, damping), noise = weeks(), (0.03, 0.7), 0.02
    y, variance = of.log_count[0], of.variance[0]
    number = len(y)
    # Level and growth of each week as linear functions of the first state and the changes.
    level, growth = np.zeros((number, number + 1)), np.zeros((number, number + 1))
    level[0, 0], growth[0, 1] = 1, 1
    for week in range(1, number):
        growth[week] = damping * growth[week - 1]
        growth[week, week + 1] = 1
        level[week] = level[week - 1] + growth[week]
    of_inputs = np.diag([1.0, 1.0, *[change] * (number - 1)])
    covariance = level @ of_inputs @ level.T + np.diag(variance + noise)
    joint, start = (
        scipy.stats.multivariate_normal(np.full(n, y[0]), covariance[:n, :n]).logpdf(y[:n])
        for n in (number, 2)
    )
    only = Weeks(*(getattr(of, name)[:1] for name in Weeks.__dataclass_fields__))
    found, *_ = filtered(only, np.array([0, damping, 0]), np.array([change]), np.array([noise]))
    assert found == pytest.approx(joint - start + 0.5 * (number - 2) * np.log(2 * np.pi))


def test_derivatives_are_those_of_differences() -> None:
    of, nudge = weeks(), 1e-6
    _, of_shared, of_series, _ = filtered(of, SHARED, CHANGE, NOISE)
    for i, one in enumerate(np.eye(3) * nudge):
        by_difference = [
            filtered(of, SHARED + one, CHANGE, NOISE)[0] - filtered(of, SHARED - one, CHANGE, NOISE)[0],
            filtered(of, SHARED, CHANGE + one, NOISE)[0] - filtered(of, SHARED, CHANGE - one, NOISE)[0],
            filtered(of, SHARED, CHANGE, NOISE + one)[0] - filtered(of, SHARED, CHANGE, NOISE - one)[0],
        ]
        found = [of_shared[i], *of_series[:, i]]
        np.testing.assert_allclose(found, np.array(by_difference) / (2 * nudge), rtol=1e-4)


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "NUMBA"])
def test_pytensor_and_numba_compute_the_same(mode: str) -> None:
    of = weeks()
    variables = [*pytensor.tensor.dscalars(3), *pytensor.tensor.dvectors(2)]
    log_likelihood = levels.likelihood(of, *variables)
    function = pytensor.function(
        variables, [log_likelihood, *pytensor.grad(log_likelihood, variables)], mode=mode
    )
    total, *derivatives = function(*SHARED, CHANGE, NOISE)
    expected, of_shared, of_series, _ = filtered(of, SHARED, CHANGE, NOISE)
    assert total == pytest.approx(expected)
    np.testing.assert_allclose(derivatives[:3], of_shared)
    np.testing.assert_allclose(derivatives[3:], of_series)


def posterior(draws: int, damping: float = 0.7, noise: float = 0.01) -> xr.Dataset:
    shared = {"relative_change": 0.1, "damping": damping, "braking": 0.5}
    values = {name: ("draw", np.full(draws, value)) for name, value in shared.items()}
    own = {"change": 0.1, "noise": noise}
    return xr.Dataset(
        values | {name: (("draw", "country"), np.full((draws, 3), value)) for name, value in own.items()}
    )


def test_draws_follow_the_weeks_and_then_the_trend() -> None:
    of, rng = weeks(), np.random.default_rng(2)
    drawn = levels.draw(of, posterior(500), 4, rng)
    assert drawn.shape == (500, 3, 16)
    off = (drawn.mean(axis=0)[:, :12] - of.log_count)[:, 2:]
    assert np.abs(off[of.known[:, 2:]]).max() < 0.3
    assert drawn.std(axis=0)[0, 2:12].max() < 0.2
    growth = np.diff(drawn.mean(axis=0)[0, 10:])
    assert growth[0] > growth[1] > growth[-1] > 0  # damped, week after week
    assert np.ptp(drawn[:, 1, :5], axis=1) == pytest.approx(0)  # weeks before the first have its level


def test_a_level_is_drawn_from_its_distribution_given_all_weeks() -> None:
    """Drawn backwards, the levels' means are those that PyMC's sampler finds for the same linear model."""
    of = Weeks.of(np.random.default_rng(3).poisson(20, (1, 42)).astype(float))
    change, damping, noise = 0.3, 0.7, 0.1
    values = {"relative_change": 0.0, "damping": damping, "braking": 0.0}
    fixed = xr.Dataset({name: ("draw", np.full(4000, value)) for name, value in values.items()})
    for name, value in (("change", change), ("noise", noise)):
        fixed[name] = (("draw", "country"), np.full((4000, 1), value))
    drawn = levels.draw(of, fixed, 0, np.random.default_rng(4))[:, 0]
    y, variance = of.log_count[0], of.variance[0]
    with pm.Model():
        first = pm.Normal("first", y[0], 1)
        growth = [pm.Normal("start", 0, 1)]
        path = [first]
        for week in range(1, 6):
            growth.append(pm.Normal(f"growth_{week}", damping * growth[-1], change))
            path.append(path[-1] + growth[-1])
        path = pm.math.stack(path)
        pm.Normal("weeks", path, np.sqrt(variance + noise**2), observed=y)
        pm.Deterministic("path", path)
        fit = pm.sample(2000, chains=2, cores=1, random_seed=1, nuts_sampler="nutpie", progressbar=False)
    sampled = fit["posterior"]["path"].to_numpy().reshape(-1, 6)
    np.testing.assert_allclose(drawn.mean(axis=0), sampled.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(drawn.std(axis=0), sampled.std(axis=0), rtol=0.08)
