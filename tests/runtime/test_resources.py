"""What several processes use together; the processes are real."""

import gc
import multiprocessing
import os
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from forecastle.runtime.resources import GarbageCollection, Processes, usage

from ..served import eventually, series


@pytest.fixture
def busy() -> Iterator[list[int]]:
    """Process ids of two children that keep a processor busy."""
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=work, daemon=True) for _ in range(2)]
    for child in children:
        child.start()
    yield [child.pid for child in children if child.pid]
    for child in children:
        child.kill()
        child.join()


def work() -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass


def collected(processes: Processes) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(processes)
    return series(generate_latest(registry).decode())


def cpu(pid: int) -> float:
    used = usage(pid)
    return used.cpu if used else 0.0


def test_processor_time_is_that_of_all_and_stays_when_a_worker_ends(busy: list[int]) -> None:
    eventually(lambda: all(cpu(pid) > 0.2 for pid in busy))
    living = set(busy)
    processes = Processes(os.getpid(), lambda: living)
    seen = [collected(processes)["process_cpu_seconds_total"]]
    assert seen[0] >= sum(cpu(pid) for pid in (os.getpid(), *busy)) - 0.5

    os.kill(busy[0], 9)
    seen.append(collected(processes)["process_cpu_seconds_total"])
    os.waitpid(busy[0], 0)
    seen.append(collected(processes)["process_cpu_seconds_total"])  # its id is still among the workers'
    living.remove(busy[0])
    seen.append(collected(processes)["process_cpu_seconds_total"])
    assert seen == sorted(seen)


def test_a_process_that_is_not_there_uses_nothing() -> None:
    assert usage(2**22 + 1) is None
    assert collected(Processes(2**22 + 1, lambda: [])) == {}
    alone = collected(Processes(os.getpid(), lambda: [os.getpid(), 2**22 + 1]))
    assert alone["process_open_fds"] == pytest.approx(len(os.listdir("/proc/self/fd")), abs=2)


def test_garbage_that_a_forked_worker_collects_is_counted_once() -> None:
    registry = CollectorRegistry()
    garbage = GarbageCollection(registry)
    name = 'python_gc_collections_total{generation="2"}'

    def counted() -> float:
        return series(generate_latest(registry).decode())[name]

    before = counted()
    assert before == gc.get_stats()[2]["collections"]
    gc.collect()
    gc.collect()
    garbage.note()
    garbage.note()
    assert counted() == before + 2
