"""incumbents.py: the artifact or the image that serves is found; if there are both, one must be chosen."""

import pytest

from ...tiny import KNOWN, TRUTH, as_csv
from ..conftest import Docker
from .conftest import Project


def test_without_an_incumbent_there_is_nothing_to_retrain(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    assert project.run() == 1
    assert "there is no artifact and no image to replace" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("image", "there is no image to replace: `make train` makes a first artifact"),
        ("champion", "INCUMBENT=champion is unknown: choose artifact or image"),
    ],
)
def test_a_choice_that_is_not_there_is_one_line(
    choice: str, message: str, project: Project, incumbent, capfd: pytest.CaptureFixture[str]
) -> None:
    incumbent(TRUTH)
    before = project.state()
    assert project.run("--incumbent", choice) == 1
    assert project.state() == before
    assert capfd.readouterr().err.startswith(f"tiny: {message}")


def test_an_artifact_and_an_image_ask_for_a_choice(
    project: Project,
    incumbent,
    docker: Docker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    incumbent(TRUTH)
    docker('[ "$*" = "image inspect forecastle/tiny:1.2" ]')
    monkeypatch.setenv("TAG", "1.2")
    assert project.run() == 1
    assert "choose which to replace, with INCUMBENT=artifact or INCUMBENT=image" in capfd.readouterr().err
    project.received["body"] = as_csv(KNOWN).encode()
    assert project.run("--incumbent", "artifact") == 0


def test_without_an_incumbent_here_its_image_is_looked_for_in_the_registry(
    project: Project,
    docker: Docker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    docker('[ "$1" != pull ] || echo "manifest for $3 not found" >&2; exit 1')
    monkeypatch.setenv("REGISTRY", "registry.example")
    image = "registry.example/forecastle/tiny:no-such-tag"
    assert project.run("--incumbent", "image") == 1
    assert capfd.readouterr().err == f"tiny: docker pull: manifest for {image} not found\n"
    assert project.run("--incumbent", "artifact") == 1
    assert "there is no artifact to replace" in capfd.readouterr().err
