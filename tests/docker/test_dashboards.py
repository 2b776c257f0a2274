"""docker/grafana: what Grafana is given. That every query finds data, tests/e2e/test_monitoring.py shows."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from ..conftest import load

# Files that Grafana 12 reads are of the older schema.
pytestmark = pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")

GRAFANA = Path(__file__).resolve().parents[2] / "docker/grafana"
DASHBOARDS = {file.stem: json.loads(file.read_text()) for file in sorted(GRAFANA.glob("dashboards/*.json"))}


def targets(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [target for panel in board["panels"] for target in panel.get("targets", [])]


def test_the_files_are_those_that_the_script_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load(GRAFANA / "make_dashboards.py")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    written = {file.stem: json.loads(file.read_text()) for file in tmp_path.iterdir()}
    assert written == DASHBOARDS, "run .venv/bin/python docker/grafana/make_dashboards.py"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_one_for_grafanas_schema(name: str) -> None:
    board = Dashboard.from_json(DASHBOARDS[name])
    assert board.uid == f"forecastle-{name}"
    assert board.title and board.editable is False


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_asks_the_provisioned_prometheus(name: str) -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    expected = {"type": source["type"], "uid": source["uid"]}
    asked = targets(DASHBOARDS[name])
    assert asked
    for what in (*asked, *DASHBOARDS[name].get("templating", {}).get("list", [])):
        assert what["datasource"] == expected


def test_panels_do_not_overlap() -> None:
    for board in DASHBOARDS.values():
        cells = [
            (column, row)
            for place in (panel["gridPos"] for panel in board["panels"])
            for column in range(place["x"], place["x"] + place["w"])
            for row in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(column for column, _ in cells) < 24


def test_the_dashboards_lie_where_grafana_is_told_to_look() -> None:
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/forecastle.yml").read_text())[
        "providers"
    ]
    dockerfile = (GRAFANA.parent / "Dockerfile").read_text()
    assert f"COPY --chmod=755 docker/grafana/dashboards/ {provider['options']['path']}/\n" in dockerfile
    (home,) = [line.split("=")[1].split()[0] for line in dockerfile.splitlines() if "HOME_DASHBOARD" in line]
    assert Path(home).stem in DASHBOARDS and home.startswith(provider["options"]["path"])
