"""montecarlo.py: as many effective draws as a mean's true error says."""

import math

import numpy as np
import pytest

from forecastle.service import montecarlo


def chain(correlation: float, draws: int = 20_000, days: int = 5) -> np.ndarray:
    """Draws of which each resembles the one before it; shape (draw, day)."""
    rng = np.random.default_rng(1)
    state, path = rng.normal(size=days), []
    for _ in range(draws):
        state = correlation * state + math.sqrt(1 - correlation**2) * rng.normal(size=days)
        path.append(state)
    return np.array(path)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_correlated_draws_count_for_fewer(correlation: float) -> None:
    # Of the median's indicator the autocorrelation at lag k is 2 / pi * asin(correlation ** k).
    lags = 2 / math.pi * np.arcsin(correlation ** np.arange(1, 200))
    expected = 20_000 / (1 + 2 * lags.sum())
    # A variance over 141 batches has a standard error of 12 %, and the median is over five days.
    assert montecarlo.effective(chain(correlation)) == pytest.approx(expected, rel=0.35)


def test_draws_that_are_all_the_same_are_as_many_as_there_are() -> None:
    assert montecarlo.effective(np.zeros((200, 28))) == 200


def test_the_error_of_a_share_is_never_zero() -> None:
    assert montecarlo.error_of_share(0.5, 2000) == pytest.approx(math.sqrt(0.25 / 2000), rel=1e-3)
    assert montecarlo.error_of_share(0.5, 500) == pytest.approx(math.sqrt(0.25 / 500), rel=1e-3)
    none, every = (montecarlo.error_of_share(share, 2000) for share in (0.0, 1.0))
    assert none == pytest.approx(every)
    assert 0 < none < 1 / 2000
