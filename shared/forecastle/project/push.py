"""`make push`: what `make build` made goes to a registry, from where it runs anywhere.

    make push REGISTRY=registry.example/team                all models, the gateway and the catalogue
    make push REGISTRY=registry.example/team MODEL=deaths    one of them

An image is pushed under two tags: what it is, and `TAG` (latest), which docker-compose.yml asks for. What it
is, is the artifact's version, or the start of the image's own hash where there is no artifact. `TAG` moves
only once the registry has all images. The digest that is printed names exactly this image, for ever.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from forecastle import manifest as manifests
from forecastle.manifest import ArtifactError
from forecastle.project import compose, images
from forecastle.project.compose import ROOT
from forecastle.project.images import ImagesError

OWN = ("gateway", "catalogue")
OTHERS = ("prometheus", "alertmanager", "grafana")  # only where they are named
DIGITS = 12  # of an image's hash, as many as Docker shows


class PushError(Exception):
    """Nothing more is pushed; the message is one line."""


def push(names: Sequence[str] = (), root: Path = ROOT) -> None:
    """Push images, and print the digest of each once all of them are in the registry.

    Args:
        names: Of models, or of the project's own images; none means all models, gateway and catalogue.
        root: The project.

    Raises:
        PushError: `REGISTRY` is not set, an image is not built, or the registry does not take one.
    """
    if not images.registry():
        raise PushError("say where to with REGISTRY=, such as REGISTRY=registry.example/team")
    models = compose.models(root)
    for name in names:
        if name not in (*models, *OWN, *OTHERS):
            raise PushError(f"there is no model {name} in models/: choose one of {' '.join(models)}")
    built = _built(names or (*models, *OWN))
    for name, image in built.items():
        _send(image, f"{images.repository(name)}:{_version(image, is_model=name in models)}")
    for name, image in built.items():
        print(f"{images.repository(name)}@{_send(image, images.reference(name))}", flush=True)


def _built(names: Sequence[str]) -> dict[str, str]:
    """By name, the image that `make build` made: the one that Compose runs, or one without `REGISTRY`."""
    if not images.answers():
        raise PushError("no Docker Engine answers: start or install one ('docker version' says more)")
    found: dict[str, str] = {}
    notes = []
    for name in names:
        plain, named = f"forecastle/{name}:{images.tag()}", images.reference(name)
        here = {image: images.identity(image) for image in (plain, named) if images.exists(image)}
        if len(set(here.values())) > 1:
            notes.append(f"pushing {named}: {plain}, built without REGISTRY, is another image")
        found.update((name, image) for image in here)
    if missing := [name for name in names if name not in found]:
        raise PushError(
            f"nothing is pushed, since this machine has no image of {' '.join(missing)} with the tag "
            f"{images.tag()}: `make build` makes it"
        )
    for note in notes:
        print(note, file=sys.stderr)
    return found


def _version(image: str, *, is_model: bool) -> str:
    """The tag that says what an image is."""
    if not is_model:
        return images.identity(image)[:DIGITS]
    with tempfile.TemporaryDirectory() as scratch:
        try:
            images.copy_artifact(image, Path(scratch), manifests.NAME)
            return str(manifests.read(Path(scratch))["version"])
        except (ImagesError, ArtifactError) as error:
            raise PushError(f"{image} has no artifact to push ({error}): build it again") from None


def _send(image: str, name: str) -> str:
    try:
        return images.push(image, name)
    except ImagesError as error:
        host = images.registry().partition("/")[0]
        raise PushError(
            f"{name} is not pushed ({error}): is a registry there, and does `docker login {host}` let you in?"
        ) from None


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.push", description="Push built images to REGISTRY."
    )
    parser.add_argument("names", nargs="*", help="by default all models, the gateway and the catalogue")
    options = parser.parse_args(argv)
    try:
        push(options.names, root)
    except (PushError, ImagesError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; only images whose digest is printed have their tag", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
