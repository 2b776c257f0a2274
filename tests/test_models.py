"""What every folder of models/ must do, whoever wrote it; and more, if its artifact is a forecast."""

import asyncio
import datetime
import inspect
import json
import math
import shutil
from pathlib import Path
from typing import Any

import arviz as az
import httpx
import numpy as np
import pytest

from forecastle import manifest, members
from forecastle.artifact import Artifact
from forecastle.project import compose, environment, pins, slot, train
from forecastle.project.process import Process
from forecastle.runtime.monitoring import Monitoring
from forecastle.training import diagnostics

from .conftest import Ask, keep, load, take

ROOT = Path(__file__).resolve().parents[1]
HOST = "https://"  # in a lock file it would be an index's or a package's address


@pytest.fixture(scope="session", params=compose.models())
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a model's folder with an artifact of its sources and data, trained if there is none."""
    models = tmp_path_factory.mktemp("project") / "models"
    for name in members.first([request.param], ROOT):
        copy = models / name
        trains = (ROOT / "models" / name / "train.py").is_file()
        ignored = shutil.ignore_patterns("artifact*" if trains else "artifact.*", "__pycache__")
        shutil.copytree(ROOT / "models" / name, copy, ignore=ignored)
        if trains and not take(copy):
            train.train(name, models.parent)
            keep(copy / "artifact", name)
    return models / request.param


@pytest.fixture(scope="session")
def artifact(folder: Path) -> Artifact:
    """That of a forecast; the test is about forecasts alone."""
    if manifest.read(folder / "artifact").get("kind") == manifest.PLAIN:
        pytest.skip(f"{folder.name} forecasts nothing")
    return Artifact.load(folder / "artifact")


@pytest.fixture(scope="session")
def app(folder: Path, artifact: Artifact) -> Any:
    """The app of a forecast as it is served, its middleware included."""
    return Monitoring(slot.load(folder)[0], model=folder.name, prefix=f"/{folder.name}")


# Of any model


def test_it_is_served_with_health_documentation_and_lineage(folder: Path, tmp_path: Path) -> None:
    """As `make run` and its image serve it: in a process, a folder and with packages of its own."""
    name, root = folder.name, folder.parents[1]
    train.served(folder, folder / "artifact", tmp_path / name)
    process = Process(name, tmp_path / name, environment.python(name, pins.SERVE, root))

    async def asked() -> dict[str, httpx.Response]:
        transport = httpx.ASGITransport(process)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await process.start()
            paths = ("livez", "readyz", "docs", "card", "manifest.json", "openapi.json", "metrics", "nothing")
            return {path: await client.get(f"/{name}/{path}") for path in paths}

    try:
        answers = asyncio.run(asked())
    finally:
        process.stop()
    statuses = {path: answer.status_code for path, answer in answers.items()}
    assert statuses == {**dict.fromkeys(statuses, 200), "nothing": 404}
    assert answers["manifest.json"].json()["model"] == name
    assert answers["manifest.json"].json()["sources"]
    assert answers["openapi.json"].json()["paths"]
    assert "https://" not in answers["docs"].text
    assert answers["nothing"].headers["content-type"] == "application/problem+json"
    version = answers["manifest.json"].json()["version"]
    assert f'version="{version}"' in answers["metrics"].text


def test_every_lock_pins_by_hash_and_names_no_index(folder: Path) -> None:
    for lock in folder.glob("requirements*.txt"):
        text = lock.read_text()
        assert HOST not in text and "--index-url" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line for line in pinned)
        assert text.count("--hash=sha256:") >= len(pinned)


# Of forecasts


def test_train_py_says_what_it_fits_and_has_the_three_steps(folder: Path, artifact: Artifact) -> None:
    module = load(folder / "train.py")
    assert module.__doc__ and len(module.__doc__.splitlines()[0]) <= 110
    for step in () if artifact.manifest.members else ("observe", "build", "predict"):
        assert inspect.getdoc(getattr(module, step)), step


def test_the_readme_is_a_model_card(folder: Path, artifact: Artifact) -> None:
    card = (folder / "README.md").read_text().lower()
    fitted = ("likelihood", "prior", "posterior predictive check")
    averaged = ("members", "quantiles", "paths", "backtest")
    for subject in ("question", "data", *(averaged if artifact.manifest.members else fitted), "not to use"):
        assert subject in card, subject


def test_the_fit_has_converged_within_the_bounds(artifact: Artifact) -> None:
    assert artifact.manifest.diagnostics.bounds == diagnostics.BOUNDS
    worst = artifact.manifest.diagnostics.worst
    assert worst["r_hat"] <= diagnostics.R_HAT
    assert min(worst["ess_bulk"], worst["ess_tail"]) >= diagnostics.ESS
    assert worst["divergences"] == 0
    assert worst["e_bfmi"] >= diagnostics.E_BFMI
    if artifact.manifest.members:  # whose fits these are
        return
    entries = [entry for entries in artifact.parameters.values() for entry in entries]
    assert max(entry["r_hat"] for entry in entries) == pytest.approx(worst["r_hat"], rel=1e-5)


