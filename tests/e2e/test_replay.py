"""Spring 2020 again: `deaths` knows the days to 1 April 2020, and those after it come in one by one.

They are scored, Prometheus and Alertmanager show what they would have shown then, and `make retrain` takes up
what was received. With `-s` a line for each day is printed; docs/monitoring.md has them.
"""

import contextlib
import datetime
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from forecastle.project import send_observations

from .conftest import KEY, ROOT, SOON, Answer, Monitored, copy_without_models, inspect, run, until

pytestmark = pytest.mark.engine

MODEL = "deaths"
DATA = "data/first-wave-2020.csv"
ORIGIN = datetime.date(2020, 4, 1)
BEFORE, AFTER = 21, 7  # days before and after it is trained again; metrics are about 28, the scores about all
RETRAINED = ORIGIN + datetime.timedelta(BEFORE)
STALE_DAYS, LEAST_FORECASTS = 7, 100  # as the rules have it
ALERTS = ("DataStale", "CoverageOutOfBand", "ForecastBias", "WorseThanNaive")
SCORED_SECONDS = 60
FORECAST = f"/{MODEL}/countries/ITA/forecast?level=0.5&level=0.9&days=28"
HEADINGS = ("observed to", "trained to", "forecasts", "coverage", "WIS", "bias", "drift", "alerts")
COLUMNS = "{:<12} {:<14} {:>9} {:>8} {:>6} {:>6} {:>6}  {}"


@dataclass
class Replay(Monitored):
    """The project with one model and the profile."""

    replaced: str = ""  # the image that retraining replaced

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"PYTHONPATH": str(self.folder / "shared")}

    def remove(self) -> None:
        super().remove()
        run("docker", "image", "rm", "--force", self.replaced or self.image(MODEL), check=False)

    def as_of(self, day: datetime.date) -> Answer:
        return self.get(f"{FORECAST}&as_of={day}")

    def observe(self, day: datetime.date) -> None:
        """As `make observe` does, send what was known on that day, earlier days that it revised included."""
        since = ORIGIN - datetime.timedelta(14)
        file = self.folder / DATA
        options = [f"--file={file}", f"--since={since}", f"--until={day}", f"--url={self.url}"]
        with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
            assert send_observations.main(options) == 0, output.getvalue()

    def scores(self) -> dict[str, Any]:
        answer = self.get(f"/models/{MODEL}/scores")
        assert answer.status == 200, answer.body
        return answer.json

    def metric(self, expression: str) -> float | None:
        """The value that Prometheus has."""
        series = self.query(expression)
        return float(series[0]["value"][1]) if series else None

    def firing(self) -> set[str]:
        """The alerts about the model's forecasts in Alertmanager."""
        return {alert for alert in ALERTS if self.alert(alert, MODEL)}

    def drift(self) -> set[tuple[str, str]]:
        """The countries that the catalogue flags, with the reason."""
        return {
            (flag["country"], flag["reason"]) for flag in self.get(f"/models/{MODEL}/drift").json["drift"]
        }

    def drift_alerts(self) -> set[tuple[str, str]]:
        """Those of which Alertmanager tells."""
        labels = [alert["labels"] for alert in self.alerts()]
        return {(one["series"], one["reason"]) for one in labels if one["alertname"] == "Drift"}


