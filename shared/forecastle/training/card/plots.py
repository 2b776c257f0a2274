"""The plots of the model card. ArviZ draws those that it has; all are inline SVG."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_stats.base import array_stats
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import MONTHLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from forecastle.artifact import Manifest
from forecastle.frequency import Frequency
from forecastle.training.card.numbers import number, percent
from forecastle.training.card.svg import BLUE, INK, MUTED, ORANGE, elements, panel

FAN_LEVELS = (0.95, 0.8, 0.5)
GRID = 128  # points of a density
RANKED = 500  # draws of each chain whose ranks are drawn: ArviZ takes 0.6 s for 2000, and nobody sees more


class Plot(NamedTuple):
    """A plot for the page.

    Attributes:
        title: The text above it.
        alt: What it shows, in words.
        elements: The inside of its `<svg>`.
    """

    title: str
    alt: str
    elements: Markup


def energy(energies: xr.DataTree, code: str = "", noun: str = "") -> Plot:
    """The energies of the draws and their changes from one to the next.

    Args:
        energies: Its group `sample_stats` has `energy`, dimensions chain and draw.
        code: The series that they are of; "" if of all.
        noun: What a series is about.
    """
    figure, axes = panel("energy less its mean; dashed: change from draw to draw", y_axis=False)
    kinds = xr.Dataset({"Energy": ("energy", [0, 1])}, {"energy": ["marginal", "transition"]})
    az.plot_energy(
        energies,
        show_bfmi=False,
        plot_collection=_collection(kinds, figure, axes, color=["energy"], linestyle=["energy"]),
        backend="matplotlib",
        visuals={"title": False, "legend": False},
        stats={"dist": {"grid_len": GRID}},
    )
    least = float(az.bfmi(energies)["energy"].min())
    title = f"Energy of {code}, the {noun} with the smallest E-BFMI" if code else "Energy"
    alt = f"Densities of the energy and of its changes from draw to draw: E-BFMI is at least {least:.2f}."
    return Plot(title, alt, elements(figure))


def ranks(label: str, values: xr.DataArray) -> Plot:
    """The ranks of each chain's draws of one parameter among those of all chains: dimensions chain, draw."""
    figure, axes = panel("rank among the draws of all chains, as a share", y_axis=False)
    r_hat = float(az.rhat(values))
    values = values.isel(draw=slice(None, None, max(1, values.sizes["draw"] // RANKED)))
    fit = xr.DataTree.from_dict({"posterior": values.reset_coords(drop=True).to_dataset(name="x")})
    az.plot_rank(
        fit,
        plot_collection=_collection(fit["posterior"].dataset, figure, axes, color=["chain"]),
        visuals={"title": False, "xlabel": False},
    )
    alt = (
        f"Distribution of the ranks of {label} by chain, less the uniform one: {values.sizes['chain']} lines "
        f"about zero, R-hat {r_hat:.4f}."
    )
    return Plot(f"Ranks of {label}", alt, elements(figure))


def densities(label: str, prior: np.ndarray, posterior: np.ndarray) -> Plot:
    """Prior and posterior of one parameter, from draws of any shape."""
    figure, axes = panel(y_axis=False)
    prior, posterior = (values[np.isfinite(values)] for values in (prior, posterior))
    ends: list[float] = []
    for values, colour, style in ((prior, ORANGE, "--"), (posterior, BLUE, "-")):
        lowest, highest = np.quantile(values, [0.005, 0.995])
        width = highest - lowest
        # With the far draws of a heavy-tailed prior, few points of the grid would lie where it is dense.
        near = values[(values >= lowest - width) & (values <= highest + width)]
        grid, density, _ = array_stats.kde(near, grid_len=GRID, bound_correction=True)
        axes.plot(grid, density, style, color=colour)
        axes.fill_between(grid, density, color=colour, alpha=0.2, lw=0)
        ends += [lowest - 0.1 * width, highest + 0.1 * width]
    axes.set_xlim(min(ends), max(ends))
    axes.set_ylim(0)
    intervals = [
        f"{name} {number(np.quantile(values, 0.05))} to {number(np.quantile(values, 0.95))}"
        for name, values in (("posterior", posterior), ("prior", prior))
    ]
    return Plot(label, f"Densities of {label}, 90 % intervals: {', '.join(intervals)}.", elements(figure))


def pit(values: np.ndarray, drawn: np.ndarray, *, coverage: bool) -> Plot:
    """The probability integral transform of values, shape (date,), among draws, shape (draw, date).

    Its distribution function, or with `coverage` that of central intervals' coverage, less the uniform one.
    """
    figure, axes = panel("probability of the interval, %" if coverage else "PIT", "observed − nominal")
    check = xr.DataTree.from_dict(
        {
            "posterior_predictive": xr.Dataset({"value": (("chain", "draw", "date"), drawn[None])}),
            "observed_data": xr.Dataset({"value": ("date", values)}),
        }
    )
    az.plot_ppc_pit(
        check,
        method="prit_c",  # ties broken at random
        coverage=coverage,
        plot_collection=_collection(xr.Dataset({"value": 0}), figure, axes),
        visuals={
            "title": False,
            # With thousands of values the test rejects every model.
            "suspicious_points": False,
            "p_value_text": False,
            "xlabel": False,
            "ylabel": False,
        },
    )
    zero, line = sorted(axes.lines, key=lambda each: np.size(each.get_ydata()))
    zero.set_color(MUTED)
    differences = np.asarray(line.get_ydata(), dtype=float)
    lowest, highest = np.nanmin(differences), np.nanmax(differences)
    title = (
        "Coverage of central intervals, less their probability"
        if coverage
        else "Distribution of the PIT, less the uniform one"
    )
    return Plot(title, f"{title}: between {lowest:.3f} and {highest:.3f}.", elements(figure))


def quantiles(scores: list[dict[str, float]]) -> Plot:
    """Shares of observations below each quantile of the forecasts, of a backtest's `quantiles`."""
    figure, axes = panel("quantile of the forecast", "share of observations below")
    nominal, below = (np.array([entry[key] for entry in scores]) for key in ("quantile", "share_below"))
    axes.plot([0, 1], [0, 1], "--", color=MUTED, lw=1)
    axes.plot(nominal, below, "o-", color=BLUE, ms=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    off = int(np.argmax(np.abs(below - nominal)))
    alt = (
        "Share of observations below each quantile of the forecasts; the dashed diagonal is perfect. "
        f"Farthest from it: {percent(below[off])} below the quantile of {percent(nominal[off])}."
    )
    return Plot("Calibration of the quantiles", alt, elements(figure))


def pit_histogram(shares: list[float]) -> Plot:
    """The randomised PIT of a backtest's forecasts: shares in equal parts from 0 to 1."""
    figure, axes = panel("PIT", "share of observations")
    width, flat = 1 / len(shares), 1 / len(shares)
    axes.bar(np.arange(len(shares)) * width, shares, width, align="edge", color=BLUE, alpha=0.6)
    axes.axhline(flat, ls="--", color=MUTED, lw=1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    ends = percent(shares[0] + shares[-1])
    alt = (
        f"Histogram of the randomised PIT in {len(shares)} equal parts: of a perfect forecast "
        f"{percent(flat)} are in each; the lowest and the highest have {ends} together."
    )
    return Plot("Randomised PIT of the forecasts", alt, elements(figure))


def ratios_by_horizon(scores: list[dict[str, Any]], period: str) -> Plot:
    """Ratios of the model's WIS to the naive forecast's, of a backtest's `by_horizon`."""
    figure, axes = panel(f"{period}s ahead", "WIS / naive forecast's")
    horizons = [entry["horizon"] for entry in scores]
    _ratios(axes, horizons, scores)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return Plot("WIS ratio by horizon", _ratios_alt(f"{period}s ahead", horizons, scores), elements(figure))


def ratios_by_origin(scores: list[dict[str, Any]], period: str) -> Plot:
    """The same, of its `by_origin`."""
    figure, axes = panel(f"last {period} known", "WIS / naive forecast's")
    origins = [entry["origin"] for entry in scores]
    _ratios(axes, pd.to_datetime(origins), scores)
    _date_axis(axes)
    alt = _ratios_alt(f"last {period} known", origins, scores)
    return Plot("WIS ratio by origin", alt, elements(figure))


def _ratios(axes: Axes, x: Any, scores: list[dict[str, Any]]) -> None:
    axes.plot(x, [_or_nan(entry["wis_ratio"]) for entry in scores], "o-", color=BLUE, ms=3)
    axes.axhline(1, ls="--", color=MUTED, lw=1)
    axes.set_ylim(0)


def _ratios_alt(x_label: str, x: Sequence[Any], scores: list[dict[str, Any]]) -> str:
    first, last = (number(scores[i]["wis_ratio"]) for i in (0, -1))
    better = sum(_or_nan(entry["wis_ratio"]) < 1 for entry in scores)
    return (
        f"Ratio of the model's WIS to the naive forecast's by {x_label}: {first} at {x[0]}, {last} at "
        f"{x[-1]}; below 1, which is better, at {better} of {len(scores)}."
    )


def fan(
    name: str, manifest: Manifest, rows: pd.DataFrame, fitted: np.ndarray | None, forecast: np.ndarray
) -> Plot:
    """A series' last observations, what the model expects of these dates, and its forecast.

    Args:
        name: The series'.
        manifest: Has the unit, the frequency, and whether values are real numbers.
        rows: Columns `date` and `count`, a row a date up to the one before the forecast.
        fitted: Posterior predictive draws of the same dates, shape (draw, date); None if there are none.
        forecast: Of the coming periods, shape (draw, period ahead).
    """
    origin, values = rows["date"].iloc[-1], rows["count"].to_numpy(dtype=float, na_value=np.nan)
    frequency = Frequency.of(manifest.frequency)
    coming = pd.DatetimeIndex(
        [frequency.after(origin.date(), ahead) for ahead in range(1, forecast.shape[1] + 1)]
    )
    lower, upper = _interval(forecast, 0.95)
    median = np.median(forecast, axis=0)
    known = np.flatnonzero(~np.isnan(values))
    most = values[known].max(initial=-np.inf if manifest.real else 1)
    # For a forecast that leaves the observations far behind.
    positive = len(known) > 0 and min(values[known].min(), lower.min() if manifest.real else 1) > 0
    log = positive and upper.max() > 10 * most
    figure, axes = panel(y_label="log scale" if log else "")
    if fitted is not None:
        axes.fill_between(rows["date"], *_interval(fitted, 0.95), color=MUTED, alpha=0.25, lw=0)
    for level in FAN_LEVELS:
        axes.fill_between(coming, *_interval(forecast, level), color=BLUE, alpha=0.22, lw=0)
    axes.plot(coming, median, color=BLUE)
    axes.plot(rows["date"], values, "o", color=INK, ms=2, mew=0)
    if log:
        axes.set_yscale("log")
    elif not manifest.real:
        axes.set_ylim(0, 1.1 * max(most, upper.max()))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if not manifest.real:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _date_axis(axes)
    dates = rows["date"].dt.strftime("%Y-%m-%d").to_numpy()
    observed = [f"{number(values[date])} {manifest.unit} on {dates[date]}; " for date in known[-1:]]
    alt = (
        f"{name}: {''.join(observed)}the forecast for {coming[-1]:%Y-%m-%d} has the median "
        f"{number(median[-1])} and the 95 % interval {number(lower[-1])} to {number(upper[-1])}."
    )
    return Plot(f"{name}, after {dates[-1]}", alt, elements(figure))


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    """Lower and upper ends of the central interval of each date."""
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def _date_axis(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=6)
    # Nearly three years are too short for steps of years, and too long for the steps of months that it knows.
    locator.intervald[MONTHLY] = [1, 2, 3, 4, 6, 12]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _collection(data: xr.Dataset, figure: Figure, axes: Axes, **aesthetics: list[str]) -> PlotCollection:
    """The axes as ArviZ takes them. By itself it draws into pyplot's figures, which belong to the user."""
    plots = xr.Dataset({name: ((), np.array(axes, dtype=object)) for name in data.data_vars})
    root = xr.Dataset({"figure": ((), np.array(figure, dtype=object))})
    tree = xr.DataTree.from_dict({"/": root, "/plot": plots})
    return PlotCollection(data, tree, aes=aesthetics, backend="matplotlib")


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)
