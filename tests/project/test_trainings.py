"""trainings.py: one model is trained after the other, and says how far it is or why it failed."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forecastle.catalogue.models import Progress, Status
from forecastle.project import train
from forecastle.project.trainings import Trainings, cost, verdict

from ..conftest import tamper
from ..served import eventually
from .plain import TRAIN, model, processes, waits

FORECAST = '"""One."""\nfrom forecastle.training import train\n'


# Installs when there is a file `packages`; one that says `no` fails.
MAKEFILE = """
.venv/run:
	@echo "installing what training needs"
	@until [ -e packages ]; do sleep 0.05; done
	@if grep -qs no packages; then echo "there is no network" >&2; exit 1; fi
	@mkdir -p .venv && touch $@
"""


def trainings(root: Path, *, install: bool = False) -> Trainings:
    models = sorted(path.name for path in (root / "models").iterdir())
    return Trainings(models, root / "scratch", root, install=install)


@contextmanager
def in_thread(run: Trainings) -> Iterator[None]:
    """They run meanwhile, and have ended after that."""
    thread = threading.Thread(target=asyncio.run, args=[run.run()])
    thread.start()
    try:
        yield
    finally:
        for name in ("go", "packages"):
            (run.root / name).touch()
        thread.join(60)
        assert not thread.is_alive()


def _fraction(run: Trainings) -> float | None:
    progress = run.of("first").progress
    return progress and progress.fraction


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Trainings]:
    """One training that waits for a file `go`, and one after it, in a thread."""
    model(tmp_path, "first", waits(tmp_path))
    model(tmp_path, "second", f"{TRAIN}# {'longer ' * 200}")
    run = trainings(tmp_path)
    with in_thread(run):
        yield run


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


def test_packages_are_installed_before_the_first_training(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for name in ("first", "second"):
        model(tmp_path, name, f"{TRAIN}assert Path({str(tmp_path / '.venv/run')!r}).exists()\n")
    run = trainings(tmp_path, install=True)
    with in_thread(run):
        for name in ("first", "second"):
            eventually(lambda: run.of(name).progress)  # noqa: B023
            status = run.of(name)
            assert status.status == "waiting"
            assert status.progress == Progress(step="installing packages", seconds=status.progress.seconds)
        (tmp_path / "packages").touch()
        for name in ("first", "second"):
            eventually(lambda: run.of(name) == Status())  # noqa: B023
    printed = capfd.readouterr().err.splitlines()
    assert printed[:3] == ["first: waiting", "second: waiting", "installing what training needs"]
    assert [line for line in printed if line.endswith(": trained")] == ["first: trained", "second: trained"]
    (tmp_path / ".venv/run").unlink()
    asyncio.run(trainings(tmp_path, install=True).run())
    assert not (tmp_path / ".venv/run").exists()  # since nothing is trained


def test_without_packages_each_training_says_why_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "packages").write_text("no")
    for name in ("first", "second"):
        model(tmp_path, name)
    run = trainings(tmp_path, install=True)
    asyncio.run(run.run())
    for name in ("first", "second"):
        assert run.of(name) == Status(status="failed", verdict=["there is no network"])
        assert not (tmp_path / "models" / name / "artifact").exists()


def test_an_installation_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    model(tmp_path, "first")
    run = trainings(tmp_path, install=True)

    async def story() -> None:
        task = asyncio.create_task(run.run())
        await asyncio.to_thread(eventually, lambda: processes(tmp_path))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    eventually(lambda: processes(tmp_path) == [])
    assert not (tmp_path / ".venv/run").exists()


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
