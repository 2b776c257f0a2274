"""A folder is a model, whatever is in it: the article's own example, from an empty folder to the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """A project with two new folders: `iris`, and `given`, which has no train.py but an artifact."""
    folder = tmp_path_factory.mktemp("any")
    copy_without_models(folder)
    (folder / "tests").mkdir()
    for name in ("requirements.in", "requirements.txt"):
        (folder / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (folder / "data/first-wave-2020.csv").write_text("date,country,cases,deaths\n")
    for name, files in {"iris": FILES, "given": {"main.py": GIVEN, "artifact/word.txt": "hello"}}.items():
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
        run("docker", "image", "rm", "--force", project.image("iris"), project.image("given"), check=False)


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


def test_two_commands_take_new_folders_to_the_gateway(other: Project) -> None:
    done = other.make("build")
    assert "iris: pinning scikit-learn" in done.stdout
    assert "1 passed" in done.stdout
    other.compose("up", "--detach", "--wait", "--no-build")

    body = json.dumps({"measures": [6.3, 3.3, 6.0, 2.5]}).encode()
    predicted = other.get("/iris/predict", "POST", body, **{"Content-Type": "application/json"})
    assert predicted.json == {"species": 2}
    assert other.get("/given/word").body == b"hello"
    for model in ("iris", "given"):
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
