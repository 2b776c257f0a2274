"""A fit that has converged, without the countries that cannot be fitted."""

import dataclasses
import sys
from typing import NamedTuple

import xarray as xr

from forecastle.artifact import Excluded
from forecastle.observations import Observations
from forecastle.training import diagnostics
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import Step
from forecastle.training.recipe import Recipe

FAILED_COUNTRIES = 0.1  # at most
REFITS = 2  # at most, each without the countries that have not converged
LONGER = 2  # times as many draws, if only what all countries share has not converged
SHOWN = 5  # countries whose first reason an error names


class Fitted(NamedTuple):
    """A fit that has converged.

    Attributes:
        fit: The groups posterior and sample_stats, as `Sampling.fit` gives them.
        summary: Of its parameters, as `diagnostics.summarise` gives it.
        selected: What was fitted; `excluded` has the countries that could not be.
        worst: Of each diagnostic the worst value.
    """

    fit: xr.DataTree
    summary: xr.Dataset
    selected: Observations
    worst: dict[str, float]


def fit(recipe: Recipe, selected: Observations, step: Step) -> Fitted:
    """Fit a model, and leave out the countries that it cannot be fitted to.

    Where countries are pooled, the others are then fitted again: the parameters that all share have not
    converged either. If it is these alone, the chains are sampled anew, `LONGER` times as long, once.

    Args:
        recipe: The model.
        selected: What to fit.
        step: Says what is being done.

    Raises:
        FitError: The fit has not converged, or more than `FAILED_COUNTRIES` cannot be fitted.
    """
    tried = selected.frame["country"].nunique()
    if recipe.sampling.each_country:
        return _each_country(recipe, selected, step, tried)
    sampling, refits_left = recipe.sampling, REFITS
    while True:
        fitted = sampling.fit(selected.frame, recipe.build, step)
        with step("checking"):
            summary = diagnostics.summarise(fitted)
            verdict = diagnostics.check(fitted, summary)
            failed = diagnostics.unfit(summary) if verdict.reasons else {}
        if failed and refits_left and len(failed) < selected.frame["country"].nunique():
            refits_left -= 1
            selected = _without(failed, selected, tried)
            print(f"{recipe.model}: fitting again without {', '.join(failed)}", file=sys.stderr)
        elif verdict.reasons and not failed and sampling == recipe.sampling:
            sampling = dataclasses.replace(
                sampling, draws=LONGER * sampling.draws, tune=LONGER * sampling.tune
            )
            print(f"{recipe.model}: sampling again, {LONGER} times as long", file=sys.stderr)
        else:
            return _passed(fitted, summary, selected, verdict)


def _each_country(recipe: Recipe, selected: Observations, step: Step, tried: int) -> Fitted:
    fitted = recipe.sampling.fit(selected.frame, recipe.build, step)
    with step("checking"):
        summary = diagnostics.summarise(fitted)
        failed = dict(fitted.attrs.pop("failed"))
        for code in summary["country"].values:
            verdict = diagnostics.check(fitted.sel(country=code), summary.sel(country=[code]))
            if verdict.reasons:
                failed[str(code)] = verdict.reasons
        selected = _without(failed, selected, tried)
        kept = [code for code in summary["country"].values if code not in failed]
        fitted, summary = fitted.sel(country=kept), summary.sel(country=kept)
        return _passed(fitted, summary, selected, diagnostics.check(fitted, summary))


def _without(failed: dict[str, tuple[str, ...]], selected: Observations, tried: int) -> Observations:
    """What is left to fit without these countries, which are excluded for their reasons.

    Raises:
        FitError: They are too many, together with those excluded before.
    """
    rows = selected.frame
    left = rows[~rows["country"].isin(list(failed))].reset_index(drop=True)
    lost = tried - left["country"].nunique()
    if lost > FAILED_COUNTRIES * tried:
        lines = [f"{lost} of {tried} countries failed, more than {FAILED_COUNTRIES:.0%}:"]
        lines += [f"  {reasons[0]}" for reasons in list(failed.values())[:SHOWN]]
        if len(failed) > SHOWN:
            lines.append(f"  and those of {len(failed) - SHOWN} more countries")
        raise FitError("\n".join(lines))
    names = rows.groupby("country")["name"].first()
    excluded = {code: Excluded(names[code], "; ".join(reasons)) for code, reasons in failed.items()}
    return dataclasses.replace(selected, frame=left, excluded={**selected.excluded, **excluded})


def _passed(
    fitted: xr.DataTree, summary: xr.Dataset, selected: Observations, verdict: diagnostics.Verdict
) -> Fitted:
    if verdict.reasons:
        raise FitError("\n".join(f"  {reason}" for reason in verdict.reasons))
    return Fitted(fitted, summary, selected, verdict.worst)
