"""What is in an image, and what it takes to build it again."""

import json
import time
from pathlib import Path

import pytest

from .conftest import FORECASTS, MODELS, PYTHON_IMAGE, Project, inspect, manifest, python, run

pytestmark = pytest.mark.engine

ROOM = 150_000_000  # bytes over the base image
NOT_FOR_SERVING = ("pymc", "pytensor", "arviz", "nutpie", "numba", "pandas", "scipy", "pip", "pytest")
COMPILERS = ("gcc", "cc", "g++", "clang", "make", "pip", "pip3")
SECRET = "hunter2-in-a-secret"


@pytest.mark.parametrize("model", MODELS)
def test_a_serving_image_holds_what_serving_needs(project: Project, model: str) -> None:
    image = project.image(model)
    size = inspect(image)["Size"] - inspect(PYTHON_IMAGE)["Size"]
    assert size <= ROOM, f"{size / 1e6:.0f} MB"

    found = python(
        image,
        "import importlib.util, shutil\n"
        f"print([name for name in {NOT_FOR_SERVING} if importlib.util.find_spec(name)],"
        f" [name for name in {COMPILERS} if shutil.which(name)])",
    )
    assert found == "[] []\n"

    files = run("docker", "run", "--rm", "--user", "0", image, "find", "/app", "/venv", "/tmp").stdout.split()
    names = {Path(file).name for file in files}
    assert {"main.py", "README.md", "manifest.json", "server.py"} <= names
    assert model not in FORECASTS or {"draws.npy", "card.html"} <= names
    assert not names & {"train.py", "test_model.py", "wave.py", "plots.py", "tests"}
    assert not {f"/app/forecastle/{folder}" for folder in ("training", "observations", "project")} & {*files}
    assert not names & {"requirements-train.txt", "pip.conf", "ca.pem"}


@pytest.mark.parametrize("name", [*MODELS, "catalogue", "gateway"])
def test_an_image_runs_as_a_numeric_user_and_is_labelled(project: Project, name: str) -> None:
    config = inspect(project.image(name))["Config"]
    assert config["User"] == "10001:10001"
    labels = config["Labels"]
    fields = ("title", "description", "source", "revision", "created", "version")
    assert all(labels[f"org.opencontainers.image.{field}"] for field in fields)
    assert labels["org.opencontainers.image.title"] == f"forecastle/{name}"
    assert labels["org.opencontainers.image.created"] != "unknown"
    if name in MODELS:
        trained = manifest(project.image(name))
        assert labels["org.opencontainers.image.version"] == trained["version"]
    if name in FORECASTS:
        assert labels["io.forecastle.data.sha256"] == trained["data"]["sha256"]
        assert labels["io.forecastle.data.last-day"] == trained["data"]["last_day"]


def test_a_build_without_labels_says_unknown(project: Project) -> None:
    """`docker compose build`; all of it comes from the cache."""
    bare = Project(project.folder)
    try:
        bare.compose("build", "newcomer")
        labels = inspect(bare.image("newcomer"))["Config"]["Labels"]
        assert labels["org.opencontainers.image.revision"] == "unknown"
        assert labels["org.opencontainers.image.created"] == "unknown"
        assert manifest(bare.image("newcomer")) == manifest(project.image("newcomer"))
    finally:
        bare.remove()


def test_nothing_new_is_no_new_image(project: Project) -> None:
    """So that `make up` leaves the containers alone."""
    before = inspect(project.image("newcomer"))["Id"]
    project.make("build", "MODEL=newcomer")
    assert inspect(project.image("newcomer"))["Id"] == before


def test_what_serves_rebuilds_in_seconds_and_trains_nothing(project: Project) -> None:
    before, trained = inspect(project.image("newcomer"))["Id"], manifest(project.image("newcomer"))
    newcomer = [f"models/newcomer/{file}" for file in ("main.py", "README.md", "requirements.in")]
    with edited(project, *newcomer, "shared/forecastle/runtime/server.py"):
        started = time.monotonic()
        project.make("build", "MODEL=newcomer")
        seconds = time.monotonic() - started
        assert inspect(project.image("newcomer"))["Id"] != before
        assert "# changed" in python(project.image("newcomer"), "print(open('main.py').read())")
        assert manifest(project.image("newcomer")) == trained  # with the time of its training
        assert seconds < 20
    project.make("build", "MODEL=newcomer")


@pytest.mark.parametrize(
    "file",
    [
        "models/newcomer/train.py",
        "shared/forecastle/training/command.py",
        "shared/forecastle/observations/readers.py",
    ],
)
def test_what_trains_trains_again_and_a_failure_leaves_the_image(project: Project, file: str) -> None:
    before = inspect(project.image("newcomer"))["Id"]
    with edited(project, file, "raise SystemExit('newcomer: the fit is not to be used')\n"):
        done = project.make("build", "MODEL=newcomer", check=False)
    assert done.returncode != 0
    assert "newcomer: the fit is not to be used" in done.stdout
    assert f"{project.image('newcomer')} was not built" in done.stdout
    assert inspect(project.image("newcomer"))["Id"] == before
    assert "draft" not in run("docker", "images", "forecastle/newcomer").stdout


def test_a_models_change_does_not_train_another(project: Project) -> None:
    before = inspect(project.image("exponential"))["Id"]
    with edited(project, "models/newcomer/train.py"):
        project.make("build", "MODEL=exponential")
    assert inspect(project.image("exponential"))["Id"] == before


def test_secrets_reach_pip_and_no_image(project: Project, tmp_path: Path) -> None:
    """A private index whose address holds a password, for a requirement that only it has."""
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = http://user:{SECRET}@127.0.0.1:9/\nretries = 0\n")
    index = {"PIP_CONFIG_FILE": str(config)}
    lock = "models/newcomer/requirements.txt"
    before = inspect(project.image("newcomer"))["Id"]

    with edited(project, lock, f"nosuch-package==1.0 --hash=sha256:{'0' * 64}\n"):
        done = project.make("build", "MODEL=newcomer", check=False, environment=index)
    assert done.returncode != 0
    assert "127.0.0.1" in done.stdout  # so pip used that index
    assert SECRET not in done.stdout

    with edited(project, lock):
        project.make("build", "MODEL=newcomer", environment=index)
    image = project.image("newcomer")
    assert inspect(image)["Id"] != before
    assert SECRET not in run("docker", "history", "--no-trunc", image).stdout
    assert SECRET not in json.dumps(inspect(image))
    find = f"grep -rlsF {SECRET} / --exclude-dir=proc --exclude-dir=sys || true"
    assert run("docker", "run", "--rm", "--user", "0", image, "sh", "-c", find).stdout == ""
    project.make("build", "MODEL=newcomer")


class edited:
    """Text before these files while the block lasts; a comment, where nothing else is said."""

    def __init__(self, project: Project, *arguments: str) -> None:
        *files, self.text = arguments if arguments[-1].endswith("\n") else (*arguments, "# changed\n")
        self.files = {project.folder / file: (project.folder / file).read_text() for file in files}

    def __enter__(self) -> None:
        for file, text in self.files.items():
            file.write_text(self.text + text)

    def __exit__(self, *_: object) -> None:
        for file, text in self.files.items():
            file.write_text(text)
