"""models/logistic: what is fitted, that known parameters come back, and the published figures."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr

from forecastle import observations
from forecastle.places import NAMES
from forecastle.training import diagnostics

from ..conftest import load
from .conftest import least_covered

ROOT = Path(__file__).resolve().parents[2]
train = load(ROOT / "models/logistic/train.py")


def logistic(day: np.ndarray, c0: float, r: float, k: float) -> np.ndarray:
    return k / (1 + (k - c0) / c0 * np.exp(-r * day))


def rows_of(totals: dict[str, np.ndarray]) -> pd.DataFrame:
    """As `observe` would give these running totals, a day each."""
    parts = [
        pd.DataFrame({"date": pd.date_range("2020-03-01", periods=len(total)), "country": code, "name": code})
        .assign(count=np.rint(total), total=np.rint(total))
        .astype({"count": "Int64", "total": "Int64"})
        for code, total in totals.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_first_wave_is_fitted_from_the_100th_case() -> None:
    rows = train.observe(observations.DATA / observations.DEFAULT).frame
    days = rows.groupby("country").size()
    assert rows.groupby("country")["total"].first().min() >= 100
    assert (days.min(), days.max()) == (11, 120)
    assert days.index[days == 120].tolist() == ["CHN"]
    assert (rows["count"].dropna() == rows["total"][rows["count"].notna()]).all()


def test_forecasts_follow_the_curve_before_and_after_the_last_day() -> None:
    day, true = np.arange(40), {"C0": 120.0, "r": 0.2, "K": 30_000.0}
    rows = rows_of({"FRA": logistic(day, 120, 0.2, 30_000)})
    parameters = {name: (("draw", "country"), [[value]]) for name, value in {**true, "eps": 1e-9}.items()}
    days = np.arange(-39, 29)
    drawn = train.predict(xr.Dataset(parameters), rows, days, np.random.default_rng(1))
    assert drawn.shape == (1, 1, 68)
    np.testing.assert_allclose(drawn[0, 0], logistic(days + 39.0, 120, 0.2, 30_000), rtol=1e-6)


@pytest.mark.parametrize("priors", ["", "published"])
def test_the_likelihood_is_that_of_the_series(priors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log-normal around K / (1 + A exp(-r t)), whichever priors."""
    monkeypatch.setenv("PRIORS", priors)
    day, c0, r, k, eps = np.arange(40), 110.0, 0.2, 30_000.0, 0.1
    rows = rows_of({"FRA": logistic(day, 130, 0.21, 28_000)}).assign(population=67_000_000)
    model = train.build(rows)
    total = rows["total"].to_numpy(float)
    if priors:
        point = {"C0": c0, "r": r, "K": k}
    else:
        point = {
            "level_offset": np.log(logistic(np.array(20), c0, r, k) / total[20]),
            "A_offset": np.log((k - c0) / c0 / (2 * total[-1] / total[0] - 1)),
            "r_log__": np.log(r),
        }
    logp = model.compile_logp(vars=model.observed_RVs)({**point, "eps_log__": np.log(eps)})
    expected = scipy.stats.lognorm(eps, scale=logistic(day, c0, r, k)).logpdf(total).sum()
    assert float(logp) == pytest.approx(expected)


def test_known_parameters_are_recovered_for_nearly_all_countries(sample: Callable) -> None:
    """Those of simulated countries, before and after the turn, lie in 90 % intervals nine times of ten."""
    rng, true, totals = np.random.default_rng(5), {}, {}
    for code in list(NAMES)[:40]:
        values = {
            "C0": rng.uniform(100, 200),
            "r": rng.uniform(0.1, 0.3),
            "K": np.exp(rng.uniform(np.log(2_000), np.log(50_000))),
            "eps": rng.uniform(0.02, 0.1),
        }
        turn = np.log(values["K"] / values["C0"] - 1) / values["r"]
        day = np.arange(round(turn * rng.uniform(0.9, 2)))
        curve = logistic(day, values["C0"], values["r"], values["K"])
        totals[code] = curve * np.exp(rng.normal(0, values["eps"], len(day)))
        true[code] = values
    fit = sample(rows_of(totals), train.build)
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
    assert covered.shape == (4, 40)
    assert covered.sum(axis="columns").min() >= least_covered(40), covered.sum(axis="columns")
    assert covered.to_numpy().sum() >= least_covered(covered.size), covered.sum(axis="columns")


