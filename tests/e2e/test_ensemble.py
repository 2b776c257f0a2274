"""An ensemble's build trains its members once, whichever command builds them, where nothing is built yet."""

import datetime
import random
from collections.abc import Iterator

import pytest

from forecastle.project import compose

from .conftest import BUILD_SECONDS, Project, copy_without_models, inspect, manifest, run

pytestmark = pytest.mark.engine

# Draws that no two trainings have in common.
TRAIN = '''"""Poisson counts, {rate} a day."""
import numpy as np

from forecastle.observations import default_path, read
from forecastle.training import save_forecast

observed = read(default_path()).frame.rename(columns={{"deaths": "count"}})[["date", "country", "count"]]


def forecast(_=None):
    return np.random.default_rng().poisson({rate}, (400, 1, 28))


options = {{"target": "daily deaths", "unit": "deaths", "data": default_path(), "reference": True}}
save_forecast(forecast(), observed, **options, forecast_from=forecast)
'''
COMBINE = '''"""Their mean."""
from forecastle.training import combine

if __name__ == "__main__":
    combine(target="daily deaths", unit="deaths", reference=True)
'''
MAIN = """
from forecastle.artifact import Artifact
from forecastle.service import create_app

app = create_app(Artifact.load("artifact"))
"""
SCRIPTS = {"one": TRAIN.format(rate=27), "two": TRAIN.format(rate=33), "both": COMBINE}


def counts(days: int) -> str:
    """So many days of about 30 deaths, from 1 March 2020 on."""
    first, deaths = datetime.date(2020, 3, 1), random.Random(1)
    rows = (f"{first + datetime.timedelta(day)},AUT,100,{deaths.randint(20, 40)}" for day in range(days))
    return "\n".join(("date,country,cases,deaths", *rows)) + "\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two members and an ensemble, of which nothing is built."""
    folder = tmp_path_factory.mktemp("ensemble")
    copy_without_models(folder)
    for name, script in SCRIPTS.items():
        (folder / "models" / name).mkdir()
        (folder / "models" / name / "main.py").write_text(MAIN)
        # Unlike any other run's, or the engine takes from its cache what this one is to show.
        (folder / "models" / name / "train.py").write_text(f"{script}\n# {folder}\n")
    (folder / "models/both/members").write_text("one\ntwo\n")
    (folder / "data/first-wave-2020.csv").write_text(counts(days=60))
    compose.write(folder)
    project = Project(folder)
    try:
        yield project
    finally:
        project.remove()
        run("docker", "image", "rm", "--force", *map(project.image, SCRIPTS), check=False)


def versions(project: Project) -> dict[str, str]:
    """Of the images of the members."""
    return {name: manifest(project.image(name))["version"] for name in ("one", "two")}


def averaged(project: Project) -> dict[str, str]:
    """Of the members that the ensemble's image was made of."""
    return {name: one["version"] for name, one in manifest(project.image("both"))["members"].items()}


def test_compose_alone_trains_members_once_and_serves_their_mean(project: Project) -> None:
    project.compose("up", "--detach", "--wait", timeout=BUILD_SECONDS)
    assert averaged(project) == versions(project)
    forecast = project.get("/both/countries/AUT/forecast?days=1").json["forecast"][0]
    assert forecast["mean"] == pytest.approx(30, abs=1.5)
    event = project.get("/both/countries/AUT/probability?above=1800&by=2020-05-27").json
    assert 0 < event["probability"] <= 1


def test_make_build_trains_nothing_again(project: Project) -> None:
    before = inspect(project.image("both"))["RootFS"]
    project.make("build", "MODEL=both")
    assert averaged(project) == versions(project)
    assert inspect(project.image("both"))["RootFS"] == before


def test_a_member_that_fails_is_no_ensemble_and_its_image_stays(project: Project) -> None:
    before, script = inspect(project.image("both"))["Id"], project.folder / "models/one/train.py"
    kept = script.read_text()
    script.write_text('raise SystemExit("one: the fit is not to be used")\n')
    done = project.make("build", "MODEL=both", check=False)
    script.write_text(kept)
    assert done.returncode != 0
    assert "one: the fit is not to be used" in done.stdout
    assert f"{project.image('both')} was not built" in done.stdout
    assert inspect(project.image("both"))["Id"] == before


def test_an_image_is_retrained_with_its_members(project: Project) -> None:
    (project.folder / "later.csv").write_text(counts(days=70))
    variables = {"PYTHONPATH": str(project.folder / "shared")}
    done = project.make("retrain", "MODEL=both", "FILE=later.csv", environment=variables)
    assert "both: an ensemble is not fitted, so the gate alone decides" in done.stdout
    assert manifest(project.image("both"))["data"]["last_day"] == "2020-05-09"
    assert averaged(project).keys() == versions(project).keys() and averaged(project) != versions(project)
    assert (project.folder / "data/current.csv").is_file()
