"""The folders of models/, docker/models.yml, which is made of them, and a new model from the template."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from forecastle.project import compose

COMPOSE = """\
name: forecastle
include: [docker/models.yml]

services:
  gateway:
    build: {context: .}

  # A comment.
  database:
    profiles: [database]

volumes:
  store:
"""


FILES = compose.CODE


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one model, `deaths`, and a template."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    add_model(tmp_path, "deaths")
    template = tmp_path / "shared/template/forecast"
    template.mkdir(parents=True)
    for file in FILES:
        (template / file).write_text(f'"""The {{{{model}}}} model, {file}."""\n')
    compose.write(tmp_path)
    return tmp_path


def add_model(root: Path, name: str) -> None:
    folder = root / "models" / name
    folder.mkdir(parents=True)
    for file in FILES:
        (folder / file).touch()


def services(root: Path) -> dict[str, dict[str, Any]]:
    """The services of docker/models.yml."""
    return yaml.safe_load((root / "docker/models.yml").read_text())["services"]


def run(root: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and the lines that were printed."""
    code = compose.main(arguments, root)
    printed = capsys.readouterr()
    return code, (printed.out + printed.err).splitlines()


def test_this_project_has_a_service_for_every_model() -> None:
    compose.check()
    assert {"deaths", "exponential"} <= set(compose.models())


def test_every_service_of_this_project_has_a_reserved_name() -> None:
    """So that no model takes it. The standard library cannot parse YAML, hence the first comparison."""
    names = yaml.safe_load((compose.ROOT / compose.COMPOSE).read_text())["services"].keys()
    assert compose._services(compose.ROOT) == list(names)
    assert names <= set(compose.RESERVED)


def test_check_says_nothing_when_all_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--check", capsys=capsys) == (0, [])


OUTDATED = "docker/models.yml does not match the folders of models/: `make compose` writes it"


