"""docker/build.sh where it cannot build: a clear line, and an exit code that is not 0."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forecastle.project import compose

ROOT = Path(__file__).resolve().parents[2]


def build(*names: str, root: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script of `make build`."""
    return subprocess.run(
        [root / "docker/build.sh", *names],
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["nosuch", "deaths exponential", "*", "../deaths"])
def test_an_unknown_model_is_answered_with_those_that_exist(name: str) -> None:
    done = build(name)
    assert done.returncode != 0
    assert done.stdout.startswith(
        f"there is no model {name} in models/: choose one of {' '.join(compose.models())}"
    )
    assert len(done.stdout.splitlines()) == 1


# An engine that builds nothing: it prints what it is asked to build.
DOCKER = """#!/bin/sh
case "$1 $2" in
    "buildx build") echo "asked for $*"; exit 1 ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without models, and `DOCKER` in the place of Docker."""
    for name in ("docker", "shared"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "ensembles")
        )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def test_a_folder_that_cannot_be_a_model_stops_no_other(tree: Path) -> None:
    for name in ("Bad_Name", "good"):
        shutil.copytree(ROOT / "shared/template/forecast", tree / "models" / name)
    compose.write(tree)

    left_out, asked, *_ = build(root=tree).stdout.splitlines()
    assert left_out.startswith("models/Bad_Name is left out: 'Bad_Name' is no name for a model")
    assert asked.startswith("asked for buildx build") and asked.endswith(" .")
    assert "--build-arg MODEL=good" in asked

    done = build("Bad_Name", root=tree)
    assert done.returncode != 0
    assert done.stdout.splitlines() == [
        left_out,
        "there is no model Bad_Name in models/: choose one of good",
    ]


def test_a_new_folder_gets_its_service_and_its_packages_are_pinned_first(tree: Path) -> None:
    shutil.copytree(ROOT / "shared/template/plain", tree / "models/flu")
    (tree / "models/flu/requirements.in").write_text("scikit-learn\n")
    written, pinning, asked, *_, last = build("flu", root=tree).stdout.splitlines()
    assert written == "docker/models.yml is written"
    assert pinning == "flu: pinning scikit-learn"
    assert "--target lock --build-arg MODEL=flu" in asked
    assert last == "the packages of flu cannot be pinned, see above"
    assert "forecastle/flu:" in (tree / "docker/models.yml").read_text()


@pytest.mark.parametrize("given", [True, False])
def test_a_folder_without_train_py_is_served_with_what_it_has(given: bool, tree: Path) -> None:
    folder = tree / "models/flu"
    shutil.copytree(ROOT / "shared/template/plain", folder, ignore=shutil.ignore_patterns("train.py"))
    if given:
        (folder / "artifact").mkdir()
    _, asked, *_ = build("flu", root=tree).stdout.splitlines()
    assert "--build-arg ORIGIN=given" in asked
    assert ("--build-context artifact=models/flu/artifact" in asked) is given


@pytest.mark.parametrize("names", [(), ("flu", "cold")])
def test_an_artifact_is_for_one_model(names: tuple[str, ...], tree: Path) -> None:
    for name in ("flu", "cold"):
        shutil.copytree(ROOT / "shared/template/plain", tree / "models" / name)
    compose.write(tree)
    done = build(*names, root=tree, ARTIFACT="elsewhere")
    assert done.returncode != 0
    assert done.stdout == "say which model ARTIFACT= is for, with MODEL=: one of cold flu\n"


def test_without_an_engine_it_says_what_to_do() -> None:
    done = build("deaths", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode != 0
    assert done.stdout.startswith("no Docker Engine answers: start or install one")
    assert len(done.stdout.splitlines()) == 1


def test_an_ensemble_is_built_by_its_dockerfile_and_its_members_packages_are_pinned(tree: Path) -> None:
    for name in ("both", "flu", "cold"):
        shutil.copytree(ROOT / "shared/template/plain", tree / "models" / name)
    (tree / "models/both/members").write_text("flu # in winter\ncold\n")
    (tree / "models/cold/train.py").unlink()
    (tree / "models/cold/artifact").mkdir()
    *written, asked, _ = build("both", root=tree).stdout.splitlines()
    assert written == ["docker/models.yml is written", "docker/ensembles/both.Dockerfile is written"]
    assert "--file docker/ensembles/both.Dockerfile" in asked and "--build-arg MODEL" not in asked
    assert "--build-context artifact-cold=models/cold/artifact" in asked
    (tree / "models/flu/requirements.in").write_text("scikit-learn\n")
    assert build("both", root=tree).stdout.splitlines()[0] == "flu: pinning scikit-learn"
    (tree / "models/both/members").write_text("flu\ncoold\n")
    assert "models/both: its member coold is no model of models/: correct its file members" in (
        build("both", root=tree).stdout.splitlines()
    )
