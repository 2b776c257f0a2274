"""The models' images and their services, through the `docker` command: what retraining asks of Docker."""

import json
import os
import subprocess
from pathlib import Path

from forecastle.project.compose import ROOT

TIMEOUT = 60  # seconds that a question to the engine may take


class ImagesError(Exception):
    """Docker does not do what it was asked for; the message is its own last line."""


def reference(model: str, suffix: str = "") -> str:
    """The image's name, made of `REGISTRY` and `TAG` as `docker/build.sh` does, and a suffix of the tag."""
    registry = os.environ.get("REGISTRY", "")
    return f"{registry}{'/' if registry else ''}forecastle/{model}:{tag(suffix)}"


def tag(suffix: str = "") -> str:
    """The tag in use."""
    return (os.environ.get("TAG") or "latest") + suffix


def exists(image: str) -> bool:
    """Whether there is such an image here; no, where no engine answers."""
    try:
        _docker("image", "inspect", image)
    except ImagesError:
        return False
    return True


def copy_artifact(image: str, folder: Path) -> Path:
    """The artifact in an image, copied to `folder/artifact`, which is returned.

    Raises:
        ImagesError: The image has none.
    """
    container = _docker("create", image)
    try:
        _docker("cp", f"{container}:/app/artifact", str(folder))
    finally:
        _docker("rm", container)
    return folder / "artifact"


def build(model: str, data: Path, suffix: str = "", *, root: Path = ROOT, incumbent: str = "") -> bool:
    """Build the image of a model fitted to these data; whether it succeeded. A tag moves only if it did.

    Args:
        model: Its name.
        data: In place of those in use.
        suffix: Of the tag.
        root: The project.
        incumbent: The version that it was compared with, for a label.
    """
    environment = {"TAG": tag(suffix), "FORECASTLE_DATA": str(data), "INCUMBENT_VERSION": incumbent}
    return subprocess.run([root / "docker/build.sh", model], env=os.environ | environment).returncode == 0


def retag(image: str, other: str) -> None:
    """Give an image a second name, which another one may have had."""
    _docker("tag", image, other)


def remove(image: str) -> None:
    """Take a name from an image, which is removed if it was its last one."""
    _docker("image", "rm", image)


def running(service: str, root: Path = ROOT) -> list[str]:
    """The models that the running containers of a service of docker-compose.yml serve, one for each."""
    containers = _docker("compose", "ps", "--quiet", "--status", "running", service, cwd=root).split()
    variables = [_docker("inspect", "--format", "{{json .Config.Env}}", name) for name in containers]
    # A variable that Compose passes on, and that is not set, stands there without a value.
    named = [dict(item.partition("=")[::2] for item in json.loads(found)) for found in variables]
    return [found.get("MODEL", service) for found in named]


def start(service: str, replicas: int = 1, *, root: Path = ROOT, **environment: str) -> None:
    """Start a service, or replace the containers of another image, and wait until they are healthy.

    Raises:
        ImagesError: They are not.
    """
    command = ["up", "--detach", "--wait", "--no-build", "--scale", f"{service}={replicas}", service]
    _docker("compose", *command, cwd=root, timeout=None, **environment)


def stop(service: str, root: Path = ROOT) -> None:
    """Stop and remove the containers of a service, if there are any."""
    _docker("compose", "rm", "--stop", "--force", service, cwd=root)


def _docker(
    *arguments: str, cwd: Path | None = None, timeout: float | None = TIMEOUT, **environment: str
) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments],
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except OSError as error:
        raise ImagesError(f"the docker command cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ImagesError(f"docker {arguments[0]} gave no answer within {timeout:.0f} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise ImagesError(f"docker {arguments[0]}: {lines[-1]}")
    return done.stdout.strip()
