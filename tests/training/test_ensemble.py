"""ensemble.py: members' forecasts become one that is gated, carded, scored and served like any other."""

import datetime
import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle import artifact, scores
from forecastle.artifact import Artifact
from forecastle.project import train
from forecastle.service import create_app
from forecastle.training import backtest, ensemble, save_forecast

from .. import tiny
from ..conftest import ROOT, Ask, tamper

CODES, DAYS, HORIZON, DRAWS, RATE = ("AUT", "BEL", "CHE"), 60, 21, 400, 30
LAST = datetime.date(2020, 4, 29)
Run = Callable[..., list[str]]
TRAIN = '''"""Daily deaths: the mean of two models."""

from forecastle.training import combine

if __name__ == "__main__":
    combine(target="daily deaths", unit="deaths"OPTIONS)
'''


def observed(codes: tuple[str, ...] = CODES) -> pd.DataFrame:
    """Poisson counts, the same of a country whichever others there are."""
    dates = pd.date_range(end=LAST, periods=DAYS)
    frames = [
        pd.DataFrame(
            {"date": dates, "country": code, "count": np.random.default_rng(ord(code[0])).poisson(RATE, DAYS)}
        )
        for code in codes
    ]
    return pd.concat(frames)


def poisson(origin: datetime.date, rate: float, codes: tuple[str, ...] = CODES) -> xr.DataArray:
    dates = pd.date_range(origin + datetime.timedelta(1), periods=HORIZON)
    drawn = np.random.default_rng(int(rate)).poisson(rate, (DRAWS, len(codes), HORIZON))
    return xr.DataArray(drawn, {"country": list(codes), "date": dates}, ("draw", "country", "date"))


def member(models: Path, name: str, rate: float, codes: tuple[str, ...] = CODES, **options: Any) -> Path:
    """A model that forecasts so many a day, and knows how that would have gone; returns its artifact."""
    usual = {"measure": "deaths", "reference": True}
    options = {"forecast_from": lambda origin: poisson(origin, rate, codes)} | usual | options
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").touch()
    draws = options.pop("draws", poisson(LAST, rate, codes))
    save_forecast(
        draws, observed(codes), folder=folder / "artifact", target="daily deaths", unit="deaths", **options
    )
    return folder / "artifact"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, `low` and `high`, whose forecasts are a little so."""
    models = tmp_path_factory.mktemp("members")
    member(models, "low", RATE - 3)
    member(models, "high", RATE + 3)
    return models


@pytest.fixture
def folder(members: Path, tmp_path: Path) -> Path:
    """An ensemble of copies of these."""
    shutil.copytree(members, tmp_path / "models")
    return of(tmp_path / "models", "low", "high")


def of(models: Path, *names: str, options: str = "") -> Path:
    folder = models / "both"
    folder.mkdir(exist_ok=True)
    (folder / "members").write_text("\n".join(names) + "\n")
    (folder / "train.py").write_text(TRAIN.replace("OPTIONS", options))
    (folder / "main.py").touch()
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`run(folder)` runs its train.py: what it says but for progress, and the message that it ends with."""

    def script(folder: Path, *arguments: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["train.py", *arguments])
        ended: list[str] = []
        try:
            runpy.run_path(str(folder / "train.py"), run_name="__main__")
        except SystemExit as end:
            ended = str(end).splitlines()
        said = capfd.readouterr().err.splitlines()
        return [line for line in said if " took " not in line and not line.startswith("convergence")] + ended

    return script


