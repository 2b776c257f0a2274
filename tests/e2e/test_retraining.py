"""A challenger against the image that serves: refused, taken, in the shadow, promoted.

In a project of its own, whose models are fitted in seconds: `tiny`, and `sales`, which reads its own file.
"""

import datetime
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from forecastle.artifact import sha256

from ..tiny import CODES, KNOWN, LAST, NEW, SALES, TRAIN, as_csv, reported, sold
from .conftest import KEY, Project, copy_without_models, inspect, manifest, run, until

pytestmark = pytest.mark.engine

SHADOW = "tiny-shadow"


@dataclass
class Small(Project):
    """A project whose catalogue takes observations with a key."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PYTHONPATH": str(self.folder / "shared"), "OBSERVATIONS_KEY": KEY}

    @property
    def version(self) -> str:
        """What serves."""
        return self.get("/tiny/").json["version"]

    @property
    def sold(self) -> Path:
        """The file that the model `sales` reads."""
        return self.folder / "models/sales/data/sales.csv"

    def train_with(self, factor: int, draws: int = 500) -> None:
        """Change train.py, which then forecasts so many times too much."""
        code = TRAIN.replace("FACTOR = 1", f"FACTOR = {factor}").replace("draws=500", f"draws={draws}")
        (self.folder / "models/tiny/train.py").write_text(code)

    def report(self, rows: pd.DataFrame) -> None:
        """Let the catalogue receive observations."""
        headers = {"Content-Type": "text/csv", "Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(f"{self.url}/observations", as_csv(rows).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status in (200, 201), answer.read()

    def scored(self, model: str) -> dict[int, int]:
        """How many of a model's forecasts the catalogue has scored, by horizon."""
        scores = self.get(f"/models/{model}/scores").json
        return {entry["horizon"]: entry["forecasts"] for entry in scores["by_horizon"]}


