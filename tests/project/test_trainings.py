"""trainings.py: one model is trained after the other, and says how far it is or why it failed."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecastle.catalogue.models import Progress, Status
from forecastle.project import train
from forecastle.project.trainings import Trainings, cost, verdict

from ..conftest import tamper
from ..served import eventually
from .plain import TRAIN, model, processes, waits

FORECAST = '"""One."""\nfrom forecastle.training import train\n'


def trainings(root: Path) -> Trainings:
    models = sorted(path.name for path in (root / "models").iterdir())
    return Trainings(models, root / "scratch", root)


def _fraction(run: Trainings) -> float | None:
    progress = run.of("first").progress
    return progress and progress.fraction


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Trainings]:
    """One training that waits for a file `go`, and one after it, in a thread."""
    model(tmp_path, "first", waits(tmp_path))
    model(tmp_path, "second", f"{TRAIN}# {'longer ' * 200}")
    run = trainings(tmp_path)
    thread = threading.Thread(target=asyncio.run, args=[run.run()])
    thread.start()
    try:
        yield run
    finally:
        (tmp_path / "go").touch()
        thread.join(60)
        assert not thread.is_alive()


def test_the_cheapest_comes_first(tmp_path: Path) -> None:
    model(tmp_path, "long", f"{FORECAST}# {'longer ' * 200}")
    model(tmp_path, "short", FORECAST)
    model(tmp_path, "each", f"{FORECAST}# {'longest ' * 200}\ntrain(each_series=True)\n")
    model(tmp_path, "plain", TRAIN)
    for name, seconds in (("known", 30), ("quick", 2)):
        folder = model(tmp_path, name)
        assert train.main([name], tmp_path) == 0
        tamper(folder / "artifact", training_seconds=seconds)
        assert cost(folder)[0] == seconds
        (folder / "train.py").write_text(f"{TRAIN}# changed")
    assert trainings(tmp_path).queue == ["plain", "quick", "known", "each", "short", "long"]


def test_an_ensemble_comes_right_after_its_members_if_one_is_trained(tmp_path: Path) -> None:
    for name, words in {"first": "", "second": "longer ", "third": "much longer "}.items():
        model(tmp_path, name, f"{TRAIN}# {words * 200}")
    (model(tmp_path, "both", f"{TRAIN}# {'longest ' * 900}") / "members").write_text("second\nfirst\n")
    assert trainings(tmp_path).queue == ["first", "second", "both", "third"]
    asyncio.run(trainings(tmp_path).run())
    assert trainings(tmp_path).queue == []
    (tmp_path / "models/second/train.py").write_text("1 / 0")
    run = trainings(tmp_path)
    assert run.queue == ["second", "both"]
    asyncio.run(run.run())
    assert run.of("both").verdict == ["both: not trained, and the last artifact stays: second failed"]


def test_what_is_current_or_has_no_training_is_left_out(tmp_path: Path) -> None:
    model(tmp_path, "current")
    (model(tmp_path, "served") / "train.py").unlink()
    assert train.main(["current"], tmp_path) == 0
    run = trainings(tmp_path)
    asyncio.run(run.run())
    assert run.queue == []
    assert run.of("current") == run.of("served") == Status()


def test_one_is_trained_at_a_time_and_says_how_far_it_is(waiting: Trainings, tmp_path: Path) -> None:
    eventually(lambda: _fraction(waiting))
    status = waiting.of("first")
    assert status.status == "training"
    assert status.progress == Progress(step="epochs", fraction=0.4, seconds=status.progress.seconds)
    assert waiting.of("second") == Status(status="waiting")
    (tmp_path / "go").touch()
    eventually(lambda: waiting.of("first") == Status())
    eventually(lambda: waiting.of("second") == Status())
    for name in ("first", "second"):
        assert (tmp_path / "models" / name / "artifact/manifest.json").is_file()
    eventually(lambda: processes(tmp_path) == [])  # also none that a train.py left


def test_what_is_stopped_leaves_no_process_and_no_artifact(tmp_path: Path) -> None:
    model(tmp_path, "first", waits(tmp_path))
    run = trainings(tmp_path)

    async def story() -> None:
        task = asyncio.create_task(run.run())
        await asyncio.to_thread(eventually, lambda: _fraction(run))
        assert len(processes(tmp_path)) >= 2  # the training, and the one that train.py started
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    eventually(lambda: processes(tmp_path) == [])
    assert sorted(path.name for path in (tmp_path / "models/first").iterdir()) == ["main.py", "train.py"]
    assert list((tmp_path / ".cache").iterdir()) == []


def test_one_that_fails_says_why_and_the_others_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model(tmp_path, "raises", '"""One."""\nprint("loading")\nraise MemoryError("no memory")\n')
    model(tmp_path, "killed", '"""One."""\nimport os\nos.kill(os.getpid(), 9)\n')
    model(tmp_path, "whole", f"{TRAIN}# {'longer ' * 200}")
    run = trainings(tmp_path)
    asyncio.run(run.run())
    assert run.of("whole") == Status()
    raised, killed = run.of("raises"), run.of("killed")
    assert raised.status == killed.status == "failed"
    assert raised.verdict[-2:] == [
        "MemoryError: no memory",
        "raises: train.py failed, and the last artifact stays",
    ]
    assert killed.verdict == [
        "killed: train.py failed, and the last artifact stays: it was killed (SIGKILL, as happens when "
        "memory runs out)"
    ]
    printed = capfd.readouterr().err.splitlines()
    assert set(raised.verdict + killed.verdict) <= set(printed)
    assert printed[:3] == ["killed: waiting", "raises: waiting", "whole: waiting"]
    assert [line for line in printed if line.endswith((": failed", ": trained"))] == [
        "killed: failed",
        "raises: failed",
        "whole: trained",
    ]
    run.replaced("raises")
    assert run.of("raises") == Status()


def test_a_verdict_is_the_last_lines_and_how_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\n\n" % i for i in range(10)) + b"\xff" + b"x" * 1000)
    lines = verdict(log, -9)
    assert lines[:4] == ["line 6", "line 7", "line 8", "line 9"]
    assert len(lines[4]) == 300
    assert lines[5:] == ["the training was killed (SIGKILL)"]
