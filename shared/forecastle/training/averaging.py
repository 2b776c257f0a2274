"""Averages of forecasts: quantiles, and whole paths that have them.

- Quantiles. The average's is the weighted mean of its members' of the same level (Vincent averaging). Counts
  stay whole: a fraction is rounded up in that share of the draws.
- Paths. Averaged quantiles say nothing of how one date goes with the next. That is taken from the members'
  own paths, of each as many as its weight: where a path has the k-th least of its member's values on a date,
  the average's has the value of that level (a Schaake shuffle: Clark et al., "The Schaake shuffle", Journal
  of Hydrometeorology 5 (2004)). Ranks are among the paths of one member, lest a difference between members
  look like a level that lasts; those of equal values are drawn.
"""

from collections.abc import Sequence

import numpy as np

GOLDEN = (5**0.5 - 1) / 2  # its multiples are spread evenly over any stretch of draws
DIGITS = 9  # after the point; fewer than sums of weights are wrong by


def average(quantiles: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The weighted mean of arrays of one shape, such as the members' quantiles.

    Args:
        quantiles: Of each member, shape (forecast, ...).
        weights: Shape (member), or (member, forecast).
    """
    stacked = np.stack(quantiles).astype(float)
    weights = weights.reshape(*weights.shape, *[1] * (stacked.ndim - weights.ndim))
    return (weights * stacked).sum(axis=0)


def marginals(draws: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Sorted draws with the averaged quantiles: as many as the member with the fewest has.

    Args:
        draws: Of each member, shape (draw, series, period).
        weights: Shape (member).

    Returns:
        Shape (draw, series, period), from the least to the greatest; whole if all draws are.
    """
    number = min(map(len, draws))
    levels = (np.arange(number) + 0.5) / number
    each = [
        np.sort(one, axis=0) if len(one) == number else np.quantile(one, levels, axis=0, method="hazen")
        for one in draws
    ]
    values = average(each, weights)
    if not all(np.array_equal(one, np.rint(one)) for one in draws):
        return values
    share = (np.arange(1, number + 1) * GOLDEN % 1)[:, None, None]
    return np.sort(np.floor(values.round(DIGITS) + share), axis=0)


def shuffled(
    values: np.ndarray, draws: Sequence[np.ndarray], weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Sorted draws as paths that rise and fall as the members' own do: see the module's rule.

    Args:
        values: Of each series and period, sorted, shape (draw, series, period).
        draws: Of each member, likewise but unsorted; at least as many.
        weights: Shape (member).
        rng: Orders equal values.
    """
    levels = []
    for one, number in zip(draws, shares(weights, len(values)), strict=True):
        paths = one[np.arange(number) * len(one) // max(number, 1)]
        levels.append((_ranks(paths, rng) + 0.5) / max(number, 1))
    ranks = _ranks(np.concatenate(levels), rng)
    paths = np.take_along_axis(values, ranks, axis=0)
    return paths[rng.permutation(len(paths))]


def shares(weights: np.ndarray, number: int) -> list[int]:
    """So many paths in all, of each member by its weight: whole numbers by the largest remainders."""
    exact = weights / weights.sum() * number
    counts = np.floor(exact).astype(int)
    largest = np.argsort(counts - exact, kind="stable")[: number - counts.sum()]
    counts[largest] += 1
    return counts.tolist()


def _ranks(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ranks from 0 along the first axis, equal values in an order that is drawn."""
    order = np.lexsort((rng.random(values.shape), values), axis=0)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(values)).reshape(-1, 1, 1), axis=0)
    return ranks
