"""The plots of the model card: inline SVG in the colours of its page.

ArviZ draws what it has a plot for. All are drawn into figures of their own, so that pyplot's state, which is
the user's, stays as it is.
"""

import hashlib
import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import arviz as az
import matplotlib.style
import numpy as np
import pandas as pd
import xarray as xr
from arviz_plots import PlotCollection
from arviz_stats.base import array_stats
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

FAN_LEVELS = (0.95, 0.8, 0.5)
GRID = 128  # points of a density

# By name: the colour in light mode, which plots are drawn with, and in dark mode.
COLOURS = {
    "paper": ("#fefefe", "#15191e"),
    "panel": ("#f4f6f8", "#1e242b"),
    "ink": ("#1b2026", "#e4e8ec"),
    "muted": ("#59636e", "#9da8b4"),
    "line": ("#d5dbe1", "#3a434d"),
    "blue": ("#1c69b0", "#70b3f2"),
    "orange": ("#b4550c", "#f3a35f"),
    "teal": ("#0f7668", "#4fcdb6"),
    "purple": ("#7a4aa6", "#c49df0"),
    "good": ("#1a6e36", "#6fd08c"),
    "bad": ("#b3261e", "#ff8f87"),
}
PAPER, INK, MUTED, LINE, BLUE, ORANGE, TEAL, PURPLE = (
    COLOURS[name][0] for name in ("paper", "ink", "muted", "line", "blue", "orange", "teal", "purple")
)

_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "forecastle",  # the same plot has the same ids
    "text.parse_math": False,  # a $ in a name is a $
    "path.simplify_threshold": 1,  # point: a line of thousands of draws need not show each
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, TEAL, PURPLE]),
    "figure.facecolor": PAPER,  # which ArviZ makes its greys from
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "lines.linewidth": 1.3,
}


class Plot(NamedTuple):
    """A plot for the page.

    Attributes:
        title: What stands above it.
        alt: What is seen, in words.
        svg: The element. Text in it is escaped.
    """

    title: str
    alt: str
    svg: str


def style() -> AbstractContextManager[None]:
    """The style of all plots here, whatever the user's own is, which comes back afterwards."""
    return matplotlib.style.context(["default", _STYLE])


def energy(energies: xr.DataTree, place: str = "") -> Plot:
    """The energies of the draws and their changes from one to the next.

    Args:
        energies: Its group `sample_stats` has `energy`, dimensions chain and draw.
        place: The country that they are of; "" if of all.
    """
    figure, axes = _panel()
    kinds = xr.Dataset({"Energy": ("energy", [0, 1])}, {"energy": ["marginal", "transition"]})
    collection = _collection(kinds, figure, axes, color=["energy"], linestyle=["energy"])
    az.plot_energy(
        energies,
        show_bfmi=False,
        plot_collection=collection,
        backend="matplotlib",
        visuals={"title": False, "legend": False},
        stats={"dist": {"grid_len": GRID}},
    )
    axes.set_xlabel("energy less its mean; dashed: change from draw to draw")
    least = float(az.bfmi(energies)["energy"].min())
    title = f"Energy of {place}, the country with the smallest E-BFMI" if place else "Energy"
    alt = (
        f"Densities of the energy and of its changes, which largely overlap: E-BFMI is at least {least:.2f}."
    )
    return Plot(title, alt, _svg(figure))


def ranks(label: str, values: xr.DataArray) -> Plot:
    """The ranks of each chain's draws of one parameter among those of all chains: dimensions chain, draw."""
    figure, axes = _panel()
    fit = xr.DataTree.from_dict({"posterior": values.reset_coords(drop=True).to_dataset(name="x")})
    az.plot_rank(
        fit,
        plot_collection=_collection(fit["posterior"].dataset, figure, axes, color=["chain"]),
        visuals={"title": False, "xlabel": {"text": "rank among all draws, as a share", "color": MUTED}},
    )
    alt = (
        f"Distribution of the ranks of {label} by chain, less the uniform one: {values.sizes['chain']} lines "
        f"about zero, R-hat {float(az.rhat(fit['posterior'].dataset)['x']):.4f}."
    )
    return Plot(f"Ranks of {label}", alt, _svg(figure))


