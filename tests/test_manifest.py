"""manifest.py: whatever was changed since training is noticed, and the last artifact comes back."""

import pytest

from forecastle import artifact
from forecastle.artifact import FILES, Artifact
from forecastle.manifest import ArtifactError

from .conftest import MakeArtifact, tamper


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_flipped_byte_is_found_and_its_file_named(make_artifact: MakeArtifact, name: str) -> None:
    folder = make_artifact()
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"^{folder / name} is not .*train the model again$"):
        Artifact.load(folder)


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_missing_file_is_named(make_artifact: MakeArtifact, name: str) -> None:
    folder = make_artifact()
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"^{folder / name} is missing"):
        Artifact.load(folder)


@pytest.mark.parametrize(("version", "age"), [(99, "newer"), (0, "older")])
def test_another_schema_version_is_refused(make_artifact: MakeArtifact, version: int, age: str) -> None:
    folder = make_artifact()
    tamper(folder, schema_version=version)
    with pytest.raises(ArtifactError, match=f"manifest.json has schema version {version}, {age} than"):
        Artifact.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'"text"', b"\xff", b'{"schema_version": {}}'])
def test_a_manifest_that_is_none_is_refused(make_artifact: MakeArtifact, content: bytes) -> None:
    folder = make_artifact()
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json is not a manifest"):
        Artifact.load(folder)


def test_an_artifact_that_was_being_replaced_when_training_was_killed_comes_back(
    make_artifact: MakeArtifact,
) -> None:
    folder = make_artifact()
    manifest = Artifact.load(folder).manifest
    folder.rename(folder.with_name("artifact.previous"))
    with pytest.raises(ZeroDivisionError), artifact.write(folder, manifest):
        raise ZeroDivisionError
    Artifact.load(folder)
