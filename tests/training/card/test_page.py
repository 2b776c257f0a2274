"""The model card: one page that is whole, harmless and the same every time."""

import dataclasses
import datetime
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle import artifact
from forecastle.training import card, diagnostics

CHAINS, DRAWS, DAYS, HORIZON = 4, 50, 40, 28
HOSTILE = 'Evil</svg><script>alert("1")</script> $x$ & Sons <!-- README.md -->'
COUNTRIES = {"AAA": "Small", "BBB": HOSTILE, "CCC": "Large"}
VOID = {"meta", "link", "br", "hr", "img"}


def rows() -> pd.DataFrame:
    """Three countries of 40, 30 and 20 days, each with a day that was not reported."""
    groups = []
    for i, (code, name) in enumerate(COUNTRIES.items()):
        days = DAYS - 10 * i
        count = pd.array(np.arange(days) % 7 * 10**i, dtype="Int64")
        count[3] = pd.NA
        dates = pd.date_range(end="2020-06-08", periods=days)
        total = pd.Series(count).fillna(0).cumsum()
        groups.append(
            pd.DataFrame({"date": dates, "country": code, "name": name, "count": count, "total": total})
        )
    return pd.concat(groups, ignore_index=True)


def fit(pooled: bool) -> xr.DataTree:
    rng = np.random.default_rng(1)
    per_country = (("chain", "draw", "country"), rng.normal(size=(CHAINS, DRAWS, 3)))
    shared = (("chain", "draw"), rng.normal(size=(CHAINS, DRAWS)))
    weekdays = (("chain", "draw", "weekday"), rng.normal(size=(CHAINS, DRAWS, 2)))
    variables = {"growth": per_country} | ({"growth_mean": shared, "effect": weekdays} if pooled else {})
    coords = {"country": list(COUNTRIES), "weekday": ["Saturday", "Sunday"]}
    stats = shared if pooled else per_country
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(variables, coords if pooled else {"country": coords["country"]}),
            "sample_stats": xr.Dataset(
                {"energy": stats, "diverging": (stats[0], stats[1] > 100)}, {"country": coords["country"]}
            ),
        }
    )


def prior(posterior: xr.Dataset) -> xr.Dataset:
    return (3 * posterior.isel(chain=0)).drop_vars(["chain", "draw"], errors="ignore")


def manifest(**others: Any) -> artifact.Manifest:
    groups = rows().groupby("country")
    first, last = groups["date"].first().dt.date, groups["date"].last().dt.date
    worst = {"r_hat": 1.2, "ess_bulk": 900.0, "ess_tail": 800.0, "divergences": 0.0, "e_bfmi": 0.9}
    known = artifact.Manifest(
        model="flu",
        title="A model of <flu>",
        target="daily deaths",
        unit="deaths",
        measure="deaths",
        cumulative=False,
        reference=False,
        created=datetime.datetime(2020, 6, 9, 6, tzinfo=datetime.UTC),
        seed=1,
        training_seconds=1.0,
        horizon=HORIZON,
        data=artifact.Data("data.csv", "0" * 64, datetime.date(2020, 6, 8), ["a <b>", "c"]),
        series={
            code: artifact.Series(code, name, first[code], last[code], int(groups["total"].last()[code]))
            for code, name in COUNTRIES.items()
        },
        excluded={"AND": artifact.Excluded("Andorra", "it has 40 deaths, and 50 are needed")},
        versions={"python": "3.13.0", "numpy": "2.5.5"},
        diagnostics=artifact.Diagnostics(diagnostics.BOUNDS, worst),
        posterior_predictive={
            "dates": 1083,
            "series": 3,
            "coverage": {"0.5": 0.584, "0.8": 0.81, "0.9": 0.9, "0.95": 0.94},
            "zeros": {"observed": 0.25, "replicated": 0.125},
        },
        backtest=None,
    )
    return dataclasses.replace(known, **others)


def monthly() -> dict[str, Any]:
    """The arguments for two industries' change of employment a month: real numbers, also below 0."""
    names, months, rng = {"mines": "Mining", "farms": "Farming"}, 40, np.random.default_rng(3)
    dates = pd.date_range("2017-01-01", periods=months, freq="MS")
    observed = pd.concat(
        [
            pd.DataFrame({"date": dates, "industry": code, "name": names[code], "count": values})
            for code, values in zip(sorted(names), rng.normal(0, 2.5, (2, months)), strict=True)
        ],
        ignore_index=True,
    )
    parts = (("chain", "draw", "industry"), rng.normal(size=(CHAINS, DRAWS, 2)))
    fitted = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"level": parts}, {"industry": sorted(names)}),
            "sample_stats": xr.Dataset({"energy": parts}, {"industry": sorted(names)}),
        }
    )
    first, last = dates[0].date(), dates[-1].date()
    known = dataclasses.replace(
        manifest(),
        target="monthly change of employment",
        unit="thousand",
        noun="industry",
        plural="industries",
        measure="change",
        real=True,
        minimum=None,
        frequency="MS",
        horizon=6,
        series={code: artifact.Series(code, names[code], first, last, None) for code in sorted(names)},
        excluded={},
        posterior_predictive=card.calibration(observed, rng.normal(0, 2.5, (100, 2, 30)), "industry"),
    )
    return {
        "manifest": known,
        "fit": fitted,
        "summary": diagnostics.summarise(fitted),
        "prior": prior(fitted["posterior"].dataset),
        "rows": observed,
        "replicated": rng.normal(0, 2.5, (100, 2, 30)),
        "draws": rng.normal(0, 2.5, (100, 2, 6)).astype(np.float32),
        "backtest": monthly_backtest(),
    }


