"""What the card shows of a fit."""

import numpy as np
import pandas as pd
import xarray as xr

from forecastle.training import card
from forecastle.training.card import selection

COUNTRIES = {"country": ["AAA", "BBB", "CCC"]}


def posterior(pooled: bool) -> xr.Dataset:
    per_country = (("chain", "draw", "country"), np.zeros((4, 10, 3)))
    shared = {"growth_mean": (("chain", "draw"), np.zeros((4, 10)))} if pooled else {}
    return xr.Dataset({"growth": per_country, **shared}, COUNTRIES)


def r_hat(pooled: bool) -> xr.Dataset:
    shared = {"growth_mean": ((), 1.0)} if pooled else {}
    return xr.Dataset(
        {"growth": ("country", [1.0, 1.2, np.nan]), **shared}, {"country": ["AAA", "BBB", "CCC"]}
    )


def labels(parameters: list[selection.Parameter]) -> list[str]:
    return [parameter.label for parameter in parameters]


def test_the_largest_countries_are_shown() -> None:
    """By their last total, whatever the order of their codes."""
    rows = pd.DataFrame({"country": ["AAA", "AAA", "BBB", "CCC"], "total": [1, 5, 7, 9]})
    assert card.largest(rows, 2, "country") == ["CCC", "BBB"]


def test_without_totals_the_series_with_the_largest_means_are_shown() -> None:
    rows = pd.DataFrame({"store": ["a", "a", "b", "c"], "count": [-1.5, 4.0, 1.0, -7.0]})
    assert card.largest(rows, 3, "store") == ["a", "b", "c"]


def test_prior_and_posterior_are_compared_for_pooled_parameters() -> None:
    assert labels(selection.comparable(posterior(True), posterior(True), ["CCC"], "country")) == [
        "growth_mean"
    ]
    assert selection.comparable(posterior(True), xr.Dataset(), ["CCC"], "country") == []


def test_without_pooled_parameters_they_are_compared_for_the_first_countries_with_prior_draws() -> None:
    prior = posterior(False).sel(country=["AAA", "CCC"])
    found = selection.comparable(posterior(False), prior, ["CCC", "BBB", "AAA"], "country")
    assert labels(found) == ["growth[CCC]", "growth[AAA]"]


def test_the_ranks_of_the_parameter_with_the_largest_r_hat_are_shown() -> None:
    assert labels(selection.ranked(posterior(True), r_hat(True), "country")) == ["growth_mean", "growth[BBB]"]
    assert labels(selection.ranked(posterior(False), r_hat(False), "country")) == ["growth[BBB]"]
