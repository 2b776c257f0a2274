"""given.py: an artifact from elsewhere is tested and served in the place of the model's own, which stays."""

import os
from pathlib import Path

import pytest

from forecastle import manifest as manifests
from forecastle.project import given
from forecastle.sealing import seal, verified

MAIN = '"""A constant."""\napp = None\n'
GATE = """
from pathlib import Path

def test_the_constant_is_small():
    assert int(Path("artifact/constant").read_text()) < 10
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a model `flu`, whose artifact was trained here, and an artifact from elsewhere."""
    for artifact, constant in {"models/flu": "7", "elsewhere": "8"}.items():
        (tmp_path / artifact / "artifact").mkdir(parents=True)
        (tmp_path / artifact / "artifact/constant").write_text(constant)
    folder = tmp_path / "models/flu"
    for name, text in {"train.py": "1 / 0", "main.py": MAIN, "test_flu.py": GATE}.items():
        (folder / name).write_text(text)
    seal(folder, folder, "flu", 1)
    return tmp_path


def run(root: Path, model: str = "flu") -> int:
    return given.main([model, str(root / "elsewhere/artifact")], root)


def test_it_is_sealed_and_served_and_the_artifact_that_was_trained_here_stays(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = verified(root / "models/flu/artifact")
    assert run(root) == 0
    place = given.place("flu", root)
    assert (place / "constant").read_text() == "8"
    assert capsys.readouterr().err.startswith(
        f"flu: version {verified(place)} of {root}/elsewhere/artifact is"
    )
    manifest = manifests.read(place)
    assert (manifest["model"], manifest["title"], manifest["kind"]) == ("flu", "A constant", "plain")
    assert verified(root / "models/flu/artifact") == before
    assert os.listdir(root / "elsewhere/artifact") == ["constant"]
    assert os.listdir(root / ".cache") == ["given"]


@pytest.mark.parametrize(
    ("constant", "line"),
    [
        ("80", "flu: its tests fail, and its artifact is not served"),
        (None, "flu: ARTIFACT={address} holds no files: give the folder whose files main.py loads, or an"),
    ],
)
def test_what_fails_replaces_nothing(
    constant: str | None, line: str, root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 0
    version = verified(given.place("flu", root))
    file = root / "elsewhere/artifact/constant"
    file.write_text(constant) if constant else file.unlink()
    assert run(root) == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith(line.format(address=root / "elsewhere/artifact"))
    assert verified(given.place("flu", root)) == version
    assert os.listdir(root / ".cache") == ["given"]


@pytest.mark.parametrize("model", ["", "nosuch"])
def test_which_model_it_is_for_must_be_said(
    model: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, model) == 1
    assert capsys.readouterr().err == "say which model ARTIFACT= is for, with MODEL=: one of flu\n"


def test_a_folder_without_train_py_is_sealed_in_a_copy_unless_it_is_sealed(root: Path) -> None:
    folder = root / "models/flu"
    (folder / "train.py").unlink()
    assert given.own("flu", root) == folder / "artifact"
    (folder / "artifact/manifest.json").unlink()
    assert list(manifests.read(given.own("flu", root))["files"]) == ["constant"]
    assert os.listdir(folder / "artifact") == ["constant"]
    (folder / "artifact/constant").unlink()
    (folder / "artifact").rmdir()
    assert manifests.read(given.own("flu", root))["files"] == {}
