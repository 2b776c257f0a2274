"""The alert rules: promtool runs tests/docker/alerts/, where each fires and does not; each has a runbook."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "docker/prometheus/rules").glob("*.yml"))
TESTS = sorted((ROOT / "tests/docker/alerts").glob("*.yml"))
RUNBOOKS = ROOT / "docs/runbooks"
IMAGE = os.environ.get("PROMETHEUS_IMAGE", "prom/prometheus:v3.5.3")
ALERTS = {
    rule["alert"]: rule
    for file in RULES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@pytest.fixture(scope="module")
def promtool() -> list[str]:
    """The command that runs promtool over this checkout: an installed one, or that of Prometheus's image."""
    if shutil.which("promtool"):
        return ["promtool"]
    container = ["--rm", "--network=none", f"--volume={ROOT}:{ROOT}:ro", f"--workdir={ROOT}"]
    command = ["docker", "run", *container, "--entrypoint=promtool", IMAGE]
    try:
        missing = subprocess.run([*command, "--version"], capture_output=True, timeout=60).returncode != 0
    except (OSError, subprocess.TimeoutExpired):
        missing = True
    if missing:
        reason = f"there is no promtool: install Prometheus, or start a Docker Engine that has {IMAGE}"
        if os.environ.get("REQUIRE_ENGINE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return command


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_every_rule_does_what_its_test_says(promtool: list[str], file: Path) -> None:
    done = subprocess.run(
        [*promtool, "test", "rules", file],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_fire_and_not_to_fire(alert: str) -> None:
    checks: list[dict[str, Any]] = [
        check
        for file in TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for check in test.get("alert_rule_test", [])
        if check["alertname"] == alert
    ]
    assert {bool(check["exp_alerts"]) for check in checks} == {True, False}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_links_its_runbook_which_says_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["annotations"]["runbook_url"] == f"{{{{ $externalURL }}}}/consoles/{alert}.md"
    assert {"summary", "description"} < set(rule["annotations"])
    assert rule["labels"]["severity"] in ("critical", "warning")

    page = (RUNBOOKS / f"{alert}.md").read_text()
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [f"# {alert}", "## What it means", "## How to look", "## What to do"]
    assert "{{" not in page  # Prometheus, which serves it, would take that for a template


@pytest.mark.parametrize("models", [[], ["deaths"], ["deaths", "no", "flu-2"]])
def test_every_model_is_looked_up_and_expected(models: list[str], tmp_path: Path) -> None:
    """As the image of Prometheus is built; `no` is a name that YAML would take for a boolean."""
    folder = shutil.copytree(ROOT / "docker/prometheus", tmp_path / "prometheus")
    subprocess.run(
        ["sh", "models.sh"], cwd=folder, input="".join(f"{name}\n" for name in models), text=True, check=True
    )
    apps = ["catalogue", *models]

    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    }
    assert jobs["forecastle"]["dns_sd_configs"][0]["names"] == apps
    (group,) = yaml.safe_load((folder / "rules/expected.yml").read_text())["groups"]
    assert {rule["record"] for rule in group["rules"]} == {"model:expected"}
    assert [rule["labels"]["model"] for rule in group["rules"]] == apps


def test_the_documentation_lists_every_alert() -> None:
    table = re.findall(
        r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \|", (ROOT / "docs/monitoring.md").read_text(), re.M
    )
    assert [alert for alert, page in table if alert == page] == [alert for alert, _ in table]
    assert sorted(alert for alert, _ in table) == sorted(ALERTS)
