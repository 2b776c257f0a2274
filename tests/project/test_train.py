"""train.py: any train.py runs in a copy, and its artifact replaces the last one if it passes its tests."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forecastle
from forecastle import folder as folders
from forecastle import manifest
from forecastle.artifact import combined
from forecastle.manifest import sha256
from forecastle.project import train
from forecastle.sealing import verified

from ..conftest import MakeArtifact
from ..served import eventually

TRAIN = '''"""A constant."""
from pathlib import Path

Path("artifact/constant").write_text("7")
'''
GATE = """
from pathlib import Path

def test_the_constant_is_small():
    assert int(Path("artifact/constant").read_text()) < 10
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's only model, which is trained."""
    folder = tmp_path / "models/plain"
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "main.py").touch()
    assert train.main([], tmp_path) == 0
    return folder


def test_what_was_trained_is_sealed_and_current_until_its_sources_change(folder: Path) -> None:
    assert verified(folder / "artifact")
    assert (folder / "artifact/constant").read_text() == "7"
    (folder / "main.py").write_text("# changed")
    (folder / "test_plain.py").write_text(GATE)
    assert not train.is_stale(folder)
    (folder / "train.py").write_text(TRAIN.replace("7", "8"))
    assert train.is_stale(folder)
    assert train.main(["--stale", "plain"], folder.parents[1]) == 0
    assert (folder / "artifact/constant").read_text() == "8"


def test_a_folder_that_was_renamed_is_trained_under_its_new_name(folder: Path) -> None:
    renamed = folder.rename(folder.with_name("other"))
    assert train.is_stale(renamed)
    assert train.main(["--stale", "other"], folder.parents[1]) == 0
    assert manifest.read(renamed / "artifact")["model"] == "other"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (TRAIN.replace("7", "70"), "plain: its tests fail, and the last artifact stays"),
        (TRAIN + "1 / 0\n", "plain: train.py failed, and the last artifact stays"),
        (
            TRAIN + "import os\nos.kill(os.getpid(), 9)\n",
            "plain: train.py failed, and the last artifact stays: it was killed (SIGKILL, as happens",
        ),
        ("", "plain: train.py left nothing in artifact/: let it save there what main.py loads; the last"),
        (TRAIN + "Path('plot.png').touch()\n", "plain: train.py wrote plot.png outside artifact/"),
    ],
)
def test_what_fails_leaves_the_last_artifact_and_nothing_else(
    code: str, line: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "train.py").write_text(code)
    (folder / "test_plain.py").write_text(GATE)
    version, before = verified(folder / "artifact"), sorted(os.listdir(folder))
    assert train.main(["plain"], folder.parents[1]) == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(line)
    assert verified(folder / "artifact") == version
    assert sorted(os.listdir(folder)) == before
    assert list((folder.parents[1] / ".cache").iterdir()) == []


def test_a_training_that_is_killed_leaves_the_last_artifact_and_is_in_nobodys_way(folder: Path) -> None:
    """SIGKILL of the process group: neither train.py nor what runs it can tidy up."""
    root, version, before = folder.parents[1], verified(folder / "artifact"), sorted(os.listdir(folder))
    waits = f"Path({str(root / 'runs')!r}).touch()\nimport time\ntime.sleep(600)\n"
    (folder / "train.py").write_text(TRAIN.replace("7", "8") + waits)
    code = "import sys; from forecastle.project import train; train.main(['plain'], train.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", code, root], start_new_session=True) as process:
        try:
            eventually((root / "runs").exists)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert verified(folder / "artifact") == version
    assert sorted(os.listdir(folder)) == before
    assert len(list((root / ".cache").iterdir())) == 1  # what was left of the copy
    (folder / "train.py").write_text(TRAIN.replace("7", "9"))
    assert train.main(["plain"], root) == 0
    assert (folder / "artifact/constant").read_text() == "9"
    assert list((root / ".cache").iterdir()) == []