def backtest(origins: int = 2) -> dict[str, Any]:
    coverage = {"0.5": 0.52, "0.8": 0.81, "0.9": 0.9, "0.95": 0.94}
    scores = {
        "forecasts": 100,
        "wis": 12.3,
        "wis_naive": 16.1,
        "wis_ratio": 0.76,
        "wis_ratio_baseline": 0.71,
        "wis_ratio_log": None,
        "dispersion": 6.1,
        "overprediction": 2.2,
        "underprediction": 4.0,
        "bias": -0.03,
        "coverage": coverage,
        "coverage_pit": coverage,
        "coverage_naive": {"0.5": 0.415, "0.8": 0.7, "0.9": 0.8},
        "absolute_percentage_error": 0.31,
    }
    intervals = {
        "wis_ratio": [0.612, 0.894],
        "wis_ratio_baseline": [0.65, 0.83],
        "wis_ratio_log": None,
        "coverage_pit": {level: [share - 0.04, share + 0.04] for level, share in coverage.items()},
    }
    days = ["2020-04-13", "2020-05-11"][:origins]
    of_series = {"forecasts": 10, "wis": 9.0, "wis_ratio": None, "share": 0.5, "bias": 0.1}
    of_days = {
        "forecasts": 1234,
        "scores": {**scores, "intervals": intervals},
        "by_horizon": [{"horizon": horizon, **scores} for horizon in (1, 2, 28)],
        "by_origin": [{"origin": day, "series": 3, **scores} for day in days],
        "by_series": [{"series": code, **of_series, "coverage_pit": {"0.9": 0.9}} for code in ("DEU", "XYZ")],
        "largest": {"series": ["DEU", "XYZ"], "share": 1.0, "worse": 1},
        "quantiles": [{"quantile": q, "share_below": q**2} for q in (0.01, 0.25, 0.5, 0.75, 0.99)],
        "pit": [0.1] * 10,
    }
    return {
        "kind": "short",
        "origins": days,
        **of_days,
        "weekly": weekly(of_days) if origins > 1 else None,
    }


def monthly_backtest() -> dict[str, Any]:
    """Without sums by week, and without the baseline of the same weekday."""
    known = backtest()
    none = {"wis_ratio_baseline": None}
    return known | {"weekly": None, "scores": known["scores"] | none}


def weekly(of_days: dict[str, Any]) -> dict[str, Any]:
    """Other scores: plots that are the same would have the same ids."""
    better = {"wis_ratio": 0.61}
    return {
        **of_days,
        "scores": of_days["scores"] | better,
        "by_horizon": [entry | better for entry in of_days["by_horizon"]],
        "by_origin": [entry | better for entry in of_days["by_origin"]],
        "quantiles": [{"quantile": q, "share_below": q**3} for q in (0.01, 0.25, 0.5, 0.75, 0.99)],
        "pit": [0.05, 0.15] * 5,
    }


def arguments(pooled: bool = True, **others: Any) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    fitted = fit(pooled)
    return {
        "manifest": manifest(),
        "fit": fitted,
        "summary": diagnostics.summarise(fitted),
        "prior": prior(fitted["posterior"].dataset),
        "rows": rows(),
        "replicated": rng.poisson(20, (100, 3, 35)),
        "draws": rng.poisson(20, (100, 3, HORIZON)).astype(np.float32),
        "backtest": backtest(),
        **others,
    }


