"""prior.py: draws have the model's dimensions, of one model and of a model for each country."""

import numpy as np
import pandas as pd
import pymc as pm

from forecastle.training import prior


def build(rows: pd.DataFrame) -> pm.Model:
    with pm.Model(coords={"country": rows["country"].unique()}) as model:
        level = pm.Normal("level", rows["count"].mean(), 1)
        pm.Normal("effect", level, 1, dims="country")
        pm.Deterministic("twice", 2 * level)
    return model


ROWS = pd.DataFrame({"country": ["FRA", "FRA", "GBR"], "count": [10, 20, 500]})


def test_draws_have_the_dimensions_of_the_model() -> None:
    drawn = prior.draw(build(ROWS), 400, seed=1)
    assert dict(drawn.sizes) == {"draw": 400, "country": 2}
    assert drawn["effect"].dims == ("draw", "country")
    assert drawn["country"].values.tolist() == ["FRA", "GBR"]
    np.testing.assert_allclose(drawn["twice"], 2 * drawn["level"])
    assert abs(float(drawn["level"].mean()) - ROWS["count"].mean()) < 0.3  # 6 standard errors
    assert drawn.equals(prior.draw(build(ROWS), 400, seed=1))


def test_a_model_of_each_country_is_built_from_its_rows() -> None:
    def one(rows: pd.DataFrame) -> pm.Model:
        with pm.Model() as model:
            pm.Normal("level", rows["count"].mean(), 1)
        return model

    drawn = prior.of_each(ROWS, one, ["FRA", "GBR"], 400, seed=1)
    means = drawn["level"].mean("draw")
    assert abs(float(means.sel(country="FRA")) - 15) < 0.3
    assert abs(float(means.sel(country="GBR")) - 500) < 0.3


def test_a_prior_that_is_no_distribution_has_no_draws() -> None:
    with pm.Model() as model:
        pm.Flat("level")
    assert not prior.draw(model, 10, seed=1)