def densities(label: str, prior: np.ndarray, posterior: np.ndarray) -> Plot:
    """Prior and posterior of one parameter, from draws of any shape."""
    figure, axes = _panel()
    prior, posterior = (values[np.isfinite(values)] for values in (prior, posterior))
    ends: list[float] = []
    for values, colour, style in ((prior, ORANGE, "--"), (posterior, BLUE, "-")):
        lowest, highest = np.quantile(values, [0.005, 0.995])
        width = highest - lowest
        # Far out draws of a heavy-tailed prior would leave the density no points where it is high.
        near = values[(values >= lowest - width) & (values <= highest + width)]
        grid, density, _ = array_stats.kde(near, grid_len=GRID, bound_correction=True)
        axes.plot(grid, density, style, color=colour)
        axes.fill_between(grid, density, color=colour, alpha=0.2, lw=0)
        ends += [lowest - 0.1 * width, highest + 0.1 * width]
    axes.set_xlim(min(ends), max(ends))
    axes.set_ylim(0)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    told = [
        f"{name} {number(np.quantile(values, 0.05))} to {number(np.quantile(values, 0.95))}"
        for name, values in (("posterior", posterior), ("prior", prior))
    ]
    return Plot(label, f"Densities of {label}, 90 % intervals: {', '.join(told)}.", _svg(figure))


def pit(counts: np.ndarray, drawn: np.ndarray, *, coverage: bool) -> Plot:
    """The probability integral transform of counts, shape (day,), among draws, shape (draw, day).

    Its distribution function, or with `coverage` that of central intervals' coverage, less the uniform one.
    """
    figure, axes = _panel()
    check = xr.DataTree.from_dict(
        {
            "posterior_predictive": xr.Dataset({"count": (("chain", "draw", "day"), drawn[None])}),
            "observed_data": xr.Dataset({"count": ("day", counts)}),
        }
    )
    az.plot_ppc_pit(
        check,
        method="prit_c",  # ties broken at random, and no more
        coverage=coverage,
        plot_collection=_collection(xr.Dataset({"count": 0}), figure, axes),
        visuals={
            "title": False,
            # With thousands of days the test rejects every model.
            "suspicious_points": False,
            "p_value_text": False,
            "xlabel": {"text": "probability of the interval, %" if coverage else "PIT", "color": MUTED},
            "ylabel": {"text": "observed − nominal", "color": MUTED},
        },
    )
    zero, line = sorted(axes.lines, key=lambda each: np.size(each.get_ydata()))
    zero.set_color(MUTED)
    differences = np.asarray(line.get_ydata(), dtype=float)
    lowest, highest = np.nanmin(differences), np.nanmax(differences)
    what = "Coverage of central intervals" if coverage else "Distribution of the PIT"
    alt = f"{what} less the nominal one, by probability: between {lowest:.3f} and {highest:.3f}."
    return Plot(f"{what}, less the nominal", alt, _svg(figure))


def quantiles(scores: list[dict[str, float]]) -> Plot:
    """Shares of observations below each quantile of the forecasts, of a backtest's `quantiles`."""
    figure, axes = _panel()
    nominal, below = (np.array([entry[key] for entry in scores]) for key in ("quantile", "share_below"))
    axes.plot([0, 1], [0, 1], "--", color=MUTED, lw=1)
    axes.plot(nominal, below, "o-", color=BLUE, ms=3)
    axes.set_xlabel("quantile of the forecast")
    axes.set_ylabel("share of observations below")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    off = int(np.argmax(np.abs(below - nominal)))
    alt = (
        "Share of observations below each quantile of the forecasts; the dashed diagonal would be perfect. "
        f"Farthest from it: {percent(below[off])} below the quantile of {percent(nominal[off])}."
    )
    return Plot("Calibration of the quantiles", alt, _svg(figure))


def ratios_by_horizon(scores: list[dict[str, Any]]) -> Plot:
    """Ratios of the model's WIS to the naive forecast's, of a backtest's `by_horizon`."""
    figure, axes = _panel()
    horizons = [entry["horizon"] for entry in scores]
    _ratios(axes, horizons, scores)
    axes.set_xlabel("days ahead")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return Plot("WIS ratio by horizon", _ratios_alt("days ahead", horizons, scores), _svg(figure))


def ratios_by_origin(scores: list[dict[str, Any]]) -> Plot:
    """The same of its `by_origin`."""
    figure, axes = _panel()
    origins = [entry["origin"] for entry in scores]
    _ratios(axes, pd.to_datetime(origins), scores)
    axes.set_xlabel("last day known")
    _date_axis(axes)
    return Plot("WIS ratio by origin", _ratios_alt("last day known", origins, scores), _svg(figure))


def _ratios(axes: Axes, x: Any, scores: list[dict[str, Any]]) -> None:
    axes.plot(x, [_or_nan(entry["wis_ratio"]) for entry in scores], "o-", color=BLUE, ms=3)
    axes.axhline(1, ls="--", color=MUTED, lw=1)
    axes.set_ylim(0)
    axes.set_ylabel("WIS / naive forecast's")


def _ratios_alt(what: str, x: Sequence[Any], scores: list[dict[str, Any]]) -> str:
    first, last = (number(scores[i]["wis_ratio"]) for i in (0, -1))
    better = sum(_or_nan(entry["wis_ratio"]) < 1 for entry in scores)
    return (
        f"Ratio of the model's WIS to the naive forecast's by {what}: {first} at {x[0]}, {last} at {x[-1]}; "
        f"below 1, which is better, at {better} of {len(scores)}."
    )


