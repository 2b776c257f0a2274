"""Panels to draw in, and their SVG in the colours of the page.

Margins are fixed: to compute them takes matplotlib a third of all drawing. A label that is longer than its
margin reaches over the edge of the panel.
"""

import hashlib
import io
import re
from contextlib import AbstractContextManager

import matplotlib.style
from cycler import cycler
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, HEIGHT = 310, 188  # of a panel, points

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
    "font.family": "DejaVu Sans",  # for measuring: the page has its own fonts
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
    "figure.facecolor": PAPER,  # ArviZ derives its greys from it
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "lines.linewidth": 1.3,
}


def style() -> AbstractContextManager[None]:
    """The style of all plots here; the user's own comes back afterwards."""
    return matplotlib.style.context(["default", _STYLE])


def panel(x_label: str = "", y_label: str = "", y_axis: bool = True) -> tuple[Figure, Axes]:
    """A figure of its own, apart from pyplot's, and its axes: with margins for labels, in points."""
    left, bottom, right, top = (38 + 14 * bool(y_label)) if y_axis else 8, 22 + 14 * bool(x_label), 8, 8
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    width, height = (WIDTH - left - right) / WIDTH, (HEIGHT - bottom - top) / HEIGHT
    axes = figure.add_axes((left / WIDTH, bottom / HEIGHT, width, height))
    axes.set(xlabel=x_label, ylabel=y_label)
    if not y_axis:
        axes.yaxis.set_visible(False)
        axes.spines["left"].set_visible(False)
    return figure, axes


def elements(figure: Figure) -> Markup:
    """What a panel's `<svg>` holds, in the page's colours, which follow dark mode. Text in it is escaped."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    _, text = re.split(r"<svg[^>]*>", file.getvalue())
    text = text.removesuffix("</svg>\n")
    text = re.sub(r"<style.*?</style>|<defs>\s*</defs>|<metadata.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text)  # of groups: nothing refers to them
    text = re.sub(r' d="([^"]*)"', lambda path: f' d="{_shorter(path[1])}"', text)
    text = re.sub(r"font(-size: [^;]*;|-family: [^;]*;|: [^;\"]*;?)", "", text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    for name, (light, _) in COLOURS.items():
        text = text.replace(light, f"var(--{name})")
    unique = hashlib.sha256(text.encode()).hexdigest()[:6]  # in the page
    return Markup(re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{unique}-", text))


def _shorter(path: str) -> str:
    """A path with one decimal for each coordinate: a tenth of a point is finer than a screen."""
    rounded = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", path)
    return re.sub(r"\s*\n\s*", "", rounded.replace(".0 ", " ")).replace("L ", "L").replace("M ", "M")
