"""local_gateway.py, which `make run` starts: many models in one process. tests/e2e compares it with nginx."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest

from forecastle.artifact import Artifact
from forecastle.catalogue.store import forecasts
from forecastle.catalogue.store.engine import Store
from forecastle.project import local_gateway, pins, slot
from forecastle.runtime.monitoring import Monitoring
from forecastle.service import create_app

from ..conftest import Ask, MakeArtifact
from ..served import LIBRARY, eventually, free_port, series
from .plain import TRAIN, model, processes, waits

MAIN = """
from pathlib import Path

from forecastle.artifact import Artifact
from forecastle.service import create_app

artifact = Artifact.load(Path(__file__).with_name("artifact"))
app = create_app(artifact)
"""
PLAIN = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
from helper import NAME
from prometheus_client import Counter

NAMED = Counter("named", "How often the name was asked for.")

@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/name")
async def name():
    NAMED.inc()
    return [NAME, app.state.started]
"""

ASKS = """
import os
from pathlib import Path
import httpx
from fastapi import FastAPI

app = FastAPI()
country = Path("artifact/country.txt").read_text()

@app.get("/tomorrow")
def tomorrow():
    url = f"{os.environ['GATEWAY_URL']}/flu/countries/{country}/forecast?days=1"
    return httpx.get(url).raise_for_status().json()["forecast"][0]["mean"]
"""
# Imports it without the modules that the arguments name.
HIDES = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in sys.argv:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
import forecastle.project.local_gateway, forecastle.project.given, forecastle.runtime.server
import forecastle.observations.in_use
"""


@pytest.fixture(scope="module")
def root(make_artifact: MakeArtifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a forecast model, two plain apps with helpers of one name, and three broken ones."""
    root = tmp_path_factory.mktemp("project")
    stops = PLAIN.replace("app.state.started = True", "1 / 0")
    mains = {"flu": MAIN, "one": PLAIN, "two": PLAIN, "raises": "1 / 0", "stops": stops, "untrained": MAIN}
    for name, main in mains.items():
        folder = root / "models" / name
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(main)
        (folder / "helper.py").write_text(f"NAME = {name!r}")
    (root / "models/flu/artifact").symlink_to(make_artifact("flu"))
    (root / "models/untrained/train.py").touch()
    # A folder without train.py asks another model.
    (root / "models/asks/artifact").mkdir(parents=True)
    (root / "models/asks/artifact/country.txt").write_text("GBR")
    (root / "models/asks/main.py").write_text(ASKS)
    return root


