"""sealing.py: what any train.py left becomes an artifact with a manifest, or is refused in one line."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from forecastle.manifest import ArtifactError, read
from forecastle.sealing import seal, verified

Given = tuple[Path, Path]


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """A folder, and a copy in which train.py has written a model."""
    folder, trained = tmp_path / "given/iris", tmp_path / "trained/iris"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text('"""Which iris it is.\n\nBy its petals."""\n')
    (folder / "requirements-train.txt").write_text("scikit-learn==1.7 \\\n    --hash=sha256:00\n")
    shutil.copytree(folder, trained)
    (trained / "artifact").mkdir()
    (trained / "artifact/model.json").write_text("{}")
    return folder, trained


def test_a_manifest_tells_what_was_trained_and_with_what(given: Given) -> None:
    version = seal(*given, "iris", 1.23)
    manifest = read(given[1] / "artifact")
    assert (manifest["model"], manifest["title"], manifest["kind"]) == ("iris", "Which iris it is", "plain")
    assert (manifest["version"], manifest["training_seconds"]) == (version, 1.2)
    assert manifest["versions"]["scikit-learn"] == "1.7"
    assert list(manifest["files"]) == ["model.json"]
    assert seal(*given, "iris", 9) == verified(given[1] / "artifact") == version


def test_a_file_that_was_changed_since_is_named(given: Given) -> None:
    seal(*given, "iris", 1)
    (given[1] / "artifact/model.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"model\.json is not what training wrote"):
        verified(given[1] / "artifact")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda trained: (trained / "artifact/model.json").unlink(), "train.py left nothing in artifact/: "),
        (lambda trained: (trained / "plot.png").touch(), "train.py wrote plot.png outside artifact/"),
        (lambda trained: (trained / "train.py").write_text(""), "train.py wrote train.py outside artifact/"),
    ],
)
def test_what_would_be_lost_is_refused(change: Callable[[Path], object], message: str, given: Given) -> None:
    change(given[1])
    with pytest.raises(ArtifactError, match=f"^{re.escape(message)}"):
        seal(*given, "iris", 1)
    assert not (given[1] / "artifact/manifest.json").exists()
