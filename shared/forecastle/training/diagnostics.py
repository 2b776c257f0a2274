"""Has the sampler converged? A verdict with reasons, by the bounds of Vehtari et al. (2021).

Rank-normalised split R-hat and bulk and tail effective sample size: Vehtari, Gelman, Simpson, Carpenter and
Bürkner, "Rank-normalization, folding, and localization: an improved R-hat", Bayesian Analysis 16 (2021).
Divergences and E-BFMI: Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo" (2017).
ArviZ computes all of them.
"""

from dataclasses import dataclass
from typing import Any

import arviz as az
import numpy as np
import xarray as xr
from arviz_base import xarray_var_iter

R_HAT = 1.01  # at most, of every parameter
ESS = 400  # at least, bulk and tail, of every parameter: a hundred for each of four chains
DIVERGENCES = 0  # at most
E_BFMI = 0.3  # at least, of every chain

BOUNDS = {"r_hat": R_HAT, "ess_bulk": ESS, "ess_tail": ESS, "divergences": DIVERGENCES, "e_bfmi": E_BFMI}
OF_PARAMETERS = ("r_hat", "ess_bulk", "ess_tail")  # the others are of a whole chain or fit
AT_MOST = ("r_hat", "divergences")  # bounds from above; the others are from below
HDI_PROBABILITY = 0.9

_ADVICE = {
    "r_hat": "the chains disagree: sample longer, or give the parameter a narrower prior",
    "ess_bulk": "too few effective draws: sample longer, or parametrise for a rounder posterior",
    "ess_tail": "too few effective draws in the tails: sample longer, or parametrise for lighter ones",
    "divergences": "the posterior has corners that the sampler cannot enter: parametrise them away "
    "(non-centred, on a log scale), or narrow the priors",
    "e_bfmi": "the chains move too slowly between energies: shorten the tails, often by a narrower prior",
}


class FitError(Exception):
    """The fit is not to be used; the message is the verdict, a line for each reason."""


@dataclass(frozen=True)
class Verdict:
    """What the diagnostics say of one fit.

    Attributes:
        worst: The worst value of each diagnostic in `BOUNDS` that the fit has.
        reasons: Why the fit is not to be used, in words: which diagnostic, of which parameter of which
            series, its value, the bound, what to try. Empty for a good fit.
    """

    worst: dict[str, float]
    reasons: tuple[str, ...]


def summarise(fit: xr.DataTree) -> xr.Dataset:
    """Posterior summaries of every parameter: mean, sd, HDI, R-hat, effective sample sizes.

    Args:
        fit: With the group `posterior`, whose variables have the dimensions chain, draw and perhaps the
            series' noun.

    Returns:
        The posterior's variables, with `summary` in place of chain and draw.
    """
    # Not those errors of mean and sd that `az.summary` adds to all of it, which take a quarter of the time.
    statistics = az.summary(
        fit, kind="stats", fmt="xarray", round_to="none", ci_kind="hdi", ci_prob=HDI_PROBABILITY
    )
    posterior = fit["posterior"].dataset
    found = {
        "r_hat": az.rhat(posterior),
        "ess_bulk": az.ess(posterior, method="bulk"),
        "ess_tail": az.ess(posterior, method="tail"),
    }
    diagnostics = [values.expand_dims(summary=[name]) for name, values in found.items()]
    return xr.concat([statistics, *diagnostics], "summary")


def check(fit: xr.DataTree, summary: xr.Dataset) -> Verdict:
    """Judge a fit by `BOUNDS`.

    Args:
        fit: With the group `sample_stats`: `diverging` and `energy`, dimensions chain and draw. A sampler
            that has no such thing is not judged by it.
        summary: Its parameters, as `summarise` gives them.
    """
    found = {diagnostic: _worst(summary, diagnostic) for diagnostic in OF_PARAMETERS}
    known = set(fit["sample_stats"].data_vars) if "sample_stats" in fit.children else set()
    if "diverging" in known:
        found["divergences"] = float(fit["sample_stats"]["diverging"].sum()), ""
    if "energy" in known:
        found["e_bfmi"] = float(az.bfmi(fit)["energy"].min()), ""
    return Verdict({name: found[name][0] for name in BOUNDS if name in found}, _reasons(found))


def unfit(summary: xr.Dataset, noun: str) -> dict[str, tuple[str, ...]]:
    """The series with parameters of their own that have not converged, each with the reasons.

    Args:
        summary: As `summarise` gives it.
        noun: The dimension of the series, such as "country".
    """
    if noun not in summary.dims:
        return {}
    own = summary[[name for name, variable in summary.data_vars.items() if noun in variable.dims]]
    by_code = {
        str(code): _reasons({name: _worst(own.sel({noun: [code]}), name) for name in OF_PARAMETERS})
        for code in summary[noun].values
    }
    return {code: reasons for code, reasons in by_code.items() if reasons}


def parameters(summary: xr.Dataset, noun: str) -> dict[str, list[dict[str, Any]]]:
    """Posterior summaries by series; those of parameters that all series share lie under `""`.

    An element of a parameter with other dimensions is named as in `weekday[Mon]`.
    """
    percent = round(100 * HDI_PROBABILITY)
    keys = {
        "mean": "mean",
        "sd": "sd",
        f"hdi{percent}_lb": "hdi_lower",
        f"hdi{percent}_ub": "hdi_upper",
        "r_hat": "r_hat",
        "ess_bulk": "ess_bulk",
        "ess_tail": "ess_tail",
    }
    by_code: dict[str, list[dict[str, Any]]] = {}
    for name, where, _, values in xarray_var_iter(summary.sel(summary=list(keys)), skip_dims={"summary"}):
        labels = ", ".join(str(label) for dim, label in where.items() if dim != noun)
        entry = {key: float(f"{value:.6g}") for key, value in zip(keys.values(), values, strict=True)}
        by_code.setdefault(str(where.get(noun, "")), []).append(
            {
                "parameter": f"{name}[{labels}]" if labels else str(name),
                "hdi_probability": HDI_PROBABILITY,
                **entry,
            }
        )
    return by_code


def _reasons(found: dict[str, tuple[float, str]]) -> tuple[str, ...]:
    """In words, which of these diagnostics are out of bounds: by name, their value and their parameter."""
    reasons = []
    for diagnostic, bound in BOUNDS.items():
        if diagnostic not in found:
            continue
        value, where = found[diagnostic]
        at_most = diagnostic in AT_MOST
        if not (value <= bound if at_most else value >= bound):  # "not", so that NaN fails
            place = f" of {where}" if where else ""
            limit = f"{'at most' if at_most else 'at least'} {bound}"
            reasons.append(f"{diagnostic}{place} is {value:.4g}, should be {limit}: {_ADVICE[diagnostic]}")
    return tuple(reasons)


def _worst(summary: xr.Dataset, diagnostic: str) -> tuple[float, str]:
    """The worst value of one diagnostic over all parameters, and the parameter, as in `log_decay[IND]`."""
    found = []
    for name, variable in summary.sel(summary=diagnostic).data_vars.items():
        for index, value in np.ndenumerate(variable.values):
            labels = [str(variable[dim].values[i]) for dim, i in zip(variable.dims, index, strict=True)]
            found.append((float(value), f"{name}[{', '.join(labels)}]" if labels else str(name)))
    sign = -1 if diagnostic == "r_hat" else 1
    return min(found, key=lambda entry: (not np.isnan(entry[0]), sign * entry[0]))
