"""The model card: a page that tells what was fitted to which data, how well, and how far to trust it.

`write` makes it at training, of HTML and SVG alone: no script, nothing from elsewhere. The model's README.md
is put in by the server, where `artifact.PROSE` stands, so that a change of the prose does not fit the model
again.
"""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from arviz_base import xarray_sel_iter

from forecastle import artifact
from forecastle.scores import QUANTILES
from forecastle.training import diagnostics, scores
from forecastle.training.card import plots
from forecastle.training.card.plots import Plot, number, percent, with_minus

FANS = 6  # countries whose forecast is shown: those with the largest totals
FAN_DAYS = 28  # of observations before it
EXAMPLES = 3  # countries whose parameters are shown if there are no pooled ones
MOST_PARAMETERS = 12  # whose prior and posterior are shown
FOLDED = 8  # entries from which on a list is folded

_DIAGNOSTICS = {
    "r_hat": "R-hat, the largest of all parameters",
    "ess_bulk": "Effective sample size, bulk, the smallest",
    "ess_tail": "Effective sample size, tails, the smallest",
    "divergences": "Divergent transitions",
    "e_bfmi": "E-BFMI, the smallest of all chains",
}


class Html(str):
    """Text that is HTML already. All other text is escaped where it is put in."""


@dataclass(frozen=True)
class _Model:
    """What the sections of the page tell of: `write`'s arguments."""

    manifest: dict[str, Any]
    fit: xr.DataTree
    prior: xr.Dataset
    rows: pd.DataFrame
    replicated: np.ndarray
    draws: np.ndarray
    backtest: dict[str, Any] | None

    @property
    def posterior(self) -> xr.Dataset:
        return self.fit["posterior"].dataset


def write(
    path: Path,
    *,
    manifest: dict[str, Any],
    fit: xr.DataTree,
    prior: xr.Dataset,
    rows: pd.DataFrame,
    replicated: np.ndarray,
    draws: np.ndarray,
    backtest: dict[str, Any] | None,
) -> None:
    """Write the page. The same arguments give the same bytes.

    Args:
        path: Where to.
        manifest: As `artifact.write` takes it.
        fit: Groups `posterior` and `sample_stats`, dimensions chain, draw and perhaps country.
        prior: Prior draws of the posterior's variables, dimensions draw and perhaps country, where a few
            countries are enough if every variable has it. What is not there is not shown.
        rows: What was fitted: columns `date`, `country`, `name`, `count`, `total`.
        replicated: Posterior predictive draws of the last fitted days, shape (draw, country, day): countries
            sorted by code, the last day being that of a country's last row.
        draws: Posterior predictive draws of the coming days, shape (draw, country, day ahead).
        backtest: Its scores, or None if there was none.
    """
    sections: list[tuple[str, Callable[[_Model], str]]] = [
        ("Data", _data),
        ("Convergence", _convergence),
        ("Prior and posterior", _prior_and_posterior),
        ("Posterior predictive check", _posterior_predictive_check),
        ("Backtest", lambda model: _backtest(model.backtest, model.manifest["unit"])),
        ("Forecasts", _forecasts),
        ("Reproduction", _reproduction),
    ]
    model = _Model(manifest, fit, prior, rows, replicated, draws, backtest)
    with plots.style():
        bodies = [(title, tell(model)) for title, tell in sections]
    path.write_text(_page(model, bodies), encoding="utf-8")


def replace_backtest(path: Path, manifest: dict[str, Any], backtest: dict[str, Any]) -> None:
    """Put another backtest into the page that `write` made."""
    with plots.style():
        section = _section("Backtest", _backtest(backtest, manifest["unit"]))
    before, rest = path.read_text(encoding="utf-8").split('<section aria-labelledby="backtest">')
    _, after = rest.split("</section>", 1)
    path.write_text(before + section + after, encoding="utf-8")