def fan(name: str, unit: str, rows: pd.DataFrame, fitted: np.ndarray, forecast: np.ndarray) -> Plot:
    """A country's last observations, what the model expected on these days, and its forecast.

    Args:
        name: The country's.
        unit: Of the counts.
        rows: Columns `date` and `count`, a row a day up to the day before the forecast.
        fitted: Posterior predictive draws of the same days, shape (draw, day).
        forecast: Of the coming days, shape (draw, day ahead).
    """
    figure, axes = _panel()
    origin, counts = rows["date"].iloc[-1], rows["count"].to_numpy(dtype=float, na_value=np.nan)
    coming = origin + pd.to_timedelta(np.arange(1, forecast.shape[1] + 1), unit="D")
    lower, upper = _interval(forecast, 0.95)
    median = np.median(forecast, axis=0)
    axes.fill_between(rows["date"], *_interval(fitted, 0.95), color=MUTED, alpha=0.25, lw=0)
    for level in FAN_LEVELS:
        axes.fill_between(coming, *_interval(forecast, level), color=BLUE, alpha=0.22, lw=0)
    axes.plot(coming, median, color=BLUE)
    axes.plot(rows["date"], counts, "o", color=INK, ms=2, mew=0)
    _count_axis(axes, counts, upper)
    _date_axis(axes)
    known = np.flatnonzero(~np.isnan(counts))[-1:]
    days = rows["date"].dt.strftime("%Y-%m-%d").to_numpy()
    observed = [f"{number(counts[day])} {unit} on {days[day]}; " for day in known]
    alt = (
        f"{name}: {''.join(observed)}the forecast for {coming[-1]:%Y-%m-%d} has the median "
        f"{number(median[-1])} and the 95 % interval {number(lower[-1])} to {number(upper[-1])}."
    )
    return Plot(f"{name}, after {days[-1]}", alt, _svg(figure))


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    """Lower and upper ends of the central interval of each day."""
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def _count_axis(axes: Axes, counts: np.ndarray, upper: np.ndarray) -> None:
    """From zero up; a forecast that leaves the counts far behind is shown on a log scale."""
    known = counts[~np.isnan(counts)]
    if len(known) and known.min() > 0 and upper.max() > 10 * known.max():
        axes.set_yscale("log")
        axes.set_ylabel("log scale")
    else:
        axes.set_ylim(0, 1.1 * max([*known, upper.max(), 1]))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _date_axis(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _panel() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.3, 2.6), layout="constrained")
    return figure, figure.subplots()


def _collection(data: xr.Dataset, figure: Figure, axes: Axes, **aesthetics: list[str]) -> PlotCollection:
    """What ArviZ draws into. By itself it takes pyplot's figures, which belong to the user."""
    plots = xr.Dataset({name: ((), np.array(axes, dtype=object)) for name in data.data_vars})
    root = xr.Dataset({"figure": ((), np.array(figure, dtype=object))})
    tree = xr.DataTree.from_dict({"/": root, "/plot": plots})
    return PlotCollection(data, tree, aes=aesthetics, backend="matplotlib")


def _svg(figure: Figure) -> str:
    """An element without what a page has no use for; its colours are the page's, in dark mode too."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>|<defs>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text)  # of groups, which nothing refers to
    text = re.sub(r' d="([^"]*)"', lambda path: f' d="{_shorter(path[1])}"', text)
    text = re.sub(r"font(-size: [^;]*;|-family: [^;]*;|: [^;\"]*;?)", "", text)
    text = re.sub(r'(width|height)="[\d.]+pt" ', "", text, count=2)
    text = re.sub(r"\s*\n\s*", "\n", text)
    for name, (light, _) in COLOURS.items():
        text = text.replace(light, f"var(--{name})")
    unique = hashlib.sha256(text.encode()).hexdigest()[:6]  # in the page
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{unique}-", text)


def _shorter(path: str) -> str:
    """A path with a decimal for each coordinate: a tenth of a point is finer than a screen."""
    rounded = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", path)
    return re.sub(r"\s*\n\s*", "", rounded.replace(".0 ", " ")).replace("L ", "L").replace("M ", "M")


def number(value: float | None) -> str:
    """Three digits, or all of those before the decimal point."""
    if value is None or not np.isfinite(value):
        return "–"
    return with_minus(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}")


def percent(share: float | None, decimals: int = 1) -> str:
    """A share as in `95.0 %`."""
    if share is None or not np.isfinite(share):
        return "–"
    return f"{100 * share:.{decimals}f}\N{NO-BREAK SPACE}%"


def with_minus(text: str) -> str:
    """The hyphen of a number as a minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)
