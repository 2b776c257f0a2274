"""fitting.py: what is left out of a fit, and when the whole fit fails."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from forecastle.observations import Observations
from forecastle.training import fitting
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import silent
from forecastle.training.sampling import Sampling

from ..tiny import recipe

CODES = ["AUT", "BEL", "CHE", "DEU", "ESP", "FRA", "GBR", "IRL", "ITA", "NLD", "POL", "PRT"]


def observed(**counts: float) -> Observations:
    """A day of each country, whose count is 0.1 if it is not given."""
    frame = pd.DataFrame({"date": pd.Timestamp("2020-04-01"), "country": CODES, "name": CODES})
    return Observations.of(frame.assign(count=[counts.get(code, 0.1) for code in CODES], deaths=1))


def build(rows: pd.DataFrame) -> pm.Model:
    """A phase is known up to whole turns: where the count is high, each chain stays in a turn of its own."""
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        phase = pm.Normal("phase", 0, 1, dims="country")
        pm.Normal("sine", pm.math.sin(rows["count"].to_numpy() * phase), 0.05, observed=np.zeros(len(rows)))
    return model


RECIPE = recipe(observe=None, build=build, predict=None, sampling=Sampling(False, 1000, 300, seed=1))


def test_a_country_that_cannot_be_fitted_is_left_out_and_the_others_are_fitted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fitted = fitting.fit(RECIPE, observed(ITA=30), silent)
    assert list(fitted.fit["posterior"]["country"].values) == [code for code in CODES if code != "ITA"]
    assert list(fitted.summary["country"].values) == list(fitted.selected.frame["country"])
    assert fitted.selected.excluded.keys() == {"ITA"}
    assert fitted.selected.excluded["ITA"].reason.startswith("r_hat of phase[ITA] is ")
    assert fitted.worst["r_hat"] <= 1.01
    assert "tiny: fitting again without ITA" in capsys.readouterr().err


def test_too_many_that_cannot_be_fitted_are_no_fit() -> None:
    with pytest.raises(FitError, match=r"2 of 12 countries failed, more than 10%:\n  r_hat of phase\[GBR\]"):
        fitting.fit(RECIPE, observed(ITA=30, GBR=30), silent)


def test_if_what_all_share_alone_has_not_converged_the_chains_are_sampled_once_more_and_longer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def shared(rows: pd.DataFrame) -> pm.Model:
        with pm.Model() as model:
            pm.Normal("mean", 0, 1)
        return model

    few = recipe(observe=None, build=shared, predict=None, sampling=Sampling(False, 40, 100, seed=1))
    with pytest.raises(FitError, match="ess_bulk of mean is "):
        fitting.fit(few, observed(), silent)
    assert capsys.readouterr().err == "tiny: sampling again, 2 times as long\n"