def calibration(rows: pd.DataFrame, replicated: np.ndarray) -> dict[str, Any]:
    """The posterior predictive check in numbers: how often intervals hold the counts that were fitted.

    Args:
        rows: What was fitted.
        replicated: Posterior predictive draws of the last fitted days, as `write` takes them.

    Returns:
        `days` and `countries` that were compared, `coverage` (shares of days by level, as in
        `{"0.5": 0.52, ...}`) and `zeros`, the shares of days without any count that were observed and
        replicated. Days without a count are left out.
    """
    counts, drawn = _fitted_days(rows, replicated)
    quantiles = np.quantile(drawn, QUANTILES, axis=0).T
    zeros = {"observed": float(np.mean(counts == 0)), "replicated": float(np.mean(drawn == 0))}
    return {
        "days": len(counts),
        "countries": int(rows["country"].nunique()),
        "coverage": scores.coverage(counts, quantiles),
        "zeros": {name: round(share, 4) for name, share in zeros.items()},
    }


def largest(rows: pd.DataFrame, number: int) -> list[str]:
    """The codes of the countries with the largest totals, the largest first."""
    totals = rows.groupby("country")["total"].last().astype(float)
    return [str(code) for code in totals.sort_values(ascending=False, kind="stable").index[:number]]


def _fitted_days(rows: pd.DataFrame, replicated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts of all fitted days that have draws, shape (day,), and their draws, shape (draw, day)."""
    country = rows.groupby("country").ngroup().to_numpy()
    day = replicated.shape[2] - 1 - rows.groupby("country").cumcount(ascending=False).to_numpy()
    counts = _counts(rows)
    fitted = (day >= 0) & ~np.isnan(counts)
    return counts[fitted], replicated[:, country[fitted], day[fitted]]


def _counts(rows: pd.DataFrame) -> np.ndarray:
    return rows["count"].to_numpy(dtype=float, na_value=np.nan)


# The sections


def _data(model: _Model) -> str:
    data, countries = model.manifest["data"], model.manifest["countries"]
    facts = _facts(
        {
            "Days fitted": _days(model),
            "Countries fitted": len(countries),
            "File": data["file"],
            "Last day in it": data["last_day"],
            "SHA-256": Html(f"<code>{_escape(data['sha256'])}</code>"),
        }
    )
    fitted = _table(
        "What was fitted of each country",
        ["Country", "Code", "First day", "Last day", f"Total {model.manifest['unit']}"],
        [
            [entry["name"], code, entry["first_day"], entry["origin_date"], f"{entry['total']:,}"]
            for code, entry in countries.items()
        ],
    )
    excluded = model.manifest["excluded"]
    left_out = _table(
        "Countries without a forecast",
        ["Country", "Code", "Reason"],
        [[entry["name"], code, entry["reason"]] for code, entry in excluded.items()],
        numbers=False,
    )
    changes = data["changes"]
    return "".join(
        [
            facts,
            "<h3>What was changed in the data</h3>",
            _list(changes, "changes") if changes else "<p>Nothing.</p>",
            "<h3>Countries</h3>",
            _folded(f"{len(countries)} countries were fitted", fitted),
            _folded(f"{len(excluded)} countries were left out, with the reason", left_out)
            if excluded
            else "<p>None was left out.</p>",
        ]
    )


def _convergence(model: _Model) -> str:
    bounds, worst = (model.manifest["diagnostics"][key] for key in ("bounds", "worst"))
    table = _table(
        "Diagnostics, the worst of all parameters",
        ["Diagnostic", "Value", "Bound", "Verdict"],
        [_diagnostic(name, worst[name], bounds[name]) for name in bounds],
    )
    place, energy = _worst_energy(model)
    figures = [plots.energy(energy, place)]
    figures += [plots.ranks(label, values) for label, values in _to_rank(model.posterior)]
    return "".join(
        [
            "<p>Have the chains reached the posterior? A fit that breaks one of these bounds is refused "
            "and never served.</p>",
            table,
            "<h3>Energy and ranks</h3>",
            "<p>Energy: the two curves should look alike; if the changes from draw to draw (dashed) are "
            "much narrower, the chains move too slowly. Ranks: each line is a chain, the difference between "
            "the distribution of its ranks among all draws and a uniform one. Lines of chains that agree "
            "wander about zero; p is of a test that they do, which fails below 0.01.</p>",
            _grid(figures),
        ]
    )


def _prior_and_posterior(model: _Model) -> str:
    prior, posterior = _comparable(model)
    places = _places(posterior)
    figures = [
        plots.densities(
            _label(name, where), *(each[name].sel(where).to_numpy() for each in (prior, posterior))
        )
        for name, where in places[:MOST_PARAMETERS]
    ]
    if not figures:
        return "<p>The priors of this model cannot be drawn from.</p>"
    pooled = _pooled(model.posterior)
    what = (
        "the parameters that all countries share"
        if pooled
        else "the parameters of the countries with the largest totals; each country has its own"
    )
    more = len(places) - len(figures)
    return "".join(
        [
            f"<p>What the data have added to what was assumed: {what}. Where the two curves are the same, "
            "the data say nothing.",
            f" {more} more are in <a href='posterior.nc'>posterior.nc</a>." if more else "",
            "</p>",
            _legend({"posterior": "solid blue", "prior": "dashed orange"}),
            _grid(figures),
        ]
    )


def _posterior_predictive_check(model: _Model) -> str:
    check = calibration(model.rows, model.replicated)
    days = _fitted_days(model.rows, model.replicated)
    coverage = _table(
        f"Share of {check['days']:,} fitted days of {check['countries']} countries in the model's intervals",
        ["Interval", "Observed", "Difference, points"],
        [_coverage_row(level, [share]) for level, share in check["coverage"].items()],
    )
    zeros = check["zeros"]
    return "".join(
        [
            "<p>Does the model give back data like those that it was fitted to? A central interval of "
            f"{percent(0.5, 0)} should hold half of the counts. It holds more if the model expects more "
            "noise than there is, and also where counts are small whole numbers.</p>",
            coverage,
            f"<p>{percent(zeros['observed'])} of these days have a count of zero, "
            f"and {percent(zeros['replicated'])} of the model's draws for them.</p>"
            if any(zeros.values())
            else "",
            "<p>The probability integral transform (PIT) of a count is the share of the model's draws below "
            "it, with ties broken at random. Over all days it should be uniform. The first plot shows its "
            "distribution function less the uniform one: flat at 0 if all is well, falling in the middle if "
            "the model expects too much noise. The second shows the same for central intervals: above 0 they "
            "hold more counts than they should, below 0 fewer. With ties broken there is no surplus from "
            "whole numbers, which the table has.</p>",
            _grid(plots.pit(*days, coverage=coverage) for coverage in (False, True)),
        ]
    )


def _backtest(backtest: dict[str, Any] | None, unit: str) -> str:
    if backtest is None:
        return "<p>There was none: nothing is known of how well earlier forecasts would have done.</p>"
    scores, origins = backtest["scores"], backtest["origins"]
    summary = _table(
        "Scores of all forecasts",
        ["Score", "Model", "Naive forecast"],
        [
            [f"Weighted interval score, {unit}", number(scores["wis"]), number(scores["wis_naive"])],
            ["Its ratio to the naive forecast's", number(scores["wis_ratio"]), "1"],
            ["The same on the log scale", number(scores["wis_ratio_log"]), "1"],
            ["Bias: share of draws that were too high less too low", number(scores["bias"]), ""],
            [
                "Absolute percentage error of the mean, median",
                percent(scores["absolute_percentage_error"]),
                "",
            ],
        ],
    )
    coverage = _table(
        "Share of observations in the forecasts' intervals",
        ["Interval", "Model", "Difference, points", "Naive forecast", "Difference, points"],
        [
            _coverage_row(level, [share, scores["coverage_naive"].get(level)])
            for level, share in scores["coverage"].items()
        ],
    )
    return "".join(
        [
            f"<p>Fitted anew to the data until each of {len(origins)} days from {_escape(origins[0])} to "
            f"{_escape(origins[-1])} (a {_escape(backtest['kind'])} backtest), the model forecast what came "
            f"next: {backtest['forecasts']:,} forecasts of a day of a country. The weighted interval score "
            f"(WIS) is an error in {_escape(unit)}, of the whole distribution; a ratio below 1 is better "
            "than the naive forecast.</p>",
            summary,
            coverage,
            _grid(
                [
                    plots.quantiles(backtest["quantiles"]),
                    plots.ratios_by_horizon(backtest["by_horizon"]),
                    plots.ratios_by_origin(backtest["by_origin"]),
                ]
            ),
            _folded("Scores by horizon", _scores_table("horizon", "Days ahead", backtest["by_horizon"])),
            _folded("Scores by origin", _scores_table("origin", "Last day known", backtest["by_origin"])),
        ]
    )


def _forecasts(model: _Model) -> str:
    return "".join(
        [
            "<p>The countries with the largest totals: the last weeks of what was fitted, as dots, and what "
            "comes next. In grey what the model would have expected then, from the same fit.</p>",
            _legend(
                {
                    "observed": "dots",
                    f"forecast, median and intervals of 50, 80 and {percent(0.95, 0)}": "blue line and bands",
                    f"fitted days, interval of {percent(0.95, 0)}": "grey band",
                }
            ),
            _grid(_fan(model, code) for code in largest(model.rows, FANS)),
        ]
    )


def _reproduction(model: _Model) -> str:
    manifest = model.manifest
    versions = _table(
        "Versions of what fitted the model",
        ["Library", "Version"],
        [[name, version] for name, version in manifest["versions"].items()],
        numbers=False,
    )
    posterior = model.posterior.sizes
    facts = _facts(
        {
            "Trained": manifest["created"],
            "Posterior": f"{posterior['chain']} chains of {posterior['draw']:,} draws",
            "Seed": manifest["seed"],
            "SHA-256 of all files": Html("<a href='manifest.json'>manifest.json</a>"),
            "The posterior itself": Html("<a href='posterior.nc'>posterior.nc</a>, in ArviZ's schema"),
        }
    )
    return facts + versions


# What the sections are made of: statistics


def _pooled(posterior: xr.Dataset) -> list[str]:
    """The parameters that do not belong to a country."""
    return [str(name) for name, values in posterior.data_vars.items() if "country" not in values.dims]


def _comparable(model: _Model) -> tuple[xr.Dataset, xr.Dataset]:
    """Prior and posterior of the pooled parameters; if there are none, of a few countries'."""
    prior, posterior = model.prior, model.posterior
    names = _pooled(posterior)
    if not names and "country" in prior.dims:
        known = set(prior["country"].values.tolist())
        codes = [code for code in largest(model.rows, len(model.manifest["countries"])) if code in known]
        names = [str(name) for name in posterior.data_vars]
        prior, posterior = (each.sel(country=codes[:EXAMPLES]) for each in (prior, posterior))
    names = [name for name in names if name in prior]
    return prior[names], posterior[names]


def _to_rank(posterior: xr.Dataset) -> list[tuple[str, xr.DataArray]]:
    """The pooled parameters and the one with the largest R-hat, each of dimensions chain and draw.

    If there are no pooled ones, of each parameter that of the country with the largest R-hat.
    """
    r_hat: xr.Dataset = az.rhat(posterior)
    worst = [_place_of_largest(name, values) for name, values in r_hat.data_vars.items()]
    if pooled := _pooled(posterior):
        everywhere = _places(posterior[pooled])[:MOST_PARAMETERS]
        place = max(worst, key=lambda found: found[0])[1:]
        places = everywhere + [place] * (place not in everywhere)
    else:
        places = [found[1:] for found in worst][:MOST_PARAMETERS]
    return [(_label(name, where), posterior[name].sel(where)) for name, where in places]


def _place_of_largest(name: Any, values: xr.DataArray) -> tuple[float, str, dict[str, Any]]:
    """The largest value of a variable, the variable, and where in it."""
    filled = values.fillna(-np.inf)
    index = np.unravel_index(int(filled.values.argmax()), filled.shape) if filled.ndim else ()
    where = {dim: values[dim].values[i] for dim, i in zip(values.dims, index, strict=True)}
    return float(filled.max()), str(name), {str(dim): label for dim, label in where.items()}


def _places(posterior: xr.Dataset) -> list[tuple[str, dict[str, Any]]]:
    """Every scalar parameter: its variable, and where in it."""
    return [(name, where) for name, where, _ in xarray_sel_iter(posterior, skip_dims={"chain", "draw"})]


def _label(name: str, where: dict[str, Any]) -> str:
    """As in `growth[ITA]`."""
    return f"{name}[{', '.join(str(label) for label in where.values())}]" if where else name


def _worst_energy(model: _Model) -> tuple[str, xr.DataTree]:
    """The sampler's energies; if each country was fitted by itself, those with the smallest E-BFMI."""
    stats = model.fit["sample_stats"].dataset[["energy"]]
    if "country" not in stats.dims:
        return "", xr.DataTree.from_dict({"sample_stats": stats})
    least = az.bfmi(model.fit)["energy"].min("chain")
    code = str(least["country"].values[int(least.values.argmin())])
    return code, xr.DataTree.from_dict({"sample_stats": stats.sel(country=code, drop=True)})


def _fan(model: _Model, code: str) -> Plot:
    rows = model.rows[model.rows["country"] == code].tail(min(FAN_DAYS, model.replicated.shape[2]))
    index = list(model.manifest["countries"]).index(code)
    name, unit = model.manifest["countries"][code]["name"], model.manifest["unit"]
    return plots.fan(name, unit, rows, model.replicated[:, index, -len(rows) :], model.draws[:, index, :])


# What the sections are made of: HTML


def _page(model: _Model, bodies: list[tuple[str, str]]) -> str:
    manifest = model.manifest
    contents = "".join(f'<li><a href="#{_anchor(title)}">{title}</a></li>' for title, _ in bodies)
    sections = "".join(_section(title, body) for title, body in bodies)
    facts = _facts(
        {
            "Model": manifest["model"],
            "Target": manifest["target"],
            "Forecasts": f"up to {manifest['horizon']} days ahead for {len(manifest['countries'])} countries",
            "Days fitted": _days(model),
        }
    )
    title = _escape(manifest["title"])
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}: model card</title>\n'
        f"<style>{_css()}</style>\n</head>\n<body>\n"
        f"<header><p>Model card</p><h1>{title}</h1>{facts}"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav></header>\n'
        f"<main>\n{artifact.PROSE}\n{sections}\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, body: str) -> str:
    anchor = _anchor(title)
    return f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{title}</h2>{body}</section>'


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower())


