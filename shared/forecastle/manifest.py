"""`manifest.json`: what an artifact says about itself, whoever wrote its files.

It has the SHA-256 of every file, and its own, so that whatever was changed since is noticed at start. This
class says what there is to say about any model; `artifact.Manifest` adds what forecasts have.
"""

import dataclasses
import datetime
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

SCHEMA_VERSION = 2
NAME = "manifest.json"
PLAIN, FORECAST = "plain", "forecast"


class ArtifactError(Exception):
    """The artifact cannot be served; the message is one line that names the file and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """What the manifest of every artifact says.

    Attributes:
        model: The model's name: its folder's, its route's and its image's.
        title: What the model is, in a line.
        kind: `forecast` if the library's `train` made it, else `plain`.
        created: When training ended.
        training_seconds: How long training took.
        versions: Of Python and of the libraries that training used.
        sources: The SHA-256 of what it was made of, but for the observations (`folder.sources`).
        schema_version: Of this format.
        version: A date and the start of a hash.
        files: The SHA-256 of every other file, by its path in the artifact.
        manifest_sha256: Of all else in the manifest, so that a changed manifest is noticed.
    """

    model: str
    title: str
    kind: str = PLAIN
    created: datetime.datetime
    training_seconds: float
    versions: dict[str, str]
    sources: str = ""
    schema_version: int = SCHEMA_VERSION
    version: str = ""
    files: dict[str, str] = field(default_factory=dict)
    manifest_sha256: str = ""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            KeyError: A member is missing.
            TypeError: A member is of another type, or is not one of the manifest's.
            ValueError: A member's value is none of its type.
        """
        return cls(**{**content, "created": datetime.datetime.fromisoformat(content["created"])})

    def json(self) -> dict[str, Any]:
        """What `manifest.json` holds: dates and times in ISO 8601."""
        return json.loads(json.dumps(dataclasses.asdict(self), default=lambda day: day.isoformat()))

    def write(self, folder: Path) -> None:
        """Write the manifest of the files in `folder`, with their hashes and its own."""
        content = dataclasses.replace(self, files=hashes(folder)).json()
        write_json(folder / NAME, {**content, "manifest_sha256": digest(content)})


def read(folder: Path) -> dict[str, Any]:
    """The JSON of the manifest in `folder`, its own hash checked.

    Raises:
        ArtifactError: There is none, it was changed, or its schema is not this version's.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        schema_version = int(content["schema_version"])
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing: train the model first") from None
    except (ValueError, TypeError, KeyError):
        raise ArtifactError(f"{path} is not a manifest: train the model again") from None
    if schema_version != SCHEMA_VERSION:
        age = "newer" if schema_version > SCHEMA_VERSION else "older"
        raise ArtifactError(
            f"{path} has schema version {schema_version}, {age} than this server's {SCHEMA_VERSION}: "
            "build the image again, so that training and serving are of one version"
        )
    if content.get("manifest_sha256") != digest(content):
        raise ArtifactError(f"{path} is not what training wrote (SHA-256): train the model again")
    return content


def verify(folder: Path, files: Mapping[str, str]) -> None:
    """Hold the files in `folder` against their hashes.

    Raises:
        ArtifactError: A file is missing or was changed.
    """
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise ArtifactError(f"{folder / name} is missing: train the model again")
        if sha256(folder / name) != expected:
            raise ArtifactError(
                f"{folder / name} is not what training wrote (SHA-256): train the model again"
            )


def put(scratch: Path, folder: Path) -> None:
    """Let `scratch` take the place of `folder`, which is on the same file system."""
    previous = _previous(folder)
    shutil.rmtree(previous, ignore_errors=True)
    if folder.exists():
        folder.rename(previous)
    scratch.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring back what lay in `folder`, if a process was killed between the two renames of `put`."""
    if _previous(folder).exists() and not folder.exists():
        _previous(folder).rename(folder)


def _previous(folder: Path) -> Path:
    return folder.with_name(folder.name + ".previous")


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below `folder` but the manifest, by path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's JSON but for `manifest_sha256`."""
    others = {key: value for key, value in content.items() if key != "manifest_sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read, too."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