def test_an_ensemble_has_the_averaged_quantiles_of_now_and_of_the_past(
    folder: Path, run: Run, ask: Ask
) -> None:
    assert run(folder) == []
    low, high, both = (Artifact.load(folder.with_name(name) / "artifact") for name in ("low", "high", "both"))
    for code in CODES:
        one, other = (np.sort(each.forecast_draws(code), axis=0) for each in (low, high))
        found = np.sort(both.forecast_draws(code), axis=0)
        assert np.array_equal(found, np.rint(found))
        assert np.abs(found - (one + other) / 2).max() < 1
        assert found.mean() == pytest.approx((one.mean() + other.mean()) / 2, abs=0.01)
    past = [backtest.load(each.folder / "backtest.npz").made for each in (low, high, both)]
    assert all((one["date"].values == past[0]["date"].values).all() for one in past)
    averaged = (past[0]["quantiles"].values + past[1]["quantiles"].values) / 2
    assert past[2]["quantiles"].values == pytest.approx(averaged)
    assert past[2]["mean"].values == pytest.approx((past[0]["mean"].values + past[1]["mean"].values) / 2)

    manifest = both.manifest
    assert (manifest.title, manifest.horizon) == ("Daily deaths: the mean of two models", HORIZON)
    assert {name: (one.version, one.weight) for name, one in manifest.members.items()} == {
        "low": (low.version, 0.5),
        "high": (high.version, 0.5),
    }
    assert manifest.backtest and manifest.backtest.scores["wis"] < high.manifest.backtest.scores["wis"]
    assert both.observations == low.observations and both.series == low.series

    app = create_app(both)
    assert ask(app, "/countries/AUT/forecast?days=2").json()["forecast"][1]["median"] == pytest.approx(
        RATE, abs=1
    )
    event = ask(app, f"/countries/AUT/probability?above={DAYS * RATE}&by=2020-05-10").json()
    assert 0 <= event["probability"] <= 1 and event["draws"] == DRAWS
    card = ask(app, "/card").text
    for one in (low, high):
        assert (
            f'<th scope="row">{one.model}</th><td>{one.version}</td><td>50.0\N{NO-BREAK SPACE}%</td>' in card
        )


def test_what_is_new_is_averaged_where_a_member_forecasts_running_totals(folder: Path, run: Run) -> None:
    total = observed().groupby("country")["count"].sum().to_numpy()

    def running(origin: datetime.date) -> np.ndarray:
        known = observed()
        known = known[known["date"] <= pd.Timestamp(origin)].groupby("country")["count"].sum().to_numpy()
        return known[:, None] + poisson(origin, RATE + 3).values.cumsum(axis=-1)

    models = folder.parent
    daily = Artifact.load(models / "high/artifact")
    assert run(folder) == []
    expected = Artifact.load(models / "both/artifact")
    member(models, "high", 0, draws=running(LAST), cumulative=True, forecast_from=running)
    cumulative = Artifact.load(models / "high/artifact")
    assert (cumulative.draws[:, :, 0] == total + daily.draws[:, :, 0]).all()
    assert run(of(models, "high", "low")) == []
    found = Artifact.load(models / "both/artifact")
    assert not found.cumulative and found.series == expected.series
    assert np.array_equal(np.sort(found.draws, axis=0), np.sort(expected.draws, axis=0))
    assert found.observations == expected.observations
    assert found.manifest.backtest == expected.manifest.backtest


def test_totals_that_fall_along_paths_tell_nothing_of_what_is_new(folder: Path, run: Run) -> None:
    total = observed().groupby("country")["count"].sum().to_numpy()
    running = total[:, None] + poisson(LAST, RATE).values.cumsum(axis=-1)
    apart = np.random.default_rng(1).permuted(running, axis=0)  # each day's draws in an order of their own
    member(folder.parent, "high", 0, draws=apart, cumulative=True, forecast_from=None)
    assert run(folder)[-1] == (
        "both: running totals of its member high fall along paths, so they do not tell what is new each day: "
        "take another member"
    )


def test_only_series_that_all_members_forecast_are_combined(folder: Path, run: Run) -> None:
    member(folder.parent, "high", RATE + 3, ("AUT", "CHE", "DEU"))
    assert run(folder) == []
    found = Artifact.load(folder / "artifact").manifest
    assert list(found.series) == ["AUT", "CHE"]
    assert {code: one.reason for code, one in found.excluded.items()} == {
        "BEL": "high does not forecast it",
        "DEU": "low does not forecast it",
    }


