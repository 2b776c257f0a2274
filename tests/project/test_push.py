"""push.py: what stops it, before and half-way; tests/e2e/test_push.py has the rest, with a real registry."""

import shutil
from pathlib import Path

import pytest

from forecastle.project.compose import ROOT
from forecastle.project.push import main

from .conftest import Docker

REGISTRY = "registry.example/team"
A, B = (f"sha256:{64 * digit}" for digit in "ab")
# It has the images in `images`, a line "name identity" each, and refuses to push those in `refused`.
ENGINE = """
cd {folder}
case $1 in
    image) [ "$2" = inspect ] || exit 0
        for image; do :; done
        grep -F "$image " images | cut -d' ' -f2 | grep . ;;
    push) echo "$2" >> pushed
        if grep -Fqx "$2" refused; then echo denied >&2; exit 1; fi
        echo "x: digest: sha256:0123 size: 1" ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without models, and where its images are to go."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("REGISTRY", REGISTRY)
    monkeypatch.delenv("TAG", raising=False)
    for name in ("images", "pushed", "refused"):
        (tmp_path / name).touch()
    return tmp_path


def has(root: Path, *images: str) -> None:
    (root / "images").write_text("".join(f"{image}\n" for image in images))


def test_a_tag_moves_only_once_all_images_are_there(
    root: Path, docker: Docker, capsys: pytest.CaptureFixture[str]
) -> None:
    docker(ENGINE.format(folder=root))
    has(
        root,
        f"forecastle/gateway:latest {A}",
        f"forecastle/catalogue:latest {B}",
    )
    versions = [f"{REGISTRY}/forecastle/gateway:{12 * 'a'}", f"{REGISTRY}/forecastle/catalogue:{12 * 'b'}"]

    (root / "refused").write_text(f"{versions[1]}\n")
    assert main([], root) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"{versions[1]} is not pushed (docker push: denied): is a registry there, and does "
        "`docker login registry.example` let you in?\n"
    )
    assert (root / "pushed").read_text().splitlines() == versions

    (root / "refused").write_text("")
    (root / "pushed").write_text("")
    assert main([], root) == 0
    tags = [f"{REGISTRY}/forecastle/{name}:latest" for name in ("gateway", "catalogue")]
    assert (root / "pushed").read_text().splitlines() == [*versions, *tags]
    assert capsys.readouterr().out.splitlines() == [
        f"{REGISTRY}/forecastle/gateway@sha256:0123",
        f"{REGISTRY}/forecastle/catalogue@sha256:0123",
    ]


def test_an_image_that_was_built_with_registry_is_pushed_as_well(root: Path, docker: Docker) -> None:
    docker(ENGINE.format(folder=root))
    has(root, f"{REGISTRY}/forecastle/gateway:latest {A}")
    assert main(["gateway"], root) == 0
    assert len((root / "pushed").read_text().splitlines()) == 2


def test_of_two_images_the_one_that_compose_would_run_is_pushed(
    root: Path, docker: Docker, capsys: pytest.CaptureFixture[str]
) -> None:
    docker(ENGINE.format(folder=root))
    plain, named = "forecastle/gateway:latest", f"{REGISTRY}/forecastle/gateway:latest"
    has(root, f"{plain} {A}", f"{named} {B}")
    assert main(["gateway"], root) == 0
    assert (root / "pushed").read_text().splitlines()[0].endswith(f":{12 * 'b'}")
    note = f"pushing {named}: {plain}, built without REGISTRY, is another image\n"
    assert capsys.readouterr().err == note


def test_a_model_without_an_artifact_is_one_line(
    root: Path, docker: Docker, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "shared/template/plain", root / "models/flu")
    docker(ENGINE.format(folder=root))
    has(root, f"forecastle/flu:latest {A}")
    assert main(["flu"], root) == 1
    said = capsys.readouterr().err
    assert said.startswith("forecastle/flu:latest has no artifact to push (") and said.count("\n") == 1
    assert (root / "pushed").read_text() == ""


def test_without_an_engine_or_an_address_it_says_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert main(["gateway"], root) == 1
    assert capsys.readouterr().err.startswith("no Docker Engine answers: start or install one")
    monkeypatch.delenv("REGISTRY")
    assert main(["gateway"], root) == 1
    assert capsys.readouterr().err.startswith("say where to with REGISTRY=")
