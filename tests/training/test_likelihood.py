"""likelihood.py: fast, and the same as PyMC's."""

import numpy as np
import pymc as pm
import pytest

from forecastle.training import likelihood


def test_the_likelihood_is_pymcs_negative_binomial_up_to_a_constant() -> None:
    country, count = np.array([0, 0, 0, 1, 1]), np.array([0.0, 3, 3, 7, 40])
    log_mean = np.log([1.0, 2, 3, 8, 30])

    def both(dispersion: np.ndarray) -> tuple[float, float]:
        potential = likelihood.negative_binomial(
            country, count, pm.math.log(np.exp(log_mean)), np.log(dispersion)
        )
        exact = pm.logp(pm.NegativeBinomial.dist(mu=np.exp(log_mean), alpha=dispersion[country]), count)
        return float(potential.eval()), float(exact.sum().eval())

    first, second = both(np.array([2.0, 5])), both(np.array([0.7, 11]))
    assert first[0] - second[0] == pytest.approx(first[1] - second[1])
