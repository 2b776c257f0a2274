"""A fit that has converged, without the series that cannot be fitted."""

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

FAILED_SERIES = 0.1  # at most
REFITS = 2  # at most, each without the series that have not converged
LONGER = 2  # times as many draws, if only what all series share has not converged
SHOWN = 5  # series whose first reason an error names


class Fitted(NamedTuple):
    """A fit that has converged.

    Attributes:
        fit: The groups posterior and sample_stats, as `Sampling.fit` gives them.
        summary: Of its parameters, as `diagnostics.summarise` gives it.
        selected: What was fitted; `excluded` has the series that could not be.
        worst: Of each diagnostic the worst value.
    """

    fit: xr.DataTree
    summary: xr.Dataset
    selected: Observations
    worst: dict[str, float]


def fit(recipe: Recipe, selected: Observations, step: Step) -> Fitted:
    """Fit a model, and leave out the series that it cannot be fitted to.

    Where series are pooled, the others are then fitted again: the parameters that all share have not
    converged either. If it is these alone, the chains are sampled anew, `LONGER` times as long, once.

    Args:
        recipe: The model.
        selected: What to fit.
        step: Says what is being done.

    Raises:
        FitError: The fit has not converged, or more than `FAILED_SERIES` cannot be fitted.
    """
    tried = selected.frame[recipe.noun].nunique()
    if recipe.sampling.each_series:
        return _each_series(recipe, selected, step, tried)
    sampling, refits_left = recipe.sampling, REFITS
    while True:
        fitted = sampling.fit(selected.frame, recipe.build, step)
        with step("checking"):
            summary = diagnostics.summarise(fitted)
            verdict = diagnostics.check(fitted, summary)
            failed = diagnostics.unfit(summary, recipe.noun) if verdict.reasons else {}
        if failed and refits_left and len(failed) < selected.frame[recipe.noun].nunique():
            refits_left -= 1
            selected = _without(recipe, failed, selected, tried)
            print(f"{recipe.model}: fitting again without {', '.join(failed)}", file=sys.stderr)
        elif verdict.reasons and not failed and sampling == recipe.sampling:
            sampling = dataclasses.replace(
                sampling, draws=LONGER * sampling.draws, tune=LONGER * sampling.tune
            )
            print(f"{recipe.model}: sampling again, {LONGER} times as long", file=sys.stderr)
        else:
            return _passed(fitted, summary, selected, verdict)


def _each_series(recipe: Recipe, selected: Observations, step: Step, tried: int) -> Fitted:
    noun = recipe.noun
    fitted = recipe.sampling.fit(selected.frame, recipe.build, step)
    with step("checking"):
        summary = diagnostics.summarise(fitted)
        failed = dict(fitted.attrs.pop("failed"))
        for code in summary[noun].values:
            verdict = diagnostics.check(fitted.sel({noun: code}), summary.sel({noun: [code]}))
            if verdict.reasons:
                failed[str(code)] = verdict.reasons
        selected = _without(recipe, failed, selected, tried)
        kept = [code for code in summary[noun].values if code not in failed]
        fitted, summary = fitted.sel({noun: kept}), summary.sel({noun: kept})
        return _passed(fitted, summary, selected, diagnostics.check(fitted, summary))


def _without(
    recipe: Recipe, failed: dict[str, tuple[str, ...]], selected: Observations, tried: int
) -> Observations:
    """What is left to fit without these series, which are excluded for their reasons.

    Raises:
        FitError: They are too many, together with those excluded before.
    """
    rows = selected.frame
    left = rows[~rows[recipe.noun].isin(list(failed))].reset_index(drop=True)
    lost = tried - left[recipe.noun].nunique()
    if lost > FAILED_SERIES * tried:
        lines = [f"{lost} of {tried} {recipe.plural} failed, more than {FAILED_SERIES:.0%}:"]
        lines += [f"  {reasons[0]}" for reasons in list(failed.values())[:SHOWN]]
        if len(failed) > SHOWN:
            lines.append(f"  and those of {len(failed) - SHOWN} more {recipe.plural}")
        raise FitError("\n".join(lines))
    names = rows.groupby(recipe.noun)["name"].first()
    excluded = {code: Excluded(names[code], "; ".join(reasons)) for code, reasons in failed.items()}
    return dataclasses.replace(selected, frame=left, excluded={**selected.excluded, **excluded})


def _passed(
    fitted: xr.DataTree, summary: xr.Dataset, selected: Observations, verdict: diagnostics.Verdict
) -> Fitted:
    if verdict.reasons:
        raise FitError("\n".join(f"  {reason}" for reason in verdict.reasons))
    return Fitted(fitted, summary, selected, verdict.worst)
