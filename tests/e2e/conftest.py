"""The project as its users meet it: built, started and asked on a real Docker Engine.

Everything happens in a copy of the working tree with one more model, `newcomer`, that `make new` made. It has
a project name, a port and a tag of its own, and is removed in the end.
"""

import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from forecastle.project import compose

from ..conftest import borrow_environment, keep
from ..run import BUILT

ROOT = Path(__file__).resolve().parents[2]
MODELS = (*compose.models(ROOT), "newcomer")
FORECASTS = tuple(model for model in MODELS if model != "diagnosis")
IMAGES = (*MODELS, "catalogue", "gateway")
MONITORING_IMAGES = ("prometheus", "alertmanager", "grafana")
REGISTRY_IMAGE = os.environ.get("REGISTRY_IMAGE", "registry:2")
PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
BUILD_SECONDS, UP_SECONDS = 3600, 120  # at most; five models are trained from nothing
SOON = 30  # seconds for what takes Prometheus a few scrapes, here of a second each
KEY = "a-key-for-observations"
WEBHOOK = "http://webhook:8000/"
# The seconds of a test in the place of the minutes of an operator.
QUICK_PROMETHEUS = (
    r"sed -i 's/_interval: .*/_interval: 1s/' prometheus.yml && sed -i 's/ for: .*/ for: 2s/' rules/*.yml"
)
QUICK_ALERTMANAGER = r"sed -i -E 's/(group_wait|group_interval): .*/\1: 1s/' alertmanager.yml"


@dataclass
class Answer:
    """What came back over HTTP; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send a request as it stands, which no client does that tidies up paths first."""
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    with contextlib.closing(connection):
        # A server may refuse before it has read everything.
        with contextlib.suppress(BrokenPipeError):
            connection.request(method, path, body, headers)
        response = connection.getresponse()
        found: dict[str, list[str]] = {}
        for name, value in response.getheaders():
            found.setdefault(name.lower(), []).append(value)
        names = {name: ", ".join(values) for name, values in found.items()}
        return Answer(response.status, names, response.read())


