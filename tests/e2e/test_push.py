"""Images go to a real registry, and run alone from there."""

from collections.abc import Iterator

import pytest

from .conftest import SOON, Project, Registry, ask, copy_without_models, inspect, manifest, run, until

pytestmark = pytest.mark.engine

NAMES = ("line", "gateway", "catalogue")


@pytest.fixture(scope="module")
def small(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with one plain model, built without REGISTRY."""
    folder = tmp_path_factory.mktemp("pushed")
    copy_without_models(folder)
    (folder / "data/first-wave-2020.csv").write_text("date,country,cases,deaths\n")
    project = Project(folder)
    try:
        project.make("new", "MODEL=line", "KIND=plain")
        project.make("build")
        yield project
    finally:
        run("docker", "image", "rm", "--force", *map(project.image, NAMES), check=False)


def here(address: str) -> list[str]:
    """The names of a registry's images that this machine has."""
    listed = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").stdout.splitlines()
    return [name for name in listed if name.startswith(address)]


def test_all_images_are_pushed_by_version_and_tag(small: Project, registries: dict[str, Registry]) -> None:
    registry = registries["open"]
    done = small.make("push", f"REGISTRY={registry.address}/team")
    digests = dict(line.split("@") for line in done.stdout.splitlines())
    assert list(digests) == [f"{registry.address}/team/forecastle/{name}" for name in ("line", *NAMES[1:])]
    versions = {
        "line": manifest(small.image("line"))["version"],
        **{name: inspect(small.image(name))["Id"].removeprefix("sha256:")[:12] for name in NAMES[1:]},
    }
    for name, digest in zip(NAMES, digests.values(), strict=True):
        assert registry.tags(f"team/forecastle/{name}") == {small.tag: digest, versions[name]: digest}
    assert here(registry.address) == []


def test_a_pushed_image_serves_alone_where_there_is_nothing_else(
    small: Project, registries: dict[str, Registry]
) -> None:
    registry, image = registries["open"], small.image("line")
    kept = manifest(image)
    (name,) = small.make("push", "MODEL=line", f"REGISTRY={registry.address}").stdout.splitlines()
    run("docker", "image", "rm", image)
    assert run("docker", "image", "inspect", name, check=False).returncode != 0
    container = run("docker", "run", "--detach", "--publish", "127.0.0.1::8000", name).stdout.splitlines()[-1]
    try:
        port = int(run("docker", "port", container, "8000").stdout.rpartition(":")[2])
        until(lambda: ask(port, "/readyz").status == 200, SOON, "it is ready")
        assert ask(port, "/manifest.json").json["version"] == kept["version"]
        documentation = ask(port, "/docs")
        assert documentation.status == 200 and b"swagger" in documentation.body
        assert b"https://" not in documentation.body
        assert "/predict" in ask(port, "/openapi.json").json["paths"]
    finally:
        run("docker", "rm", "--force", container)
        run("docker", "tag", name, image)
        run("docker", "image", "rm", name)


def said(project: Project, *arguments: str) -> str:
    """The one line of a push that fails."""
    done = project.make("push", *arguments, check=False)
    assert done.returncode != 0
    (line,) = [line for line in done.stdout.splitlines() if not line.startswith("make")]
    return line


def test_an_image_that_is_not_built_stops_all(small: Project, registries: dict[str, Registry]) -> None:
    registry = registries["open"]
    run("docker", "tag", small.image("gateway"), "forecastle/gateway:half")
    try:
        line = said(small, f"REGISTRY={registry.address}/half", "TAG=half")
    finally:
        run("docker", "image", "rm", "forecastle/gateway:half")
    wanted = "nothing is pushed, since this machine has no image of line catalogue with the tag half: "
    assert line == f"{wanted}`make build` makes it"
    assert registry.tags("half/forecastle/gateway") == {}


def test_a_registry_that_is_not_there_is_one_line(small: Project) -> None:
    line = said(small, "REGISTRY=localhost:1")
    assert line.startswith("localhost:1/forecastle/line:") and "connection refused" in line
    assert here("localhost:1/") == []


def test_a_registry_that_refuses_is_one_line(small: Project, registries: dict[str, Registry]) -> None:
    registry = registries["closed"]
    line = said(small, f"REGISTRY={registry.address}", "MODEL=line")
    assert "no basic auth credentials" in line
    assert f"does `docker login {registry.address}` let you in?" in line
    assert registry.tags("forecastle/line") == {}
    assert here(registry.address) == []
