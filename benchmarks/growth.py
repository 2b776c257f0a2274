"""What more series cost: training, the artifact's size, and a server's start, memory and answers.

    .venv/bin/python benchmarks/growth.py 50 500 5000

For each number of series, counts of 60 days are simulated and the model that `make new` makes is trained on
them, by all processors. It is served here by the server of the images, with one worker. Milliseconds of an
answer are the median of five requests whose level was never asked for before. Memory of a training is that of
its largest process; of a server, that of master and worker together.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil
import throughput

from forecastle.runtime.resources import usage

ROOT = Path(__file__).resolve().parents[1]
DAYS, REQUESTS, SEED = 60, 5, 1
MB = 1e6


@dataclass(frozen=True)
class Cost:
    """What so many series cost: a column each."""

    series: int
    training_s: float
    processor_s: float
    training_MB: float
    artifact_MB: float
    start_s: float
    server_MB: float
    one_ms: float
    all_ms: float
    all_MB: float


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row for each number of series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("series", nargs="+", type=int, help="numbers of them")
    numbers = parser.parse_args(argv).series
    print(*(f"{field.name.replace('_', ' '):>12}" for field in fields(Cost)))
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            cost = measure(Path(folder) / "growth", number)
        print(
            *(f"{value:12,}" if isinstance(value, int) else f"{value:12,.1f}" for value in astuple(cost)),
            flush=True,
        )


def measure(folder: Path, series: int) -> Cost:
    """Train and serve a model of so many series in a new folder."""
    shutil.copytree(ROOT / "shared/template/forecast", folder)
    script = folder / "train.py"
    of_places = script.read_text().replace("country", "place").replace("{{model}}", "growth")
    script.write_text(of_places.replace("draws=2000)", 'draws=2000, series="place", data="cases.csv")'))
    simulate(series).to_csv(folder / "cases.csv", index=False)
    start = time.perf_counter()
    training = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(training.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{series} series: the training failed")
    artifact = sum(file.stat().st_size for file in (folder / "artifact").rglob("*"))
    start = time.perf_counter()
    with throughput.serving(folder) as address, httpx.Client(base_url=address, timeout=60) as client:
        ready = time.perf_counter() - start
        one, _ = _asked(client, "/places/p1/forecast?days=28")
        every, size = _asked(client, "/forecast?days=28")
        children = psutil.Process().children(recursive=True)
        server = sum(each.resident for child in children if (each := usage(child.pid)))
    processor = used.ru_utime + used.ru_stime
    return Cost(
        series,
        seconds,
        processor,
        used.ru_maxrss * 1024 / MB,
        artifact / MB,
        ready,
        server / MB,
        one * 1000,
        every * 1000,
        size / MB,
    )


def simulate(series: int) -> pd.DataFrame:
    """Daily counts of places, each with a growth of its own: columns `date`, `place` and `cases`."""
    rng = np.random.default_rng(SEED)
    level, growth = rng.lognormal(np.log(1000), 0.5, series), rng.normal(0, 0.02, series)
    mean = level[:, None] * np.exp(growth[:, None] * (np.arange(DAYS) - DAYS / 2))
    counts = rng.poisson(rng.gamma(10, mean / 10))
    dates = pd.date_range("2020-03-01", periods=DAYS)
    places = [f"p{number}" for number in range(1, series + 1)]
    index = pd.MultiIndex.from_product([places, dates], names=["place", "date"])
    return pd.DataFrame({"cases": counts.ravel()}, index=index).reset_index()[["date", "place", "cases"]]


def _asked(client: httpx.Client, path: str) -> tuple[float, int]:
    """Seconds of an answer, the median, and its bytes; each request asks for a level that none had before."""
    seconds = []
    for number in range(REQUESTS):
        start = time.perf_counter()
        answer = client.get(f"{path}&level=0.{1001 + number}")
        answer.raise_for_status()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), len(answer.content)


if __name__ == "__main__":
    main()
