"""training.py on real, tiny fits: what ends up in the artifact, and what ends without one."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from forecastle.artifact import Artifact, Excluded, sha256
from forecastle.training import backtest

ROOT = Path(__file__).resolve().parents[2]
DAYS = 30
TINY = '''"""A tiny model: log-linear growth."""

import numpy as np
import pandas as pd
import pymc as pm

from forecastle.observations import read, since_total
from forecastle.training import train

MIDDLE = 15


def observe(path):
    return since_total(read(path), "deaths", start=10, total=50)


def build(rows):
    with pm.Model() as model:
        day = pm.Data("day", rows.groupby("country").cumcount().to_numpy(dtype=float) - MIDDLE)
        count = pm.Data("count", rows["count"].to_numpy(dtype=int))
        level, growth = pm.Normal("level", 3, 1), pm.Normal("growth", 0, 0.005)
        pm.Poisson("deaths", pm.math.exp(level + growth * day), observed=count)
    return model


def predict(posterior, rows, days, rng):
    last = rows.groupby("country").size().to_numpy() - 1 - MIDDLE
    shape = (len(posterior["draw"]), -1, 1)
    level, growth = (posterior[name].to_numpy().reshape(shape) for name in ("level", "growth"))
    return rng.poisson(np.exp(level + growth * (last[:, None] + days)))


if __name__ == "__main__":
    train(observe, build, predict, target="daily deaths", unit="deaths", draws=2000, tune=300)
'''


@pytest.fixture(autouse=True)
def one_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short backtest has one origin, however few countries there are; a full one has two."""
    monkeypatch.setattr(backtest, "ORIGINS", {"short": (1, 8), "full": (2, 8)})
    monkeypatch.setattr(backtest, "LEAST_PATHS", 1)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two countries with 30 days of about 20 deaths each, and one with too few; the data in use."""
    counts = np.random.default_rng(1).poisson(20, size=(2, DAYS))
    lines = ["date,country,name,cases,deaths", "2020-03-01,AND,Andorra,3,1"]
    for code, name, row in zip(("FRA", "GBR"), ("France", "United Kingdom"), counts, strict=True):
        lines += [f"2020-04-{day + 1:02},{code},{name},{10 * count},{count}" for day, count in enumerate(row)]
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("FORECASTLE_DATA", str(path))
    return path


def run(folder: Path, code: str = TINY, *arguments: str) -> Path:
    """Run this train.py as its user would, but in this process; the artifact's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "train.py"
    script.write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *arguments])
        runpy.run_path(str(script), run_name="__main__")
    return folder / "artifact"


def options(**changes: Any) -> str:
    """The tiny train.py with these arguments of `train` besides."""
    return TINY.replace("tune=300", ", ".join(["tune=300", *(f"{k}={v!r}" for k, v in changes.items())]))


def test_the_artifact_holds_what_was_fitted_and_how_well(data: Path, tmp_path: Path) -> None:
    artifact = Artifact.load(run(tmp_path / "tiny"))
    manifest = artifact.manifest
    assert (manifest.model, manifest.title) == ("tiny", "A tiny model: log-linear growth")
    assert manifest.data.sha256 == sha256(data)
    assert str(manifest.data.last_day) == "2020-04-30"
    assert manifest.excluded == {"AND": Excluded("Andorra", "fewer than 50 deaths: 1")}
    assert manifest.diagnostics.worst["r_hat"] <= manifest.diagnostics.bounds["r_hat"]
    assert list(artifact.series) == ["FRA", "GBR"]
    assert artifact.draws.shape == (2000, 2, 28)
    # Counts of 20 a day went in, so about as many come out on the first day.
    assert artifact.forecast_draws("GBR")[:, 0].mean() == pytest.approx(20, abs=4)
    assert len(artifact.observations["FRA"]) == DAYS
    posterior = az.from_netcdf(artifact.folder / "posterior.nc")
    assert posterior["posterior"]["growth"].dims == ("chain", "draw")
    check = manifest.posterior_predictive
    assert (check["dates"], check["series"]) == (2 * DAYS, 2)
    assert check["coverage"]["0.8"] > 0.7
    page = (artifact.folder / "card.html").read_text()
    assert "<figcaption>growth</figcaption>" in page and "United Kingdom, after 2020-04-30" in page


def test_the_same_data_and_code_give_the_same_draws(data: Path, tmp_path: Path) -> None:
    first, second = (Artifact.load(run(tmp_path / name / "tiny")) for name in ("a", "b"))
    assert first.version == second.version
    assert sha256(first.folder / "draws.npy") == sha256(second.folder / "draws.npy")


def test_a_model_of_each_country_is_fitted_to_each(data: Path, tmp_path: Path) -> None:
    artifact = Artifact.load(run(tmp_path / "tiny", options(each_series=True)))
    assert {entry["parameter"] for entry in artifact.parameters["GBR"]} == {"level", "growth"}
    assert "" not in artifact.parameters
    assert "<figcaption>growth[GBR]</figcaption>" in (artifact.folder / "card.html").read_text()


