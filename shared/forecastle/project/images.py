"""The models' images and services, through the `docker` command."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from forecastle.project.compose import ROOT

TIMEOUT = 60  # seconds for a command that starts nothing


class ImagesError(Exception):
    """A docker command fails; the message is the last line of its output."""


def registry() -> str:
    """`REGISTRY`: where images are pushed to and pulled from; empty if nowhere."""
    return os.environ.get("REGISTRY", "")


def repository(model: str) -> str:
    """The image's name without a tag, from `REGISTRY`, as in `docker/build.sh`."""
    return f"{registry()}{'/' if registry() else ''}forecastle/{model}"


def reference(model: str, suffix: str = "") -> str:
    """The image's name from `REGISTRY`, `TAG` and a suffix of the tag, as in `docker/build.sh`."""
    return f"{repository(model)}:{tag(suffix)}"


def tag(suffix: str = "") -> str:
    """The tag in use."""
    return (os.environ.get("TAG") or "latest") + suffix


def answers() -> bool:
    """Whether a Docker Engine answers."""
    try:
        _docker("version")
    except ImagesError:
        return False
    return True


def exists(image: str) -> bool:
    """Whether this machine has the image; False if no engine answers."""
    try:
        _docker("image", "inspect", image)
    except ImagesError:
        return False
    return True


def identity(image: str) -> str:
    """The hash of an image's content, in hexadecimal digits.

    Raises:
        ImagesError: This machine does not have the image, or no engine answers.
    """
    return _docker("image", "inspect", "--format", "{{.Id}}", image).removeprefix("sha256:")


def copy_artifact(image: str, folder: Path, file: str = "") -> Path:
    """Copy the artifact, or one file of it, out of an image into a folder, and return the copy.

    Raises:
        ImagesError: The image has none.
    """
    path = Path("/app/artifact", file)
    # Or a registry would be asked for an image that is not here.
    container = _docker("create", "--pull", "never", image)
    try:
        _docker("cp", f"{container}:{path}", str(folder))
    finally:
        _docker("rm", container)
    return folder / path.name


def build(
    model: str,
    data: Path | None = None,
    suffix: str = "",
    *,
    root: Path = ROOT,
    own: Path | None = None,
    incumbent: str = "",
    anew: bool = False,
) -> bool:
    """Build the image of a model fitted to these data; returns whether that succeeded.

    Args:
        model: The model's name.
        data: The file to fit, instead of the data in use, if any.
        suffix: Of the tag, which stays with its image if the build fails.
        root: The project.
        own: The file of the model's own folder in whose place the data are read, if it reads one.
        incumbent: The version that the model was compared with, for a label.
        anew: Whether `train.py` runs even if nothing that it reads has changed.
    """
    environment = {
        "TAG": tag(suffix),
        "FORECASTLE_DATA": "" if own else str(data or ""),
        "OWN_FILES": "",
        "INCUMBENT_VERSION": incumbent,
        "TRAIN_ANEW": "yes" if anew else "",
        "ARTIFACT": "",
    }
    with tempfile.TemporaryDirectory() as scratch:
        if data and own:
            file = Path(scratch, own.relative_to(root / "models"))
            file.parent.mkdir(parents=True)
            shutil.copyfile(data, file)
            environment["OWN_FILES"] = scratch
        done = subprocess.run([root / "docker/build.sh", model], env=os.environ | environment)
    return done.returncode == 0


def push(image: str, name: str) -> str:
    """Push an image under this name, which this machine has no longer if it did not have it before.

    Returns:
        The digest that the registry knows the image by, such as `sha256:1f0e...`.

    Raises:
        ImagesError: The registry does not take it.
    """
    known = exists(name)
    _docker("tag", image, name)
    try:
        said = _docker("push", name, timeout=None)
    finally:
        if not known:
            remove(name)
    return re.findall(r"digest: (sha256:[0-9a-f]+)", said)[-1]


def pull(image: str) -> None:
    """Get an image from the registry in its name.

    Raises:
        ImagesError: The registry does not have it, or does not answer.
    """
    _docker("pull", "--quiet", image, timeout=None)


def retag(image: str, other: str) -> None:
    """Give an image another name; an image that has this name loses it."""
    _docker("tag", image, other)


def remove(image: str) -> None:
    """Remove an image's name, and the image if that was its last one."""
    _docker("image", "rm", image)


def running(service: str, root: Path = ROOT) -> list[str]:
    """The model that each running container of a Compose service serves."""
    containers = _docker("compose", "ps", "--quiet", "--status", "running", service, cwd=root).split()
    variables = [_docker("inspect", "--format", "{{json .Config.Env}}", name) for name in containers]
    # A variable that Compose passes on but that is not set has no "=".
    environments = [dict(item.partition("=")[::2] for item in json.loads(text)) for text in variables]
    return [environment.get("MODEL", service) for environment in environments]


def start(service: str, replicas: int = 1, *, root: Path = ROOT, **environment: str) -> None:
    """Start a service, replace its containers if their image has changed, and wait until they are healthy.

    Raises:
        ImagesError: They do not become healthy.
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
        raise ImagesError(f"docker {arguments[0]} did not finish within {timeout:.0f} s") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise ImagesError(f"docker {arguments[0]}: {lines[-1]}")
    return done.stdout.strip()
