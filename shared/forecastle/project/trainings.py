"""The trainings of `make run`: models without a current artifact are trained while the others are served.

The packages that trainings need are installed first, by `make .venv/run`. Models are trained one at a time,
since each training uses all cores, the cheapest first. Each has a process group of its own, `python -m
forecastle.project.train --stale MODEL`, and writes what it prints to a file. A training that fails leaves the
last artifact, and the next one begins. An ensemble comes right after its members, and is not made if one of
them fails.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle import members
from forecastle import progress as progress_files
from forecastle.catalogue.models import Progress, Status
from forecastle.manifest import ArtifactError
from forecastle.project.compose import ROOT
from forecastle.project.display import Display
from forecastle.project.train import is_stale

PACKAGES = ".venv/run"  # the Makefile's target
TICK = 0.2  # seconds between two looks at a training
GRACE_SECONDS = 10  # which a training that is stopped has to tidy up
VERDICT_LINES = 6
LONGEST_LINE = 300  # characters, of a verdict


class Trainings:
    """The models that are to be trained, and what happens to each.

    Args:
        models: Their names. Those whose artifact is current, and those without a train.py, are left out.
        scratch: A folder for what trainings print and tell.
        root: The project.
        display: Where to show it.
        install: Whether to install first what trainings need, if there are any.
    """

    def __init__(
        self,
        models: Sequence[str],
        scratch: Path,
        root: Path = ROOT,
        display: Display | None = None,
        *,
        install: bool = False,
    ) -> None:
        self.scratch, self.root, self.install = scratch, root, install
        self.display = display or Display()
        self.process: subprocess.Popen[bytes] | None = None
        self.folders = {
            model: root / "models" / model
            for model in models
            if (root / "models" / model / "train.py").is_file()
        }
        self.queue = queue(self.folders)
        self.by_model = {model: Status(status="waiting") for model in self.queue}

    def of(self, model: str) -> Status:
        """What happens to a model; a status without a member if nothing does."""
        return self.by_model.get(model, Status())

    def replaced(self, model: str) -> None:
        """The model has a new artifact: that a training failed before is past."""
        if self.of(model).status == "failed":
            del self.by_model[model]

    async def run(self) -> None:
        """Train them all, one after the other."""
        for model in self.queue:
            self.display.show(model, self.of(model))
        try:
            if self.install and self.queue and not await self._installed():
                return
            for model in self.queue:
                lost = [
                    name for name in members.read(self.folders[model]) if self.of(name).status == "failed"
                ]
                if lost:
                    line = f"{model}: not trained, and the last artifact stays: {', '.join(lost)} failed"
                    self._note(model, Status(status="failed", verdict=[line]))
                else:
                    await self._train(model)
        finally:
            try:
                await asyncio.to_thread(self.stop)
            finally:
                self.display.close()

    def stop(self) -> None:
        """Stop the training or installation that runs, with all its processes; the last artifact stays."""
        if process := self.process:
            _signal(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            _signal(process, signal.SIGKILL)
            process.wait()
            self.process = None

    async def _installed(self) -> bool:
        """Install what trainings need; none can begin if that fails."""
        log = self.scratch / "packages.log"

        def tell(seconds: int) -> None:
            progress = Progress(step="installing packages", seconds=seconds)
            for model in self.queue:
                self._note(model, Status(status="waiting", progress=progress))

        code = await self._run(["make", "--silent", f"--directory={self.root}", PACKAGES], log, tell)
        lines = verdict(log, code)
        said = [line for line in lines if not line.startswith("make")] or lines
        for model in self.queue:
            failed = Status(status="failed", verdict=said[-1:])
            self._note(model, failed if code else Status(status="waiting"))
        return not code

    async def _train(self, model: str) -> None:
        log, told = self.scratch / f"{model}.log", self.scratch / f"{model}.json"
        command = [sys.executable, "-m", "forecastle.project.train", "--root", str(self.root)]
        variables = {progress_files.VARIABLE: str(told.resolve()), "PYTHONUNBUFFERED": "1"}
        said = progress_files.Progress("preparing")

        def tell(seconds: int) -> None:
            nonlocal said
            said = progress_files.read(told) or said  # it may be writing now
            progress = Progress(**said._asdict(), seconds=seconds)
            self._note(model, Status(status="training", progress=progress))

        if code := await self._run([*command, "--stale", model], log, tell, **variables):
            self._note(model, Status(status="failed", verdict=verdict(log, code)))
        else:
            self._note(model, Status())
            del self.by_model[model]

    async def _run(
        self, command: Sequence[str], log: Path, tell: Callable[[int], None], **variables: str
    ) -> int:
        """Run a command to its end, pass on what it prints, and tell how long it runs; its exit code."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        # A Make that started this process is not the one that installs.
        inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
        started = time.monotonic()
        with log.open("wb") as output, log.open("rb") as printed:
            self.process = process = subprocess.Popen(
                command,
                env=inherited | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for `make run`, which stops it
            )
            ended = False
            while not ended:
                ended = process.poll() is not None
                tell(int(time.monotonic() - started))
                self._pass_on(printed, ended)
                if not ended:
                    await asyncio.sleep(TICK)
        _signal(process, signal.SIGKILL)  # what it left behind
        self.process = None
        return process.returncode

    def _note(self, model: str, status: Status) -> None:
        self.by_model[model] = status
        self.display.show(model, status)

    def _pass_on(self, printed: IO[bytes], ended: bool) -> None:
        """Show what was printed since the last time, in whole lines."""
        content = printed.read()
        whole = content if ended else content[: content.rfind(b"\n") + 1]
        printed.seek(len(whole) - len(content), os.SEEK_CUR)
        if whole:
            self.display.say(whole.decode(errors="replace").removesuffix("\n"))


def queue(folder_of: Mapping[str, Path]) -> list[str]:
    """The models whose artifact is not current, in the order of their trainings: the cheapest first.

    An ensemble is not current if a member is not, and comes right after the last of these.
    """
    ensembles = {model: folder for model, folder in folder_of.items() if members.is_ensemble(folder)}
    others = [model for model in folder_of if model not in ensembles and is_stale(folder_of[model])]
    ordered = sorted(others, key=lambda model: cost(folder_of[model]))
    for model in sorted(ensembles, key=lambda model: cost(folder_of[model]), reverse=True):
        waits_for = [ordered.index(name) for name in members.read(ensembles[model]) if name in others]
        if waits_for or is_stale(ensembles[model]):
            ordered.insert(max(waits_for, default=-1) + 1, model)
    return ordered


def cost(folder: Path) -> tuple[float, bool, int]:
    """What trainings are sorted by: the seconds that the last one took, then what train.py says.

    Of models that were never trained, plain ones come before all others, and forecasts after them: first
    those that fit each country by itself, since a model of all countries has hundreds of parameters.
    """
    script = (folder / "train.py").read_bytes()
    pooled = b"each_series=True" not in script
    try:
        return float(manifests.read(folder / folders.ARTIFACT)["training_seconds"]), pooled, len(script)
    except (ArtifactError, KeyError, TypeError, ValueError):
        return 0.0 if b"forecastle" not in script else float("inf"), pooled, len(script)


def verdict(log: Path, code: int) -> list[str]:
    """The last lines that a command printed; of one that was killed without a word, that it was."""
    lines = [line.rstrip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    if code < 0:
        lines.append(f"the training was killed ({signal.Signals(-code).name})")
    return [line[:LONGEST_LINE] for line in lines[-VERDICT_LINES:]]


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to all processes of a training that are left."""
    with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, if they are ending
        os.killpg(process.pid, number)