def test_a_prior_that_cannot_be_drawn_from_is_left_out_of_the_card(data: Path, tmp_path: Path) -> None:
    flat = TINY.replace('pm.Normal("level", 3, 1)', 'pm.Flat("level")')
    page = (run(tmp_path / "tiny", flat) / "card.html").read_text()
    assert "There are no draws of the priors of this model." in page


def test_a_fit_that_does_not_converge_ends_with_its_verdict(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sha256(run(tmp_path / "tiny") / "manifest.json")
    valley = 'x = pm.Normal("x", 0, 10); pm.Potential("two modes", -50 * (x**2 - 25) ** 2); '
    two_modes = TINY.replace("pm.Poisson(", valley + "pm.Poisson(")
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "tiny", two_modes)
    assert "tiny: the fit is not to be used, and the last artifact stays" in str(stopped.value)
    assert "r_hat of x is" in str(stopped.value)
    assert sha256(tmp_path / "tiny/artifact/manifest.json") == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("date,country,name,cases,deaths\n2020-04-01,GBR,,1,1\n", "no country has 50 deaths or more"),
        (None, "is not there"),
    ],
)
def test_unusable_data_are_one_line(data: Path, tmp_path: Path, content: str | None, message: str) -> None:
    if content is None:
        data.unlink()
    else:
        data.write_text(content)
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "tiny")
    assert message in str(stopped.value)
    assert len(str(stopped.value).splitlines()) == 1