@pytest.fixture(scope="module")
def small(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Everything up, with a model that knows the days of `KNOWN`, and one of 60 weeks' sales."""
    folder = tmp_path_factory.mktemp("small")
    copy_without_models(folder)
    (folder / "data/first-wave-2020.csv").write_text(as_csv(KNOWN))
    project = Small(folder)
    try:
        project.make("new", "MODEL=tiny")
        project.train_with(factor=1)
        project.make("new", "MODEL=sales")
        project.sold.parent.mkdir()
        project.sold.write_text(as_csv(sold("2019-01-05", 60, seed=1)))
        project.sold.parents[1].joinpath("train.py").write_text(SALES)
        project.make("build")
        project.compose("up", "--detach", "--wait", "--no-build")
        yield project
    finally:
        project.compose("--profile", "*", "down", "--volumes", "--timeout", "5")
        images = [project.image(name) for name in ("tiny", "sales", "gateway", "catalogue")]
        shadows = [f"{project.image(name)}-shadow" for name in ("tiny", "sales")]
        run("docker", "image", "rm", "--force", *images, *shadows, check=False)


def test_a_worse_challenger_leaves_the_image_and_what_serves(small: Small) -> None:
    before, served = inspect(small.image("tiny"))["Id"], small.version
    small.train_with(factor=2)
    small.report(NEW)
    done = small.make("retrain", "MODEL=tiny", f"URL={small.url}", check=False)
    small.train_with(factor=1)
    assert done.returncode != 0
    assert "tiny: the challenger is refused, its WIS is " in done.stdout
    assert inspect(small.image("tiny"))["Id"] == before
    assert small.version == served
    assert [path.name for path in (small.folder / "data").iterdir()] == ["first-wave-2020.csv"]


def test_a_challenger_that_holds_takes_the_place_of_what_serves(small: Small) -> None:
    small.compose("up", "--detach", "--wait", "--no-build", "--scale", "tiny=2")
    served = small.version
    done = small.make("retrain", "MODEL=tiny", f"URL={small.url}")
    assert f"tiny: the challenger has replaced {served}" in done.stdout
    assert "tiny: the service tiny runs it" in done.stdout
    until(lambda: small.version.startswith(LAST.isoformat()), 10, "the new forecast")
    assert len(small.containers("tiny")) == 2
    assert inspect(small.image("tiny"))["Config"]["Labels"]["io.forecastle.incumbent"] == served
    assert (small.folder / "data/current.csv").read_text().count("\n") == 1 + len(KNOWN) + len(NEW)
    assert not (small.folder / "models/tiny/artifact").exists()

    done = small.make("retrain", "MODEL=tiny", f"URL={small.url}")
    assert f"tiny: nothing is newer than {LAST}" in done.stdout


def test_a_shadow_is_scored_on_the_same_observations_and_can_be_promoted(small: Small) -> None:
    small.train_with(factor=1, draws=600)
    served = small.version
    small.make("shadow", "MODEL=tiny", f"URL={small.url}")
    for path in ("/", "/forecast?as_of=2099-01-01", f"/countries/{CODES[0]}/forecast?as_of=2099-01-01"):
        assert small.get(f"/{SHADOW}{path}").status == 404
    assert small.version == served
    (container,) = small.containers("shadow")
    code = f"import urllib.request as u; print(u.urlopen('http://localhost:8000/{SHADOW}/').read().decode())"
    shadow = json.loads(run("docker", "exec", container, "python", "-c", code).stdout)
    assert shadow["version"] != served

    small.report(reported(LAST + datetime.timedelta(1), 3, seed=4))
    shadows = dict.fromkeys((1, 2, 3), len(CODES))
    until(lambda: small.scored(SHADOW) == shadows, 60, "the shadow is scored")
    # As is what serves, beside the version before it.
    until(
        lambda: small.scored("tiny").items() >= {day: 2 * len(CODES) for day in shadows}.items(),
        60,
        "so is tiny",
    )

    done = small.make("promote", "MODEL=tiny")
    assert f"tiny: its shadow is now {small.image('tiny')}" in done.stdout
    until(lambda: small.version == shadow["version"], 10, "the shadow serves")
    assert manifest(small.image("tiny"))["version"] == shadow["version"]
    assert not small.containers("shadow")
    assert run("docker", "image", "inspect", f"{small.image('tiny')}-shadow", check=False).returncode != 0
    assert [path.name for path in (small.folder / "data").glob("current.csv*")] == ["current.csv"]
    assert "it has no shadow" in small.make("promote", "MODEL=tiny", check=False).stdout


def test_a_shadow_can_be_ended(small: Small) -> None:
    served = small.version
    small.make("shadow", "MODEL=tiny", f"URL={small.url}")
    assert small.containers("shadow")
    small.make("shadow", "MODEL=tiny", "STOP=1")
    assert not small.containers("shadow")
    assert small.version == served
    assert [path.name for path in (small.folder / "data").glob("current.csv*")] == ["current.csv"]


def test_a_model_with_its_own_file_is_retrained_and_has_a_shadow(small: Small) -> None:
    """What the gateway received, and then a file, is merged into its own."""
    small.report(sold("2020-02-29", 6, seed=2))
    done = small.make("retrain", "MODEL=sales", f"URL={small.url}")
    assert "held-out dates 2020-02-29 to 2020-04-04: 12 forecasts, 2 stores" in done.stdout
    assert "sales: the service sales runs it" in done.stdout
    until(lambda: small.get("/sales/").json["version"].startswith("2020-04-04"), 10, "the new forecast")
    assert manifest(small.image("sales"))["data"]["sha256"] == sha256(small.sold)

    before, current = small.sold.read_bytes(), small.folder / "data/current.csv"
    in_use = current.read_bytes()
    (small.folder / "new.csv").write_text(as_csv(sold("2020-04-11", 1, seed=3)))
    small.make("shadow", "MODEL=sales", f"URL={small.url}", "FILE=new.csv")
    assert small.sold.read_bytes() == before
    small.make("promote", "MODEL=sales")
    until(lambda: small.get("/sales/").json["version"].startswith("2020-04-11"), 10, "the shadow serves")
    assert small.sold.read_text().count("\n") == 1 + 2 * 67
    assert current.read_bytes() == in_use
