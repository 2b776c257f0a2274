"""diagnostics.py: what passes, what fails, and whether the verdict says where."""

import arviz as az
import numpy as np
import pytest
import xarray as xr

from forecastle.training import diagnostics

CHAINS, DRAWS = 4, 1000
CODES = ["GBR", "ITA"]


def fit(**changes: np.ndarray) -> xr.DataTree:
    """A well-mixed fit of a parameter for each country and one for all; what is given takes their place."""
    rng = np.random.default_rng(1)
    posterior = {"growth": rng.normal(size=(CHAINS, DRAWS, 2)), "noise": rng.normal(size=(CHAINS, DRAWS))}
    stats = {"diverging": np.zeros((CHAINS, DRAWS), bool), "energy": rng.normal(size=(CHAINS, DRAWS))}
    for name, values in changes.items():
        (stats if name in stats else posterior)[name] = values
    return az.from_dict(
        {"posterior": posterior, "sample_stats": stats},
        dims={"growth": ["country"]},
        coords={"country": CODES},
    )


def verdict(tree: xr.DataTree) -> diagnostics.Verdict:
    return diagnostics.check(tree, diagnostics.summarise(tree))


def test_a_summary_is_the_one_of_arviz() -> None:
    found = diagnostics.summarise(fit())
    expected = az.summary(fit(), fmt="xarray", round_to="none", ci_kind="hdi", ci_prob=0.9)
    xr.testing.assert_identical(found, expected.sel(summary=found["summary"]))


def test_a_good_fit_passes_with_its_worst_values() -> None:
    good = verdict(fit())
    assert not good.reasons
    assert good.worst.keys() == diagnostics.BOUNDS.keys()
    assert 1 <= good.worst["r_hat"] <= diagnostics.R_HAT
    assert good.worst["divergences"] == 0


def test_chains_that_disagree_name_the_parameter_and_the_country() -> None:
    growth = np.random.default_rng(1).normal(size=(CHAINS, DRAWS, 2))
    growth[0, :, 1] += 3
    (first, *_) = verdict(fit(growth=growth)).reasons
    assert first.startswith("r_hat of growth[ITA] is 1.")
    assert "at most 1.01" in first


def test_slow_chains_have_too_few_effective_draws() -> None:
    walk = np.random.default_rng(1).normal(size=(CHAINS, DRAWS)).cumsum(axis=1)
    reasons = " ".join(verdict(fit(noise=walk)).reasons)
    assert "ess_bulk of noise is" in reasons
    assert "at least 400" in reasons


def test_one_divergence_is_too_many() -> None:
    diverging = np.zeros((CHAINS, DRAWS), bool)
    diverging[2, 7] = True
    assert "divergences is 1, should be at most 0" in verdict(fit(diverging=diverging)).reasons[0]


def test_slow_energy_fails() -> None:
    energy = np.random.default_rng(1).normal(size=(CHAINS, DRAWS)).cumsum(axis=1)
    assert any(reason.startswith("e_bfmi is 0.") for reason in verdict(fit(energy=energy)).reasons)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of R-hat, 0 / 0
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_parameter_that_never_moves_or_is_no_number_does_not_pass(value: float) -> None:
    assert verdict(fit(noise=np.full((CHAINS, DRAWS), value))).reasons


def test_parameters_are_told_by_country_and_shared_ones_apart() -> None:
    summaries = diagnostics.parameters(diagnostics.summarise(fit()), "country")
    assert {code: [entry["parameter"] for entry in entries] for code, entries in summaries.items()} == {
        "GBR": ["growth"],
        "ITA": ["growth"],
        "": ["noise"],
    }
    entry = summaries["GBR"][0]
    assert entry["hdi_lower"] < entry["mean"] < entry["hdi_upper"]
    assert entry["hdi_probability"] == 0.9
