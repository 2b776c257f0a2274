"""Levels: the log of what is expected of each week, and how they change, by an extended Kalman filter.

A week's state is its level and its growth. The log of its count is observed, with the variance that Poisson's
noise has on that scale and a series' own. Durbin and Koopman, "Time Series Analysis by State Space Methods"
(2012), sections 4.3, 4.9 and 10.2.
"""

from dataclasses import dataclass
from typing import Any, Self

import numba
import numpy as np
import pytensor.tensor as pt
import xarray as xr
from pytensor.graph import Apply, Op
from pytensor.link.numba.dispatch import numba_funcify

SHARP = 20.0  # how sharply braking sets in as growth turns positive
FIRST_VARIANCE = 1.0  # of the first week's level and growth
NUDGE = 1e-4  # of growth, whose effect is its derivative


@dataclass(frozen=True)
class Weeks:
    """What was observed of the last weeks, counted back from each series' last day.

    Attributes:
        by_day: Counts, shape (series, week, 7), nan where there was no report.
        log_count: Of each week's count, as if all its days had been reported; shape (series, week).
        variance: Of `log_count`, as far as it comes from Poisson's noise.
        known: Whether any day of a week was reported.
        first: The first such week of each series.
    """

    by_day: np.ndarray
    log_count: np.ndarray
    variance: np.ndarray
    known: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, count: np.ndarray) -> Self:
        """Those of daily counts, shape (series, day)."""
        by_day = count.reshape(len(count), -1, 7)
        reported = (~np.isnan(by_day)).mean(axis=2)
        total = np.nansum(by_day, axis=2)
        log_count = np.log((total + 0.5) / np.maximum(reported, 1 / 7))
        known = reported > 0
        return cls(by_day, log_count, 1 / (total + 1), known, known.argmax(axis=1))