def run(
    *command: str | Path, check: bool = True, timeout: float = 60, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command; its output, errors included, is in the exception if it fails."""
    done = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, **options
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of the condition; connections that are refused meanwhile are none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if value := condition():
                return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


@dataclass
class Project:
    """A copy of the working tree, and Docker Compose in it."""

    folder: Path
    tag: str = field(default_factory=lambda: f"e2e-{uuid.uuid4().hex[:8]}")
    port: int = field(default_factory=lambda: free_port())

    @property
    def environment(self) -> dict[str, str]:
        unset = {
            "REGISTRY",
            "WORKERS",
            "PIP_CONFIG_FILE",
            "MAKEFLAGS",
            "MAKELEVEL",
            "COMPOSE_PROFILES",
            "ALERT_WEBHOOK_URL",
        }
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        return inherited | {
            "TAG": self.tag,
            "PORT": str(self.port),
            "COMPOSE_PROJECT_NAME": f"forecastle-{self.tag}",
        }

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def image(self, name: str) -> str:
        return f"forecastle/{name}:{self.tag}"

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = self.environment | options.pop("environment", {})
        return run(*command, cwd=self.folder, env=environment, **options)

    def make(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run("make", *arguments, timeout=BUILD_SECONDS, **options)

    def compose(self, *arguments: str, timeout: float = UP_SECONDS) -> str:
        return self.run("docker", "compose", *arguments, timeout=timeout).stdout

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask the gateway."""
        return ask(self.port, path, method, body, **headers)

    def remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        run("docker", "image", "rm", "--force", *map(self.image, IMAGES + MONITORING_IMAGES), check=False)
        replaced = "label=org.opencontainers.image.title=forecastle/newcomer"
        run("docker", "image", "prune", "--force", "--filter", replaced)


@dataclass
class Monitored(Project):
    """A project with the profile, and a webhook that alerts are sent to."""

    prometheus: int = field(default_factory=lambda: free_port())
    alertmanager: int = field(default_factory=lambda: free_port())
    webhook: str = ""  # the container

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "COMPOSE_PROFILES": "monitoring",
            "PROMETHEUS_PORT": str(self.prometheus),
            "ALERTMANAGER_PORT": str(self.alertmanager),
            "ALERT_WEBHOOK_URL": WEBHOOK,
            "OBSERVATIONS_KEY": KEY,
        }

    def start(self) -> None:
        """Start everything of images that are there, with rules of seconds, and the webhook."""
        for name, quick in {"prometheus": QUICK_PROMETHEUS, "alertmanager": QUICK_ALERTMANAGER}.items():
            image = self.image(name)
            dockerfile = f"FROM {image}\nUSER 0\nRUN cd /etc/{name} && {quick}\nUSER 65534:65534\n"
            run("docker", "build", "--quiet", "--tag", image, "-", input=dockerfile)
        self.compose("up", "--detach", "--wait", "--no-build")
        network = f"{self.environment['COMPOSE_PROJECT_NAME']}_default"
        where = ("--network", network, "--network-alias", "webhook")
        receiver = (PYTHON_IMAGE, "python", "-c", RECEIVER)
        self.webhook = run("docker", "run", "--detach", *where, *receiver).stdout.strip()

    def remove_webhook(self) -> None:
        """Nobody is notified any more, and the network is free."""
        if self.webhook:
            run("docker", "rm", "--force", self.webhook)
        self.webhook = ""

    def remove(self) -> None:
        self.remove_webhook()
        super().remove()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that PromQL gives, each a `metric` and a `value`."""
        answer = ask(self.prometheus, f"/api/v1/query?query={quote(expression)}").json
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def up(self, model: str) -> list[str]:
        """The addresses of a model's replicas that Prometheus has metrics of."""
        return [
            series["metric"]["instance"]
            for series in self.query(f'up{{job="forecastle",model="{model}"}} == 1')
        ]

    def messages(self) -> list[dict[str, Any]]:
        """What the webhook has received."""
        return [json.loads(line) for line in run("docker", "logs", self.webhook).stdout.splitlines()]

    def notified(self, alert: str, model: str, status: str) -> dict[str, Any] | None:
        """The last alert of this kind that reached the webhook."""
        alerts = [one for message in self.messages() for one in message["alerts"]]
        wanted = {"alertname": alert, "model": model}
        found = [one for one in alerts if one["status"] == status and wanted.items() <= one["labels"].items()]
        return found[-1] if found else None

    def alert(self, name: str, model: str) -> dict[str, Any] | None:
        """What Alertmanager has of this kind."""
        wanted = {"alertname": name, "model": model}
        return next((alert for alert in self.alerts() if wanted.items() <= alert["labels"].items()), None)

    def alerts(self) -> list[dict[str, Any]]:
        """All that Alertmanager has."""
        return ask(self.alertmanager, "/api/v2/alerts").json


def inspect(what: str) -> dict[str, Any]:
    """All that Docker knows of an image or a container."""
    return json.loads(run("docker", "inspect", what).stdout)[0]


def python(image: str, code: str) -> str:
    """What this Python code prints in a container of the image."""
    return run("docker", "run", "--rm", "--network", "none", image, "python", "-c", code).stdout


def manifest(image: str) -> dict[str, Any]:
    """The manifest of the artifact in the image."""
    return json.loads(python(image, "print(open('artifact/manifest.json').read())"))


