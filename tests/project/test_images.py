"""images.py: what is asked of the docker command, and what it does not do; tests/e2e has the rest."""

from pathlib import Path

import pytest

from forecastle.project import images

from .conftest import Docker

BUILDS_NOTHING = """[ "$1 $2" = "buildx build" ] || exit 0
for argument; do
    case $argument in
        MODEL=*) echo "$argument" ;;
        data=*) cat "${argument#data=}/current.csv" ;;
        own=*) cat "${argument#own=}/deaths/data/deaths.csv" ;;
    esac
done
exit 1"""


@pytest.mark.parametrize(
    ("registry", "tag", "name"),
    [
        ("", "", "forecastle/deaths:latest-shadow"),
        ("registry.example:5000", "1.2", "registry.example:5000/forecastle/deaths:1.2-shadow"),
    ],
)
def test_a_model_is_built_from_these_data_under_the_name_that_is_looked_for(
    registry: str,
    tag: str,
    name: str,
    docker: Docker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With the real docker/build.sh, and an engine that builds nothing."""
    docker(BUILDS_NOTHING)
    monkeypatch.setenv("REGISTRY", registry)
    monkeypatch.setenv("TAG", tag)
    (tmp_path / "new.csv").write_text("the newest data\n")
    assert images.reference("deaths", "-shadow") == name
    assert not images.build("deaths", tmp_path / "new.csv", "-shadow")
    printed = capfd.readouterr()
    assert printed.out == "the newest data\nMODEL=deaths\n"
    assert printed.err.startswith(f"{name} was not built, see above")


def test_a_model_with_its_own_file_is_built_from_these_data_in_its_place(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The file itself stays as it is, and the data in use are not replaced."""
    docker(BUILDS_NOTHING)
    monkeypatch.setenv("FORECASTLE_DATA", "elsewhere.csv")
    (tmp_path / "new.csv").write_text("the newest data\n")
    own = images.ROOT / "models/deaths/data/deaths.csv"
    assert not images.build("deaths", tmp_path / "new.csv", own=own)
    assert capfd.readouterr().out == "the newest data\nMODEL=deaths\n"
    assert not own.exists()


@pytest.mark.parametrize("anew", [True, False])
def test_train_py_runs_although_nothing_has_changed_if_that_is_asked(
    anew: bool, docker: Docker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And never is an artifact from elsewhere taken instead."""
    docker('[ "$1 $2" != "buildx build" ] || { echo "$*"; exit 1; }')
    monkeypatch.setenv("ARTIFACT", "s3://models/deaths")
    assert not images.build("deaths", anew=anew)
    asked = capfd.readouterr().out
    assert ("--no-cache-filter train " in asked) is anew
    assert "ORIGIN=train" in asked


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo pulling >&2; echo 'No such image: a' >&2; exit 1", "docker tag: No such image: a"),
        ("echo 'on stdout'; exit 1", "docker tag: on stdout"),
        ("exit 3", "docker tag: exit code 3"),
    ],
)
def test_a_command_that_fails_is_the_last_line_of_what_it_said(
    script: str, message: str, docker: Docker
) -> None:
    docker(script)
    with pytest.raises(images.ImagesError) as raised:
        images.retag("a", "b")
    assert str(raised.value) == message


def test_an_image_without_an_artifact_leaves_no_container(docker: Docker, tmp_path: Path) -> None:
    docker(f'echo "$*" >>{tmp_path}/asked; [ $1 != cp ] || exit 1; echo 0123')
    with pytest.raises(images.ImagesError, match="docker cp"):
        images.copy_artifact("forecastle/flu", tmp_path)
    asked = ["create --pull never forecastle/flu", f"cp 0123:/app/artifact {tmp_path}", "rm 0123"]
    assert (tmp_path / "asked").read_text().splitlines() == asked


def test_where_no_engine_answers_there_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert not images.exists("forecastle/deaths")
    monkeypatch.setenv("PATH", str(tmp_path))  # nor a command
    assert not images.exists("forecastle/deaths")
