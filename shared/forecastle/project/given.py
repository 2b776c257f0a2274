"""Artifacts in the place of training: one that was trained elsewhere, or the one that a folder came with.

    ARTIFACT=s3://models/flu make run MODEL=flu     python -m forecastle.project.given flu s3://models/flu

What `make run` serves of them is put below `.cache/given`: the artifact that was trained here stays where it
is, and is served again by the next `make run` without `ARTIFACT`.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle import sealing
from forecastle.manifest import ArtifactError
from forecastle.project import train
from forecastle.project.compose import ROOT, models
from forecastle.project.environment import InstallError
from forecastle.project.fetch import FetchError, fetch, shown
from forecastle.project.scratch import scratch as scratch_folder
from forecastle.project.train import TrainingError


def place(model: str, root: Path = ROOT) -> Path:
    """Where the artifact lies that is served in the place of a model's own."""
    return root / ".cache/given" / model / folders.ARTIFACT


def take(model: str, address: str, root: Path = ROOT) -> str:
    """Fetch an artifact, verify or seal it, and test it; returns its version.

    Args:
        model: The model's name.
        address: Of the artifact, as `fetch` takes it.
        root: The project.

    Raises:
        ArtifactError: It cannot be served.
        FetchError: It cannot be fetched, or is not one of this model.
        InstallError: What the model needs cannot be installed.
        TrainingError: A test fails.
    """
    folder = root / "models" / model
    with scratch_folder(root) as scratch:
        artifact = scratch / folders.ARTIFACT
        fetch(model, address, artifact)
        version = _sealed(folder, artifact, scratch / "sealed")
        if folders.gate_files(folder):
            train.test(model, artifact, scratch / "serving", root, "and its artifact is not served")
        _put(artifact, place(model, root))
    return version


def own(model: str, root: Path = ROOT) -> Path:
    """The artifact of a folder that has no train.py, with a manifest; it may be empty.

    If it has none, a copy is sealed: the folder itself stays as it is.

    Raises:
        ArtifactError: It cannot be served.
    """
    folder = root / "models" / model
    original = folder / folders.ARTIFACT
    if (original / manifests.NAME).is_file():
        return original
    with scratch_folder(root) as scratch:
        artifact = scratch / folders.ARTIFACT
        if original.is_dir():
            shutil.copytree(original, artifact)
        else:
            artifact.mkdir()
        _sealed(folder, artifact, scratch / "sealed")
        _put(artifact, place(model, root))
    return place(model, root)


def _sealed(folder: Path, artifact: Path, scratch: Path) -> str:
    """Seal an artifact as the image build does: by the files that are served alone."""
    train.served(folder, artifact, scratch)
    return sealing.seal(scratch, scratch, folder.name, 0)


def _put(artifact: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    manifests.put(artifact, folder)


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.given", description="Take an artifact."
    )
    parser.add_argument("model")
    parser.add_argument("address")
    options = parser.parse_args(argv)
    if options.model not in models(root):
        print(
            f"say which model ARTIFACT= is for, with MODEL=: one of {' '.join(models(root))}", file=sys.stderr
        )
        return 1
    try:
        version = take(options.model, options.address, root)
    except (FetchError, ArtifactError, InstallError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.model}: version {version} of {shown(options.address)} is served", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