def test_weights_of_the_past_are_those_that_were_known_on_each_origin(tmp_path: Path, run: Run) -> None:
    models = tmp_path / "models"
    member(models, "good", RATE)
    member(models, "bad", 2 * RATE)
    folder = of(models, "good", "bad", options=', weights="past", reference=True')
    found = ensemble.load(folder)
    known = [one.past.increments for one in found]
    wis = [scores.weighted_interval_score(one["observed"].values, one["quantiles"].values) for one in known]
    first, *_, last = sorted(set(known[0]["origin"].values))
    combined = ensemble.past(found, "past").made
    quantiles = [one["quantiles"].values for one in (*known, combined)]
    at_first, at_last = (combined["origin"].values == origin for origin in (first, last))
    assert quantiles[2][at_first] == pytest.approx((quantiles[0][at_first] + quantiles[1][at_first]) / 2)
    before = known[0]["date"].values <= np.datetime64(last)
    assert 0 < before.sum() < len(before)
    share = 1 / (1 + wis[0][before].mean() / wis[1][before].mean())
    assert share > 0.7
    expected = share * quantiles[0][at_last] + (1 - share) * quantiles[1][at_last]
    assert quantiles[2][at_last] == pytest.approx(expected)
    assert run(folder) == []
    weights = {name: one.weight for name, one in Artifact.load(folder / "artifact").manifest.members.items()}
    assert weights["good"] == pytest.approx(1 / (1 + wis[0].mean() / wis[1].mean()), abs=1e-4)
    assert sum(weights.values()) == pytest.approx(1)


def test_an_ensemble_that_is_worse_than_naive_is_refused(tmp_path: Path, run: Run) -> None:
    models = tmp_path / "models"
    for name in ("one", "two"):
        member(models, name, 3 * RATE)
    said = run(of(models, "one", "two"))
    assert said[0] == "both: the ensemble is not to be used, and the last artifact stays"
    assert said[1].startswith("  wis_ratio is ")
    assert said[1].endswith(f": {ensemble.ADVICE.worse}, {backtest.REFERENCE}")
    assert run(of(models, "one", "two", options=", reference=True")) == []


def test_an_ensemble_that_is_too_narrow_is_refused_with_what_can_be_done_about_its_members(
    tmp_path: Path, run: Run
) -> None:
    """Its members' intervals are half as wide as they should be."""
    models = tmp_path / "models"
    for name in ("one", "two"):
        member(models, name, RATE, forecast_from=lambda origin: RATE + (poisson(origin, RATE) - RATE) / 2)
    (said,) = run(of(models, "one", "two"))[1:]
    assert " hold " in said and said.endswith(
        f": the forecasts are too narrow: {ensemble.ADVICE.narrow}, {backtest.REFERENCE}"
    )
    assert backtest.FITTED.narrow not in said


def test_without_a_members_backtest_that_is_said_to_be_unknown(folder: Path, run: Run) -> None:
    member(folder.parent, "high", RATE + 3, forecast_from=None)
    line = "both: nothing is known of how good past forecasts were, as a member has no backtest"
    assert run(folder)[-1] == line
    assert Artifact.load(folder / "artifact").manifest.backtest is None


def test_the_worst_diagnostics_of_all_members_are_the_ensembles(folder: Path, run: Run) -> None:
    bounds = {"r_hat": 1.01, "ess_bulk": 400}
    worst = {"low": {"r_hat": 1.002, "ess_bulk": 900}, "high": {"r_hat": 1.004, "ess_bulk": 800}}
    for name, values in worst.items():
        tamper(folder.with_name(name) / "artifact", diagnostics={"bounds": bounds, "worst": values})
    assert run(folder) == []
    found = Artifact.load(folder / "artifact").manifest
    assert found.diagnostics.worst == {"r_hat": 1.004, "ess_bulk": 800}
    assert found.members["low"].diagnostics.worst == worst["low"]