@pytest.mark.parametrize("change", ["added", "removed", "edited", "lost"])
def test_check_says_that_the_file_is_out_of_date(
    change: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "docker/models.yml"
    if change == "added":
        add_model(root, "flu")
    elif change == "removed":
        (root / "models/deaths").rename(root / "deaths")
    elif change == "edited":
        file.write_text(file.read_text().replace("MODEL: deaths", "MODEL: flu"))
    else:
        file.unlink()
    assert run(root, "--check", capsys=capsys) == (1, [OUTDATED])
    assert run(root, capsys=capsys) == (0, ["docker/models.yml is written"])
    assert run(root, "--check", capsys=capsys) == (0, [])


def test_check_names_a_service_that_is_defined_twice(root: Path) -> None:
    """As an entry by hand, or one that was made before there was a docker/models.yml."""
    add_model(root, "database")
    compose.write(root)
    reason = "docker-compose.yml has a service database, too: remove it, or rename models/database"
    with pytest.raises(compose.ComposeError, match=f"^{reason}$"):
        compose.check(root)


def test_a_folder_that_holds_an_artifact_alone_is_no_model(root: Path) -> None:
    """As another branch leaves it behind, since git ignores artifacts."""
    (root / "models/flu/artifact").mkdir(parents=True)
    assert compose.models(root) == ["deaths"]


def test_a_folder_that_make_new_left_behind_is_no_model(root: Path) -> None:
    add_model(root, ".flu.part")
    assert compose.models(root) == ["deaths"]


def test_each_model_has_a_service(root: Path) -> None:
    add_model(root, "a-b2")
    compose.write(root)
    assert (root / "docker/models.yml").read_text().startswith("# `make compose` writes this file")
    assert services(root) == {
        name: {
            "extends": {"file": "service.yml", "service": "model"},
            "image": f"${{REGISTRY:+${{REGISTRY:-}}/}}forecastle/{name}:${{TAG:-latest}}",
            "build": {"args": {"MODEL": name}},
        }
        for name in ("a-b2", "deaths")
    }


def test_a_folder_without_train_py_gives_its_artifact_to_the_build(root: Path) -> None:
    for name in ("bare", "given"):
        (root / "models" / name).mkdir()
        (root / "models" / name / "main.py").touch()
    (root / "models/given/artifact").mkdir()
    compose.write(root)
    args = {name: {"MODEL": name, "ORIGIN": "given"} for name in ("bare", "given")}
    assert services(root)["bare"]["build"] == {"args": args["bare"]}
    contexts = {"artifact": "../models/given/artifact"}
    assert services(root)["given"]["build"] == {"args": args["given"], "additional_contexts": contexts}


def test_an_ensemble_is_built_by_a_dockerfile_of_its_own(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docker/Dockerfile").write_bytes((compose.ROOT / compose.DOCKERFILE).read_bytes())
    for name in ("both", "flu"):
        add_model(root, name)
    (root / "models/flu/train.py").unlink()
    (root / "models/flu/artifact").mkdir()
    (root / "models/both/members").write_text("deaths\nflu\n")
    file = "docker/ensembles/both.Dockerfile"
    assert run(root, "--check", capsys=capsys) == (1, [OUTDATED, OUTDATED.replace("docker/models.yml", file)])
    assert run(root, capsys=capsys) == (0, ["docker/models.yml is written", f"{file} is written"])
    assert run(root, "--check", capsys=capsys) == run(root, capsys=capsys) == (0, [])
    build = {"dockerfile": file, "additional_contexts": {"artifact-flu": "../models/flu/artifact"}}
    assert services(root)["both"]["build"] == build
    assert "FROM train-deaths AS origin-deaths" in (root / file).read_text()
    assert "FROM given-flu AS origin-flu" in (root / file).read_text()

    (root / "models/both/members").write_text("deaths\nflue\n")
    fault = "models/both: its member flue is no model of models/: correct its file members"
    assert run(root, "--check", "both", capsys=capsys)[1][0] == fault
    assert run(root, capsys=capsys) == (0, ["docker/models.yml is written", f"{file} is removed"])
    assert services(root)["both"]["build"] == {"args": {"MODEL": "both"}}  # which cannot be trained
    assert run(root, "--check", capsys=capsys) == (1, [fault])


def test_writing_again_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (root / "docker/models.yml").stat().st_mtime_ns
    assert run(root, capsys=capsys) == (0, [])
    assert (root / "docker/models.yml").stat().st_mtime_ns == before


def test_without_a_model_there_is_no_service(root: Path) -> None:
    (root / "models/deaths").rename(root / "deaths")
    assert compose.write(root)
    assert services(root) == {}


def test_a_file_that_cannot_be_written_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "docker/models.yml").unlink()
    (root / "docker/models.yml").mkdir()
    code, (line,) = run(root, capsys=capsys)
    assert code == 1
    assert line.endswith(f"Is a directory: '{root}/docker/models.yml'")


def test_new_makes_a_model_from_the_template(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (line,) = run(root, "--new", "flu-2", capsys=capsys)
    assert code == 0
    assert line.startswith("models/flu-2 is made, and its service in docker/models.yml")
    assert (root / "models/flu-2/train.py").read_text() == '"""The flu-2 model, train.py."""\n'
    compose.check(root)
    assert compose.models(root) == ["deaths", "flu-2"]


def test_new_takes_the_template_of_the_kind(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = root / "shared/template/plain"
    plain.mkdir()
    (plain / "main.py").write_text('"""{{model}}, a plain one."""\n')
    assert run(root, "--new", "flu", "--kind", "plain", capsys=capsys)[0] == 0
    assert (root / "models/flu/main.py").read_text() == '"""flu, a plain one."""\n'
    unknown = (1, ["KIND=other is unknown: choose forecast or plain"])
    assert run(root, "--new", "other", "--kind", "other", capsys=capsys) == unknown


def test_new_refuses_what_exists(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, reason in (
        ("deaths", "models/deaths exists already: choose another name, or remove it first"),
        ("database", "docker-compose.yml has a service database already: choose another name"),
    ):
        assert run(root, f"--new={name}", capsys=capsys) == (1, [reason])


@pytest.mark.parametrize(
    "name", ["", "Flu", "2flu", "flu_2", "-flu", "flu-", "flu--2", "../flu", "flü", "flu\n", "x" * 57]
)
def test_new_refuses_a_bad_name_in_one_line(
    root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = run(root, f"--new={name}", capsys=capsys)
    assert (code, len(lines)) == (1, 1)
    assert [path.name for path in (root / "models").iterdir()] == ["deaths"]


@pytest.mark.parametrize("name", compose.RESERVED)
def test_new_refuses_a_reserved_name(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    reason = f"{name!r} is taken by a route or a service of Forecastle's own: choose another name"
    assert run(root, f"--new={name}", capsys=capsys) == (1, [reason])


def test_new_refuses_the_name_of_a_challenger(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = "'deaths-shadow' ends like the name of a model's challenger: choose a name without -shadow"
    assert run(root, "--new=deaths-shadow", capsys=capsys) == (1, [reason])


@pytest.mark.parametrize(
    ("name", "files", "reason"),
    [
        ("Bad_Name", FILES, "'Bad_Name' is no name for a model: use a-z and 0-9"),
        ("bad name", FILES, "'bad name' is no name for a model: use a-z and 0-9"),
        ("gateway", FILES, "'gateway' is taken by a route or a service of Forecastle's own"),
        ("flu", ["train.py"], "it has no main.py"),
    ],
)
def test_a_folder_that_cannot_be_a_model_stops_no_other(
    name: str, files: Sequence[str], reason: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "models" / name).mkdir()
    for file in files:
        (root / "models" / name / file).touch()
    code, (listed, line) = run(root, "--list", capsys=capsys)
    assert (code, listed) == (0, "deaths")
    assert line.startswith(f"models/{name} is left out: {reason}")
    assert run(root, capsys=capsys) == (0, [line])
    assert list(services(root)) == ["deaths"]
    assert run(root, "--check", "deaths", capsys=capsys) == (0, [])
    for arguments in (["--check"], ["--check", name]):
        code, (line,) = run(root, *arguments, capsys=capsys)
        assert code == 1
        assert line.startswith(f"models/{name}: {reason}")


def test_a_folder_that_only_serves_is_a_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, file in (("served", "main.py"), ("trained", "train.py")):
        (root / "models" / name).mkdir()
        (root / "models" / name / file).touch()
    assert compose.models(root) == ["deaths", "served"]
    assert capsys.readouterr().err == "models/trained is left out: it has no main.py\n"


def test_check_refuses_a_model_that_is_not_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--check", "nosuch", capsys=capsys) == (1, ["models/nosuch: there is no such model"])


def test_list_names_the_models(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(root, "flu")
    assert run(root, "--list", capsys=capsys) == (0, ["deaths", "flu"])