def test_the_synthetic_curve_on_which_the_article_diverged_is_recovered(sample: Callable) -> None:
    """r 0.2, K 80,000, C0 100, no noise: it had 151 divergences and an R-hat above 1.4."""
    rows = rows_of({"CHN": logistic(np.arange(60), 100, 0.2, 80_000)})
    fit = sample(rows, train.build)
    summary = diagnostics.summarise(fit)
    assert not diagnostics.check(fit.sel(country="CHN"), summary.sel(country=["CHN"])).reasons
    for name, value in {"C0": 100, "r": 0.2, "K": 80_000}.items():
        assert float(fit["posterior"][name].mean()) == pytest.approx(value, rel=1e-3)


def test_bad_input_is_named_and_harms_no_other_country(
    assert_bad_input_harms_no_other_country: Callable[[ModuleType], None],
) -> None:
    assert_bad_input_harms_no_other_country(train)


def test_the_published_figures_come_out_of_the_ecdc_file(ecdc: Path, published: ModuleType) -> None:
    """Within 1.5 points: the Monte Carlo error of the article's thousand draws is about half a point.

    With its priors a fit need not pass our gate: R-hat may be just above 1.01.
    """
    fitted = published.fit(
        train, ecdc, published.ORIGIN, published=True, countries=("CHN", "GBR"), whole=True
    )
    errors = published.errors(train, ecdc, fitted).set_index(["country", "horizon"])
    assert errors.loc[("CHN", 1), "reported"] == 82_465
    assert errors.loc[("GBR", 5), "reported"] == 51_608
    for code, figures in published.ERRORS["logistic"].items():
        for day, figure in zip((1, 5), figures, strict=True):
            assert errors.loc[(code, day), "error"] == pytest.approx(figure, abs=1.5), (code, day)


def test_mended_priors_converge_where_the_published_ones_do_not(ecdc: Path, published: ModuleType) -> None:
    theirs, ours = (
        published.fit(train, ecdc, published.ORIGIN, published=choice) for choice in (True, False)
    )
    assert theirs.tried == ours.tried == 82
    # Three and 39 of 82 where they were counted; as many as 13 or as few as 20 would be a chance of about one
    # in 100,000.
    assert len(ours.failed) <= 0.15 * ours.tried
    assert len(theirs.failed) >= 0.24 * theirs.tried
    assert any("K[" in reason for reasons in theirs.failed.values() for reason in reasons)


def test_priors_that_cannot_be_had_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = observations.DATA / observations.DEFAULT
    monkeypatch.setenv("PRIORS", "publsihed")
    with pytest.raises(SystemExit, match=r"^PRIORS=publsihed is unknown: PRIORS=published takes .*$"):
        train.observe(data)
    monkeypatch.setenv("PRIORS", "published")
    message = f"^{data} lacks populations, which PRIORS=published needs: .*$"
    with pytest.raises(observations.ObservationsError, match=message):
        train.observe(data)


def test_that_the_published_priors_were_used_stands_in_the_manifest(
    sound_and_all: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = train.observe(sound_and_all[0]).changes
    monkeypatch.setenv("PRIORS", "published")
    path = sound_and_all[0].with_name("populated.csv")
    observations.write(observations.read(sound_and_all[0]).frame.assign(population=60_000_000), path)
    said = "PRIORS=published: fitted with the published priors"
    assert train.observe(path).changes == [*changes, said]