def test_what_cannot_be_combined_is_one_line_and_no_artifact(folder: Path, run: Run) -> None:
    assert run(folder) == []
    version, models = Artifact.load(folder / "artifact").version, folder.parent
    data = json.loads((models / "high/artifact/manifest.json").read_bytes())["data"]

    def line() -> str:
        said = run(folder)
        assert len(said) == 1
        assert Artifact.load(folder / "artifact").version == version
        return said[0]

    tamper(models / "high/artifact", data=data | {"file": "later.csv", "sha256": "1" * 64})
    assert line() == (
        "both: its members were trained with different data, low with data up to 2020-04-29 and high with "
        "later.csv up to 2020-04-29: train both"
    )
    tamper(models / "high/artifact", data=data, measure="cases")
    assert line() == (
        "both: its members forecast different things, low with the measure 'deaths' and high with 'cases': "
        "correct its file members"
    )
    tamper(models / "high/artifact", kind="plain")
    assert "is of no forecast: only what train() or save_forecast() wrote is one" in line()
    shutil.rmtree(models / "high/artifact")
    assert line() == "both: its member high has no artifact: run `make train MODEL=high` first"
    (folder / "members").write_text("# low\n")
    assert line() == "both: its file members names 0 models: name at least 2, one a line"
    of(models, "low", "high", options=', weights="best"')
    assert line() == "both: weights='best' is unknown: choose 'equal' or 'past'"
    said = run(folder, "--held-out", "2020-04-20", "file.nc")
    assert said == ["both: an ensemble is not fitted: retrain its members, then train it"]
    said = run(folder, "--vintages", "file.csv")
    assert said == ["both: an ensemble is not fitted: score its members on vintages"]


def test_the_long_backtest_is_that_of_the_members(folder: Path, run: Run) -> None:
    models = folder.parent
    assert run(folder) == []
    line = "both: its member low has no long backtest: run `make backtest MODEL=low`"
    assert run(folder, "--backtest") == [line]
    for name in ("low", "high"):
        summary = json.loads((models / name / "artifact/manifest.json").read_bytes())["backtest"]
        tamper(models / name / "artifact", backtest=summary | {"kind": "full"})
    made = (models / "low/artifact/backtest.npz").read_bytes()
    with artifact.amend(models / "low/artifact") as scratch:
        (scratch / "backtest.npz").write_bytes((models / "high/artifact/backtest.npz").read_bytes())
    line = "both: its members have new artifacts: run `make train MODEL=both` first"
    assert run(folder, "--backtest") == [line]
    with artifact.amend(models / "low/artifact") as scratch:
        (scratch / "backtest.npz").write_bytes(made)
    assert run(folder, "--backtest") == []
    assert run(folder) == []
    assert Artifact.load(folder / "artifact").manifest.backtest.kind == "full"  # type: ignore[union-attr]


def test_two_small_models_are_trained_and_then_combined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command behind `make train`, of the ensemble alone; then nothing is left to do."""
    data = tmp_path / "data.csv"
    data.write_text(tiny.as_csv(tiny.KNOWN))
    monkeypatch.setenv("FORECASTLE_DATA", str(data))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "shared"))
    models = tmp_path / "models"
    for name, code in {
        "one": tiny.TRAIN,
        "two": tiny.TRAIN.replace('"level", 3, 1', '"level", 2, 2'),
    }.items():
        (models / name).mkdir(parents=True)
        (models / name / "train.py").write_text(code)
        (models / name / "main.py").touch()
    folder = of(models, "one", "two")
    assert train.main(["both"], tmp_path) == 0
    found = Artifact.load(folder / "artifact")
    assert found.manifest.diagnostics.worst["r_hat"] < 1.01
    assert found.manifest.data.file == "data.csv" and list(found.series) == list(tiny.CODES)
    assert not any(train.is_stale(models / name) for name in ("one", "two", "both"))
    (models / "two/train.py").write_text((models / "two/train.py").read_text() + "# changed\n")
    assert train.main(["--stale", "both"], tmp_path) == 0
    assert not train.is_stale(models / "two")
