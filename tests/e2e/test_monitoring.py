"""The profile `monitoring`: the real Prometheus, Alertmanager and exporter beside every model.

Rules, scrapes and messages have the waiting times of seconds here instead of minutes; nothing else differs
from what users start. Rules over hours are in tests/alerts/.
"""

import datetime
import http.client
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import (
    KEY,
    MODELS,
    PYTHON_IMAGE,
    ROOT,
    SOON,
    Answer,
    Monitored,
    Project,
    ask,
    inspect,
    run,
    until,
)

pytestmark = pytest.mark.engine

SERVICES = ("prometheus", "alertmanager", "nginx-exporter")
APPS = (*MODELS, "catalogue")
DASHBOARDS = sorted((ROOT / "docker/grafana/dashboards").glob("*.json"))


@pytest.fixture(scope="module")
def monitored(project: Project) -> Iterator[Monitored]:
    """Every model and the profile, started as users do, of images that `make build` made."""
    own = Monitored(project.folder)
    try:
        own.make("build")
        own.start()
        yield own
    finally:
        own.remove()


def test_the_profile_alone_starts_it(project: Project, monitored: Monitored) -> None:
    assert set(project.compose("config", "--services").split()) == {*APPS, "gateway"}
    assert set(monitored.compose("config", "--services").split()) == {*APPS, "gateway", *SERVICES}
    for name in ("prometheus", "alertmanager"):  # `make build` made none
        assert run("docker", "image", "inspect", project.image(name), check=False).returncode != 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_can_do_nothing_but_its_work(monitored: Monitored, service: str) -> None:
    (container,) = monitored.containers(service)
    configured = inspect(container)
    host = configured["HostConfig"]
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"]) == (True, False, ["ALL"])
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert configured["Config"]["User"] == "65534:65534"
    ports = [port for published in host["PortBindings"].values() for port in published]
    assert {port["HostIp"] for port in ports} == (set() if service == "nginx-exporter" else {"127.0.0.1"})
    if service != "nginx-exporter":  # whose image is taken as it is, and has no tool to ask with
        assert configured["State"]["Health"]["Status"] == "healthy"
        labels = configured["Config"]["Labels"]
        assert labels["org.opencontainers.image.title"] == f"forecastle/{service}"
        assert labels["org.opencontainers.image.created"] != "unknown"


def test_all_there_is_is_scraped(monitored: Monitored) -> None:
    def targets() -> list[dict[str, Any]]:
        return ask(monitored.prometheus, "/api/v1/targets").json["data"]["activeTargets"]

    until(lambda: {target["health"] for target in targets()} == {"up"}, SOON, "every target is up")
    found = [(target["labels"]["job"], target["labels"].get("model")) for target in targets()]
    others = [("gateway", None), ("alertmanager", None), ("prometheus", None)]
    assert sorted(found, key=str) == sorted([*(("forecastle", app) for app in APPS), *others], key=str)
    until(lambda: monitored.query("nginx_up == 1"), SOON, "the exporter reaches nginx")


def test_every_replica_is_found_and_forgotten(monitored: Monitored) -> None:
    scale = ("up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale")
    monitored.compose(*scale, "newcomer=3")
    until(lambda: len(set(monitored.up("newcomer"))) == 3, SOON, "three replicas are up")
    monitored.compose(*scale, "newcomer=1")
    replicas = 'up{job="forecastle",model="newcomer"}'
    until(lambda: len(monitored.query(replicas)) == 1, SOON, "two of them are forgotten")
    assert not monitored.query("ALERTS{alertname='ModelDown'}")


def test_a_stopped_model_is_told_of_until_it_is_started_again(monitored: Monitored) -> None:
    until(lambda: monitored.up("newcomer"), SOON, "newcomer is up")
    monitored.compose("stop", "newcomer")
    try:
        firing = 'ALERTS{alertname="ModelDown",model="newcomer",alertstate="firing"}'
        until(lambda: monitored.query(firing), SOON, "the alert fires in Prometheus")
        alert = until(lambda: monitored.alert("ModelDown", "newcomer"), SOON, "and is in Alertmanager")
        assert alert["status"]["state"] == "active"
        alert_sent = until(
            lambda: monitored.notified("ModelDown", "newcomer", "firing"), SOON, "and at the webhook"
        )
        assert alert_sent["labels"]["severity"] == "critical"
        assert alert_sent["annotations"]["summary"] == "The model newcomer is down"
        assert f"localhost:{monitored.prometheus}/" in alert_sent["generatorURL"]
        for other in APPS:
            if other != "newcomer":
                assert not monitored.notified("ModelDown", other, "firing")
    finally:
        monitored.compose("up", "--detach", "--wait", "--no-build", "newcomer")
    until(
        lambda: monitored.notified("ModelDown", "newcomer", "resolved"),
        SOON,
        "the webhook hears that it is over",
    )
    assert monitored.alert("ModelDown", "newcomer") is None


def test_a_gateway_that_is_stopped_is_told_of(monitored: Monitored) -> None:
    monitored.compose("stop", "gateway")
    try:
        firing = 'ALERTS{alertname="GatewayDown",alertstate="firing"}'
        until(lambda: monitored.query(firing), SOON, "the alert fires")
    finally:
        monitored.compose("up", "--detach", "--wait", "--no-build", "gateway")
    until(lambda: not monitored.query(firing), SOON, "it is over")


