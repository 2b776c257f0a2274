"""metrics.py: what Prometheus gets about forecasts, drift and the store."""

import datetime
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from forecastle.catalogue import scoring
from forecastle.catalogue.app import create_catalogue
from forecastle.catalogue.metrics import WINDOW, StoreMetrics
from forecastle.catalogue.store import schema
from forecastle.catalogue.store.engine import Store
from forecastle.catalogue.upload import Row
from forecastle.frequency import Frequency
from forecastle.runtime.monitoring import Monitoring

from ..conftest import Ask
from .conftest import HORIZON, MakeIssue, day, deaths, keep, receive


def values(metrics: StoreMetrics) -> dict[tuple[str, ...], float]:
    """Values by the metric's name and the values of its labels, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
    }


def test_there_is_nothing_before_it_is_measured(store: Store) -> None:
    assert values(StoreMetrics(store)) == {}


def test_an_empty_store_can_be_written(store: Store) -> None:
    metrics = StoreMetrics(store)
    metrics.measure()
    assert values(metrics) == {("forecastle_store_writable",): 1}


def test_scores_are_exported_by_horizon_and_for_all(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11, 21]))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    measured = values(metrics)
    assert measured["forecastle_observations_through_timestamp_seconds", "flu"] == 1587859200  # 26 April 2020
    coverage = {
        key[1:]: value for key, value in measured.items() if key[0] == "forecast_interval_coverage_ratio"
    }
    assert coverage == {
        (horizon, level, "flu"): share
        for horizon, shares in {"1": (1, 1, 1, 1), "2": (0, 0, 0, 1), "all": (0.5, 0.5, 0.5, 1)}.items()
        for level, share in zip(("0.5", "0.8", "0.9", "0.95"), shares, strict=True)
    }
    assert measured["forecast_scored_count", "1", "flu"] == 1
    assert measured["forecast_scored_count", "all", "flu"] == 2
    assert measured["forecast_bias", "1", "flu"] == 0
    assert measured["forecast_bias", "2", "flu"] == -0.95
    wis, naive = (measured["forecast_wis", "all", "flu"], (1 + 11) / 2)
    assert measured["forecast_wis_ratio", "all", "flu"] == pytest.approx(wis / naive, rel=1e-3)


def test_a_revision_replaces_a_score(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [22]))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    assert values(metrics)["forecast_bias", "all", "flu"] == -0.98
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    metrics.measure()
    assert values(metrics)["forecast_bias", "all", "flu"] == 0
    assert values(metrics)["forecast_scored_count", "all", "flu"] == 1


def test_scores_of_long_ago_are_left_out(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11] * HORIZON))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    assert values(metrics)["forecast_scored_count", "all", "flu"] == HORIZON
    receive(store, deaths("ITA", HORIZON + WINDOW - 2, [1]))
    scoring.score(store)
    metrics.measure()
    assert values(metrics)["forecast_scored_count", "all", "flu"] == 2


def test_flags_are_exported_while_they_last(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [99] * 7))
    metrics = StoreMetrics(store)
    metrics.measure()
    assert values(metrics)["forecastle_drift", "flu", "country", "range", "GBR"] == 1
    keep(store, make_issue(data_through=day(7)))
    metrics.measure()
    assert ("forecastle_drift", "flu", "country", "range", "GBR") not in values(metrics)


def test_what_has_not_changed_is_not_read_again(store: Store, make_issue: MakeIssue) -> None:
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    before = metrics.metrics
    metrics.measure()
    assert metrics.metrics is before


def test_when_the_store_is_gone_scores_stay(tmp_path: Path, make_issue: MakeIssue) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    store = Store(f"sqlite:///{folder}/store.sqlite")
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    folder.rename(tmp_path / "away")
    metrics.measure()
    assert values(metrics)["forecastle_store_writable",] == 0
    assert values(metrics)["forecast_scored_count", "all", "flu"] == 1
    (tmp_path / "away").rename(folder)
    metrics.measure()
    assert values(metrics)["forecastle_store_writable",] == 1


FULL = """
import resource, sys
from forecastle.catalogue.metrics import StoreMetrics
from forecastle.catalogue.store.observations import current
from forecastle.catalogue.store.engine import Store

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