@numba.njit(error_model="numpy")
def filtered(
    log_count: np.ndarray,
    variance: np.ndarray,
    known: np.ndarray,
    first: np.ndarray,
    relative: float,
    damping: float,
    braking: float,
    change: np.ndarray,
    noise: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The log likelihood up to a constant, its derivatives, and the states.

    Derivatives are carried from week to week beside the states (forward mode): row j of `d` holds those of
    the state by the parameter j. The first two weeks of a series are not counted: they say where it starts.

    Args:
        log_count: As in `Weeks`, and so `variance`, `known` and `first`.
        relative: What the variance of a change of growth has beside `change`, by growth².
        damping: Of growth.
        braking: Of positive growth.
        change: Of each series, the variance of a change of growth where that is 0.
        noise: Of each series, the variance of its weeks beside Poisson's.

    Returns:
        The log likelihood; its derivatives by the three shared parameters; those by `change` and `noise`,
        shape (2, series); and of each week, given those up to it, the mean level and growth, the level's
        variance, the covariance and the growth's variance, shape (series, week, 5).
    """
    number, weeks = log_count.shape
    states = np.zeros((number, weeks, 5))
    total, of_shared, of_series = 0.0, np.zeros(3), np.zeros((2, number))
    d = np.zeros((5, 5))
    for i in range(number):
        level, growth = log_count[i, first[i]], 0.0
        a, b, c = FIRST_VARIANCE, 0.0, FIRST_VARIANCE  # the level's variance, the covariance, the growth's
        d[:] = 0
        for week in range(first[i], weeks):
            if week > first[i]:
                sharp = SHARP * growth
                positive = (max(sharp, 0.0) + np.log1p(np.exp(-abs(sharp)))) / SHARP
                rising = 1 / (1 + np.exp(-sharp))
                brake = 1 + braking * positive
                factor = damping / brake
                slowed = braking * growth * rising / brake
                slope = factor * (1 - slowed)
                bent = braking * rising * (1 + sharp * (1 - rising))
                added = change[i] + relative * growth**2
                for j in range(5):
                    d_level, d_growth, d_a, d_b, d_c = d[j]
                    d_brake = braking * rising * d_growth + (positive if j == 2 else 0.0)
                    d_factor = ((1.0 if j == 1 else 0.0) - factor * d_brake) / brake
                    d_slowed = (
                        bent * d_growth + (growth * rising if j == 2 else 0.0) - slowed * d_brake
                    ) / brake
                    d_slope = d_factor * (1 - slowed) - factor * d_slowed
                    d_added = 2 * relative * growth * d_growth
                    d_added += growth**2 if j == 0 else 1.0 if j == 3 else 0.0
                    d_growth = d_factor * growth + factor * d_growth
                    d_c = 2 * slope * d_slope * c + slope**2 * d_c + d_added
                    d_b = d_slope * b + slope * d_b
                    d[j, 0], d[j, 1] = d_level + d_growth, d_growth
                    d[j, 2], d[j, 3], d[j, 4] = d_a + 2 * d_b + d_c, d_b + d_c, d_c
                growth *= factor
                level += growth
                c = slope**2 * c + added
                b *= slope
                a, b = a + 2 * b + c, b + c
            if known[i, week]:
                spread = a + variance[i, week] + noise[i]
                error = log_count[i, week] - level
                gain, gain_of_growth = a / spread, b / spread
                counts = week > first[i] + 1
                if counts:
                    total -= 0.5 * (np.log(spread) + error**2 / spread)
                for j in range(5):
                    d_level, d_growth, d_a, d_b, d_c = d[j]
                    d_spread = d_a + (1.0 if j == 4 else 0.0)
                    if counts:
                        of = -0.5 * (d_spread * (1 - error**2 / spread) - 2 * error * d_level) / spread
                        if j < 3:
                            of_shared[j] += of
                        else:
                            of_series[j - 3, i] += of
                    d_gain = (d_a - gain * d_spread) / spread
                    d_of_growth = (d_b - gain_of_growth * d_spread) / spread
                    d[j, 0] = d_level * (1 - gain) + d_gain * error
                    d[j, 1] = d_growth + d_of_growth * error - gain_of_growth * d_level
                    d[j, 2] = d_a * (1 - gain) - a * d_gain
                    d[j, 3] = d_b * (1 - gain) - b * d_gain
                    d[j, 4] = d_c - d_of_growth * b - gain_of_growth * d_b
                level += gain * error
                growth += gain_of_growth * error
                c -= gain_of_growth * b
                a, b = a * (1 - gain), b * (1 - gain)
            states[i, week] = (level, growth, a, b, c)
    return total, of_shared, of_series, states


class _Likelihood(Op):
    """The log likelihood of weeks, with its derivatives as further outputs."""

    __props__ = ()

    def __init__(self, weeks: Weeks) -> None:
        self.weeks = weeks

    def make_node(self, *parameters: Any) -> Apply:
        inputs = [pt.as_tensor(one) for one in parameters]
        return Apply(self, inputs, [pt.dscalar(), pt.dvector(), pt.dmatrix()])

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        relative, damping, braking = map(float, inputs[:3])
        found = filtered(*_arrays(self.weeks), relative, damping, braking, *inputs[3:])
        for output, value in zip(outputs, found[:3], strict=True):
            output[0] = np.asarray(value)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        _, of_shared, of_series = outputs
        return [
            cotangents[0] * one[i] for one, number in ((of_shared, 3), (of_series, 2)) for i in range(number)
        ]


@numba_funcify.register(_Likelihood)
def _for_numba(op: _Likelihood, node: Apply | None = None, **options: Any) -> Any:
    log_count, variance, known, first = _arrays(op.weeks)

    @numba.njit
    def likelihood(relative: Any, damping: Any, braking: Any, change: Any, noise: Any) -> Any:
        shared = relative.item(), damping.item(), braking.item()
        total, of_shared, of_series, _ = filtered(log_count, variance, known, first, *shared, change, noise)
        return np.asarray(total), of_shared, of_series

    return likelihood


def likelihood(
    weeks: Weeks,
    relative: pt.TensorVariable,
    damping: pt.TensorVariable,
    braking: pt.TensorVariable,
    change: pt.TensorVariable,
    noise: pt.TensorVariable,
) -> pt.TensorVariable:
    """The log likelihood of weeks, up to a constant: for `pm.Potential`. Parameters as of `filtered`."""
    log_likelihood, *_ = _Likelihood(weeks).make_node(relative, damping, braking, change, noise).outputs
    return pt.as_tensor(log_likelihood)


def draw(weeks: Weeks, posterior: xr.Dataset, number: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the levels of the observed weeks and of `number` coming ones, shape (draw, series, week).

    Coming ones go on from the last. Observed ones are drawn backwards from it (forward filtering, backward
    sampling): a level is the one after it less that one's growth, and a growth is drawn given both. Weeks
    before a series' first have its first one's.
    """
    shared = ("relative_change", "damping", "braking")
    relative, damping, braking = (posterior[name].to_numpy() for name in shared)
    change, noise = (posterior[name].to_numpy() for name in ("change", "noise"))
    arrays = _arrays(weeks)
    states = np.stack(
        [
            filtered(*arrays, relative[k] ** 2, damping[k], braking[k], change[k] ** 2, noise[k] ** 2)[3]
            for k in range(len(relative))
        ]
    )
    relative, damping, braking = (each[:, None] for each in (relative, damping, braking))
    past = weeks.log_count.shape[1]
    level, growth, a, b, c = np.moveaxis(states[:, :, -1], -1, 0)
    level = level + np.sqrt(a) * rng.standard_normal(a.shape)
    growth = growth + b / a * (level - states[:, :, -1, 0])
    growth = growth + np.sqrt(np.maximum(c - b**2 / a, 0)) * rng.standard_normal(a.shape)
    coming, last = [], (level, growth)
    for _ in range(number):
        spread = np.sqrt(change**2 + (relative * growth) ** 2)
        growth = expected_growth(growth, damping, braking) + spread * rng.standard_normal(a.shape)
        level = level + growth
        coming.append(level)

    level, growth = last
    path = [level]
    for week in range(past - 2, -1, -1):
        begun = week >= weeks.first
        mean, mean_growth, a, b, c = np.moveaxis(states[:, :, week], -1, 0)
        a = np.where(begun, a, 1)
        before = level - growth
        # Of the growth: given the level, then given the one that followed.
        own_mean = mean_growth + b / a * (before - mean)
        own = np.maximum(c - b**2 / a, 0)
        ahead = expected_growth(own_mean, damping, braking)
        slope = (expected_growth(own_mean + NUDGE, damping, braking) - ahead) / NUDGE
        added = change**2 + (relative * own_mean) ** 2
        gain = own * slope / (slope**2 * own + added)
        drawn = own_mean + gain * (growth - ahead)
        drawn = drawn + np.sqrt(np.maximum(own * (1 - gain * slope), 0)) * rng.standard_normal(a.shape)
        level, growth = np.where(begun, before, level), np.where(begun, drawn, growth)
        path.append(level)
    return np.stack([*path[::-1], *coming], axis=-1)


def expected_growth(growth: np.ndarray, damping: np.ndarray, braking: np.ndarray) -> np.ndarray:
    """The growth that is expected a week later."""
    return damping * growth / (1 + braking * np.logaddexp(0, SHARP * growth) / SHARP)


def _arrays(weeks: Weeks) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return weeks.log_count, weeks.variance, weeks.known, weeks.first
