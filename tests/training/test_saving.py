"""saving.py: draws of any sampler become the artifact that train() writes, or are refused in a line."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle.artifact import Artifact
from forecastle.project import train
from forecastle.service import create_app
from forecastle.training import save_forecast
from forecastle.training.contract import ContractError
from forecastle.training.diagnostics import FitError

from ..conftest import Ask

CODES, DAYS, HORIZON, DRAWS, RATE = ("AUT", "BEL", "CHE"), 60, 14, 400, 30
LAST = datetime.date(2020, 4, 29)


def observed() -> pd.DataFrame:
    """Poisson counts of three countries, in no order."""
    rng = np.random.default_rng(1)
    dates = pd.date_range(end=LAST, periods=DAYS)
    frames = [
        pd.DataFrame({"date": dates, "country": code, "count": rng.poisson(RATE, DAYS)}) for code in CODES
    ]
    return pd.concat(frames).sample(frac=1, random_state=1)


def poisson(origin: datetime.date, rate: float = RATE) -> xr.DataArray:
    """What is best, with the countries in an order of its own."""
    dates = pd.date_range(origin + datetime.timedelta(1), periods=HORIZON)
    drawn = np.random.default_rng(2).poisson(rate, (HORIZON, len(CODES), DRAWS))
    return xr.DataArray(drawn, {"date": dates, "country": list(reversed(CODES))}, ("date", "country", "draw"))


def chains(spread: float = 0) -> xr.Dataset:
    """Four chains of a rate, so far apart."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, 1000, len(CODES))) + spread * np.arange(4)[:, None, None]
    return xr.Dataset({"rate": (("chain", "draw", "country"), values)}, {"country": list(CODES)})


def save(folder: Path, draws: Any = None, frame: pd.DataFrame | None = None, **members: Any) -> str:
    return save_forecast(
        poisson(LAST) if draws is None else draws,
        observed() if frame is None else frame,
        folder=folder / "flu/artifact",
        **{"target": "daily deaths", "unit": "deaths", **members},
    )


def test_draws_of_any_sampler_are_served_judged_and_backtested(tmp_path: Path, ask: Ask) -> None:
    version = save(tmp_path, posterior=chains(), forecast_from=poisson, title="Flu", libraries=("scipy",))
    artifact = Artifact.load(tmp_path / "flu/artifact")
    manifest = artifact.manifest
    assert (manifest.version, manifest.model, manifest.title) == (version, "flu", "Flu")
    assert manifest.diagnostics.worst.keys() == {"r_hat", "ess_bulk", "ess_tail"}
    assert manifest.backtest and manifest.backtest.scores["wis_ratio"] < 1
    assert manifest.backtest.forecasts == len(manifest.backtest.origins) * len(CODES) * HORIZON
    assert "scipy" in manifest.versions
    expected = poisson(LAST).sel(country="AUT").transpose("draw", "date").values
    assert (artifact.forecast_draws("AUT") == expected).all()

    app = create_app(artifact)
    answer = ask(app, "/countries/AUT/forecast?days=1").json()
    assert answer["origin_date"] == LAST.isoformat()
    assert answer["forecast"][0]["median"] == np.median(expected[:, 0])
    (rate,) = ask(app, "/countries/AUT/parameters").json()["parameters"]
    assert rate["parameter"] == "rate" and rate["r_hat"] < 1.01
    assert ask(app, "/posterior.nc").status_code == 200
    card = ask(app, "/card").text
    assert "Ranks of rate[" in card and "There are no draws of the priors" in card


def test_without_chains_and_past_forecasts_both_are_said_to_be_unknown(
    tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, draws=poisson(LAST).sortby("country").transpose("draw", "country", "date").values)
    assert capsys.readouterr().err.splitlines() == [
        "convergence is unknown, as no chains were given",
        "flu: nothing is known of how good past forecasts were: give forecast_from",
    ]
    app = create_app(Artifact.load(tmp_path / "flu/artifact"))
    overview = ask(app, "/").json()
    assert set(overview["diagnostics"].values()) == {None} and overview["backtest"] is None
    assert "Unknown: the chains of the sampler were not given." in ask(app, "/card").text
    assert ask(app, "/countries/AUT/parameters").json()["parameters"] == []


def test_a_running_total_is_forecast_beside_the_totals_that_were_observed(tmp_path: Path) -> None:
    frame = observed()
    total = frame.groupby("country")["count"].sum().reindex(sorted(CODES)).to_numpy()

    def cumulative(origin: datetime.date) -> np.ndarray:
        known = frame[frame["date"] <= pd.Timestamp(origin)].groupby("country")["count"].sum()
        new = np.random.default_rng(2).poisson(RATE, (DRAWS, len(CODES), HORIZON))
        return known.reindex(sorted(CODES)).to_numpy()[:, None] + new.cumsum(axis=-1)

    save(tmp_path, cumulative(LAST), frame, cumulative=True, forecast_from=cumulative)
    artifact = Artifact.load(tmp_path / "flu/artifact")
    assert [artifact.observations[code][-1][1] for code in sorted(CODES)] == list(total)
    assert artifact.manifest.backtest and artifact.manifest.backtest.scores["wis_ratio"] < 1


def test_an_artifact_of_the_folders_own_file_is_current_until_that_changes(tmp_path: Path) -> None:
    folder = tmp_path / "flu"
    folder.mkdir()
    (folder / "counts.csv").write_text("1")
    save(tmp_path, data=folder / "counts.csv")
    assert not train.is_stale(folder)
    (folder / "counts.csv").write_text("2")
    assert train.is_stale(folder)
    save(tmp_path)
    assert not train.is_stale(folder)


@pytest.mark.parametrize(
    ("members", "error", "said"),
    [
        ({"posterior": chains(spread=1)}, FitError, "r_hat of rate"),
        ({"forecast_from": lambda origin: poisson(origin, 10 * RATE)}, FitError, "worse than the naive"),
        ({"draws": poisson(LAST).isel(country=[0, 1])}, ContractError, "differ in the countries: AUT"),
        ({"draws": poisson(LAST).values[:, :2]}, ContractError, r"have the shape \(14, 2, 400\)"),
        ({"draws": poisson(LAST).isel(country=0)}, ContractError, "have the dimensions date, draw"),
        (
            {"draws": poisson(LAST + datetime.timedelta(1))},
            ContractError,
            "the draws of AUT have the date 2020-05-01 where 2020-04-30 is expected",
        ),
        ({"draws": poisson(LAST) * np.nan}, ContractError, "not finite"),
        ({"frame": observed().drop(columns="count")}, ContractError, "lack the columns count"),
        ({"frame": observed().iloc[1:]}, ContractError, "one row for each day"),
        ({"libraries": ("nosuch",)}, ContractError, "libraries names nosuch, which is not installed"),
        ({"data": "nosuch.csv"}, ContractError, "nosuch.csv"),
    ],
)
def test_what_is_wrong_is_a_line_and_the_last_artifact_stays(
    members: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    save(tmp_path)
    before = (tmp_path / "flu/artifact/manifest.json").read_bytes()
    with pytest.raises(error, match=said):
        save(tmp_path, **members)
    assert (tmp_path / "flu/artifact/manifest.json").read_bytes() == before
    assert json.loads(before)["diagnostics"] == {"bounds": {}, "worst": {}}