@contextmanager
def started(root: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command itself, serving that repository, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "forecastle.project.local_gateway", "--port", str(port)]
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
    process = subprocess.Popen(
        [*command, "--root", str(root)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    signal.signal(signal.SIGHUP, inherited)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                get(port, "/models")
                break
            except OSError:
                time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[int]:
    """The port of one that no test stops."""
    with started(root) as (_, port):
        until_settled(port)
        yield port


def until_settled(port: int) -> None:
    """Wait until every model answers, or has failed."""
    statuses = {"waiting", "training", "starting"}
    eventually(lambda: statuses.isdisjoint(entry.get("status") for entry in entries(port).values()))


def entries(port: int) -> dict[str, dict[str, Any]]:
    """GET /models, by model."""
    return {entry["model"]: entry for entry in json.loads(get(port, "/models")[2])["models"]}


def get(port: int, path: str) -> tuple[int, str, str]:
    """Status, media type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.headers["Content-Type"], response.read().decode()


def test_every_model_answers_under_its_own_name(root: Path) -> None:
    """Forecasts, two apps with a module of the same name, their start-up code, and what failed to start."""
    with started(root) as (process, port):
        until_settled(port)
        assert json.loads(get(port, "/flu/countries/GBR/forecast?days=3")[2])["country"] == "GBR"
        assert json.loads(get(port, "/one/name")[2]) == ["one", True]
        assert json.loads(get(port, "/two/name")[2]) == ["two", True]
        assert 'forecastle_series{model="flu"} 4.0' in get(port, "/flu/metrics")[2]
        get(port, "/two/name")
        for name, named in (("one", 1), ("two", 2)):  # both of which count under one name
            metrics = series(get(port, f"/{name}/metrics")[2])
            assert metrics["named_total"] == named
            assert metrics["forecastle_workers"] == 1
            assert metrics["process_cpu_seconds_total"] > 0
            assert any(
                f'model="{name}"' in line for line in metrics if line.startswith("forecastle_build_info")
            )
        assert "named_total" not in get(port, "/flu/metrics")[2]
        ended = "its server has ended, see above"
        nothing = "train.py left nothing in artifact/: let it save there what main.py loads"
        for name, why in {"raises": ended, "stops": ended, "untrained": nothing}.items():
            status, media_type, body = get(port, f"/{name}/countries")
            assert (status, media_type) == (503, "application/problem+json")
            assert json.loads(body)["detail"].startswith(f"{name} is not served: {why}")
        listed = {name: entry["health"] for name, entry in entries(port).items()}
        assert {name for name, health in listed.items() if health == "ready"} == {
            *("flu", "one", "two", "asks")
        }
        assert {name for name, health in listed.items() if health == "down"} == {
            "raises",
            "stops",
            "untrained",
        }

        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr
        output = process.stderr.read()
        assert f"http://localhost:{port}/flu/docs" in output
        assert f"untrained: {nothing}" in output
        for name in ("raises", "stops"):
            assert f"{name}: {ended}; it is not served" in output
        assert output.endswith("stopped\n")
        assert "KeyboardInterrupt" not in output


def test_a_folder_without_train_py_is_sealed_and_may_ask_another_model(server: int, root: Path) -> None:
    asked = get(server, "/asks/tomorrow")
    forecast = json.loads(get(server, "/flu/countries/GBR/forecast?days=1")[2])["forecast"]
    assert (asked[0], json.loads(asked[2])) == (200, forecast[0]["mean"])
    for name, files in {"asks": ["country.txt"], "one": []}.items():
        manifest = json.loads(get(server, f"/{name}/manifest.json")[2])
        assert (manifest["model"], list(manifest["files"])) == (name, files)
        assert get(server, f"/{name}/card")[0] == 200
    assert [path.name for path in (root / "models/asks/artifact").iterdir()] == ["country.txt"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nosuch/countries", 404),
        ("/nosuch/countries/GBR/forecast", 404),
        ("/nosuch", 404),
        ("/flux", 404),
        ("/flu/../x", 404),
        ("*", 404),
        ("/flu/countries/", 404),
        ("/flu/countries/%zz/forecast", 400),
        ("/flu/countries/GB%00/forecast", 400),
        ("/flu/countries/GRB/forecast", 404),
        ("/flu/countries/GBR/forecast?days=0", 422),
        ("/" + "x" * 1_000_000, 414),
    ],
)
def test_bad_requests_are_problems(path: str, status: int, server: int) -> None:
    answered, media_type, body = get(server, path)
    assert (answered, media_type) == (status, "application/problem+json")
    assert json.loads(body)["status"] == status
    assert "Traceback" not in body


def test_it_needs_only_the_packages_that_make_run_installs_first() -> None:
    """So do `ARTIFACT=`, a model's own process and `make data`."""
    locks = ("", "forecastle/catalogue/", "forecastle/project/")
    pinned = {name for lock in locks for name in pins.packages(LIBRARY / f"{lock}requirements.txt")}
    others = {
        module
        for module, packages in metadata.packages_distributions().items()
        if pinned.isdisjoint(re.sub("[-_.]+", "-", name).lower() for name in packages)
    }
    assert {"pymc", "pytest", "matplotlib"} <= others
    for hidden, code in ((others, 0), (others | {"pandas"}, 1)):
        assert subprocess.run([sys.executable, "-c", HIDES, *hidden], capture_output=True).returncode == code


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "forecastle.project.local_gateway", "--port", port],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"port {port} cannot be used (Address already in use): choose another, make run PORT=8081 say"
    ]


@pytest.mark.parametrize("port", ["0", "70000", "http", ""])
def test_a_port_that_is_none_is_one_line(port: str) -> None:
    with pytest.raises(SystemExit, match=f"PORT={port} is no port"):
        local_gateway._listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"LOG_LEVEL": "loud"},
            "LOG_LEVEL must be one of debug, info, warning, error, critical, not 'loud'",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf (port 4318 of receivers), not 'grpc'",
        ),
    ],
)
def test_a_bad_variable_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        local_gateway.main(["--port", str(free_port())])
    assert stopped.value.code == message


def test_routes(root: Path, ask: Ask) -> None:
    """Those of nginx; tests/e2e asks both the same."""
    app = local_gateway.Gateway({"flu": slot.load(root / "models/flu")[0]})
    paths = ("/", "/models", "/docs", "/openapi.json", "/flu", "/flu/", "/flu/docs", "/flu/openapi.json")
    for path in (*paths, "/gateway/livez"):
        assert ask(app, path).status_code == 200, path
    page = ask(app, "/flu/docs").text
    assert "/flu/openapi.json" in page


