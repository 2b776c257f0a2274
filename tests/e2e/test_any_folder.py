"""A folder is a model, whatever is in it: the article's own example, from an empty folder to the gateway."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from forecastle.sealing import seal

from ..conftest import tamper
from .conftest import ROOT, Project, copy_without_models, manifest, run

pytestmark = pytest.mark.engine

FILES = {
    "train.py": """
import pickle

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

x, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1000).fit(x, y)
with open("artifact/predictions.pkl", "wb") as file:
    pickle.dump(model, file)
""",
    "main.py": """
import pickle

from fastapi import FastAPI
from pydantic import BaseModel

with open("artifact/predictions.pkl", "rb") as file:
    model = pickle.load(file)

app = FastAPI()

class Flower(BaseModel):
    measures: list[float]

@app.post("/predict")
def predict(flower: Flower):
    return {"species": int(model.predict([flower.measures])[0])}
""",
    "test_model.py": """
from fastapi.testclient import TestClient
from main import app

def test_setosa():
    assert TestClient(app).post("/predict", json={"measures": [5.1, 3.5, 1.4, 0.2]}).json() == {"species": 0}
""",
    "requirements.in": "scikit-learn\n",
    "requirements-train.in": "scikit-learn\n",
}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with new folders: `iris`, `online`, and two without train.py: `given` has an artifact."""
    folder = tmp_path_factory.mktemp("any")
    copy_without_models(folder)
    (folder / "tests").mkdir()
    for name in ("requirements.in", "requirements.txt"):
        (folder / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (folder / "data/first-wave-2020.csv").write_text("date,country,cases,deaths\n")
    folders = {
        "iris": FILES,
        "given": {"main.py": GIVEN, "test_word.py": WORD_IS_GOOD, "artifact/word.txt": "hello"},
        "asks": {"main.py": ASKS},
        "online": {"main.py": ASKS, "train.py": ONLINE, "network": ""},
    }
    for name, files in folders.items():
        for file, text in files.items():
            path = folder / "models" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unlike any other run's, or the engine takes from its cache what this one is to show.
            path.write_text(f"{text}\n# {folder}\n" if file.endswith(".py") else text)
    project = Project(folder)
    try:
        yield project
    finally:
        project.remove()
        run("docker", "image", "rm", "--force", *map(project.image, folders), check=False)


GIVEN = '''
"""A word that somebody left."""

async def app(scope, receive, send):
    """Neither FastAPI nor Starlette; it answers nothing but its own path."""
    if scope["type"] != "http":
        return
    found = scope["path"] == "/given/word"
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": []})
    with open("artifact/word.txt", "rb") as file:
        await send({"type": "http.response.body", "body": file.read() if found else b""})
'''

WORD_IS_GOOD = """
def test_the_word_is_good():
    assert open("artifact/word.txt").read() != "bad"
"""

ASKS = """
import os
from urllib.request import urlopen
from fastapi import FastAPI

app = FastAPI()

@app.get("/word")
def word():
    with urlopen(f"{os.environ['GATEWAY_URL']}/given/word") as answer:
        return answer.read().decode()
"""

# A route is all that this asks for: nothing is sent.
ONLINE = """
import socket
import time

with socket.socket(type=socket.SOCK_DGRAM) as anywhere:
    anywhere.connect(("192.0.2.1", 9))
with open("artifact/time.txt", "w") as file:
    file.write(str(time.time()))
"""


def test_two_commands_take_new_folders_to_the_gateway(other: Project) -> None:
    done = other.make("build")
    assert "iris: pinning scikit-learn" in done.stdout
    assert "1 passed" in done.stdout
    other.compose("up", "--detach", "--wait", "--no-build")

    body = json.dumps({"measures": [6.3, 3.3, 6.0, 2.5]}).encode()
    predicted = other.get("/iris/predict", "POST", body, **{"Content-Type": "application/json"})
    assert predicted.json == {"species": 2}
    assert other.get("/given/word").body == b"hello"
    assert other.get("/asks/word").json == "hello"
    assert manifest(other.image("asks"))["files"] == {}
    for model in ("iris", "given", "asks", "online"):
        for path in ("livez", "readyz", "manifest.json", "card"):
            assert other.get(f"/{model}/{path}").status == 200
        assert other.get(f"/{model}/nothing").headers["content-type"] == "application/problem+json"
    entries = {entry["model"]: entry for entry in other.get("/models").json["models"]}
    assert entries["iris"]["routes"] == ["POST /iris/predict"]
    assert entries["given"]["title"] == "A word that somebody left"
    assert entries["given"]["links"] == {"self": "/given/", "card": "/given/card"}


def test_an_artifact_that_its_test_refuses_is_no_image(other: Project) -> None:
    before = manifest(other.image("iris"))
    test = other.folder / "models/iris/test_model.py"
    kept = test.read_text()
    test.write_text(kept.replace('"species": 0', '"species": 1'))
    done = other.make("build", "MODEL=iris", check=False)
    test.write_text(kept)
    assert done.returncode != 0
    assert "assert {'species': 0} == {'species': 1}" in done.stdout
    assert manifest(other.image("iris")) == before


@pytest.mark.parametrize(
    ("train", "line"),
    [
        ("", "iris: train.py left nothing in artifact/: let it save there what main.py loads"),
        ("open('predictions.pkl', 'w').write('x')", "iris: train.py wrote predictions.pkl outside artifact/"),
    ],
)
def test_a_train_py_that_saves_nothing_where_it_should_is_told(train: str, line: str, other: Project) -> None:
    script: Path = other.folder / "models/iris/train.py"
    kept = script.read_text()
    script.write_text(train)
    done = other.make("build", "MODEL=iris", check=False)
    script.write_text(kept)
    assert done.returncode != 0
    assert line in done.stdout


def test_without_a_file_network_train_py_gets_none(other: Project) -> None:
    before = manifest(other.image("online"))
    (other.folder / "models/online/network").unlink()
    done = other.make("build", "MODEL=online", check=False)
    (other.folder / "models/online/network").touch()
    assert done.returncode != 0
    assert "'touch models/online/network' if it must download" in done.stdout
    assert manifest(other.image("online")) == before


def test_retraining_runs_train_py_anew_though_no_file_has_changed(other: Project) -> None:
    """It may have downloaded other data."""
    before = manifest(other.image("online"))
    variables = {"PYTHONPATH": str(other.folder / "shared")}
    done = other.make("retrain", "MODEL=online", environment=variables)
    assert f"online: what was trained anew has replaced {before['version']}" in done.stdout
    after = manifest(other.image("online"))
    assert after["files"] != before["files"] and after["sources"] == before["sources"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An artifact of `given` that was trained elsewhere."""
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/word.txt").write_text("good day")
    seal(tmp_path, tmp_path, "given", 1)
    return tmp_path / "artifact"


def word(project: Project) -> str:
    return run("docker", "run", "--rm", project.image("given"), "cat", "artifact/word.txt").stdout


def test_an_artifact_from_elsewhere_is_served_in_the_place_of_the_folders_own(
    elsewhere: Path, other: Project
) -> None:
    version = json.loads((elsewhere / "manifest.json").read_text())["version"]
    other.make("build", "MODEL=given", f"ARTIFACT={elsewhere}")
    assert (word(other), manifest(other.image("given"))["version"]) == ("good day", version)
    other.make("build", "MODEL=given")
    assert word(other) == "hello"


def test_an_artifact_is_fetched_from_s3(elsewhere: Path, other: Project) -> None:
    packed = shutil.make_archive(str(elsewhere), "zip", elsewhere.parent, "artifact")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "ada", "aws_secret_access_key": "secret"}
        s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        s3.create_bucket(Bucket="models")
        s3.upload_file(packed, "models", "given/v3.zip")
        variables = {name.upper(): value for name, value in keys.items()} | {"AWS_ENDPOINT_URL": url}
        address = "ARTIFACT=s3://models/given/v3.zip"
        other.make("build", "MODEL=given", address, environment=variables)
        assert word(other) == "good day"
        done = other.make("build", "MODEL=given", f"{address}.gone", environment=variables, check=False)
    finally:
        server.stop()
    assert done.returncode != 0
    line = "given: ARTIFACT=s3://models/given/v3.zip.gone cannot be fetched: there is nothing at this address"
    assert line in done.stdout.splitlines()
    assert word(other) == "good day"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda folder: (folder / "word.txt").write_text("bye"),
            "is refused: word.txt is not what training wrote (SHA-256)",
        ),
        (lambda folder: tamper(folder, model="iris"), "is an artifact of 'iris', as its manifest says"),
        (lambda folder: shutil.rmtree(folder), "is not there: check the path"),
    ],
)
def test_an_artifact_that_cannot_be_served_is_one_line_and_the_image_stays(
    change: Callable[[Path], object], line: str, elsewhere: Path, other: Project
) -> None:
    before = manifest(other.image("given"))
    change(elsewhere)
    done = other.make("build", "MODEL=given", f"ARTIFACT={elsewhere}", check=False)
    assert done.returncode != 0
    said = [each for each in done.stdout.splitlines() if not each.startswith("make")]
    assert len(said) == 1 and said[0].startswith(f"given: ARTIFACT={elsewhere} {line}")
    assert manifest(other.image("given")) == before


def test_the_models_own_tests_hold_an_artifact_from_elsewhere(elsewhere: Path, other: Project) -> None:
    before = manifest(other.image("given"))
    (elsewhere / "manifest.json").unlink()
    (elsewhere / "word.txt").write_text("bad")
    done = other.make("build", "MODEL=given", f"ARTIFACT={elsewhere}", check=False)
    assert done.returncode != 0
    assert "assert 'bad' != 'bad'" in done.stdout
    assert manifest(other.image("given")) == before
