"""Shares: how a week's count falls on its days.

A series has a share of each day of the week, which tilts as counts grow or fall within the week. Its days
scatter about these shares by a Dirichlet-multinomial distribution, whose concentration differs from series to
series. Both are learnt from the last weeks and drawn towards what all series have in common by as much as a
series' own data are noisy (empirical Bayes; Efron and Morris, JASA 70, 1975).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.special

CONCENTRATIONS = np.geomspace(2, 5000, 50)  # from days that differ wildly to little more than chance
FEW = 30  # counts of a week, of which chance alone makes its shares unsure
LEAST = 0.005  # of a week's count on a day
ROUNDS = 30  # of the concentrations' common distribution


@dataclass(frozen=True)
class Shares:
    """How weeks fall on days, counted back from each series' last day.

    Attributes:
        share: Of each of the seven days, shape (series, 7).
        weight: How probable each of `CONCENTRATIONS` is, shape (series, concentration).
    """

    share: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, by_day: np.ndarray, slope: np.ndarray, last: np.ndarray) -> Self:
        """Those of past weeks.

        Args:
            by_day: Counts, shape (series, week, 7); nan where there was no report.
            slope: Growth of the log from day to day, shape (series, week).
            last: The day of the week of each series' last day.
        """
        share = _shares(by_day, slope, (last[:, None] + np.arange(-6, 1)) % 7)
        return cls(share, _weights(by_day, _tilted(share[:, None], slope)))

    def draw(self, total: np.ndarray, slope: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws of daily counts, shape (draw, series, day).

        Args:
            total: Counts of weeks, shape (draw, series, week).
            slope: Growth of the log from day to day, of the same shape.
            rng: Of the draws.
        """
        draws, series, _ = total.shape
        each = [rng.choice(CONCENTRATIONS, draws, p=weight) for weight in self.weight]
        concentration = np.stack(each, axis=1)[:, :, None, None]
        expected = _tilted(self.share[None, :, None], slope)
        drawn = rng.gamma(concentration * expected)
        whole = drawn.sum(axis=-1, keepdims=True)
        share = np.where(whole > 0, drawn / np.where(whole > 0, whole, 1), expected)
        return rng.multinomial(total, share).reshape(draws, series, -1)


def _tilted(share: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Shares of weeks in which counts grow by `slope` from day to day."""
    tilted = share * np.exp(slope[..., None] * (np.arange(7) - 3))
    return tilted / tilted.sum(axis=-1, keepdims=True)


def _shares(by_day: np.ndarray, slope: np.ndarray, day_of_week: np.ndarray) -> np.ndarray:
    """Each series' shares of the days at these days of the week, shape (series, 7)."""
    total = np.nansum(by_day, axis=2)
    whole = ~np.isnan(by_day).any(axis=2) & (total > 0)
    level = by_day / np.exp(slope[..., None] * (np.arange(7) - 3))
    level = np.where(whole[..., None], level, 1)
    weekly = level / level.sum(axis=2, keepdims=True)
    weight = np.where(whole, total / (total + FEW), 0)
    weights = np.maximum(weight.sum(axis=1), 1e-9)[:, None]
    own = (weekly * weight[..., None]).sum(axis=1) / weights
    variance = (((weekly - own[:, None]) ** 2 * weight[..., None] ** 2).sum(axis=1) / weights**2).mean(axis=1)
    told = weight.sum(axis=1) > 0.5
    if not told.any():
        return np.full_like(own, 1 / 7)
    by_name = np.take_along_axis(own, np.argsort(day_of_week, axis=1), axis=1)
    precision = 1 / (variance[told] + 1e-3)
    common = np.average(by_name[told], axis=0, weights=precision)
    between = np.average(((by_name[told] - common) ** 2).mean(axis=1) - variance[told], weights=precision)
    kept = np.where(told, max(between, 1e-5) / (max(between, 1e-5) + variance), 0)[:, None]
    share = np.maximum(common + kept * (by_name - common), LEAST)
    share = np.take_along_axis(share, day_of_week, axis=1)
    return share / share.sum(axis=1, keepdims=True)


def _weights(by_day: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """How probable each concentration is, given the counts and their expected shares; shape (series, ...).

    Logs of concentrations are normal over series, with the mean and the spread that the data give them.
    """
    known = ~np.isnan(by_day)
    count = np.where(known, by_day, 0)
    expected = np.where(known, expected, 0)
    log_likelihood = np.empty((len(by_day), len(CONCENTRATIONS)))
    for k, concentration in enumerate(CONCENTRATIONS):
        alpha = np.maximum(concentration * expected, 1e-6)
        of_days = scipy.special.gammaln(count + alpha) - scipy.special.gammaln(alpha)
        # Of a week with missing days, the concentration of those that are known.
        whole = np.maximum(concentration * expected.sum(axis=2), 1e-6)
        of_weeks = scipy.special.gammaln(whole + count.sum(axis=2)) - scipy.special.gammaln(whole)
        by_week = np.where(known, of_days, 0).sum(axis=2) - of_weeks
        log_likelihood[:, k] = by_week.sum(axis=1)
    log = np.log(CONCENTRATIONS)
    mean, spread = np.log(30), 1.0
    for _ in range(ROUNDS):
        weight = scipy.special.softmax(log_likelihood - 0.5 * ((log - mean) / spread) ** 2, axis=1)
        means = weight @ log
        mean = means.mean()
        within = (weight @ log**2 - means**2).mean()
        spread = max(float(np.sqrt(within + means.var())), 0.1)
    return weight