def page(path: Path, **others: Any) -> str:
    card.write(path / "card.html", **arguments(**others))
    return (path / "card.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Elements, ids, texts; fails where an end tag does not fit."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open[-1:]:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


CASES = [
    *({}, {"pooled": False}, {"backtest": None}, {"prior": xr.Dataset()}, {"backtest": backtest(1)}),
    monthly(),
]


@pytest.fixture(scope="module", params=CASES)
def text(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pages of fits of every kind."""
    return page(tmp_path_factory.mktemp("card"), **request.param)


def test_the_page_is_well_formed_and_holds_every_section(text: str) -> None:
    outline = Outline(text)
    assert len(outline.all("h1")) == 1
    assert outline.texts["h2"] == [
        "Data",
        "Convergence",
        "Prior and posterior",
        "Posterior predictive check",
        "Backtest",
        "Forecasts",
        "Reproduction",
    ]
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for link in outline.all("a"):
        assert link["href"] in ("manifest.json", "posterior.nc") or str(link["href"])[1:] in ids
    assert text.count(artifact.PROSE) == 1
    assert len(text) < 500_000


def test_it_loads_and_runs_nothing(text: str) -> None:
    outline = Outline(text)
    assert not {"script", "img", "iframe", "object", "image", "foreignobject"} & {
        tag for tag, _ in outline.elements
    }
    assert not re.search(r"@import|url\((?!#)", text)
    for _, attributes in outline.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert "//" not in str(attributes.get(name))


def test_what_is_inserted_is_escaped(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "<script" not in text
    assert "a &lt;b&gt;" in text and "A model of &lt;flu&gt;" in text
    assert any(HOSTILE in cell for cell in Outline(text).texts["th"])  # as text


def test_the_same_fit_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        card.write(tmp_path / name, **arguments())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_numbers_are_those_of_the_fit(tmp_path: Path) -> None:
    cells = " ".join(Outline(page(tmp_path)).texts["td"])
    assert "1.200 at most 1.01" in cells  # R-hat
    assert "0.76 (0.612 to 0.894) 1" in cells and "0.61 (0.612 to 0.894) 1" in cells  # days, weeks
    assert "0.71 (0.65 to 0.83)" in cells
    assert "56.0\N{NO-BREAK SPACE}%) +2.0 41.5\N{NO-BREAK SPACE}% \N{MINUS SIGN}8.5" in cells
    assert "it has 40 deaths, and 50 are needed" in cells


def test_a_bound_that_is_broken_is_said_in_words(tmp_path: Path) -> None:
    spans = Outline(page(tmp_path)).texts["span"]
    assert spans == ["fails", "holds", "holds", "holds", "holds"]


def test_a_long_list_is_folded(tmp_path: Path) -> None:
    data = manifest().data
    changes = [f"change {i}" for i in range(30)]
    folded = page(tmp_path, manifest=manifest(data=dataclasses.replace(data, changes=changes)))
    assert "<summary>30 changes</summary>" in folded
    assert "<summary>2 changes</summary>" not in page(tmp_path)
    assert "Nothing." in page(
        tmp_path, manifest=manifest(data=dataclasses.replace(data, changes=[]), excluded={})
    )


def test_pooled_parameters_or_else_a_few_countries_are_shown(tmp_path: Path) -> None:
    titles = Outline(page(tmp_path)).texts["figcaption"]
    assert {"growth_mean", "effect[Saturday]", "Ranks of effect[Sunday]"} <= set(titles)
    assert not any(title.startswith("growth[") for title in titles)
    one = prior(fit(False)["posterior"].dataset).sel(country=["CCC"])
    titles = Outline(page(tmp_path, pooled=False, prior=one)).texts["figcaption"]
    assert "growth[CCC]" in titles and "growth[AAA]" not in titles
    assert len([title for title in titles if title.startswith("Ranks of growth[")]) == 1


def test_another_backtest_takes_the_place_of_the_last(tmp_path: Path) -> None:
    page(tmp_path, backtest=None)
    card.replace_backtest(tmp_path / "card.html", manifest(), backtest(1))
    replaced = (tmp_path / "card.html").read_text(encoding="utf-8")
    assert replaced == page(tmp_path, backtest=backtest(1))


def test_a_card_of_countries_a_day_says_so(tmp_path: Path) -> None:
    said = words(page(tmp_path))
    for known in (
        "up to 28 days ahead for 3 countries",
        "Days fitted",
        "Countries fitted",
        "forecast the days after it",
        "continues the mean of the last week",
        "1,083 fitted days of 3 countries",
        "the last weeks of the fitted data",
        "Forecasts, each of one country and day",
    ):
        assert known in said, known


def test_a_card_of_industries_a_month_says_no_other_words(tmp_path: Path) -> None:
    said = words(page(tmp_path, **monthly()))
    for known in (
        "up to 6 months ahead for 2 industries",
        "Months fitted",
        "Industries fitted",
        "forecast the months after it",
        "repeats the last value",
        "60 fitted months of 2 industries",
        "The industries with the largest means: the last months of the fitted data",
        "Forecasts, each of one industry and month",
        "Energy of ",
        ", the industry with the smallest E-BFMI",
    ):
        assert known in said, known
    assert "the forecast for 2020-10-01 has the median" in said  # half a year after April
    other = re.findall(r"\b(?:country|countries|days?|weeks?|daily|deaths|cases|counts?|totals?)\b", said)
    assert other == []


def words(text: str) -> str:
    """What the page says, also of its plots."""
    alts = " ".join(re.findall(r'aria-label="([^"]*)"', text))
    body = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", alts + " " + re.sub(r"<[^>]*>", " ", body))
