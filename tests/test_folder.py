"""folder.py: which of a model's files training reads, which serving gets, and which test it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecastle import folder as folders

LIBRARY = Path(folders.__file__).parent
FILES = {
    "train": ["data/rows.csv", "helper.py", "members", "network", "requirements-train.txt", "train.py"],
    "serve": ["README.md", "helper.py", "main.py", "requirements.txt"],
    "gate": ["conftest.py", "test_flu.py"],
    "neither": [
        "compare.py",
        "hub.toml",
        "notes.ipynb",
        "requirements.in",
        ".env",
        "artifact/x",
        "artifact.previous/x",
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in {name for names in FILES.values() for name in names}:
        path = tmp_path / "flu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "flu"


def test_a_folder_is_divided_where_no_package_is_installed(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", folders.__file__, folder, tmp_path / "divided"]
    subprocess.run(command, check=True)
    for side in ("train", "serve", "gate"):
        found = [path for path in (tmp_path / "divided" / side).rglob("*") if path.is_file()]
        assert sorted(str(path.relative_to(tmp_path / "divided" / side)) for path in found) == FILES[side]


@pytest.mark.parametrize("side", FILES)
def test_a_path_is_used_if_a_side_or_the_gate_gets_it(side: str) -> None:
    assert {folders.is_used(Path(name)) for name in FILES[side]} == {side != "neither"}
    assert [name for name in FILES[side] if folders.is_trained(Path(name))] == [
        name for name in FILES[side] if name in FILES["train"]
    ]


def test_sources_are_what_training_reads(folder: Path, tmp_path: Path) -> None:
    library = tmp_path / "shared/forecastle"
    shutil.copytree(LIBRARY, library)
    (library.parent / "requirements-train.txt").write_text("pymc==6\n")
    before = folders.sources(folder), folders.sources(folder, library)
    for changed in (folder / "main.py", folder / "test_flu.py", library / "service/app.py"):
        changed.write_text("another")
    assert (folders.sources(folder), folders.sources(folder, library)) == before
    (library / "training/fitting.py").write_text("another")
    assert folders.sources(folder) == before[0] and folders.sources(folder, library) != before[1]
    (folder / "data/rows.csv").write_text("another")
    assert folders.sources(folder) != before[0]