def test_every_series_has_draws_that_there_can_be(artifact: Artifact) -> None:
    manifest = artifact.manifest
    assert artifact.draws.dtype in (np.float32, np.float64)
    assert np.isfinite(artifact.draws).all()
    assert manifest.minimum is None or (artifact.draws >= manifest.minimum).all()
    assert artifact.observations.keys() == artifact.series.keys()
    for code, series in artifact.series.items():
        days = [day for day, _ in artifact.observations[code]]
        assert (days[0], days[-1]) == (series.first_day, series.origin_date)
        assert series.origin_date <= artifact.data_through
        assert (series.total is None) == manifest.real


def test_every_route_of_its_openapi_answers(app: Any, artifact: Artifact, ask: Ask) -> None:
    code, plural, day = next(iter(artifact.series)), artifact.manifest.plural, coming(artifact, 7)
    paths = ask(app, "/openapi.json").json()["paths"]
    for path, operations in paths.items():
        if "get" in operations:
            query = {"above": 1, "on": day.isoformat()} if path.endswith("/probability") else {}
            filled = path.replace("{code}", code).replace("{version}", artifact.version)
            answer = ask(app, f"/{artifact.model}{filled}", params=query)
            assert answer.status_code == 200, (path, answer.text)
    for path in ("/", f"/{plural}", f"/{plural}/{{code}}/forecast", "/livez", "/readyz", "/manifest.json"):
        assert path in paths


def test_the_card_holds_the_prose_and_the_fit(app: Any, artifact: Artifact, ask: Ask) -> None:
    answer = ask(app, "/card")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert len(page) < 1_000_000
    assert artifact.version in page and artifact.manifest.data.sha256 in page
    assert "<strong>Question.</strong>" in page  # of README.md
    if artifact.manifest.members:
        assert all(one.version in page for one in artifact.manifest.members.values())
        return
    coverage = artifact.manifest.posterior_predictive["coverage"]
    assert f"{100 * coverage['0.9']:.1f}\N{NO-BREAK SPACE}%" in page


def test_the_posterior_opens_in_arviz(app: Any, artifact: Artifact, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "posterior.nc"
    path.write_bytes(ask(app, "/posterior.nc").content)
    fit = az.from_netcdf(path)
    if artifact.manifest.members:  # which has none of its own
        assert set(fit.children) == {"observed_data"}
        return
    summaries = [entry for entries in artifact.parameters.values() for entry in entries]
    parameters = {entry["parameter"].partition("[")[0] for entry in summaries}  # as in weekday[Mon]
    assert set(fit["posterior"].data_vars) == parameters
    assert float(az.rhat(fit["posterior"].dataset).max().to_array().max()) == pytest.approx(
        artifact.manifest.diagnostics.worst["r_hat"], abs=1e-3
    )


def test_the_forecast_begins_with_the_period_after_the_data(app: Any, artifact: Artifact, ask: Ask) -> None:
    for code, series in artifact.series.items():
        path = f"/{artifact.manifest.plural}/{code}/forecast"
        answer = ask(app, f"{path}?days={artifact.horizon}&level=0.5&level=0.95").json()
        days = answer["forecast"]
        assert answer[artifact.manifest.noun] == code
        assert answer["origin_date"] == series.origin_date.isoformat()
        assert days[0]["date"] == artifact.frequency.after(series.origin_date, 1).isoformat()
        assert [day["horizon"] for day in days] == list(range(1, artifact.horizon + 1))
        for day in days:
            inner, outer = day["intervals"]
            ends = [outer["lower"], inner["lower"], day["median"], inner["upper"], outer["upper"]]
            assert ends == sorted(ends)
            assert math.isfinite(day["mean"])


def test_probabilities_agree_with_the_draws(app: Any, artifact: Artifact, ask: Ask) -> None:
    code, day = next(iter(artifact.series)), coming(artifact, 3)
    draws = artifact.forecast_draws(code)[:, 2]
    threshold = float(np.floor(np.median(draws)))
    query = {"above": threshold, "on": day.isoformat()}
    answer = ask(app, f"/{artifact.manifest.plural}/{code}/probability", params=query).json()
    assert answer["probability"] == pytest.approx(float((draws > threshold).mean()), abs=1e-3)


def coming(artifact: Artifact, periods: int) -> datetime.date:
    """The date so many periods after the first series' last one."""
    origin = next(iter(artifact.series.values())).origin_date
    return artifact.frequency.after(origin, periods)


def test_no_file_of_the_artifact_is_a_pickle(artifact: Artifact) -> None:
    files = {file.name for file in artifact.folder.iterdir()}
    assert files == {"manifest.json", *artifact.manifest.files}
    assert {Path(file).suffix for file in files} <= {".json", ".npy", ".npz", ".nc", ".csv", ".html"}
    json.loads((artifact.folder / "manifest.json").read_text())
