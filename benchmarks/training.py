"""What each step of a training takes: seconds, and seconds of processors.

    .venv/bin/python benchmarks/training.py deaths home-sales [--cores 2]

Trains each model in a copy of its folder, so that its artifact stays. Seconds of processors are those of the
training and of all processes that it starts: other work on the machine changes them little.
"""

import argparse
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import psutil

from forecastle.training import command
from forecastle.training.progress import Report, Step

ROOT = Path(__file__).resolve().parents[1]
REST, ALL = "between these steps", "all"


class Taken(NamedTuple):
    """Seconds, and seconds of processors."""

    seconds: float
    processor: float


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+", help="such as deaths")
    parser.add_argument("--cores", type=int, default=len(psutil.Process().cpu_affinity()), help="to use")
    options = parser.parse_args(argv)
    psutil.Process().cpu_affinity(psutil.Process().cpu_affinity()[: options.cores])
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / Path(model).name
            shutil.copytree(ROOT / "models" / model, copy, ignore=shutil.ignore_patterns("artifact"))
            process = get_context("spawn").Process(target=train, args=(copy / "train.py", options.cores))
            process.start()
            process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def train(script: Path, cores: int) -> None:
    """Run a model's script, and print what each of its steps took."""
    taken: list[Taken] = []
    command.steps = _timed(taken)
    sys.argv = [str(script)]
    sys.path.insert(0, str(script.parent))
    print(f"{script.parent.name} on {cores} cores\n  {'':28} {'seconds':>9} {'processor':>9}")
    start = _now()
    runpy.run_path(str(script), run_name="__main__")
    whole = _since(start)
    _print(REST, Taken(*(both - sum(steps) for both, *steps in zip(whole, *taken, strict=True))))
    _print(ALL, whole)


def _timed(taken: list[Taken]) -> Callable[[str], AbstractContextManager[Step]]:
    """`progress.steps` that prints what each step takes."""

    @contextmanager
    def step(description: str) -> Iterator[Report]:
        start = _now()
        yield lambda fraction: None
        taken.append(_since(start))
        _print(description, taken[-1])

    @contextmanager
    def steps(_: str) -> Iterator[Step]:
        yield step

    return steps


def _print(name: str, taken: Taken) -> None:
    print(f"  {name:28} {taken.seconds:9.1f} {taken.processor:9.1f}", flush=True)


def _now() -> Taken:
    """Seconds of the clock; and of processors, by this process and those that it started."""
    this = psutil.Process()
    known = [this.cpu_times()]
    for child in this.children(recursive=True):
        try:
            known.append(child.cpu_times())
        except psutil.NoSuchProcess:  # then it is among this one's ended children
            continue
    processor = sum(each.user + each.system + each.children_user + each.children_system for each in known)
    return Taken(time.perf_counter(), processor)


def _since(start: Taken) -> Taken:
    now = _now()
    return Taken(now.seconds - start.seconds, now.processor - start.processor)


if __name__ == "__main__":
    main()