@pytest.fixture(scope="module")
def replay(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Everything up on the evening of 1 April."""
    folder = tmp_path_factory.mktemp("replay")
    copy_without_models(folder)
    shutil.copy(ROOT / DATA, folder / "data")
    lines = (folder / DATA).read_text().splitlines(keepends=True)
    known = [line for line in lines[1:] if line[:10] <= ORIGIN.isoformat()]
    (folder / "data/current.csv").write_text("".join([lines[0], *known]))
    ignored = shutil.ignore_patterns("__pycache__", "artifact*")
    shutil.copytree(ROOT / "models" / MODEL, folder / "models" / MODEL, ignore=ignored)
    replay = Replay(folder)
    try:
        replay.make("compose")
        replay.make("build")
        replay.start()
        yield replay
    finally:
        replay.remove()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(send_observations.KEY, KEY)


@pytest.fixture(scope="module")
def then(replay: Replay) -> bytes:
    """What was answered on 1 April, once it is kept."""
    answer = replay.get(FORECAST)
    assert answer.json["data_through"] == ORIGIN.isoformat()
    print("\n" + COLUMNS.format(*HEADINGS))
    return answer.body


def test_days_come_in_and_prometheus_and_alertmanager_tell_how_the_forecasts_do(
    replay: Replay, then: bytes
) -> None:
    summaries = [come_in(replay, ORIGIN + datetime.timedelta(day), ORIGIN) for day in range(1, BEFORE + 1)]
    assert len({entry["wis_ratio"] for entry in summaries}) > BEFORE // 2, "the scores move"
    assert until(lambda: replay.notified("DataStale", MODEL, "firing"), SOON, "the webhook is notified")
    assert replay.as_of(ORIGIN).body == then


def test_retraining_takes_up_what_was_received(replay: Replay, then: bytes) -> None:
    before = replay.get(f"/{MODEL}/").json["version"]
    replay.replaced = inspect(replay.image(MODEL))["Id"]
    done = replay.make("retrain", f"MODEL={MODEL}", f"URL={replay.url}")
    compared = done.stdout.partition("\nheld-out days ")[2].partition(f"{MODEL}: ")[0]
    print(f"held-out days {compared}")
    assert f"{MODEL}: the challenger goes on to the gate: its WIS is " in done.stdout
    assert f"{MODEL}: the challenger has replaced {before}" in done.stdout
    assert f"{MODEL}: the service {MODEL} runs it" in done.stdout

    until(lambda: trained_to(replay) == RETRAINED, SOON, "the new forecast")
    through = f'forecastle_data_through_timestamp_seconds{{model="{MODEL}"}}'
    until(lambda: replay.metric(through) == seconds(RETRAINED), SOON, "Prometheus has it")
    until(lambda: "DataStale" not in replay.firing(), SOON, "the data are not stale any more")
    assert until(lambda: replay.notified("DataStale", MODEL, "resolved"), SOON, "the webhook is notified")


def test_what_was_answered_then_is_answered_still(replay: Replay, then: bytes) -> None:
    assert trained_to(replay) == RETRAINED
    until(lambda: replay.as_of(RETRAINED).body == replay.get(FORECAST).body, SCORED_SECONDS, "it is kept")
    for day in (ORIGIN, RETRAINED - datetime.timedelta(1)):
        answer = replay.as_of(day)
        assert (answer.status, answer.body) == (200, then)


def test_the_new_forecast_is_scored_beside_the_old_one(replay: Replay, then: bytes) -> None:
    assert trained_to(replay) == RETRAINED
    for day in range(1, AFTER + 1):
        come_in(replay, RETRAINED + datetime.timedelta(day), RETRAINED)
    weeks = {day - datetime.timedelta(day.weekday()) for day in (ORIGIN, RETRAINED)}
    by_origin = replay.scores()["by_origin"]
    assert {entry["week"] for entry in by_origin} == {week.isoformat() for week in weeks}
    for entry in by_origin:
        show("in all", f"w/c {entry['week']}", entry, "", "")


def come_in(replay: Replay, day: datetime.date, known: datetime.date) -> dict[str, Any]:
    """One more day is scored, of which the catalogue, Prometheus and Alertmanager tell the same."""
    replay.observe(day)
    until(lambda: replay.scores()["last_date"] == day.isoformat(), SCORED_SECONDS, f"{day} is scored")
    through = f'forecastle_observations_through_timestamp_seconds{{model="{MODEL}"}}'
    until(lambda: replay.metric(through) == seconds(day), SOON, f"Prometheus knows of {day}")
    summary = until(lambda: agreed(replay), SOON, "Prometheus and the catalogue tell the same")
    behind = (day - known).days
    age = f'model:data_behind:days{{model="{MODEL}"}}'
    until(lambda: replay.metric(age) == behind, SOON, f"it is {behind} days behind")
    alerts = due(summary, behind)
    until(lambda: replay.firing() == alerts, SOON, f"on {day} these alerts are active: {alerts}")
    drift = replay.drift()
    until(lambda: replay.drift_alerts() == drift, SOON, f"on {day} there is an alert for each of {drift}")
    show(day, known, summary, len({country for country, _ in drift}), ", ".join(sorted(alerts)))
    return summary


def agreed(replay: Replay) -> dict[str, Any] | None:
    """The catalogue's scores, if Prometheus has the same."""
    summary = replay.scores()["scores"]
    of_all = f'{{model="{MODEL}",horizon="all"}}'
    metrics = {
        f"forecast_scored_count{of_all}": summary["forecasts"],
        f"forecast_wis_ratio{of_all}": summary["wis_ratio"],
        f"forecast_bias{of_all}": summary["bias"],
    }
    for level, share in summary["coverage"].items():
        metrics[f'forecast_interval_coverage_ratio{{model="{MODEL}",horizon="all",level="{level}"}}'] = share
    return summary if all(replay.metric(name) == value for name, value in metrics.items()) else None


def due(summary: dict[str, Any], behind: int) -> set[str]:
    """The alerts that the runbooks promise for these scores."""
    judged = summary["forecasts"] >= LEAST_FORECASTS
    alerts = {
        "DataStale": behind > STALE_DAYS,
        "CoverageOutOfBand": judged and not 0.8 <= summary["coverage"]["0.9"] <= 0.98,
        "ForecastBias": judged and abs(summary["bias"]) > 0.5,
        "WorseThanNaive": judged and summary["wis_ratio"] > 1,
    }
    return {alert for alert, fires in alerts.items() if fires}


def show(day: object, known: object, summary: dict[str, Any], *others: object) -> None:
    numbers = (f"{summary['coverage']['0.9']:.1%}", f"{summary['wis_ratio']:.2f}", f"{summary['bias']:+.2f}")
    print(COLUMNS.format(str(day), str(known), summary["forecasts"], *numbers, *others))


def trained_to(replay: Replay) -> datetime.date:
    return datetime.date.fromisoformat(replay.get(FORECAST).json["data_through"])


def seconds(day: datetime.date) -> float:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp()
