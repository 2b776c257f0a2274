"""The model card: a page that says what was fitted to which data, how well, and how far to trust it.

It is HTML and SVG alone: no script, nothing from elsewhere. The words are in `templates/`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from forecastle.artifact import PROSE, Diagnostics, Manifest
from forecastle.frequency import Frequency
from forecastle.training import diagnostics
from forecastle.training.card import numbers, plots, selection, svg
from forecastle.training.card.calibration import fitted_dates
from forecastle.training.card.plots import Plot

FANS = 6  # series whose forecast is shown: the largest ones
FAN_PAST = 28  # periods of observations before it

_DIAGNOSTICS = {
    "r_hat": "R-hat (largest)",
    "ess_bulk": "Effective sample size, bulk (smallest)",
    "ess_tail": "Effective sample size, tails (smallest)",
    "divergences": "Divergent transitions",
    "e_bfmi": "E-BFMI (smallest of all chains)",
}

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"number": numbers.number, "percent": numbers.percent, "points": numbers.points}
_TEMPLATES.globals |= {"WIDTH": svg.WIDTH, "HEIGHT": svg.HEIGHT}


def write(
    path: Path,
    *,
    manifest: Manifest,
    fit: xr.DataTree | None,
    summary: xr.Dataset | None,
    prior: xr.Dataset,
    rows: pd.DataFrame,
    replicated: np.ndarray | None,
    draws: np.ndarray,
    backtest: dict[str, Any] | None,
) -> None:
    """Write the page. The same arguments give the same bytes.

    The server puts the model's README.md in at `artifact.PROSE`, so that a change of the prose does not fit
    the model again.

    Args:
        path: Where to.
        manifest: As `artifact.write` takes it.
        fit: Groups `posterior` and perhaps `sample_stats`, dimensions chain, draw and perhaps the noun; None
            if there are no chains.
        summary: Of the posterior, as `diagnostics.summarise` gives it; likewise.
        prior: Prior draws of the posterior's variables, dimensions draw and perhaps the noun. A few series
            are enough if every variable has that dimension. Variables without prior draws are not shown.
        rows: What was fitted: columns `date`, the noun's, `name`, `count`, and of counts `total`.
        replicated: Posterior predictive draws of the last fitted dates, shape (draw, series, date): series
            sorted by code, the last date being that of a series' last row. None if there are none.
        draws: Posterior predictive draws of the coming periods, shape (draw, series, period ahead).
        backtest: Its scores, or None without a backtest.
    """
    by_size = selection.largest(rows, len(manifest.series), manifest.noun)
    with svg.style():
        page = _TEMPLATES.get_template("card.html").render(
            prose=Markup(PROSE),
            colours=svg.COLOURS,
            manifest=manifest,
            frequency=Frequency.of(manifest.frequency),
            first_day=min(series.first_day for series in manifest.series.values()),
            last_day=max(series.origin_date for series in manifest.series.values()),
            diagnostics=_diagnostics(manifest.diagnostics),
            check=manifest.posterior_predictive,
            pit=[] if replicated is None else _pit(rows, replicated, manifest.noun),
            fans=[_fan(manifest, code, rows, replicated, draws) for code in by_size[:FANS]],
            **_posterior(fit, summary, prior, by_size, manifest.noun),
            **_backtest(manifest, backtest),
        )
    path.write_text(page, encoding="utf-8")


def replace_backtest(path: Path, manifest: Manifest, backtest: dict[str, Any]) -> None:
    """Put another backtest into the page that `write` made."""
    template = _TEMPLATES.get_template("section.html")
    with svg.style():
        section = template.render(
            title="Backtest",
            manifest=manifest,
            frequency=Frequency.of(manifest.frequency),
            **_backtest(manifest, backtest),
        )
    before, rest = path.read_text(encoding="utf-8").split('<section aria-labelledby="backtest">')
    _, after = rest.split("</section>", 1)
    path.write_text(before + section + after, encoding="utf-8")


def _diagnostics(found: Diagnostics) -> list[dict[str, Any]]:
    """Name, value, bound and verdict of each."""
    rows = []
    for name, bound in found.bounds.items():
        value, at_most = found.worst[name], name in diagnostics.AT_MOST
        rows.append(
            {
                "name": _DIAGNOSTICS.get(name, name),
                "value": f"{value:.3f}" if name in ("r_hat", "e_bfmi") else f"{value:,.0f}",
                "bound": f"{'at most' if at_most else 'at least'} {bound:g}",
                "holds": value <= bound if at_most else value >= bound,
            }
        )
    return rows


def _posterior(
    fit: xr.DataTree | None, summary: xr.Dataset | None, prior: xr.Dataset, by_size: list[str], noun: str
) -> dict[str, Any]:
    """What the sections about the chains and about prior and posterior show."""
    if fit is None or summary is None:
        return {"posterior": None, "chains": [], "pooled": False, "compared": [], "not_compared": 0}
    posterior = fit["posterior"].dataset
    compared = selection.comparable(posterior, prior, by_size, noun)
    ranked = selection.ranked(posterior, summary.sel(summary="r_hat", drop=True), noun)
    chains = [plots.ranks(parameter.label, parameter.of(posterior)) for parameter in ranked]
    if "sample_stats" in fit.children and "energy" in fit["sample_stats"].data_vars:
        chains.insert(0, plots.energy(*selection.worst_energy(fit, noun), noun))
    return {
        "posterior": posterior.sizes,
        "chains": chains,
        "pooled": bool(selection.pooled(posterior, noun)),
        "compared": [
            plots.densities(one.label, one.of(prior).to_numpy(), one.of(posterior).to_numpy())
            for one in compared[: selection.MOST_PARAMETERS]
        ],
        "not_compared": len(compared[selection.MOST_PARAMETERS :]),
    }


def _pit(rows: pd.DataFrame, replicated: np.ndarray, noun: str) -> list[Plot]:
    dates = fitted_dates(rows, replicated, noun)
    return [plots.pit(*dates, coverage=coverage) for coverage in (False, True)]


def _backtest(manifest: Manifest, backtest: dict[str, Any] | None) -> dict[str, Any]:
    """What the section about the backtest shows."""
    frequency = Frequency.of(manifest.frequency)
    figures = backtest and _figures(backtest, frequency.period)
    weekly = backtest and backtest["weekly"]
    return {
        "unit": manifest.unit,
        "backtest": backtest,
        "figures": figures,
        "other": "last week's same weekday",
        "weekly_figures": weekly and _figures(weekly, "week"),
    }


def _figures(scored: dict[str, Any], period: str) -> list[Plot]:
    return [
        plots.quantiles(scored["quantiles"]),
        plots.pit_histogram(scored["pit"]),
        plots.ratios_by_horizon(scored["by_horizon"], period),
        plots.ratios_by_origin(scored["by_origin"], period),
    ]


def _fan(
    manifest: Manifest, code: str, rows: pd.DataFrame, replicated: np.ndarray | None, draws: np.ndarray
) -> Plot:
    past = FAN_PAST if replicated is None else min(FAN_PAST, replicated.shape[2])
    last = rows[rows[manifest.noun] == code].tail(past)
    index = list(manifest.series).index(code)
    fitted = None if replicated is None else replicated[:, index, -len(last) :]
    return plots.fan(manifest.series[code].name, manifest, last, fitted, draws[:, index, :])
