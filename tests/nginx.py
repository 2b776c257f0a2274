"""nginx with the gateway's configuration, made as docker/Dockerfile makes it."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from forecastle.web import problem_types

ROOT = Path(__file__).resolve().parents[1]
# Debian's own nginx is older than some directives of the configuration.
IMAGE = os.environ.get("NGINX_IMAGE", "nginx:1.30")


def configure(folder: Path, models: Iterable[str]) -> None:
    """Write the configuration for these models into a new folder."""
    shutil.copytree(ROOT / "docker/gateway", folder)
    (folder / "routes").mkdir()
    (folder / "routes/problems").write_text(problem_types.nginx_maps())
    subprocess.run(["sh", "routes.sh"], cwd=folder, input="\n".join(models), text=True, check=True)


def command(folder: Path, *options: str, network: str) -> list[str]:
    """The command that runs nginx with the configuration of a folder."""
    container = ["docker", "run", "--rm", f"--network={network}", f"--volume={folder}:/etc/nginx:ro", IMAGE]
    return [*container, "nginx", "-e", "stderr", *options]
