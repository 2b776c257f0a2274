"""docker-compose.yml: what of the environment reaches a container."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import PYTHON_IMAGE, ROOT, Project, run

pytestmark = pytest.mark.engine

READ = "import os; path = os.environ['OBSERVATIONS_KEY_FILE']; print(path and open(path).read())"


@pytest.fixture
def project(engine: None, tmp_path: Path) -> Iterator[Project]:
    """The services, with a plain Python for the catalogue's image."""
    (tmp_path / "docker").mkdir()
    for name in ("docker-compose.yml", "docker/service.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    project = Project(tmp_path)
    run("docker", "tag", PYTHON_IMAGE, project.image("catalogue"))
    yield project
    project.compose("down", "--volumes")
    run("docker", "image", "rm", project.image("catalogue"))


@pytest.mark.parametrize("path", ["./key", "{folder}/key", ""])
def test_the_file_of_a_key_is_mounted(project: Project, path: str) -> None:
    (project.folder / "key").write_text("a-key")
    command = ("docker", "compose", "run", "--rm", "--no-deps", "--user=10001:10001", "catalogue")
    variable = {"OBSERVATIONS_KEY_FILE": path.format(folder=project.folder)}
    read = project.run(*command, "python", "-c", READ, environment=variable).stdout.splitlines()[-1]
    assert read == ("a-key" if path else "")
