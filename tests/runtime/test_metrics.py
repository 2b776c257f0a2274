"""What metrics tell of a model, and how those of several processes become one."""

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from forecastle.artifact import Artifact, Backtest, Diagnostics
from forecastle.runtime.metrics import (
    BYTES,
    AllProcesses,
    Late,
    Metrics,
    keep_totals,
    of_manifest,
    own_registry,
)

from ..conftest import MakeArtifact
from ..served import series


def of_artifact(folder: Path) -> dict[str, float]:
    body, _ = Metrics("flu", artifact=Artifact.load(folder), own=CollectorRegistry()).exposition("")
    return series(body.decode())


def test_the_manifest_is_told_in_metrics(make_artifact: MakeArtifact) -> None:
    worst = {"r_hat": 1.004, "ess_bulk": 900.0, "ess_tail": 800.0, "divergences": 0.0, "e_bfmi": 0.7}
    measured = of_artifact(make_artifact(diagnostics={"bounds": {}, "worst": worst}, training_seconds=12.5))
    expected = {
        "data_through_timestamp_seconds": 1587686400,  # date -d 2020-04-24T00:00Z +%s
        "data_stale_after_seconds": 7 * 86400,
        "trained_timestamp_seconds": 1587794400,  # date -d 2020-04-25T06:00Z +%s
        "training_seconds": 12.5,
        "fit_r_hat_max": 1.004,
        "fit_ess_min": 800,
        "fit_divergences": 0,
        "fit_e_bfmi_min": 0.7,
        "backtest_wis_ratio": 0.8,
        "series": 4,
        "series_excluded": 1,
    }
    assert {name: measured[f'forecastle_{name}{{model="flu"}}'] for name in expected} == expected
    assert measured['forecastle_backtest_coverage_ratio{level="0.5",model="flu"}'] == 0.48
    assert measured['forecastle_backtest_coverage_ratio{level="0.9",model="flu"}'] == 0.91


@pytest.mark.parametrize(
    "silent",
    [
        {"backtest": None, "diagnostics": Diagnostics({}, {})},
        {"backtest": Backtest("short", {}, [], 0, {}), "diagnostics": Diagnostics({}, {})},
    ],
)
def test_what_the_manifest_does_not_say_is_left_out(make_artifact: MakeArtifact, silent: Any) -> None:
    manifest = dataclasses.replace(Artifact.load(make_artifact()).manifest, **silent)
    names = {metric.name.removeprefix("forecastle_") for metric in of_manifest(manifest)}
    assert {"series", "series_excluded", "data_through_timestamp_seconds"} <= names
    assert not any(name.startswith(("fit_", "backtest_")) for name in names)


def test_what_is_written_down_late_is_what_would_have_been_at_once() -> None:
    texts = []
    for late in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("sizes", "Of answers.", buckets=BYTES, registry=registry)
        observed: Any = Late(histogram, BYTES) if late else histogram
        for size in (0, 1, 99, 100, 101, 4000, 10_000_000, 10_000_001):
            observed.observe(size)
        if late:
            assert "sizes_count 0.0" in generate_latest(registry).decode()
            observed.write()
            observed.write()
        text = generate_latest(registry).decode()
        texts.append([line for line in text.splitlines() if "_created" not in line])
    assert texts[0] == texts[1]


def test_two_models_in_one_process_may_have_metrics_of_one_name() -> None:
    registries = []
    for number in (1, 2):
        with own_registry() as own:
            Counter("looked_at", "How often somebody looked.").inc(number)
        registries.append(own)
    texts = [generate_latest(own).decode() for own in registries]
    assert ["looked_at_total 1.0" in text for text in texts] == [True, False]
    assert ["looked_at_total 2.0" in text for text in texts] == [False, True]
    assert all("process_cpu_seconds_total " in text and "python_info{" in text for text in texts)
    assert "looked_at" not in generate_latest(REGISTRY).decode()


def test_metrics_of_a_model_that_fails_to_load_are_forgotten() -> None:
    with pytest.raises(RuntimeError), own_registry():
        Counter("half_loaded", "Of a main.py that fails.")
        raise RuntimeError
    Counter("half_loaded", "Of one that does not.", registry=REGISTRY)
    REGISTRY.unregister(REGISTRY._names_to_collectors["half_loaded"])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of metrics as several processes have it."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def worker(files: Path, pid: int, count: float) -> None:
    """The files of a worker that counted so many."""
    for kind, name in [("counter", "requests_total"), ("gauge_livesum", "active"), ("gauge_all", "memory")]:
        file = MmapedDict(str(files / f"{kind}_{pid}.db"))
        file.write_value(mmap_key(name.removesuffix("_total"), name, ["a"], ["b"], "help"), count, 0)
        file.close()


def total() -> float:
    metrics = AllProcesses().collect()
    return sum(sample.value for metric in metrics if metric.name == "requests" for sample in metric.samples)


def test_totals_of_ended_workers_are_kept_and_their_files_are_not(files: Path) -> None:
    for pid in range(1, 6):
        worker(files, pid, 10)
    for pid in range(1, 6):
        keep_totals(pid)
        assert total() == 50
    assert sorted(path.name for path in files.iterdir()) == ["counter_ended.db", "lock"]


def test_no_scrape_sees_totals_fall_or_doubled(files: Path) -> None:
    worker(files, 1, 10)
    seen: list[float] = []

    def scrape() -> None:
        while not done.is_set():
            seen.append(total())

    done = threading.Event()
    thread = threading.Thread(target=scrape)
    thread.start()
    for pid in range(2, 100):
        keep_totals(pid - 1)
        worker(files, pid, 0)  # like a new worker, which has counted nothing yet
    done.set()
    thread.join()
    assert set(seen) == {10}


def test_the_file_of_a_worker_that_has_just_started_may_be_empty(files: Path) -> None:
    worker(files, 1, 10)
    (files / "counter_2.db").touch()
    assert total() == 10
    keep_totals(2)
    assert total() == 10