def test_prometheus_serves_the_runbooks_that_alerts_link(monitored: Monitored) -> None:
    rules = [rule for group in _rules(monitored) for rule in group["rules"] if rule["type"] == "alerting"]
    assert rules
    for rule in rules:
        # As Prometheus fills the template in when the alert fires.
        path = rule["annotations"]["runbook_url"].removeprefix("{{ $externalURL }}")
        page = ask(monitored.prometheus, path)
        assert page.status == 200
        assert page.body.decode() == (ROOT / f"docs/runbooks/{rule['name']}.md").read_text()


def test_no_rule_fails(monitored: Monitored) -> None:
    groups = until(lambda: _evaluated(monitored), SOON, "every rule has been evaluated")
    failed = {
        rule["name"]: rule["lastError"]
        for group in groups
        for rule in group["rules"]
        if rule.get("lastError")
    }
    assert not failed


def test_what_nginx_says_of_itself_is_not_public(monitored: Monitored) -> None:
    (gateway,) = monitored.containers("gateway")
    assert set(inspect(gateway)["HostConfig"]["PortBindings"]) == {"8080/tcp"}
    assert monitored.get("/stub_status").status == 404


def test_without_a_webhook_nobody_is_told(monitored: Monitored) -> None:
    def receiver(container: str) -> str:
        address = "--alertmanager.url=http://127.0.0.1:9093"
        routed = ("amtool", address, "config", "routes", "test", "alertname=ModelDown")
        return run("docker", "exec", container, *routed, check=False).stdout.strip()

    (alertmanager,) = monitored.containers("alertmanager")
    assert receiver(alertmanager) == "webhook"
    alone = run(
        "docker", "run", "--detach", "--rm", "--read-only", "--tmpfs", "/tmp", monitored.image("alertmanager")
    ).stdout.strip()
    try:
        until(lambda: receiver(alone) == "none", SOON, "it answers")
    finally:
        run("docker", "rm", "--force", alone)


def test_grafanas_image_has_what_grafana_looks_for(project: Project) -> None:
    """On another base image, since Grafana's cannot be had for tests: what it is given, not what it does."""
    project.make("build", "MODEL=grafana", environment={"GRAFANA_IMAGE": PYTHON_IMAGE})
    files = run(
        "docker", "run", "--rm", project.image("grafana"), "find", "/etc/grafana", "-type", "f"
    ).stdout
    assert set(files.split()) == {
        "/etc/grafana/provisioning/datasources/prometheus.yml",
        "/etc/grafana/provisioning/dashboards/forecastle.yml",
        *(f"/etc/grafana/dashboards/{file.name}" for file in DASHBOARDS),
    }


@pytest.fixture(scope="module")
def observed(monitored: Monitored) -> Monitored:
    """After observations of three days that every model had forecast."""
    last_day = datetime.date.fromisoformat(monitored.get("/deaths/manifest.json").json["data"]["last_day"])
    rows = ["date,country,name,cases,deaths"]
    for ahead in (1, 2, 3):
        for code, name in {"GBR": "United Kingdom", "ITA": "Italy", "FRA": "France"}.items():
            rows.append(f"{last_day + datetime.timedelta(ahead)},{code},{name},{1000 + ahead},{50 + ahead}")
    answer = _post(monitored, "/observations", "\n".join(rows) + "\n")
    assert answer.status < 300, answer.body
    until(lambda: monitored.query("forecast_scored_count > 0"), 2 * SOON, "the forecasts are scored")
    return monitored


def _queries() -> list[Any]:
    """Every query of every dashboard, those for the values of its variables included."""
    queries = []
    for file in DASHBOARDS:
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                name = f"{file.stem}: {panel['title']} {target['refId']}"
                queries.append(pytest.param(target["expr"], id=name))
        for variable in board.get("templating", {}).get("list", []):
            selector = variable["query"].removeprefix("label_values(").rpartition(",")[0]
            queries.append(pytest.param(selector, id=f"{file.stem}: ${variable['name']}"))
    return queries


@pytest.mark.parametrize("query", _queries())
def test_every_query_of_a_dashboard_finds_data(observed: Monitored, query: str) -> None:
    expression = query.replace("$model", "deaths").replace("$__rate_interval", "1m")

    def numbers() -> list[float]:
        for path in (f"GBR/forecast?level={random.uniform(0.1, 0.9):.6f}", "nosuch"):  # which no cache has
            observed.get(f"/deaths/countries/{path}")
        values = (float(series["value"][1]) for series in observed.query(expression))
        return [value for value in values if not math.isnan(value)]

    until(numbers, SOON, expression)


def test_down_stops_the_profile_too(monitored: Monitored) -> None:
    """`make down`, in a shell that does not know of the profile; the last test, hence."""
    monitored.remove_webhook()
    monitored.make("down", environment={"COMPOSE_PROFILES": ""})
    assert not monitored.compose("ps", "--all", "--quiet")


def _rules(monitored: Monitored) -> list[dict[str, Any]]:
    return ask(monitored.prometheus, "/api/v1/rules").json["data"]["groups"]


def _evaluated(monitored: Monitored) -> list[dict[str, Any]]:
    """The groups of rules, once all of them have been evaluated."""
    groups = _rules(monitored)
    return groups if all(rule["health"] != "unknown" for group in groups for rule in group["rules"]) else []


def _post(monitored: Monitored, path: str, body: str) -> Answer:
    connection = http.client.HTTPConnection("localhost", monitored.port, timeout=30)
    headers = {"Content-Type": "text/csv", "Authorization": f"Bearer {KEY}"}
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return Answer(response.status, dict(response.getheaders()), response.read())
