"""Sealing: what a `train.py` left in `artifact/` becomes an artifact with a manifest, whoever wrote it.

`python -m forecastle.sealing FOLDER TRAINED MODEL SECONDS` is the step of the image build. It needs no
package that trains.
"""

import ast
import datetime
import hashlib
import platform
import re
import sys
from pathlib import Path

from forecastle import folder as folders
from forecastle import manifest as manifests
from forecastle.artifact import Artifact
from forecastle.manifest import ArtifactError, Sealed, sha256

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


def seal(folder: Path, trained: Path, model: str, seconds: float) -> str:
    """Check what was trained, and write the manifest if `train.py` wrote none; returns the version.

    Args:
        folder: The model's folder, or a copy of what training reads of it.
        trained: The copy of it that `train.py` ran in; the artifact is its folder `artifact`.
        model: The model's name.
        seconds: How long `train.py` took.

    Raises:
        ArtifactError: There is no artifact, it cannot be served, or `train.py` wrote files beside it.
    """
    artifact = trained / folders.ARTIFACT
    if stray := _stray(folder, trained):
        raise ArtifactError(
            f"train.py wrote {', '.join(stray)} outside artifact/, where it would be lost: let it write to "
            f"artifact/{Path(stray[0]).name}, or into a temporary folder"
        )
    script = folder / "train.py"
    if (artifact / manifests.NAME).is_file():
        return verified(artifact)
    if script.is_file() and not manifests.hashes(artifact):
        raise ArtifactError("train.py left nothing in artifact/: let it save there what main.py loads")
    artifact.mkdir(exist_ok=True)
    created = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    files = "".join(f"{name} {value}\n" for name, value in manifests.hashes(artifact).items())
    version = f"{created.date()}-{hashlib.sha256(files.encode()).hexdigest()[:8]}"
    Sealed(
        model=model,
        title=_title(script if script.is_file() else folder / "main.py") or model,
        created=created,
        training_seconds=round(seconds, 1),
        versions={"python": platform.python_version(), **_pins(folder / "requirements-train.txt")},
        sources=folders.sources(folder),
        version=version,
    ).write(artifact)
    return version


def verified(artifact: Path) -> str:
    """Verify an artifact of either kind; returns its version.

    Raises:
        ArtifactError: It has no manifest, or was changed.
    """
    content = manifests.read(artifact)
    if content.get("kind", manifests.FORECAST) == manifests.FORECAST:
        return Artifact.load(artifact).version
    try:
        manifest = Sealed.of(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(
            f"{artifact / manifests.NAME} is not a manifest ({error!r}): train the model again"
        ) from None
    manifests.verify(artifact, manifest.files)
    return manifest.version


def _stray(folder: Path, trained: Path) -> list[str]:
    """Files beside the artifact that are new or changed."""
    return [
        str(file)
        for file in folders.all_files(trained)
        if not (folder / file).is_file() or sha256(folder / file) != sha256(trained / file)
    ]


def _title(script: Path) -> str:
    """The first line of a script's docstring; an empty string without one."""
    try:
        docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError):
        return ""
    return (docstring or "").partition("\n")[0].rstrip(".")


def _pins(lock: Path) -> dict[str, str]:
    return dict(PIN.findall(lock.read_text(encoding="utf-8"))) if lock.is_file() else {}


if __name__ == "__main__":
    try:
        seal(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    except ArtifactError as error:
        sys.exit(f"{sys.argv[3]}: {error}")
