"""docker-compose.yml: which images it runs, and what of the environment reaches a container."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecastle.project import compose

from .conftest import PYTHON_IMAGE, ROOT, Project, Registry, inspect, run

pytestmark = pytest.mark.engine

SERVICES = ("gateway", "catalogue", "deaths", "prometheus", "alertmanager", "grafana")
READ = "import os; path = os.environ['OBSERVATIONS_KEY_FILE']; print(path and open(path).read())"
NO_POLICY = {"PULL_POLICY": "missing"}  # what Compose does by default
# Every image is this file and a label.
DOCKERFILE = """\
FROM scratch AS made
COPY docker/Dockerfile /
CMD ["none"]
LABEL made={}
""" + "".join(f"FROM made AS {target}\n" for target in ("serve", *SERVICES))


@pytest.fixture
def registry(registries: dict[str, Registry]) -> str:
    """The address of a registry on this machine."""
    return registries["open"].address


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Project]:
    """This project's services with tiny images, of which none is built yet."""
    (tmp_path / "docker").mkdir()
    for name in (compose.COMPOSE, "docker/service.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / compose.SERVICES).write_text(compose.services(["deaths"]))
    (tmp_path / "docker/Dockerfile").write_text(DOCKERFILE.format("here"))
    project = Project(tmp_path)
    try:
        yield project
    finally:
        project.remove()


def test_an_image_in_a_registry_is_not_run_in_the_place_of_ours(tiny: Project, registry: str) -> None:
    images = {name: f"{registry}/forecastle/{name}:{tiny.tag}" for name in SERVICES}
    shadow = f"{images['deaths']}-shadow"
    everywhere = {"REGISTRY": registry}

    def create(*services: str, **environment: str) -> str:
        command = ("docker", "compose", "up", "--no-start", *services)
        return tiny.run(*command, environment=everywhere | environment, check=False).stdout

    def made(name: str) -> str:
        return inspect(images[name])["Config"]["Labels"]["made"]

    foreign = DOCKERFILE.format("elsewhere")
    try:
        for image in (*images.values(), shadow):
            run("docker", "build", "--tag", image, "--file", "-", ".", input=foreign, cwd=tiny.folder)
            run("docker", "push", image)
            run("docker", "image", "rm", image)

        create(*SERVICES)
        assert {name: made(name) for name in SERVICES} == dict.fromkeys(SERVICES, "here")
        ours = inspect(images["gateway"])["Id"]
        create(*SERVICES)  # what is there is not built again
        assert inspect(images["gateway"])["Id"] == ours
        assert f"No such image: {shadow}" in create("shadow", SHADOW="deaths")

        tiny.run("docker", "compose", "down", environment=everywhere)
        run("docker", "image", "rm", images["gateway"])
        create("gateway", **NO_POLICY)
        assert made("gateway") == "elsewhere"  # so that was there to be taken
    finally:
        tiny.run("docker", "compose", "--profile", "*", "down", environment=everywhere)
        run("docker", "image", "rm", "--force", *images.values(), shadow, check=False)


def test_docker_keeps_no_more_of_a_log_than_fits_on_a_disk(tiny: Project) -> None:
    config = json.loads(tiny.compose("--profile", "*", "config", "--format", "json"))
    assert {"gateway", "catalogue", "deaths", "shadow", "nginx-exporter", "grafana"} <= config[
        "services"
    ].keys()
    for name, service in config["services"].items():
        logging = service["logging"]
        assert logging == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}, name
    tiny.compose("up", "--no-start", "deaths")
    (container,) = tiny.compose("ps", "--all", "--quiet", "deaths").split()
    logged = inspect(container)["HostConfig"]["LogConfig"]
    assert logged == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


@pytest.mark.parametrize("path", ["./key", "{folder}/key", ""])
def test_the_file_of_a_key_is_mounted(tiny: Project, path: str) -> None:
    """With a plain Python for the catalogue's image."""
    run("docker", "tag", PYTHON_IMAGE, tiny.image("catalogue"))
    (tiny.folder / "key").write_text("a-key")
    command = ("docker", "compose", "run", "--rm", "--no-deps", "--user=10001:10001", "catalogue")
    variable = {"OBSERVATIONS_KEY_FILE": path.format(folder=tiny.folder)}
    read = tiny.run(*command, "python", "-c", READ, environment=variable).stdout.splitlines()[-1]
    assert read == ("a-key" if path else "")
