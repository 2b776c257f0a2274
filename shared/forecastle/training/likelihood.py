"""Likelihoods of counts, written so that a gradient costs little."""

import numpy as np
import pytensor.tensor as pt


def negative_binomial(
    country: np.ndarray, count: np.ndarray, log_mean: pt.TensorVariable, log_dispersion: pt.TensorVariable
) -> pt.TensorVariable:
    """The log likelihood of all counts, up to a constant: for `pm.Potential`.

    The same as the sum of `pm.NegativeBinomial`'s, whose variance is mean + mean² / dispersion, with the
    costly gammaln taken once for each country and distinct count instead of once for each day, which halves
    the time of a gradient.

    Args:
        country: The position of each count's country, shape (day).
        count: Shape (day).
        log_mean: Shape (day).
        log_dispersion: Shape (country).
    """
    dispersion = pt.exp(log_dispersion)
    (distinct_country, distinct_count), times = np.unique([country, count], axis=1, return_counts=True)
    distinct_country = distinct_country.astype(int)
    days = np.bincount(country, minlength=int(country.max()) + 1)
    return (
        pt.sum(times * pt.gammaln(distinct_count + dispersion[distinct_country]))
        - pt.sum(days * (pt.gammaln(dispersion) - dispersion * log_dispersion))
        + pt.sum(count * log_mean)
        - pt.sum((count + dispersion[country]) * pt.log(pt.exp(log_mean) + dispersion[country]))
    )
