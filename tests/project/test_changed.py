"""changed.py: in a real repository, of which one path after the other is changed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from forecastle.project.changed import main
from forecastle.project.compose import ROOT

FIRST_WAVE = "data/first-wave-2020.csv"
ALL, NONE, FLU = ["flu", "given"], list[str](), ["flu"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two models, one of them without train.py; `origin/main` is its first commit."""
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for model, files in {
        "flu": ("main.py", "train.py", "requirements.in", "data/towns.csv"),
        "given": ("main.py", "weights.bin"),
    }.items():
        for file in files:
            write(tmp_path, f"models/{model}/{file}")
    write(tmp_path, FIRST_WAVE)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *author, *arguments], cwd=root, check=True)


def commit(root: Path, message: str = "x") -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", f"--message={message}")


def write(root: Path, file: str, text: str = "# nothing\n") -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)


def changed(root: Path, capsys: pytest.CaptureFixture[str], data: str = FIRST_WAVE) -> list[str]:
    assert main(["--base", "origin/main", "--data", data], root) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("path", "models"),
    [
        ("models/flu/train.py", FLU),
        ("models/flu/main.py", FLU),
        ("models/flu/test_model.py", FLU),
        ("models/flu/README.md", FLU),
        ("models/flu/requirements-train.txt", FLU),
        ("models/flu/data/towns.csv", FLU),
        ("models/flu/räume und 'mehr'.txt", FLU),
        ("models/flu/compare.py", NONE),
        ("models/flu/look.ipynb", NONE),
        ("models/flu/.notes", NONE),
        ("models/nothing/README.md", NONE),
        ("shared/forecastle/scores.py", ALL),
        ("shared/requirements.txt", ALL),
        ("shared/template/forecast/train.py", NONE),
        ("docker/Dockerfile", ALL),
        ("docker/build.sh", ALL),
        ("docker/install.sh", ALL),
        ("docker/models.yml", NONE),
        ("docker/README.md", NONE),
        (".dockerignore", ALL),
        (FIRST_WAVE, ALL),
        ("data/first-wave-2020.json", ALL),
        ("data/README.md", NONE),
        ("data/make_first_wave.py", NONE),
        ("README.md", NONE),
        ("docs/api.md", NONE),
        ("tests/test_folder.py", NONE),
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_a_path_touches_what_is_built_of_it(
    path: str, models: list[str], committed: bool, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (root / path).read_text() if (root / path).is_file() else ""
    write(root, path, text + "# changed\n")
    if committed:
        commit(root)
    assert changed(root, capsys) == models


def test_a_file_that_is_gone_counts_and_a_model_that_is_gone_does_not(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "models/flu/data/towns.csv").unlink()
    shutil.rmtree(root / "models/given")
    commit(root)
    assert changed(root, capsys) == ["flu"]


def test_a_file_that_moves_touches_both_models(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(root, "mv", "models/flu/data/towns.csv", "models/given/towns.csv")
    commit(root)
    assert changed(root, capsys) == ALL


def test_packages_that_a_build_pins_count(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "models/flu/requirements.in", "soup\n")
    assert changed(root, capsys) == FLU
    write(root, "models/flu/requirements.txt", "soup==1.0\n")
    git(root, "add", "--all")
    commit(root)
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    write(root, "models/flu/requirements.in", "soup  # and why\n")
    assert changed(root, capsys) == NONE


def test_an_artifact_counts_where_it_is_served_as_it_is(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("flu", "given"):
        write(root, f"models/{model}/artifact/word.txt")
    git(root, "add", "--force", "models")
    commit(root)
    assert changed(root, capsys) == ["given"]


def test_only_the_data_in_use_count(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, FIRST_WAVE, "other\n")
    assert changed(root, capsys, "data/current.csv") == NONE
    assert changed(root, capsys, str(root / FIRST_WAVE)) == ALL


def test_what_the_base_has_besides_is_no_change(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(root, "checkout", "--quiet", "-b", "elsewhere")
    write(root, "models/given/main.py", "other\n")
    commit(root)
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(root, "checkout", "--quiet", "main")
    write(root, "models/flu/main.py", "other\n")
    commit(root)
    assert changed(root, capsys) == FLU


def test_from_no_commit_everything_differs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--base", 40 * "0", "--data", FIRST_WAVE], root) == 0
    assert capsys.readouterr().out.splitlines() == ALL


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("nosuch", "BASE=nosuch is no commit here: fetch it (git fetch origin), or name another"),
        ("--all", "BASE=--all is no commit here: fetch it (git fetch origin), or name another"),
        ("origin/main^{tree}", "BASE=origin/main^{tree} is no commit here: "),
        ("", "say what to compare with: BASE=origin/main, for example"),
        ("apart", "BASE=apart and HEAD have no commit in common here: fetch more of them"),
    ],
)
def test_a_base_that_cannot_be_compared_with_is_one_line(
    base: str, line: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(root, "checkout", "--quiet", "--orphan", "apart")
    commit(root, "unlike the first commit of main")
    git(root, "checkout", "--quiet", "main")
    assert main([f"--base={base}"], root) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line) and said.err.count("\n") == 1


def test_a_folder_without_history_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--base", "main"], tmp_path) == 1
    said = capsys.readouterr()
    assert said.err.startswith("Git has no history of this folder") and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "models"),
    [
        ("models/both/members", ["both"]),
        ("models/flu/train.py", ["both", "flu"]),
        ("models/flu/data/towns.csv", ["both", "flu"]),
        ("models/flu/main.py", FLU),
        ("models/flu/README.md", FLU),
        ("models/given/artifact/weights.bin", ["both", "given"]),
        ("docker/ensembles/both.Dockerfile", NONE),
    ],
)
def test_what_a_member_is_trained_with_touches_its_ensemble(
    path: str, models: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("main.py", "train.py"):
        write(root, f"models/both/{file}")
    write(root, "models/both/members", "flu\ngiven\n")
    write(root, ".gitignore", "")
    commit(root)
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    known = (root / path).read_text() if (root / path).is_file() else ""
    write(root, path, f"{known}# changed\n")
    assert changed(root, capsys) == models