store = Store(sys.argv[1])
metrics, found = StoreMetrics(store), []
for size in (resource.RLIM_INFINITY, 100, resource.RLIM_INFINITY):
    limit(size)
    metrics.measure()
    found.append(metrics.writable)
    with store.reading() as connection:
        found.append(len(current(connection, "country")))
limit(resource.RLIM_INFINITY)
print(found)
"""


def test_a_full_store_is_not_writable_and_can_be_read(tmp_path: Path) -> None:
    """The system refuses to write beyond the first 100 bytes of a file, as where there is no space."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    receive(Store(url), deaths("GBR", 1, [1]))
    done = subprocess.run([sys.executable, "-c", FULL, url], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[True, 1, False, 1, True, 1]\n"
    assert "disk" in done.stderr or "full" in done.stderr


def test_the_catalogues_metrics_have_them(store: Store, make_issue: MakeIssue, ask: Ask) -> None:
    """In the text that Prometheus reads, with the counters of the store."""
    keep(store, make_issue())
    receive(store, deaths("GBR", 1, [11]))
    scoring.score(store)
    catalogue = create_catalogue({"flu": httpx.AsyncClient(base_url="http://127.0.0.1:1")}, store)
    (metrics,) = catalogue.state.collectors
    metrics.measure()
    text = ask(Monitoring(catalogue, model="catalogue"), "/metrics").text
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {
        *("forecast_interval_coverage_ratio", "forecast_wis", "forecast_wis_ratio", "forecast_bias"),
        *("forecast_scored_count", "forecastle_store_writable", "forecastle_store_errors"),
        *("forecastle_observations_received", "forecastle_observations_rejected"),
        *("forecastle_observations_through_timestamp_seconds", "forecastle_drift"),
    } <= names
    assert 'forecast_interval_coverage_ratio{horizon="all",level="0.95",model="flu"} 1.0' in text


def test_every_table_is_part_of_the_state_that_is_compared(store: Store, make_issue: MakeIssue) -> None:
    """What is derived from a table that changes must be measured again."""
    metrics = StoreMetrics(store)
    seen = []
    for change in (
        lambda: keep(store, make_issue()),
        lambda: receive(store, deaths("GBR", 1, [11])),
        lambda: scoring.score(store),
    ):
        change()
        metrics.measure()
        seen.append(metrics.state)
    assert len(set(seen)) == 3
    with store.writing() as connection:
        connection.execute(sa.delete(schema.scores))
        connection.execute(sa.delete(schema.progress))
    metrics.measure()
    assert metrics.state not in seen[2:]


def test_the_package_alone_does_not_import_prometheus_client() -> None:
    """Or its numbers would be those of one process: `server.py` has to name the folder of all first."""
    code = "import sys, forecastle.catalogue; print('prometheus_client' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


def test_each_model_is_measured_by_its_own_noun_and_frequency(store: Store, make_issue: MakeIssue) -> None:
    """28 months of a monthly model, and 28 days of a daily one."""
    first = datetime.date(2015, 1, 1)
    monthly = Frequency.of("MS")
    about = {"noun": "store", "unit": "EUR", "measure": "sales", "frequency": "MS", "real": True}
    keep(store, make_issue(model="sales", data_through=first, codes=("s1",), fitted=[5.0] * 9, **about))
    keep(store, make_issue())
    rows = [Row(monthly.after(first, ahead), "s1", {"sales": 5.5}) for ahead in range(1, HORIZON + 3)]
    receive(store, rows, "store")
    receive(store, deaths("GBR", 1, [11] * HORIZON))
    scoring.score(store)
    metrics = StoreMetrics(store)
    metrics.measure()
    measured = values(metrics)
    assert measured["forecast_scored_count", "all", "flu"] == HORIZON
    assert measured["forecast_scored_count", "all", "sales"] == HORIZON - 2
    through = "forecastle_observations_through_timestamp_seconds"
    assert measured[through, "sales"] == 1498867200  # 1 July 2017
    assert measured[through, "flu"] == 1590105600  # 22 May 2020
