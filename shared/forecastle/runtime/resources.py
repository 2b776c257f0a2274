"""Metrics of a server's processes, summed over its master and its workers.

prometheus_client has them of the one process that happens to answer. Names and meanings are those of its
`process_*` and `python_gc_*`.
"""

import contextlib
import gc
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")  # a second


class Usage(NamedTuple):
    """What a process uses.

    Attributes:
        cpu: Seconds of processor time, in user and system mode.
        cpu_of_ended: Likewise, of its children that have ended.
        started: Start time, in seconds since the epoch.
        virtual: Virtual memory, in bytes.
        resident: Proportional set size, in bytes: a shared page counts in part.
        open_fds: Open file descriptors.
        max_fds: The most file descriptors that it may open.
    """

    cpu: float
    cpu_of_ended: float
    started: float
    virtual: float
    resident: float
    open_fds: float
    max_fds: float


class Processes:
    """A collector of `process_*`, summed over a master and its workers; empty where there is no /proc.

    The start time is the master's. No counter falls when a worker ends: the system then adds the worker's
    processor time to the master's `cpu_of_ended`.

    Args:
        master: The master's process id.
        workers: Gives the process ids of all living workers.
    """

    def __init__(self, master: int, workers: Callable[[], Iterable[int]]) -> None:
        self.master = master
        self.workers = workers

    def collect(self) -> Iterable[Metric]:
        for _ in range(5):  # again if a worker ended meanwhile: it may count twice or not at all
            before = usage(self.master)
            workers = [found for pid in self.workers() if pid != self.master and (found := usage(pid))]
            master = usage(self.master)
            if before and master and before.cpu_of_ended == master.cpu_of_ended:
                break
        if not master:
            return []
        all_of_them = [master, *workers]

        def total(field: str) -> float:
            return sum(getattr(process, field) for process in all_of_them)

        return [
            CounterMetricFamily(
                "process_cpu_seconds",
                "Total user and system CPU time of all processes in seconds, ended workers included.",
                total("cpu") + total("cpu_of_ended"),
            ),
            GaugeMetricFamily(
                "process_resident_memory_bytes",
                "Resident memory size of all processes in bytes, shared pages once.",
                total("resident"),
            ),
            GaugeMetricFamily(
                "process_virtual_memory_bytes",
                "Virtual memory size of all processes in bytes.",
                total("virtual"),
            ),
            GaugeMetricFamily(
                "process_open_fds", "Number of open file descriptors of all processes.", total("open_fds")
            ),
            GaugeMetricFamily(
                "process_max_fds",
                "Maximum number of open file descriptors, summed over all processes.",
                total("max_fds"),
            ),
            GaugeMetricFamily(
                "process_start_time_seconds",
                "Start time of the master process since unix epoch in seconds.",
                master.started,
            ),
        ]


class GarbageCollection:
    """Counters `python_gc_*` of this process, written when it calls `note`.

    A forked worker inherits what its master had noted, so nothing counts twice.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        metrics = {
            "collected": ("python_gc_objects_collected", "Objects collected during gc."),
            "uncollectable": ("python_gc_objects_uncollectable", "Uncollectable objects found during gc."),
            "collections": ("python_gc_collections", "Number of times this generation was collected."),
        }
        self.counters: dict[tuple[int, str], Counter] = {}
        for name, (metric, description) in metrics.items():
            counter = Counter(metric, description, ["generation"], registry=registry)
            for generation in range(len(gc.get_stats())):
                self.counters[generation, name] = counter.labels(str(generation))
        self.noted = dict.fromkeys(self.counters, 0)
        self.note()

    def note(self) -> None:
        """Add what this process has collected since the last call."""
        stats = gc.get_stats()
        for (generation, name), counter in self.counters.items():
            now = stats[generation][name]
            counter.inc(now - self.noted[generation, name])
            self.noted[generation, name] = now


def usage(pid: int) -> Usage | None:
    """What a process uses; None if there is no such process or no /proc."""
    folder = PROC / str(pid)
    try:
        # After the process's name in parentheses, which may hold anything.
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        booted = _value(PROC / "stat", "btime")
    except OSError:
        return None
    own, ended = int(stat[11]) + int(stat[12]), int(stat[13]) + int(stat[14])
    virtual, resident = float(stat[20]), float(stat[21]) * os.sysconf("SC_PAGE_SIZE")
    open_fds = max_fds = 0.0
    with contextlib.suppress(OSError):  # unreadable if the process has ended but is not yet waited for
        open_fds = len(list((folder / "fd").iterdir()))
        max_fds = _value(folder / "limits", "Max open files")
        resident = _value(folder / "smaps_rollup", "Pss:") * 1024
    return Usage(
        own / TICKS, ended / TICKS, booted + int(stat[19]) / TICKS, virtual, resident, open_fds, max_fds
    )


def _value(path: Path, name: str) -> float:
    """The number that follows a name at the start of a line."""
    for line in path.read_text().splitlines():
        if line.startswith(name):
            value = line.removeprefix(name).split()[0]
            return math.inf if value == "unlimited" else float(value)
    raise OSError(f"{path} has no {name}")
