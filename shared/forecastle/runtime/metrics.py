"""Prometheus metrics of an app, summed over its worker processes.

Each process has files of its own in the folder that `PROMETHEUS_MULTIPROC_DIR` names, and a scrape adds them
up. `server.py` sets that variable, since prometheus_client reads it from the environment at its first import.
Without it there is one process.

A model's own metrics are plain ones of prometheus_client; `/metrics` has both.
"""

import fcntl
import importlib.metadata
import os
import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from forecastle.artifact import Artifact, Manifest
from forecastle.frequency import Frequency
from forecastle.runtime.resources import GarbageCollection, Processes
from forecastle.runtime.settings import ServerSettings

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BYTES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LABELS = ("http_request_method", "http_route", "http_response_status_code")
LIBRARIES = ("fastapi", "gunicorn", "numpy", "prometheus-client", "pydantic", "starlette", "uvicorn")


class Metrics:
    """The metrics of one app.

    Args:
        model: The model's name.
        version: The version that is served.
        artifact: The artifact that is served, if there is one.
        own: The registry of the app's own metrics.
    """

    def __init__(
        self,
        model: str,
        version: str = "",
        artifact: Artifact | None = None,
        own: CollectorRegistry = REGISTRY,
    ) -> None:
        self.own = own
        # A registry of its own, so that `make run` can have one for each model.
        self.registry = CollectorRegistry()
        self.durations = Histogram(
            "http_server_request_duration_seconds",
            "Time from the arrival of a request to the end of its answer.",
            LABELS,
            buckets=SECONDS,
            registry=self.registry,
        )
        self.sizes = Histogram(
            "http_server_response_body_size_bytes",
            "Size of the answer's body as the app sends it.",
            LABELS,
            buckets=BYTES,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "http_server_active_requests",
            "Requests being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.workers = Gauge(
            "forecastle_workers",
            "Processes that answer requests.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.restarts = Counter(
            "forecastle_worker_restarts",
            "Workers that have ended and been replaced.",
            registry=self.registry,
        )
        # Kept, since `labels()` takes longer than all else in `count`.
        self.series: dict[tuple[str, str, int], tuple[Histogram, Late]] = {}
        self.served = Served(model, version, artifact)
        self.garbage = GarbageCollection(self.registry) if _folder() else None
        self.processes = Processes(os.getpid(), _living)

    def count(self, method: str, route: str, status: int, seconds: float, size: int) -> None:
        """Count a request that was answered in `seconds` with a body of `size` bytes."""
        key = (method, route, status)
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = (self.durations.labels(*key), Late(self.sizes.labels(*key), BYTES))
        durations, sizes = series
        durations.observe(seconds)
        sizes.observe(size)

    def note(self, active: int) -> None:
        """Write for other processes what this one has counted, and how many requests it is answering."""
        self.in_flight.set(active)
        for _, sizes in self.series.values():
            sizes.write()
        if self.garbage:
            self.garbage.note()

    def exposition(self, accept: str, collectors: Iterable[Any] = ()) -> tuple[bytes, str]:
        """All metrics in the format that `Accept` asks for, and that format's media type.

        Args:
            accept: The header `Accept`.
            collectors: Further metrics of the app, which every worker has alike.
        """
        encode, media_type = choose_encoder(accept)
        registry = CollectorRegistry()
        registry.register(self.served)
        if _folder():
            registry.register(AllProcesses())
            registry.register(self.processes)
            registry.register(PLATFORM_COLLECTOR)
        else:
            registry.register(self.registry)
            registry.register(self.own)
        for collector in collectors:
            registry.register(collector)
        return encode(registry), media_type


class Late:
    """Observations of a histogram, written in batches: that takes a tenth of the time."""

    def __init__(self, histogram: Histogram, bounds: tuple[int, ...]) -> None:
        self.histogram = histogram
        self.bounds = bounds
        self.counts, self.total = [0] * (len(bounds) + 1), 0

    def observe(self, amount: int) -> None:
        """Keep an observation."""
        self.counts[bisect_left(self.bounds, amount)] += 1
        self.total += amount

    def write(self) -> None:
        """Add the kept observations to the histogram."""
        if any(self.counts):
            for bucket, count in zip(self.histogram._buckets, self.counts, strict=True):
                bucket.inc(count)
            self.histogram._sum.inc(self.total)
            self.counts, self.total = [0] * len(self.counts), 0


class Served:
    """A collector of constants: what is served, and how it was trained."""

    def __init__(self, model: str, version: str, artifact: Artifact | None) -> None:
        self.metrics = [build_info(model, version, artifact)]
        if artifact:
            self.metrics += of_manifest(artifact.manifest)

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def build_info(model: str, version: str, artifact: Artifact | None) -> Metric:
    """`forecastle_build_info`: the versions of the model, its data and the software."""
    info = {
        "model": model,
        "version": version,
        "revision": ServerSettings().revision,
        "data_through": artifact.data_through.isoformat() if artifact else "",
        "python": platform.python_version(),
        **{name.replace("-", "_"): importlib.metadata.version(name) for name in LIBRARIES},
    }
    metric = GaugeMetricFamily("forecastle_build_info", "What is served; always 1.", labels=list(info))
    metric.add_metric(list(info.values()), 1)
    return metric


