"""The incumbent: the artifact or the image that serves, and that a challenger may replace."""

import os
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Protocol

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle.artifact import Artifact, amend
from forecastle.manifest import ArtifactError
from forecastle.project import images, train
from forecastle.project.compose import ROOT
from forecastle.project.environment import InstallError
from forecastle.project.retraining import Refused, RetrainingError
from forecastle.project.retraining.comparison import Comparison


class Incumbent(Protocol):
    """An artifact in a folder, or an image.

    Attributes:
        version: The incumbent's.
        is_forecast: Whether it forecasts; any other model is held by its own tests alone.
    """

    version: str
    is_forecast: bool

    @property
    def artifact(self) -> Artifact:
        """The incumbent's artifact, if it forecasts.

        Raises:
            ArtifactError: It cannot be read.
        """

    def train_anew(self) -> None:
        """Run `train.py` and the model's own tests, and replace an incumbent that does not forecast.

        Raises:
            RetrainingError: One of them fails; the incumbent stays.
        """

    def replace(self, data: Path, comparison: Comparison | None, own: Path | None = None) -> None:
        """Fit the challenger to these data, with the gate, and replace the incumbent.

        Args:
            data: The file.
            comparison: Of the challenger with the incumbent.
            own: The file of the model's own folder in whose place the data are read, if it reads one.

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
        self.script, self.folder = script, script.with_name("artifact")
        self.version, self.is_forecast = _read(self.folder)

    @cached_property
    def artifact(self) -> Artifact:
        """As of `Incumbent`."""
        return Artifact.load(self.folder)

    def train_anew(self) -> None:
        """As of `Incumbent`."""
        model = self.script.parent.name
        try:
            train.train(model, self.script.parents[2])
        except (train.TrainingError, InstallError, ArtifactError) as error:
            raise RetrainingError(str(error).removeprefix(f"{model}: ")) from None

    def replace(self, data: Path, comparison: Comparison | None, own: Path | None = None) -> None:
        """As of `Incumbent`; the comparison goes into the challenger's manifest."""
        script = copied(self.script, data, own) if own else self.script
        if run(script, data):
            raise Refused("it does not pass the gate")
        compared = comparison.summary() if comparison else {}
        retrained = {"incumbent": self.version, **compared}
        challenger = script.with_name(folders.ARTIFACT)
        with amend(challenger, retrained=retrained):
            pass
        if own:
            manifests.put(challenger, self.folder)

    def serve(self) -> str:
        """As of `Incumbent`."""
        return "`make run` serves it, at once if it is running"


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
        self.folder = images.copy_artifact(images.reference(model), scratch)
        self.version, self.is_forecast = _read(self.folder)

    @cached_property
    def artifact(self) -> Artifact:
        """As of `Incumbent`."""
        return Artifact.load(self.folder)

    def train_anew(self) -> None:
        """As of `Incumbent`; `train.py` runs even if no file has changed, as it may read other data."""
        if not images.build(self.model, root=self.root, incumbent=self.version, anew=True):
            raise Refused("its image was not built")

    def replace(self, data: Path, comparison: Comparison | None, own: Path | None = None) -> None:
        """As of `Incumbent`; the incumbent's version goes into a label of the challenger's image."""
        if not images.build(self.model, data, root=self.root, own=own, incumbent=self.version):
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


def _read(folder: Path) -> tuple[str, bool]:
    """The version of an artifact, and whether it is a forecast's."""
    content = manifests.read(folder)
    return content["version"], content.get("kind", manifests.FORECAST) == manifests.FORECAST


def copied(script: Path, data: Path, own: Path) -> Path:
    """A copy of a `train.py` beside the data, which it finds in the place of the model's own file."""
    folder, copy = script.parent, data.parent / "own" / script.parent.name
    shutil.rmtree(copy, ignore_errors=True)
    folders.copy(folder, folders.training_files(folder), copy)
    shutil.copyfile(data, copy / own.relative_to(folder))
    return copy / script.name


def run(script: Path, data: Path, *arguments: str) -> int:
    """Run a `train.py` on these data instead of the data in use; returns the exit code."""
    environment = os.environ | {"FORECASTLE_DATA": str(data)}
    return subprocess.run([sys.executable, script, *arguments], env=environment).returncode
