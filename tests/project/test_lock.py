"""lock.py: pins stay until they are asked to move, and a conflict is one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecastle.project.compose import ROOT
from forecastle.project.lock import main

from ..index import wheel


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose packages come from a folder: `soup` 1 and 2, and `salt` 1 and 2."""
    index = tmp_path / "index"
    index.mkdir()
    for name in ("soup", "salt"):
        for version in ("1.0", "2.0"):
            wheel(index, name, version)
    (tmp_path / "uv.toml").write_text(f'no-index = true\nfind-links = ["{index}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    root = tmp_path / "project"
    for file, text in {
        "shared/requirements.in": "soup==1.0\n",
        "tests/requirements.in": "soup\n",
        "models/flu/requirements-train.in": "salt<2\n",
        "models/cold/requirements-train.in": "salt\n",
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return root


def pins(root: Path) -> dict[str, str]:
    """By folder, the first pin of its lock."""
    return {
        str(lock.parent.relative_to(root)): lock.read_text().split(" ")[0]
        for lock in sorted(root.rglob("requirements*.txt"))
    }


def test_two_locks_never_pin_different_versions(root: Path) -> None:
    assert main([], root) == 0
    assert pins(root) == {
        "models/cold": "salt==1.0",
        "models/flu": "salt==1.0",
        "shared": "soup==1.0",
        "tests": "soup==1.0",
    }
    assert "--hash=sha256:" in (root / "shared/requirements.txt").read_text()


def test_what_needs_nothing_has_no_lock(root: Path) -> None:
    assert main([], root) == 0
    (root / "models/cold/requirements-train.in").write_text("# Nothing any more.\n")
    (root / "models/flu/requirements.in").write_text("# Nothing yet.\n")
    assert main([], root) == 0
    assert pins(root).keys() == {"models/flu", "shared", "tests"}
    assert not (root / "models/flu/requirements.txt").exists()


def test_a_pin_stays_until_it_is_asked_to_move(root: Path) -> None:
    main([], root)
    for file in ("shared/requirements.in", "models/flu/requirements-train.in"):
        (root / file).write_text("soup\n" if "shared" in file else "salt\n")
    before = pins(root)
    assert main([], root) == 0
    assert pins(root) == before
    assert main(["--upgrade"], root) == 0
    assert pins(root) == {folder: pin.replace("1.0", "2.0") for folder, pin in before.items()}


def test_a_models_lock_moves_no_other(root: Path) -> None:
    main([], root)
    before = pins(root)
    (root / "models/cold/requirements-train.in").write_text("salt\nsoup\n")
    untouched = {
        path: path.stat().st_mtime_ns for path in root.rglob("requirements*.txt") if "cold" not in str(path)
    }
    assert main(["--model", "cold"], root) == 0
    assert pins(root) == before
    assert "soup==1.0" in (root / "models/cold/requirements-train.txt").read_text()
    assert all(path.stat().st_mtime_ns == time for path, time in untouched.items())


@pytest.mark.parametrize("arguments", [[], ["--model", "cold"]])
def test_a_conflict_is_one_line_that_names_both_sides_and_changes_nothing(
    root: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([], root)
    before = pins(root)
    (root / "models/cold/requirements-train.in").write_text("salt>=2\n")
    capsys.readouterr()
    assert main(arguments, root) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "salt>=2" in error and ("salt<2" in error or "salt==1.0" in error)
    assert pins(root) == before


def test_taking_a_requirement_back_brings_the_pins_back(root: Path) -> None:
    """Nothing is remembered but the locks themselves."""
    main([], root)
    before = pins(root)
    (root / "models/cold/requirements-train.in").write_text("salt==1.0\nsoup\n")
    main(["--model", "cold"], root)
    (root / "models/cold/requirements-train.in").write_text("salt\n")
    assert main(["--model", "cold"], root) == 0
    assert pins(root) == before


def test_a_model_without_requirements_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "fever"], root) == 1
    assert capsys.readouterr().err == ("models/fever has no requirements.in and no requirements-train.in\n")


def test_the_command_pins_for_every_platform(root: Path) -> None:
    (root / "models/flu/requirements-train.in").write_text("salt<2 ; sys_platform == 'win32'\n")
    code_alone = shutil.ignore_patterns("requirements*", "__pycache__")
    shutil.copytree(ROOT / "shared/forecastle", root / "shared/forecastle", ignore=code_alone)
    command = [sys.executable, "-m", "forecastle.project.lock"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(root / "shared")}, capture_output=True, text=True
    )
    assert "models/flu/requirements-train.txt: 1 pins" in done.stdout.splitlines(), done.stderr
    assert "sys_platform == 'win32'" in (root / "models/flu/requirements-train.txt").read_text()