def _css() -> str:
    light, dark = (
        "".join(f"--{name}:{both[mode]};" for name, both in plots.COLOURS.items()) for mode in (0, 1)
    )
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{_CSS}"


def _figure(plot: Plot) -> Html:
    svg = plot.svg.replace("<svg ", f'<svg role="img" aria-label="{_escape(plot.alt)}" ', 1)
    return Html(f"<figure><figcaption>{_escape(plot.title)}</figcaption>{svg}</figure>")


def _grid(drawn: Iterable[Plot]) -> Html:
    return Html(f'<div class="grid">{"".join(_figure(plot) for plot in drawn)}</div>')


def _legend(entries: dict[str, str]) -> Html:
    told = "; ".join(f"{_escape(look)}: {_escape(what)}" for what, look in entries.items())
    return Html(f'<p class="legend">{told}</p>')


def _facts(facts: dict[str, Any]) -> Html:
    told = "".join(
        f"<div><dt>{_escape(name)}</dt><dd>{_escape(fact)}</dd></div>" for name, fact in facts.items()
    )
    return Html(f"<dl>{told}</dl>")


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Any]], numbers: bool = True) -> Html:
    """A table whose first column names the rows; the others hold numbers or, if not, text."""
    head = "".join(f'<th scope="col">{_escape(cell)}</th>' for cell in header)
    body = ""
    for first, *others in rows:
        cells = "".join(f"<td>{_escape(cell)}</td>" for cell in others)
        body += f'<tr><th scope="row">{_escape(first)}</th>{cells}</tr>'
    return Html(
        f'<div class="table" role="region" tabindex="0" aria-label="{_escape(caption)}">'
        f"<table{' class=numbers' if numbers else ''}><caption>{_escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _list(entries: Sequence[str], what: str) -> Html:
    """A list; a long one is folded."""
    items = Html(f"<ul>{''.join(f'<li>{_escape(entry)}</li>' for entry in entries)}</ul>")
    return items if len(entries) < FOLDED else _folded(f"{len(entries)} {what}", items)


def _folded(summary: str, body: Html) -> Html:
    return Html(f"<details><summary>{_escape(summary)}</summary>{body}</details>")


def _diagnostic(name: str, value: float, bound: float) -> list[Any]:
    at_most = name in diagnostics.AT_MOST
    holds = value <= bound if at_most else value >= bound
    verdict = '<span class="good">holds</span>' if holds else '<span class="bad">fails</span>'
    limit = f"{'at most' if at_most else 'at least'} {bound:g}"
    shown = f"{value:,.0f}" if name.startswith("ess") or name == "divergences" else f"{value:.3f}"
    return [_DIAGNOSTICS.get(name, name), shown, limit, Html(verdict)]


def _coverage_row(level: str, shares: Sequence[float | None]) -> list[str]:
    """The nominal level, and of each share of observations held how far it is from that, in points."""
    row = [percent(float(level), 0)]
    for share in shares:
        row += [percent(share), "–" if share is None else with_minus(f"{100 * (share - float(level)):+.1f}")]
    return row


def _scores_table(key: str, title: str, scores: list[dict[str, Any]]) -> Html:
    return _table(
        f"Scores by {key}",
        [title, "Forecasts", "WIS", "Naive forecast's", "Ratio", "Ratio, log scale", "Bias", "95 % covers"],
        [
            [
                entry[key],
                f"{entry['forecasts']:,}",
                *(number(entry[name]) for name in ("wis", "wis_naive", "wis_ratio", "wis_ratio_log", "bias")),
                percent(entry["coverage"].get("0.95")),
            ]
            for entry in scores
        ],
    )


def _days(model: _Model) -> str:
    countries = model.manifest["countries"].values()
    first, last = (
        min(entry["first_day"] for entry in countries),
        max(entry["origin_date"] for entry in countries),
    )
    return f"{first} to {last}"


def _escape(value: Any) -> str:
    return value if isinstance(value, Html) else html.escape(str(value))


_CSS = """
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;
-webkit-text-size-adjust:100%}
body{max-width:70rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
header>p{margin:0;color:var(--muted);font-size:.85rem;letter-spacing:.06em;text-transform:uppercase}
h1{margin:.2rem 0 1rem;font-size:1.9rem;line-height:1.2}
h2{margin:3rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:1.4rem}
h3{margin:1.75rem 0 .5rem;font-size:1.1rem}
p,ul,ol{max-width:46rem}
a{color:var(--blue)}
code,pre{font-family:ui-monospace,monospace;font-size:.88em;overflow-wrap:anywhere}
pre{overflow-x:auto;padding:.75rem;background:var(--panel)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem 1.5rem;margin:1rem 0}
dt{color:var(--muted);font-size:.85rem}
dd{margin:0;overflow-wrap:anywhere}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;max-width:none;margin:1.25rem 0 0;padding:0;
list-style:none}
nav a{display:inline-block;padding:.2rem 0}
.table{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.92rem}
caption{padding-bottom:.4rem;color:var(--muted);text-align:left}
th,td{padding:.35rem 1.1rem .35rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{color:var(--muted);font-weight:600}
tbody th{font-weight:400}
.numbers th+th,.numbers td{text-align:right;font-variant-numeric:tabular-nums}
.numbers td{white-space:nowrap}
.good,.bad{font-weight:600}
.good{color:var(--good)}
.good::before{content:"✓ "}
.bad{color:var(--bad)}
.bad::before{content:"✗ "}
details{margin:.75rem 0}
summary{padding:.35rem 0;cursor:pointer;color:var(--blue)}
.legend{color:var(--muted);font-size:.92rem}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(18rem,100%),1fr));gap:1rem;margin:1rem 0}
figure{margin:0;padding:.6rem .7rem;background:var(--panel);border-radius:.4rem}
figcaption{margin-bottom:.3rem;font-size:.92rem;font-weight:600;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:10px system-ui,sans-serif;fill:var(--ink);stroke-linejoin:round}
.prose table{display:block;overflow-x:auto;margin:1rem 0}
.prose td code{white-space:nowrap}
.prose p:empty{display:none}
@media print{details:not([open])>*{display:none}}
"""
