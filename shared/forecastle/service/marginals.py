"""The predictive distribution of each coming day: draws are sorted once, all else is a look-up.

To sort a series' draws takes a millisecond, when it is first asked for. From then on any quantile is found by
its place, and the probability of a threshold by bisection.
"""

import threading
from bisect import bisect_left, bisect_right  # `searchsorted` would first copy all draws to float64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np
from cachetools import LRUCache

from forecastle.artifact import Artifact, Series
from forecastle.service import montecarlo, paths
from forecastle.service.paths import Kind

MOST_BYTES = 64 * 1024**2  # of the sorted draws of an artifact: 92 series, daily and cumulative, take 41 MB

CAVEAT = (
    "Running totals fall along some of this model's paths, because it draws each day independently: do not "
    "trust its daily counts, nor the probability of what depends on several days."
)


@dataclass(frozen=True, eq=False)
class Marginals:
    """The distribution of a series on each day ahead, without the dependence between days.

    Attributes:
        draws: In ascending order on each day, shape (draw, day ahead): float32 where that is exact. A level's
            draws of all days lie side by side.
        means: Of each day, shape (day ahead).
        effective: How many independent draws tell as much: see `montecarlo`.
    """

    draws: np.ndarray
    means: np.ndarray
    effective: float

    @classmethod
    def of_paths(cls, paths: np.ndarray) -> Self:
        """From whole paths, shape (draw, day ahead)."""
        draws = np.sort(paths, axis=0)
        single = draws.astype(np.float32)
        kept = single if np.array_equal(single, draws) else draws
        return cls(kept, paths.mean(axis=0), montecarlo.effective(paths))

    def quantiles(self, levels: Sequence[float], days: int) -> np.ndarray:
        """What `np.quantile` gives by default (Hyndman and Fan's type 7), shape (day ahead, level).

        Args:
            levels: Probabilities, from 0 to 1.
            days: The first so many.
        """
        last = len(self.draws) - 1
        lower, nearer, weights = [], [], []
        for level in levels:  # a few, for which plain Python is faster than arrays
            place = level * last
            low = int(place)
            share = place - low
            far = share >= 0.5  # from the nearer draw, as NumPy does, so that rounding errors are the same
            lower.append(low)
            nearer.append(low + far)
            weights.append(share - far)
        places = [lower, [low + 1 for low in lower], nearer]
        around = self.draws.take(places, axis=0, mode="clip")[..., :days].astype(float)
        return (around[2] + (around[1] - around[0]) * np.array(weights)[:, None]).T

    def above(self, threshold: float, ahead: int) -> int:
        """How many draws are above the threshold, so many days ahead."""
        draws = self.draws[:, ahead - 1]
        return len(draws) - bisect_right(draws, np.float64(threshold))

    def below(self, threshold: float, ahead: int) -> int:
        """How many draws are below the threshold, so many days ahead."""
        return bisect_left(self.draws[:, ahead - 1], np.float64(threshold))


_kept: WeakKeyDictionary[Artifact, LRUCache[tuple[str, Kind], Marginals]] = WeakKeyDictionary()
_lock = threading.Lock()  # POST is answered in threads


def of(artifact: Artifact, series: Series, kind: Kind) -> Marginals:
    """Those of a series' counts; computed when they are first asked for, and kept."""
    key = (series.code, kind)
    with _lock:
        if (kept := _kept.get(artifact)) is None:
            kept = _kept[artifact] = LRUCache(MOST_BYTES, lambda found: found.draws.nbytes)
        found = kept.get(key)
    if found is None:
        found = Marginals.of_paths(paths.paths(artifact, series, kind))
        with _lock:
            if found.draws.nbytes <= kept.maxsize:
                kept[key] = found
    return found


def caveat(artifact: Artifact, series: Series, kind: Kind, several_days: bool) -> str | None:
    """A warning if the answer rests on paths along which the running total falls.

    Args:
        artifact: Of the model.
        series: One of the artifact's.
        kind: What the answer counts.
        several_days: Whether it depends on more than one day of a path.
    """
    if kind == paths.own(artifact) and not several_days:
        return None
    if artifact.manifest.real:
        return None
    each = of(artifact, series, artifact.frequency.adjective)
    return CAVEAT if each.draws[0].min() < 0 else None
