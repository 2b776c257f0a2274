"""models/exponential: what is fitted, that known parameters come back, and the published figures."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from forecastle import observations
from forecastle.places import NAMES
from forecastle.training import diagnostics

from ..conftest import load
from .conftest import least_covered

ROOT = Path(__file__).resolve().parents[2]
train = load(ROOT / "models/exponential/train.py")


def test_growth_is_fitted_from_the_100th_case_for_four_weeks_at_most() -> None:
    rows = train.observe(observations.DATA / observations.DEFAULT).frame
    of_one = rows[rows["country"] == "GBR"]
    assert of_one["total"].iloc[0] >= 100
    assert len(of_one) == 28
    assert rows.groupby("country").size().max() == 28
    assert (rows["count"] == rows["total"]).all()
    assert len(train.observe(observations.DATA / observations.DEFAULT, longest=None).frame) > 10_000


def test_days_without_a_report_are_not_fitted(tmp_path: Path) -> None:
    days = pd.date_range("2020-03-01", periods=20)
    frame = pd.DataFrame({"date": days, "country": "ITA", "name": "Italy", "cases": 100, "deaths": 0})
    frame["cases"] = frame["cases"].where((days < "2020-03-05") | (days > "2020-03-09"))
    observations.write(frame.astype({"cases": "Int64", "deaths": "Int64"}), tmp_path / "gap.csv")
    rows = train.observe(tmp_path / "gap.csv").frame
    assert rows["count"].isna().sum() == 5
    data = {variable.name: variable.get_value() for variable in train.build(rows).data_vars}
    assert list(data["day"]) == [0, 1, 2, 3, *range(9, 20)]
    assert list(data["cumulative"][:5]) == [100, 200, 300, 400, 500]


def test_known_parameters_are_recovered_for_nearly_all_countries(sample: Callable) -> None:
    """Those of simulated countries, some far over 100 at first, lie in 90 % intervals nine times of ten."""
    rng, true, parts = np.random.default_rng(5), {}, []
    for code in list(NAMES)[:40]:
        values = {"a": rng.uniform(100, 400), "b": rng.uniform(0.1, 0.3), "eps": rng.uniform(0.02, 0.2)}
        curve = values["a"] * (1 + values["b"]) ** np.arange(28)
        total = np.rint(curve * np.exp(rng.normal(0, values["eps"], 28)))
        dates = pd.date_range("2020-03-01", periods=28)
        part = pd.DataFrame({"date": dates, "country": code, "name": code, "count": total, "total": total})
        parts.append(part.astype({"count": "Int64", "total": "Int64"}))
        true[code] = values
    fit = sample(pd.concat(parts, ignore_index=True), train.build)
    summaries = diagnostics.parameters(diagnostics.summarise(fit), "country")
    covered = pd.DataFrame(
        {
            code: {
                entry["parameter"]: entry["hdi_lower"] <= true[code][entry["parameter"]] <= entry["hdi_upper"]
                for entry in entries
                if entry["parameter"] in true[code]
            }
            for code, entries in summaries.items()
        }
    )
    assert covered.shape == (3, 40)
    assert covered.sum(axis="columns").min() >= least_covered(40), covered.sum(axis="columns")
    assert covered.to_numpy().sum() >= least_covered(covered.size), covered.sum(axis="columns")


def test_bad_input_is_named_and_harms_no_other_country(
    assert_bad_input_harms_no_other_country: Callable[[ModuleType], None],
) -> None:
    assert_bad_input_harms_no_other_country(train)


def test_the_published_fit_comes_out_of_the_ecdc_file(ecdc: Path, published: ModuleType) -> None:
    """To as many digits as its Monte Carlo error leaves: 0.4 of a, by the article's own table."""
    fitted = published.fit(train, ecdc, published.LAST_DAY, published=True, countries=("GBR",), whole=True)
    assert not fitted.failed
    assert len(fitted.rows) == 33
    a, b, eps = (fitted.posterior[name].to_numpy() for name in ("a", "b", "eps"))
    assert (a.mean(), a.std()) == (pytest.approx(127.2, abs=1.5), pytest.approx(8.1, abs=1))
    assert b.mean() == pytest.approx(0.23, abs=0.005)
    assert (eps.mean(), eps.std()) == (pytest.approx(0.27, abs=0.01), pytest.approx(0.04, abs=0.005))


def test_the_published_backtest_comes_out_of_the_ecdc_file(ecdc: Path, published: ModuleType) -> None:
    """Within 5 points: the Monte Carlo error of the article's thousand draws is 1 to 2 of them."""
    fitted = published.fit(train, ecdc, published.ORIGIN, published=True, countries=("GBR",))
    errors = published.errors(train, ecdc, fitted).set_index(["country", "horizon"])
    assert errors["reported"].iloc[[0, 4]].tolist() == [33_718, 51_608]
    for day, figure in zip((1, 5), published.ERRORS["exponential"]["GBR"], strict=True):
        assert errors.loc[("GBR", day), "error"] == pytest.approx(figure, abs=5)


def test_mended_priors_err_less_and_fail_less(ecdc: Path, published: ModuleType) -> None:
    theirs, ours = (
        published.fit(train, ecdc, published.ORIGIN, published=choice) for choice in (True, False)
    )
    assert theirs.tried == ours.tried == 94
    # None and nine where they were counted: see README.md.
    assert len(ours.failed) <= 0.05 * ours.tried
    assert len(ours.failed) < len(theirs.failed)
    median = [
        table[table["horizon"] == 5]["error"].abs().median()
        for table in (published.errors(train, ecdc, fitted) for fitted in (theirs, ours))
    ]
    assert median[1] < 0.8 * median[0]


def test_unknown_priors_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIORS", "publsihed")
    with pytest.raises(SystemExit, match=r"^PRIORS=publsihed is unknown: PRIORS=published takes .*$"):
        train.observe(observations.DATA / observations.DEFAULT)
