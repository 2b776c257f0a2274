"""docker/build.sh where it cannot build: a clear line, and an exit code that is not 0."""

import os
import subprocess
from pathlib import Path

import pytest

from forecastle.project import compose

ROOT = Path(__file__).resolve().parents[2]


def build(*names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script of `make build`."""
    return subprocess.run(
        [ROOT / "docker/build.sh", *names],
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


def test_without_an_engine_it_says_what_to_do() -> None:
    done = build("deaths", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode != 0
    assert done.stdout.startswith("no Docker Engine answers: start or install one")
    assert len(done.stdout.splitlines()) == 1
