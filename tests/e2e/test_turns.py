"""Trainings of one builder take turns, also where Compose builds all images at once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecastle.project import compose

from .conftest import BUILD_SECONDS, Project, copy_without_models, run

pytestmark = pytest.mark.engine

# Says when it begins and ends, in seconds since the epoch.
TRAIN = '''"""A constant, after a while: {unlike_any_other}."""
import time

print("training began", time.time(), flush=True)
time.sleep(5)
print("training ended", time.time(), flush=True)
open("artifact/constant", "w").write("1")
'''
MAIN = """
from fastapi import FastAPI

app = FastAPI()
"""
NAMES = ("one", "two", "three")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Three models that need nothing but time."""
    copy_without_models(tmp_path)
    for name in NAMES:
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(MAIN)
        (folder / "train.py").write_text(TRAIN.format(unlike_any_other=f"{name} {tmp_path}"))
    (tmp_path / "data/first-wave-2020.csv").write_text("date,country,cases,deaths\n")
    compose.write(tmp_path)
    project = Project(tmp_path)
    try:
        yield project
    finally:
        project.remove()
        run("docker", "image", "rm", "--force", *map(project.image, NAMES), check=False)


def test_compose_builds_all_at_once_and_trains_one_at_a_time(project: Project) -> None:
    done = project.run(*("docker", "compose", "--progress", "plain", "build", *NAMES), timeout=BUILD_SECONDS)
    times = {
        word: sorted(map(float, re.findall(rf"^#.* training {word} ([0-9.]+)$", done.stdout, re.MULTILINE)))
        for word in ("began", "ended")
    }
    assert len(times["began"]) == len(times["ended"]) == len(NAMES), done.stdout
    assert all(ended < began for ended, began in zip(times["ended"], times["began"][1:], strict=False))
