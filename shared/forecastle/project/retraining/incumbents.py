"""The incumbent: the artifact or the image that serves, and that a challenger may replace."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from forecastle.artifact import Artifact, amend
from forecastle.project import images
from forecastle.project.compose import ROOT
from forecastle.project.retraining import Refused, RetrainingError
from forecastle.project.retraining.comparison import Comparison


class Incumbent(Protocol):
    """An artifact in a folder, or an image.

    Attributes:
        artifact: The incumbent's artifact.
    """

    artifact: Artifact

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """Fit the challenger to these data, with the gate, and replace the incumbent.

        Raises:
            Refused: The challenger does not pass the gate; the incumbent stays.
        """

    def serve(self) -> str:
        """Restart what serves, if that is possible from here; returns a line on what was or must be done.

        Raises:
            ImagesError: The new containers do not start.
        """


class Folder:
    """The artifact in a model's folder, which `make run` serves.

    Args:
        script: The `train.py` beside the artifact.

    Raises:
        ArtifactError: The artifact cannot be read.
    """

    def __init__(self, script: Path) -> None:
        self.script = script
        self.artifact = Artifact.load(script.with_name("artifact"))

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """As of `Incumbent`; the comparison goes into the challenger's manifest."""
        if run(self.script, data):
            raise Refused("it does not pass the gate")
        compared = comparison.summary() if comparison else {}
        retrained = {"incumbent": self.artifact.version, **compared}
        with amend(self.artifact.folder, retrained=retrained):
            pass

    def serve(self) -> str:
        """As of `Incumbent`."""
        return "start `make run` anew to serve it"


class Image:
    """The image of a model, which Docker serves.

    Args:
        model: The model's name.
        scratch: A folder for a copy of the image's artifact.
        root: The project.

    Raises:
        ArtifactError: The image's artifact cannot be read.
        ImagesError: The image has no artifact.
    """

    def __init__(self, model: str, scratch: Path, root: Path = ROOT) -> None:
        self.model, self.root = model, root
        self.artifact = Artifact.load(images.copy_artifact(images.reference(model), scratch))

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """As of `Incumbent`; the incumbent's version goes into a label of the challenger's image."""
        if not images.build(self.model, data, root=self.root, incumbent=self.artifact.version):
            raise Refused("its image was not built")

    def serve(self) -> str:
        """As of `Incumbent`; running containers are replaced."""
        if replicas := len(images.running(self.model, self.root)):
            images.start(self.model, replicas, root=self.root)
            return f"the service {self.model} runs it"
        return "`make up` serves it"


def find(model: str, choice: str, scratch: Path, root: Path = ROOT) -> Incumbent:
    """Find the incumbent of a model: if none is here and `REGISTRY` is set, its image is pulled from there.

    Args:
        model: The model's name.
        choice: `artifact` or `image`; empty means the one that exists.
        scratch: A folder for a copy of an image's artifact.
        root: The project.

    Raises:
        ArtifactError: The incumbent's artifact cannot be read.
        ImagesError: The incumbent is an image without an artifact, or `REGISTRY` does not have it.
        RetrainingError: There is no incumbent, or both exist and `choice` is empty.
    """
    script, image = root / "models" / model / "train.py", images.reference(model)
    if choice not in ("", "artifact", "image"):
        raise RetrainingError(f"INCUMBENT={choice} is unknown: choose artifact or image")
    in_folder = choice != "image" and script.with_name("artifact").is_dir()
    in_image = choice != "artifact" and images.exists(image)
    if not in_folder and not in_image and choice != "artifact" and images.registry():
        images.pull(image)
        in_image = True
    if in_folder and in_image:
        raise RetrainingError(
            f"there are both models/{model}/artifact, which `make run` serves, and the image {image}: choose "
            "which to replace, with INCUMBENT=artifact or INCUMBENT=image"
        )
    if in_folder:
        return Folder(script)
    if in_image:
        return Image(model, scratch, root)
    raise RetrainingError(
        f"there is no {choice or 'artifact and no image'} to replace: `make train` makes a first artifact, "
        "`make build` a first image"
    )


def run(script: Path, data: Path, *arguments: str) -> int:
    """Run a `train.py` on these data instead of the data in use; returns the exit code."""
    environment = os.environ | {"FORECASTLE_DATA": str(data)}
    return subprocess.run([sys.executable, script, *arguments], env=environment).returncode