def test_a_forecast_is_current_until_its_observations_change(
    make_artifact: MakeArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("date,country,cases,deaths\n")
    monkeypatch.setenv("FORECASTLE_DATA", str(data))
    library = Path(forecastle.__file__).parent
    known = {"file": "data.csv", "sha256": sha256(data), "last_day": "2020-04-24", "changes": []}
    artifact = make_artifact("flu", data=known, sources=folders.sources(tmp_path / "nothing", library))
    assert not train.is_stale(artifact.parent)
    data.write_text("date,country,cases\n")
    assert train.is_stale(artifact.parent)


ENSEMBLE = '''"""A sum."""
from pathlib import Path

values = [Path(f"../{name}/artifact/constant").read_text() for name in ("plain", "other")]
Path("artifact/constant").write_text(str(sum(map(int, values))))
'''


@pytest.fixture
def ensemble(folder: Path) -> Path:
    """An ensemble of it and another model, which is not trained yet."""
    for name, code in {"other": TRAIN.replace("7", "2"), "all": ENSEMBLE}.items():
        folder.with_name(name).mkdir()
        (folder.with_name(name) / "train.py").write_text(code)
        (folder.with_name(name) / "main.py").touch()
    (folder.with_name("all") / "members").write_text("plain\nother\n")
    return folder.with_name("all")


def test_members_are_trained_before_their_ensemble_as_far_as_they_are_stale(
    ensemble: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train.main(["all"], ensemble.parents[1]) == 0
    assert (ensemble / "artifact/constant").read_text() == "9"
    said = [line.split(":")[0] for line in capfd.readouterr().err.splitlines()]
    assert said == ["other", "all"]  # `plain` is current
    assert sorted(os.listdir(ensemble)) == ["artifact", "main.py", "members", "train.py"]


def test_an_ensemble_whose_member_fails_stays_as_it_is(
    ensemble: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = ensemble.parents[1]
    assert train.main(["all"], root) == 0
    (ensemble.with_name("other") / "train.py").write_text("1 / 0")
    (ensemble.with_name("plain") / "train.py").write_text(TRAIN.replace("7", "8"))
    assert train.main([], root) == 1
    assert (
        capfd.readouterr().err.splitlines()[-1]
        == "all: not trained, and the last artifact stays: other failed"
    )
    assert (ensemble / "artifact/constant").read_text() == "9"
    assert (ensemble.with_name("plain") / "artifact/constant").read_text() == "8"


def test_a_file_of_members_that_is_wrong_is_one_line(
    ensemble: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (ensemble / "members").write_text("plain\nothers\n")
    assert train.main(["all"], ensemble.parents[1]) == 1
    line = "all: its member others is no model of models/: correct its file members; the last artifact stays"
    assert capfd.readouterr().err.splitlines() == [line]


def test_an_ensemble_of_forecasts_is_current_until_a_members_artifact_changes(
    make_artifact: MakeArtifact, tmp_path: Path
) -> None:
    library, models = Path(forecastle.__file__).parent, tmp_path / "models"
    for name, rate in {"one": 1, "two": 2}.items():
        made = make_artifact(name, draws=np.full((200, 4, 28), rate))
        shutil.copytree(made, models / name / "artifact")
    (models / "both").mkdir()
    (models / "both/members").write_text("one\ntwo\n")
    assert train.is_stale(models / "both")

    def of_member(name: str) -> dict[str, Any]:
        content = manifest.read(models / name / "artifact")
        known = {"version": content["version"], "diagnostics": content["diagnostics"], "weight": 0.5}
        return known | {"content": combined(content["files"])}

    made = make_artifact(
        "both",
        members={name: of_member(name) for name in ("one", "two")},
        sources=folders.sources(models / "both", library),
    )
    shutil.copytree(made, models / "both/artifact")
    assert not train.is_stale(models / "both")
    again = make_artifact("two", draws=np.full((200, 4, 28), 2), training_seconds=99.0)
    shutil.rmtree(models / "two/artifact")
    shutil.copytree(again, models / "two/artifact")
    assert not train.is_stale(models / "both")
    again = make_artifact("two", draws=np.full((200, 4, 28), 3))
    shutil.rmtree(models / "two/artifact")
    shutil.copytree(again, models / "two/artifact")
    assert train.is_stale(models / "both")
    shutil.rmtree(models / "two/artifact")
    assert train.is_stale(models / "both")


def test_one_training_runs_at_a_time(folder: Path, tmp_path: Path) -> None:
    """Also of several commands; one that waited trains nothing that was trained meanwhile."""
    log, busy = tmp_path / "log", tmp_path / "busy"
    (folder / "train.py").write_text(
        TRAIN + f"import time\nPath({str(busy)!r}).touch(exist_ok=False)\ntime.sleep(1)\n"
        f"Path({str(busy)!r}).unlink()\nopen({str(log)!r}, 'a').write('trained\\n')\n"
    )
    command = [sys.executable, "-m", "forecastle.project.train", "--root", str(tmp_path), "plain"]
    options = [[], [], ["--stale"]]
    started = [subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True) for more in options]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert len(log.read_text().splitlines()) in (2, 3)  # three if the last command came first
    assert sum("plain: waits until another training ends" in words for words in said) == 2
