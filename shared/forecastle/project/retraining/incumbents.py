"""What serves, and a challenger would replace: an artifact or an image."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from forecastle.artifact import Artifact, amend
from forecastle.project.compose import ROOT
from forecastle.project.retraining import Refused, RetrainingError, images
from forecastle.project.retraining.comparison import Comparison


class Incumbent(Protocol):
    """Either.

    Attributes:
        artifact: What it forecasts.
    """

    artifact: Artifact

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """Fit the challenger to these data, with the gate, and put it in the incumbent's place.

        Raises:
            Refused: It does not pass the gate, and the incumbent stays.
        """

    def serve(self) -> str:
        """Have the new one serve if that can be done from here; says what was done, or is to be done.

        Raises:
            ImagesError: It does not start.
        """


class Folder:
    """The artifact in a model's folder, which `make run` serves.

    Args:
        script: The `train.py` beside it.

    Raises:
        ArtifactError: It cannot be read.
    """

    def __init__(self, script: Path) -> None:
        self.script = script
        self.artifact = Artifact.load(script.with_name("artifact"))

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """As of `Incumbent`; the challenger's manifest tells what it was compared with."""
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
        model: Its name.
        scratch: A folder for a copy of its artifact.
        root: The project.

    Raises:
        ArtifactError: Its artifact cannot be read.
        ImagesError: It has none.
    """

    def __init__(self, model: str, scratch: Path, root: Path = ROOT) -> None:
        self.model, self.root = model, root
        self.artifact = Artifact.load(images.copy_artifact(images.reference(model), scratch))

    def replace(self, data: Path, comparison: Comparison | None) -> None:
        """As of `Incumbent`; a label of the challenger's image tells what it was compared with."""
        if not images.build(self.model, data, root=self.root, incumbent=self.artifact.version):
            raise Refused("its image was not built")

    def serve(self) -> str:
        """As of `Incumbent`: its containers are replaced, if there are any."""
        if replicas := len(images.running(self.model, self.root)):
            images.start(self.model, replicas, root=self.root)
            return f"the service {self.model} runs it"
        return "`make up` serves it"


def find(model: str, choice: str, scratch: Path, root: Path = ROOT) -> Incumbent:
    """The incumbent of a model.

    Args:
        model: Its name.
        choice: `artifact` or `image`; empty is whichever there is.
        scratch: A folder for a copy of an image's artifact.
        root: The project.

    Raises:
        ArtifactError: Its artifact cannot be read.
        ImagesError: Its image has none.
        RetrainingError: There is none; or there are both, and no choice.
    """
    script, image = root / "models" / model / "train.py", images.reference(model)
    if choice not in ("", "artifact", "image"):
        raise RetrainingError(f"INCUMBENT={choice} is unknown: choose artifact or image")
    in_folder = choice != "image" and script.with_name("artifact").is_dir()
    in_image = choice != "artifact" and images.exists(image)
    if in_folder and in_image:
        raise RetrainingError(
            f"there are models/{model}/artifact, which `make run` serves, and {image}, which Docker does: "
            "choose which to replace, with INCUMBENT=artifact or INCUMBENT=image"
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
    """Run a train.py on other data than those in use; its exit code."""
    environment = os.environ | {"FORECASTLE_DATA": str(data)}
    return subprocess.run([sys.executable, script, *arguments], env=environment).returncode
