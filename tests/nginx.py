"""nginx with the gateway's configuration, made as docker/Dockerfile makes it."""

import asyncio
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
import yaml

from forecastle.runtime.server import HttpProtocol
from forecastle.web import problem_types

from .served import free_port

ROOT = Path(__file__).resolve().parents[1]
# Debian's own nginx is older than some directives of the configuration.
IMAGE = os.environ.get("NGINX_IMAGE", "nginx:1.30")


def configure(folder: Path, models: Iterable[str]) -> None:
    """Write the configuration for these models into a new folder."""
    shutil.copytree(ROOT / "docker/gateway", folder)
    (folder / "routes").mkdir()
    (folder / "routes/problems").write_text(problem_types.nginx_maps())
    subprocess.run(["sh", "routes.sh"], cwd=folder, input="\n".join(models), text=True, check=True)


def command(folder: Path, *options: str, network: str, name: str = "") -> list[str]:
    """The command that runs nginx with the configuration of a folder, as docker-compose.yml does."""
    (temporary,) = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]["tmpfs"]
    container = ["docker", "run", "--rm", f"--network={network}", f"--volume={folder}:/etc/nginx:ro"]
    container += ["--read-only", f"--tmpfs={temporary}", "--user=10001:10001", "--cap-drop=ALL"]
    container += [f"--name={name}"] if name else []
    return [*container, IMAGE, "nginx", "-e", "stderr", *options]


@dataclass
class Server:
    """An app that a thread serves at a port of this machine, until it is stopped."""

    app: Any
    port: int
    lifespan: Any = "off"

    def start(self) -> None:
        config = uvicorn.Config(
            self.app,
            port=self.port,
            http=HttpProtocol,
            lifespan=self.lifespan,
            log_level="error",
            server_header=False,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=asyncio.run, args=(self.server.serve(),), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@dataclass
class Gateway:
    """A real nginx in front of servers, by the names of their upstreams."""

    port: int
    container: str
    servers: Mapping[str, Server]
    log: Path

    def inside(self, *command: str) -> str:
        """What a command prints in the container."""
        return subprocess.run(
            ["docker", "exec", self.container, *command], capture_output=True, text=True, check=True
        ).stdout


@contextmanager
def running(apps: Mapping[str, Any], folder: Path) -> Iterator[Gateway]:
    """nginx in front of these apps, one of which is the catalogue.

    Args:
        apps: By their names.
        folder: Where the configuration and the log are written.
    """
    servers = {name: Server(app, free_port()) for name, app in apps.items()}
    gateway = Gateway(free_port(), f"gateway-{uuid4().hex[:8]}", servers, folder / "log")
    _configure(folder / "nginx", gateway)
    for server in servers.values():
        server.start()
    with gateway.log.open("w") as log:
        start = command(folder / "nginx", network="host", name=gateway.container)
        process = subprocess.Popen(start, stdout=log)
    try:
        yield gateway
    finally:
        process.terminate()
        process.wait(20)
        for server in servers.values():
            server.stop()


def _configure(folder: Path, gateway: Gateway) -> None:
    """The addresses of this machine in the place of the containers'."""
    configure(folder, [name for name in gateway.servers if name != "catalogue"])
    upstreams = folder / "routes/upstreams"
    addresses = re.sub(
        r"server (\S+):8000 resolve",
        lambda found: f"server 127.0.0.1:{gateway.servers[found[1]].port}",
        upstreams.read_text(),
    )
    upstreams.write_text(addresses)
    conf = folder / "nginx.conf"
    text = conf.read_text()
    for container, port in (("8080", gateway.port), ("8081", free_port())):
        text = text.replace(f"listen {container};", f"listen 127.0.0.1:{port};")
    conf.write_text(text)