def of_manifest(manifest: Manifest) -> Iterator[Metric]:
    """How an artifact's model was trained; a diagnostic or score that is not there is left out."""
    worst = manifest.diagnostics.worst
    scores = manifest.backtest.scores if manifest.backtest else {}
    ess = [worst[name] for name in ("ess_bulk", "ess_tail") if worst.get(name) is not None]
    values: list[tuple[str, str, Any]] = [
        (
            "data_through_timestamp_seconds",
            "The beginning of the last date in the data, in seconds since the epoch.",
            _midnight(manifest.data.last_day),
        ),
        (
            "data_stale_after_seconds",
            "How far observations may be ahead of the data before these are stale: a week or one period.",
            Frequency.of(manifest.frequency).cycle_days * 86400,
        ),
        (
            "trained_timestamp_seconds",
            "When the model was trained, in seconds since the epoch.",
            manifest.created.timestamp(),
        ),
        ("training_seconds", "How long training took.", manifest.training_seconds),
        ("fit_r_hat_max", "The largest R-hat of all parameters.", worst.get("r_hat")),
        ("fit_ess_min", "The smallest effective sample size, bulk or tail.", min(ess, default=None)),
        ("fit_divergences", "Transitions that diverged.", worst.get("divergences")),
        ("fit_e_bfmi_min", "The smallest E-BFMI of all chains.", worst.get("e_bfmi")),
        (
            "backtest_wis_ratio",
            "The backtest's weighted interval score over the naive forecast's; below 1 is better.",
            scores.get("wis_ratio"),
        ),
        ("series", "Series that there are forecasts for.", len(manifest.series)),
        ("series_excluded", "Series that were left out of training.", len(manifest.excluded)),
    ]
    model = manifest.model
    for name, description, value in values:
        if value is not None:
            metric = GaugeMetricFamily(f"forecastle_{name}", description, labels=["model"])
            metric.add_metric([model], value)
            yield metric
    if coverage := scores.get("coverage"):
        metric = GaugeMetricFamily(
            "forecastle_backtest_coverage_ratio",
            "The share of the backtest's values in central intervals of this level.",
            labels=["model", "level"],
        )
        for level, share in coverage.items():
            metric.add_metric([model, level], share)
        yield metric


def route_of(scope: MutableMapping[str, Any]) -> str | None:
    """The template of the request's route; the path itself would make a series for every path."""
    # In FastAPI the route of an included router lacks the router's prefix; its context has both.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(route, "path_format", None)


@contextmanager
def own_registry() -> Iterator[CollectorRegistry]:
    """A registry that takes over the metrics that the block registers with prometheus_client's own.

    So two models in one process may have metrics of the same name. It has the metrics of the process, too.
    """
    registry, before = CollectorRegistry(), set(REGISTRY._collector_to_names)
    for of_process in (GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR):
        registry.register(of_process)
    try:
        yield registry
    finally:
        for collector in [each for each in REGISTRY._collector_to_names if each not in before]:
            REGISTRY.unregister(collector)
            registry.register(collector)


class AllProcesses:
    """A collector that adds up the files of all processes."""

    def collect(self) -> Iterable[Metric]:
        with _locked() as folder:
            # The file of a process that has just started may still be empty.
            return MultiProcessCollector.merge(
                [str(file) for file in folder.glob("*.db") if file.stat().st_size]
            )


def keep_totals(pid: int) -> None:
    """Add the totals of a worker that has ended to the totals of all ended workers, and remove its files.

    So files do not pile up as workers come and go, and no total ever falls. Gauges end with their worker.
    """
    with _locked() as folder:
        for file in folder.glob(f"*_{pid}.db"):
            kind = file.name.partition("_")[0]
            if kind != "gauge" and file.stat().st_size:  # counters, histograms and summaries are sums
                totals = MmapedDict(str(folder / f"{kind}_ended.db"))
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                    totals.write_value(key, totals.read_value(key)[0] + value, 0.0)
                totals.close()
            file.unlink()


@contextmanager
def _locked() -> Iterator[Path]:
    """The folder of the metrics' files, locked: one `keep_totals` or scrape at a time.

    A scrape during `keep_totals` would count a worker twice or not at all. The system drops the lock of a
    process that is killed.
    """
    folder = Path(_folder())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _living() -> set[int]:
    """The ids of the processes that have files: the master, and the workers that have not ended."""
    pids = {file.stem.rpartition("_")[2] for file in Path(_folder()).glob("*.db")}
    return {int(pid) for pid in pids if pid.isdecimal()}


def _folder() -> str:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
