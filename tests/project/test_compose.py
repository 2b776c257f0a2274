"""docker-compose.yml against the folders of models/, and a new model from the template."""

from pathlib import Path

import pytest

from forecastle.project import compose

COMPOSE = """\
# Kept as it is.
name: forecastle

services:
  gateway:
    build: {context: .}

  # The models.
  deaths:
    extends: {file: docker/service.yml, service: model}
    build: {args: {MODEL: deaths}}  # a comment

  database:
    profiles: [database]

volumes:
  database:
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one model, `deaths`, and a template."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    add_model(tmp_path, "deaths")
    template = tmp_path / "shared/template"
    template.mkdir(parents=True)
    for file in compose.FILES:
        (template / file).write_text(f'"""The {{{{model}}}} model, {file}."""\n')
    return tmp_path


def add_model(root: Path, name: str) -> None:
    folder = root / "models" / name
    folder.mkdir(parents=True)
    for file in compose.FILES:
        (folder / file).touch()


def run(root: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and the lines that were printed."""
    code = compose.main(arguments, root)
    printed = capsys.readouterr()
    return code, (printed.out + printed.err).splitlines()


def test_this_project_has_a_service_for_every_model() -> None:
    compose.check()
    assert {"deaths", "exponential"} <= set(compose.models())


def test_check_says_nothing_when_all_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "--check", capsys=capsys) == (0, [])


def test_check_names_a_folder_without_a_service(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(root, "flu")
    assert run(root, "--check", capsys=capsys) == (
        1,
        ["models/flu has no entry in docker-compose.yml: `make compose` writes it"],
    )


def test_check_names_a_service_without_a_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "models/deaths").rename(root / "models/fatalities")
    compose.write_missing(root)
    assert run(root, "--check", capsys=capsys) == (
        1,
        ["docker-compose.yml: the service deaths has no folder models/deaths: remove its entry"],
    )


def test_check_names_a_service_that_builds_another_model(root: Path) -> None:
    add_model(root, "flu")
    compose.write_missing(root)
    text = (root / "docker-compose.yml").read_text()
    (root / "docker-compose.yml").write_text(text.replace("MODEL: flu", "MODEL: 'deaths'"))
    with pytest.raises(
        compose.ComposeError, match="the service flu builds the model deaths: name both alike"
    ):
        compose.check(root)


def test_check_names_a_missing_file(root: Path) -> None:
    (root / "models/deaths/requirements.txt").unlink()
    with pytest.raises(compose.ComposeError, match=r"^models/deaths/requirements.txt is missing$"):
        compose.check(root)


def test_a_folder_that_holds_an_artifact_alone_is_no_model(root: Path) -> None:
    """As another branch leaves it behind, since git ignores artifacts."""
    (root / "models/flu/artifact").mkdir(parents=True)
    assert compose.models(root) == ["deaths"]


def test_missing_entries_are_written_behind_the_models(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_model(root, "flu")
    add_model(root, "a-b2")
    assert run(root, capsys=capsys) == (
        0,
        ["docker-compose.yml: an entry for a-b2", "docker-compose.yml: an entry for flu"],
    )
    text = (root / "docker-compose.yml").read_text()
    entries = "".join("\n" + compose.ENTRY.format(name=name) for name in ("a-b2", "flu"))
    before, after = COMPOSE.split("\n  database:\n    profiles")
    assert text == before + entries + "\n  database:\n    profiles" + after


def test_writing_again_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(root, "flu")
    compose.write_missing(root)
    text = (root / "docker-compose.yml").read_text()
    assert run(root, capsys=capsys) == (0, [])
    assert (root / "docker-compose.yml").read_text() == text


def test_an_entry_goes_behind_the_last_service_where_there_is_no_model(root: Path) -> None:
    (root / "docker-compose.yml").write_text("services:\n  gateway:\n    build: .\n")
    compose.write_missing(root)
    expected = "services:\n  gateway:\n    build: .\n\n" + compose.ENTRY.format(name="deaths")
    assert (root / "docker-compose.yml").read_text() == expected


def test_new_makes_a_model_from_the_template(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (line,) = run(root, "--new", "flu-2", capsys=capsys)
    assert code == 0
    assert line.startswith("models/flu-2 is made, with its entry in docker-compose.yml")
    assert (root / "models/flu-2/train.py").read_text() == '"""The flu-2 model, train.py."""\n'
    compose.check(root)
    assert compose.models(root) == ["deaths", "flu-2"]


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
    reason = "'deaths-shadow' ends as the name of a model's challenger does: choose a name without -shadow"
    assert run(root, "--new=deaths-shadow", capsys=capsys) == (1, [reason])


def test_a_folder_with_a_bad_name_is_refused_everywhere(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_model(root, "Bad_Name")
    for arguments in (["--check"], ["--list"], []):
        code, (line,) = run(root, *arguments, capsys=capsys)
        assert code == 1
        assert line.startswith("models/Bad_Name: 'Bad_Name' is no name for a model")


def test_list_names_the_models(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(root, "flu")
    assert run(root, "--list", capsys=capsys) == (0, ["deaths", "flu"])
