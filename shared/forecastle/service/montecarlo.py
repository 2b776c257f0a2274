"""How far draws that resemble their neighbours determine a mean: the effective sample size.

Draws of a Markov chain are correlated, so they count for fewer than there are. Their variance is estimated
from the means of batches: Flegal, Haran and Jones, "Markov chain Monte Carlo: can we trust the third
significant figure?", Statistical Science 23 (2008). Draws must be in the order of the chains.
"""

import math

import numpy as np


def effective(draws: np.ndarray) -> float:
    """The effective number of draws: the median over days, at most as many as there are.

    A day's is that of the share above its median, so that no outlier decides it, as in Vehtari et al.,
    "Rank-normalization, folding, and localization: an improved R-hat", Bayesian Analysis 16 (2021).

    Args:
        draws: In the order of the chains, shape (draw, day).
    """
    above = draws > np.median(draws, axis=0)
    size = math.isqrt(len(above))
    batches = above[: len(above) // size * size].reshape(-1, size, above.shape[1])
    independent, found = above.var(axis=0), size * batches.mean(axis=1).var(axis=0)
    shares = np.divide(independent, found, out=np.ones(len(found)), where=found > independent)
    return len(above) * float(np.median(shares))


def error_of_share(share: float, effective: float) -> float:
    """The standard error of a probability that is a share of draws: sqrt(p (1 - p) / effective draws).

    For p it takes the mean under Jeffreys' prior: with the share itself, an event of no draw or of every draw
    would have an error of 0.
    """
    p = (share * effective + 0.5) / (effective + 1)
    return math.sqrt(p * (1 - p) / effective)
