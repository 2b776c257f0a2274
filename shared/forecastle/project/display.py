"""What the terminal of `make run` shows of trainings: a bar for each model, or lines where it is none."""

import rich.console
import rich.progress
from rich.progress import TaskID

from forecastle.catalogue.models import Status

DONE = {"failed": "failed", None: "trained"}


class Display:
    """Bars in a terminal; elsewhere a line for each step and each tenth of it. On stderr."""

    def __init__(self) -> None:
        self.console = rich.console.Console(stderr=True)
        columns = (
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TextColumn("{task.fields[time]}", markup=False),
        )
        self.bars = rich.progress.Progress(
            *columns, console=self.console, disable=not self.console.is_terminal, refresh_per_second=4
        )
        self.tasks: dict[str, TaskID] = {}
        self.told: dict[str, str] = {}

    def show(self, model: str, status: Status) -> None:
        """What happens to a model now."""
        if self.console.is_terminal:
            self._draw(model, status)
        elif (line := _line(model, status)) != self.told.get(model):
            self.told[model] = line
            self.say(line)

    def say(self, text: str) -> None:
        """Text as it stands, above the bars."""
        self.console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bars as they are."""
        if self.bars.live.is_started:
            self.bars.stop()

    def _draw(self, model: str, status: Status) -> None:
        self.bars.start()
        if model not in self.tasks:
            self.tasks[model] = self.bars.add_task(model, time="")
        number, progress = self.tasks[model], status.progress
        task = next(task for task in self.bars.tasks if task.id == number)
        # Without a total the bar shows that something is done, but not how much.
        task.total = None if progress and progress.fraction is None else 1.0
        done = 0.0 if status.status else 1.0
        self.bars.update(
            number,
            description=f"{model}: {words(status)}",
            completed=(progress.fraction or 0.0) if progress else done,
            time=f"{progress.seconds} s" if progress else task.fields["time"],
        )


def words(status: Status) -> str:
    """What happens, in a word or two; what a model waits for is said once, by a line above."""
    step = status.progress.step if status.progress and status.status != "waiting" else None
    return step or DONE.get(status.status, str(status.status))


def _line(model: str, status: Status) -> str:
    fraction = status.progress.fraction if status.progress else None
    tenths = f" {int(10 * fraction)}0 %" if fraction and fraction >= 0.1 else ""
    return f"{model}: {words(status)}{tenths}"
