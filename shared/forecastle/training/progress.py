"""Progress on long work: a bar in a terminal, lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import rich.console
import rich.progress

Report = Callable[[float], None]  # takes the fraction that is done
Step = Callable[[str], AbstractContextManager[Report]]


@contextmanager
def steps(model: str) -> Iterator[Step]:
    """A progress bar for each step in a terminal; elsewhere (a build's log) a line for every tenth.

    with steps("deaths") as step, step("sampling") as report:
        report(0.5)
    """
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        @contextmanager
        def step(description: str) -> Iterator[Report]:
            task = bars.add_task(f"{model}: {description}", total=None)
            started, tenths = time.perf_counter(), 0

            def report(fraction: float) -> None:
                nonlocal tenths
                bars.update(task, total=1.0, completed=fraction)
                if not console.is_terminal and int(10 * fraction) > tenths:
                    tenths = int(10 * fraction)
                    print(f"{model}: {description} {tenths}0 %", file=sys.stderr, flush=True)

            yield report
            bars.update(task, total=1.0, completed=1.0)
            if not console.is_terminal:
                seconds = time.perf_counter() - started
                print(f"{model}: {description} took {seconds:.1f} s", file=sys.stderr, flush=True)

        yield step


@contextmanager
def silent(_: str) -> Iterator[Report]:
    """A `Step` that tells nobody."""
    yield lambda fraction: None
