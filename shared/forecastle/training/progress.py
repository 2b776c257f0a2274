"""Progress on long work: a bar in a terminal, lines in a log, or a file for a process that waits."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import rich.console
import rich.progress

from forecastle import progress

Report = Callable[[float], None]  # takes the fraction that is done
Step = Callable[[str], AbstractContextManager[Report]]


@contextmanager
def steps(model: str) -> Iterator[Step]:
    """A progress bar of the step that is being done in a terminal; elsewhere a line for every tenth.

    If a process waits for this one (`forecastle.progress`), it is told instead.

    with steps("deaths") as step, step("sampling") as report:
        report(0.5)
    """
    console = rich.console.Console(stderr=True)
    lines = not console.is_terminal and not os.environ.get(progress.VARIABLE)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        @contextmanager
        def step(description: str) -> Iterator[Report]:
            for done in bars.task_ids:
                bars.remove_task(done)
            task = bars.add_task(f"{model}: {description}", total=None)
            started, percent = time.perf_counter(), 0
            progress.tell(description)

            def report(fraction: float) -> None:
                nonlocal percent
                bars.update(task, total=1.0, completed=fraction)
                before, percent = percent, max(percent, int(100 * fraction))
                if percent > before:
                    progress.tell(description, fraction)
                if lines and percent // 10 > before // 10:
                    print(f"{model}: {description} {percent // 10}0 %", file=sys.stderr, flush=True)

            yield report
            bars.update(task, total=1.0, completed=1.0)
            if lines:
                seconds = time.perf_counter() - started
                print(f"{model}: {description} took {seconds:.1f} s", file=sys.stderr, flush=True)

        yield step


@contextmanager
def silent(_: str) -> Iterator[Report]:
    """A `Step` that tells nobody."""
    yield lambda fraction: None
