"""Prometheus metrics of the store: scores of the forecasts, drift, and whether the store can be written.

Every worker measures them in the background, and exports its last measurement.
"""

import datetime
import logging
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from prometheus_client import Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from forecastle.catalogue import drift
from forecastle.catalogue.store import observations, schema, scores
from forecastle.catalogue.store.engine import Store, StoreError
from forecastle.frequency import Frequency

WINDOW = 28  # periods up to the newest date that is stored; scores before that are of older models

RECEIVED = Counter("forecastle_observations_received", "Rows that were received, changed or not.")
REJECTED = Counter("forecastle_observations_rejected", "Files that were refused.")

logger = logging.getLogger(__name__)


class StoreMetrics:
    """A Prometheus collector.

    Args:
        store: The store that is measured.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writable: bool | None = None
        self.metrics: list[Metric] = []
        self.state: object = None

    def collect(self) -> Iterable[Metric]:
        """The last measurement."""
        if self.writable is not None:
            yield _gauge(
                "forecastle_store_writable", "Whether the forecast store can be written.", self.writable
            )
        yield from self.metrics

    def measure(self) -> None:
        """Measure again what has changed. If the store cannot be read, the last measurement stays."""
        try:
            self.store.check()
        except StoreError as error:
            if self.writable is not False:
                logger.error("%s", error)
            self.writable = False
        else:
            if self.writable is False:
                logger.info("the forecast store can be written again")
            self.writable = True
        try:
            with self.store.reading() as connection:
                state = _state(connection)
                if state != self.state:
                    self.metrics, self.state = list(_measured(connection)), state
        except StoreError:
            pass  # it is counted; `check` above has logged it, or the next request will


def _state(connection: sa.Connection) -> object:
    """Something that differs after observations were received, or forecasts kept or scored."""
    progress = schema.progress.c.revision
    return (
        observations.revision(connection),
        connection.scalar(sa.select(sa.func.max(schema.versions.c.id))),
        tuple(connection.execute(sa.select(sa.func.count(progress), sa.func.sum(progress))).one()),
    )


def _measured(connection: sa.Connection) -> Iterator[Metric]:
    if not observations.nouns(connection):
        return
    nouns = scores.nouns(connection)
    newest = GaugeMetricFamily(
        "forecastle_observations_through_timestamp_seconds",
        "The beginning of the newest date that is stored of the model's noun, in seconds since the epoch.",
        labels=["model"],
    )
    for model, noun in nouns.items():
        if through := observations.through(connection, noun):
            midnight = datetime.datetime.combine(through, datetime.time(), datetime.UTC)
            newest.add_metric([model], midnight.timestamp())
    yield newest
    yield from _of_scores(connection)
    flagged = GaugeMetricFamily(
        "forecastle_drift",
        "1 while the values of a series are flagged for this reason.",
        labels=["model", "noun", "series", "reason"],
    )
    for model, flags in drift.by_model(connection).items():
        for flag in flags:
            flagged.add_metric([model, nouns[model], flag.series, flag.reason], 1)
    yield flagged


def _of_scores(connection: sa.Connection) -> Iterator[Metric]:
    window = f"in the {WINDOW} periods up to the newest date stored"
    coverage = GaugeMetricFamily(
        "forecast_interval_coverage_ratio",
        f"The share of values within central intervals, {window}.",
        labels=["model", "level", "horizon"],
    )
    by_name = {
        "wis": ("forecast_wis", "Mean weighted interval score"),
        "wis_ratio": ("forecast_wis_ratio", "The weighted interval score over the naive forecast's"),
        "bias": ("forecast_bias", "From 1 (forecasts were always too high) to -1 (always too low)"),
        "forecasts": ("forecast_scored_count", "Scored forecasts of a series and a date"),
    }
    gauges = {
        number: GaugeMetricFamily(name, f"{words}, {window}.", labels=["model", "horizon"])
        for number, (name, words) in by_name.items()
    }
    found = scores.sums(
        connection, [_is_recent(connection)], schema.versions.c.model, schema.scores.c.horizon
    )
    of_all = scores.merged(((model, "all"), each) for (model, _), each in found.items())
    for (model, horizon), each in (found | of_all).items():
        means = scores.means(each)
        for level, share in means["coverage"].items():
            coverage.add_metric([model, level, str(horizon)], share)
        for number, gauge in gauges.items():
            if means[number] is not None:
                gauge.add_metric([model, str(horizon)], means[number])
    yield coverage
    yield from gauges.values()


def _is_recent(connection: sa.Connection) -> sa.ColumnElement[bool]:
    """Whether a score is of the last periods of its noun and frequency."""
    versions = schema.versions.c
    recent = []
    for noun, alias in connection.execute(sa.select(versions.noun, versions.frequency).distinct()):
        if through := observations.through(connection, noun):
            frequency = Frequency.of(alias)
            start = frequency.after(through if frequency.days else through.replace(day=1), -WINDOW)
            recent.append(
                sa.and_(versions.noun == noun, versions.frequency == alias, schema.scores.c.date > start)
            )
    return sa.or_(sa.false(), *recent)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