def artifact(image: str, folder: Path) -> Path:
    """A copy of the image's artifact in a new folder."""
    container = run("docker", "create", image).stdout.strip()
    try:
        run("docker", "cp", f"{container}:/app/artifact", folder)
    finally:
        run("docker", "rm", container)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The images come first: their artifacts are what the tests beside these wait for."""
    items.sort(key=lambda item: "project" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """A Docker Engine; without one these tests are left out, or fail if REQUIRE_ENGINE=1."""
    try:
        missing = run("docker", "version", check=False, timeout=20).returncode != 0
    except (OSError, subprocess.TimeoutExpired):
        missing = True
    if missing and os.environ.get("REQUIRE_ENGINE") == "1":
        pytest.fail("no Docker Engine answers, and REQUIRE_ENGINE=1 asks for one")
    if missing:
        pytest.skip("no Docker Engine answers: the tests against real containers are left out")


@dataclass
class Registry:
    """A registry of images, which lets everybody in, or only who has logged in as `USER`."""

    container: str
    port: int

    USER, PASSWORD = "pusher", "a-password-for-tests"
    # By `htpasswd -nB pusher`.
    HTPASSWD = "pusher:$2y$05$abcdefghijklmnopqrstuuBLXRD1do2sv2yeOR4KP05rNE/mCs5mW"

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def answers(self) -> bool:
        """Whether it lets its user in."""
        return self._get("/v2/").status == 200

    def tags(self, repository: str) -> dict[str, str]:
        """The digest of each tag of a repository; empty if there is no such repository."""
        listed = self._get(f"/v2/{repository}/tags/list")
        if listed.status == 404:
            return {}
        names = listed.json["tags"] or []
        return {
            name: self._get(f"/v2/{repository}/manifests/{name}").headers["docker-content-digest"]
            for name in names
        }

    def _get(self, path: str) -> Answer:
        credentials = base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        return ask(self.port, path, Accept=accept, Authorization=f"Basic {credentials}")


@pytest.fixture(scope="session")
def registries(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Registry]]:
    """A registry that is `open` and one that is `closed`; without their image these tests are left out."""
    if run("docker", "image", "inspect", REGISTRY_IMAGE, check=False).returncode:
        pulled = run("docker", "pull", "--quiet", REGISTRY_IMAGE, check=False, timeout=300)
        if pulled.returncode:
            missing = f"there is no image {REGISTRY_IMAGE} (REGISTRY_IMAGE), and it cannot be pulled"
            (pytest.fail if os.environ.get("REQUIRE_ENGINE") == "1" else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(f"{Registry.HTPASSWD}\n")
    folder.chmod(0o755)
    users = {"": "htpasswd", "_HTPASSWD_REALM": "images", "_HTPASSWD_PATH": "/auth/htpasswd"}
    closed = [f"--env=REGISTRY_AUTH{name}={value}" for name, value in users.items()]
    found: dict[str, Registry] = {}
    try:
        for name, options in {"open": [], "closed": [*closed, f"--volume={folder}:/auth:ro"]}.items():
            start = ("docker", "run", "--detach", "--publish", "127.0.0.1::5000", *options, REGISTRY_IMAGE)
            container = run(*start).stdout.strip()
            port = int(run("docker", "port", container, "5000").stdout.rpartition(":")[2])
            found[name] = Registry(container, port)
            until(found[name].answers, SOON, "the registry answers")
        yield found
    finally:
        run("docker", "rm", "--force", "--volumes", *(one.container for one in found.values()), check=False)


@pytest.fixture(scope="session")
def project(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The copy with all images built, as `make build` does; nothing runs."""
    folder = tmp_path_factory.mktemp("forecastle")
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    project = Project(folder)
    try:
        project.make("new", "MODEL=newcomer")
        main = folder / "models/newcomer/main.py"
        main.write_text(main.read_text() + SLOW_ROUTE)
        (folder / "models/newcomer/requirements.txt").write_text("# Nothing.\n")
        project.make("build")
        artifacts = tmp_path_factory.mktemp("artifacts")
        for model in MODELS:
            keep(artifact(project.image(model), artifacts / model), model)
        BUILT.touch()
        yield project
    finally:
        project.remove()


def copy_without_models(folder: Path) -> None:
    """The project with neither models nor data, for a test that brings its own."""
    for name in ("docker", "shared", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", compose.COMPOSE):
        shutil.copy(ROOT / name, folder)
    for name in ("data", "models"):
        (folder / name).mkdir()
    compose.write(folder)
    borrow_environment(folder)


@pytest.fixture(scope="session")
def stack(project: Project) -> Project:
    """The project with everything up and healthy behind the gateway."""
    project.compose("up", "--detach", "--wait", "--no-build")
    return project


SLOW_ROUTE = '''

@app.get("/slow")
async def slow() -> dict[str, bool]:
    """An answer that takes a while: is it still given when the server is asked to stop?"""
    import asyncio
    import logging

    logging.getLogger("newcomer").info("it takes a while")
    await asyncio.sleep(2)
    return {"finished": True}
'''


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


RECEIVER = """
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode().strip(), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("", 8000), Receiver).serve_forever()
"""
