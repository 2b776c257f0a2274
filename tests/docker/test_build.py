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
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def test_a_folder_that_cannot_be_a_model_stops_no_other(tree: Path) -> None:
    for name in ("Bad_Name", "good"):
        shutil.copytree(ROOT / "shared/template", tree / "models" / name)
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


def test_what_is_built_must_have_its_files_and_its_service(tree: Path) -> None:
    shutil.copytree(ROOT / "shared/template", tree / "models/flu")
    (tree / "models/flu/requirements.txt").unlink()
    done = build("flu", root=tree)
    assert done.returncode != 0
    assert done.stdout.splitlines() == [
        "models/flu/requirements.txt is missing: `make lock` writes it",
        "docker/models.yml does not match the folders of models/: `make compose` writes it",
    ]


def test_without_an_engine_it_says_what_to_do() -> None:
    done = build("deaths", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode != 0
    assert done.stdout.startswith("no Docker Engine answers: start or install one")
    assert len(done.stdout.splitlines()) == 1