def test_killed_half_way_it_leaves_the_last_artifact_whole(tmp_path: Path) -> None:
    """The real model, killed while it samples: what was there before can still be served."""
    folder = tmp_path / "exponential"
    folder.mkdir()
    shutil.copy(ROOT / "models/exponential/train.py", folder)
    (folder / "artifact").mkdir()
    (folder / "artifact/manifest.json").write_text("the last one")
    process = subprocess.Popen(
        [sys.executable, folder / "train.py"], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr
    for line in process.stderr:
        if "sampling 20 %" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert (folder / "artifact/manifest.json").read_text() == "the last one"
    assert [file.name for file in (folder / "artifact").iterdir()] == ["manifest.json"]


def test_progress_is_shown_in_a_log_too(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    few = "from forecastle.training import backtest, train\n\nbacktest.LEAST_PATHS = 1\n"
    few += "backtest.ORIGINS = {'short': (1, 8)}"
    (folder / "train.py").write_text(TINY.replace("from forecastle.training import train", few))
    started = time.monotonic()
    done = subprocess.run([sys.executable, folder / "train.py"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "tiny: sampling 100 %" in done.stderr
    assert "tiny: saving took" in done.stderr
    assert json.loads((folder / "artifact/manifest.json").read_text())["training_seconds"] < (
        time.monotonic() - started
    )


def test_the_long_backtest_goes_into_the_artifact_and_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = np.random.default_rng(1).poisson(20, size=(6, DAYS))
    lines = ["date,country,name,cases,deaths"]
    for code, row in zip(("DEU", "ESP", "FRA", "GBR", "ITA", "USA"), counts, strict=True):
        lines += [f"2020-04-{day + 1:02},{code},{code},{10 * count},{count}" for day, count in enumerate(row)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("FORECASTLE_DATA", str(data))
    before = Artifact.load(run(tmp_path / "tiny"))
    assert [str(day) for day in before.manifest.backtest.origins] == ["2020-04-16"]
    run(tmp_path / "tiny", TINY, "--backtest")
    after = Artifact.load(tmp_path / "tiny/artifact")
    assert [str(day) for day in after.manifest.backtest.origins] == ["2020-04-08", "2020-04-16"]
    assert "2020-04-08" in capsys.readouterr().out
    changed = {name for name, digest in after.manifest.files.items() if before.manifest.files[name] != digest}
    assert changed == {"backtest.json", "backtest.npz", "card.html"}
    assert after.version == before.version
    card = (after.folder / "card.html").read_text()
    assert "2020-04-08" in card and card.count("<section") == card.count("</section>") == 7


def test_without_a_backtest_there_is_no_artifact_but_of_a_reference(data: Path, tmp_path: Path) -> None:
    """The first of fifteen days is the only origin with two weeks after it, and leaves nothing to fit."""
    header, *lines = data.read_text().splitlines()
    data.write_text("\n".join([header, *(line for line in lines if line < "2020-04-16")]) + "\n")
    with pytest.raises(SystemExit, match="no past day could be forecast") as stopped:
        run(tmp_path / "tiny")
    assert "use more days of data" in str(stopped.value) and "reference=True" in str(stopped.value)
    assert not (tmp_path / "tiny/artifact").exists()
    artifact = Artifact.load(run(tmp_path / "tiny", options(reference=True)))
    assert artifact.manifest.backtest is None
    with np.load(artifact.folder / "backtest.npz") as forecasts:
        assert forecasts["quantiles"].size == 0
    with pytest.raises(SystemExit, match="no past day could be forecast"):
        run(tmp_path / "tiny", options(reference=True), "--backtest")
    assert Artifact.load(artifact.folder).version == artifact.version


def test_on_vintages_each_origin_knows_what_was_known_then(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that ends on the first origin has half the deaths that are known today: forecasts are as low."""
    folder = tmp_path / "vintages"
    folder.mkdir()
    today = pd.read_csv(data)
    then = today[today["date"] <= "2020-04-08"].assign(deaths=lambda rows: (rows["deaths"] // 2).clip(1))
    then.to_csv(folder / "then.csv", index=False)
    today.to_csv(folder / "today.csv", index=False)
    artifact = run(tmp_path / "tiny", TINY, "--vintages", str(folder))
    assert not artifact.exists()
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [
        f"from 2020-04-08, as known in {folder}/then.csv",
        f"from 2020-04-16, as known in {folder}/today.csv",
        f"scored against {folder}/today.csv",
    ]
    first, second = (
        next(line for line in said if line.split()[:1] == [day]) for day in ("2020-04-08", "2020-04-16")
    )
    assert _bias(first) < -0.9 and _bias(second) > -0.5
    with pytest.raises(SystemExit, match="nothing is not there: check the path"):
        run(tmp_path / "tiny", TINY, "--vintages", str(tmp_path / "nothing"))


def _bias(row: str) -> float:
    return float(next(cell for cell in row.split() if cell[0] in "+-" and "." in cell))


def test_held_out_days_are_forecast_and_nothing_else_is_made(data: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held-out.nc"
    folder = run(tmp_path / "tiny", TINY, "--held-out", "2020-04-20", str(held_out))
    assert not folder.exists()
    forecasts = xr.load_dataset(held_out, engine="h5netcdf")
    assert forecasts.attrs == {"target": "daily deaths", "unit": "deaths"}
    assert forecasts.sizes["forecast"] == 2 * 10  # the days that are known by now
    run(tmp_path / "tiny", TINY, "--held-out", "2020-04-02", str(tmp_path / "none.nc"))
    assert not (tmp_path / "none.nc").exists()


def test_the_artifact_lies_beside_the_script_that_runs(data: Path, tmp_path: Path) -> None:
    """Not beside the module that `build` comes from, and `build` may be a partial function."""
    library = tmp_path / "library"
    library.mkdir()
    code, call = TINY.split("if __name__")
    code = code.replace("def build(rows):", "def build(rows, mean):").replace("3, 1", "mean, 1")
    (library / "steps.py").write_text(code)
    script = (
        f"import functools, sys\nsys.path.insert(0, {str(library)!r})\nfrom steps import *\n"
        f"build = functools.partial(build, mean=3)\nif __name__{call}"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        artifact = Artifact.load(run(tmp_path / "tiny", script))
    assert (artifact.folder, artifact.model) == (tmp_path / "tiny/artifact", "tiny")
    assert not (library / "artifact").exists()


def test_a_plain_frame_is_enough_of_observe(data: Path, tmp_path: Path) -> None:
    plain = TINY.replace("total=50)", "total=50).frame.copy()")
    manifest = Artifact.load(run(tmp_path / "tiny", plain)).manifest
    assert (manifest.data.changes, manifest.excluded) == ([], {})
    assert str(manifest.data.last_day) == "2020-04-30"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit="deaths"', 'unit="beds"', "measure=beds is no column of the observations"),
        ("total=50)", "total=50).frame.drop(columns='total')", "observe's rows lack the columns total"),
        ("return model", "return None", "build returned None, expected is a pm.Model"),
        ("return rng.poisson", "return np.nan * rng.poisson", "predict gave values that are not finite"),
        ("+ days)", "+ days[:5])", "predict gave the shape (3, 2, 5)"),
    ],
)
def test_what_is_wrong_is_one_line_before_sampling(
    data: Path, tmp_path: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in TINY
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "tiny", TINY.replace(old, new))
    assert str(stopped.value).startswith(f"tiny: {message}")
    assert len(str(stopped.value).splitlines()) == 1
    assert "sampling" not in capsys.readouterr().err
    assert not (tmp_path / "tiny/artifact").exists()


def test_predictions_must_be_finite_after_sampling_too(data: Path, tmp_path: Path) -> None:
    """Here they are for the few draws of the first try alone."""
    spoiled = TINY.replace("return rng", "return np.where(shape[0] == 3, 1, np.nan) * rng")
    with pytest.raises(SystemExit, match="predict gave values that are not finite"):
        run(tmp_path / "tiny", spoiled)
    assert not (tmp_path / "tiny/artifact").exists()