def test_past_forecasts_are_asked_of_the_catalogue(
    root: Path, make_artifact: MakeArtifact, tmp_path: Path, ask: Ask
) -> None:
    app = slot.load(root / "models/flu")[0]
    before = {"file": "data.csv", "sha256": "1" * 64, "last_day": "2020-04-17", "changes": []}
    older = Monitoring(create_app(Artifact.load(make_artifact(data=before))), model="flu", prefix="/flu")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(older), base_url="http://test")
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    assert forecasts.keep(store, asyncio.run(forecasts.ask("flu", client)), datetime.now(UTC))
    kept, without = local_gateway.Gateway({"flu": app}, store), local_gateway.Gateway({"flu": app})
    for path in ("/flu/countries/GBR/forecast", "/flu/forecast"):
        assert ask(kept, f"{path}?as_of=2020-04-20").json()["data_through"] == "2020-04-17"
        assert ask(kept, path).json()["data_through"] == "2020-04-24"
        assert ask(without, f"{path}?as_of=2020-04-24").json()["data_through"] == "2020-04-24"
        assert ask(without, f"{path}?as_of=2020-04-20").json()["type"] == "/docs/problems/past-forecast"
        assert ask(kept, f"{path}?as_of=").status_code == 422


def test_a_database_that_is_none_is_one_line() -> None:
    command = [sys.executable, "-m", "forecastle.project.local_gateway", "--port", str(free_port())]
    environment = {**os.environ, "DATABASE_URL": "mysql://localhost/x"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["DATABASE_URL is of mysql: it must be of PostgreSQL or SQLite"]


def test_it_serves_at_once_and_each_model_when_it_is_trained(tmp_path: Path) -> None:
    model(tmp_path, "first", waits(tmp_path))
    model(tmp_path, "second", f"{TRAIN}# {'longer ' * 200}")
    with started(tmp_path) as (process, port):
        eventually(lambda: entries(port)["first"].get("progress", {}).get("fraction") == 0.4)
        assert entries(port)["second"]["status"] == "waiting"
        status, media_type, body = get(port, "/first/value")
        assert (status, media_type) == (503, "application/problem+json")
        problem = json.loads(body)
        assert problem["training"]["progress"]["step"] == "epochs"
        assert problem["detail"].startswith("first is being trained (epochs 40%, ")
        assert get(port, "/")[0] == 200
        (tmp_path / "go").touch()
        for name in ("first", "second"):
            eventually(lambda: get(port, f"/{name}/value")[0] == 200)  # noqa: B023
            assert "status" not in entries(port)[name]
        command = [sys.executable, "-m", "forecastle.project.train", "--root", str(tmp_path), "second"]
        (tmp_path / "models/second/train.py").write_text(TRAIN.replace('"1"', '"2"'))
        assert subprocess.run(command).returncode == 0  # from another terminal
        eventually(lambda: json.loads(get(port, "/second/value")[2]) == "2")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    eventually(lambda: processes(tmp_path) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_a_model_is_trained_it_leaves_no_process_and_no_half_artifact(
    number: signal.Signals, tmp_path: Path
) -> None:
    """A signal to the whole process group, as Ctrl-C sends it."""
    folder = model(tmp_path, "first", waits(tmp_path))
    model(tmp_path, "second", f"{TRAIN}# {'longer ' * 200}")
    with started(tmp_path) as (process, port):
        eventually(lambda: entries(port)["first"].get("progress", {}).get("fraction"))
        os.killpg(process.pid, number)
        assert process.wait(30) == 0
        assert process.stderr and process.stderr.read().endswith("stopped\n")
    eventually(lambda: processes(tmp_path) == [])
    assert sorted(path.name for path in folder.iterdir()) == ["main.py", "train.py"]
    assert not list((tmp_path / ".cache").glob("*scratch*"))


def test_a_second_ctrl_c_stops_it_too(tmp_path: Path) -> None:
    model(tmp_path, "first", waits(tmp_path))
    (model(tmp_path, "served", main="from fastapi import FastAPI\napp = FastAPI()\n") / "train.py").unlink()
    with started(tmp_path) as (process, port):
        eventually(lambda: entries(port)["first"].get("progress", {}).get("fraction"))
        eventually(lambda: entries(port)["served"]["health"] == "ready")
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    eventually(lambda: processes(tmp_path) == [])
