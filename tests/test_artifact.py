"""Artifacts: written whole or not at all, and loaded only as training wrote them."""

from pathlib import Path

import numpy as np
import pytest

from forecastle import artifact
from forecastle.artifact import FILES, Artifact, ArtifactError

from .conftest import MakeArtifact, tamper


def test_what_is_written_is_loaded(make_artifact: MakeArtifact) -> None:
    loaded = Artifact.load(make_artifact("flu"))
    assert (loaded.model, loaded.horizon, loaded.cumulative) == ("flu", 28, False)
    assert list(loaded.series) == ["DEU", "FRA", "GBR", "GRC"]
    assert loaded.series["GBR"].total == 1000
    assert loaded.observations["GRC"][-1][1] is None
    assert loaded.forecast_draws("GBR").shape == (200, 28)
    assert isinstance(loaded.draws.base, np.memmap) and not loaded.draws.flags.writeable


def test_the_version_tells_what_was_learned_not_when(make_artifact: MakeArtifact) -> None:
    first = Artifact.load(make_artifact(created="2020-04-25T06:00:00+00:00"))
    again = Artifact.load(make_artifact(created="2021-01-01T00:00:00+00:00"))
    other = Artifact.load(make_artifact(draws=np.ones((200, 4, 28))))
    assert first.version == again.version != other.version
    assert first.version.startswith("2020-04-24-")


def test_the_version_is_the_same_however_the_card_looks(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    before = Artifact.load(folder)
    contents = {name: (folder / name).read_bytes() for name in FILES}
    with artifact.write(folder, before.manifest) as scratch:
        for name, content in contents.items():
            (scratch / name).write_bytes(content + b"<p>more</p>" * (name == "card.html"))
    after = Artifact.load(folder)
    assert after.manifest.files["card.html"] != before.manifest.files["card.html"]
    assert after.version == before.version


@pytest.mark.parametrize("key", ["version", "files", "series", "noun", "frequency", "data", "backtest"])
def test_a_manifest_that_lacks_a_key_is_refused(make_artifact: MakeArtifact, key: str) -> None:
    folder = make_artifact()
    tamper(folder, **{key: None})
    with pytest.raises(ArtifactError, match=rf"manifest\.json lacks {key}:"):
        Artifact.load(folder)


def test_draws_of_another_shape_are_refused(make_artifact: MakeArtifact) -> None:
    for shape in [(200, 3, 28), (200, 4, 27), (200,)]:
        with pytest.raises(ArtifactError, match=r"draws\.npy does not fit the manifest"):
            Artifact.load(make_artifact(draws=np.zeros(shape)))


def test_nonsense_that_training_wrote_is_one_line(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    tamper(folder, series={"GBR": {"name": "United Kingdom"}})
    with pytest.raises(ArtifactError, match=r"^[^\n]*is not a manifest \(KeyError[^\n]*$"):
        Artifact.load(folder)


def test_an_artifact_that_cannot_be_read_does_not_replace_the_last(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    before = Artifact.load(folder).manifest
    with pytest.raises(ArtifactError, match="cannot be read"), artifact.amend(folder) as scratch:
        (scratch / "observations.csv").write_text("date,country,observed\n2020-04-24,GBR,many\n")
    assert Artifact.load(folder).manifest == before


def test_an_amended_artifact_has_the_same_files_and_version(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    before = Artifact.load(folder).manifest
    with artifact.amend(folder, retrained={"incumbent": "flu-1"}):
        pass
    after = Artifact.load(folder).manifest
    assert after.retrained == {"incumbent": "flu-1"}
    assert (after.files, after.version) == (before.files, before.version)


def test_a_failed_write_leaves_the_last_artifact(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    before = Artifact.load(folder).manifest
    with pytest.raises(ZeroDivisionError), artifact.write(folder, before) as scratch:
        (scratch / "draws.npy").write_bytes(b"half")
        raise ZeroDivisionError
    assert Artifact.load(folder).manifest == before
    assert [path.name for path in folder.parent.iterdir()] == ["artifact"]


def test_a_write_that_lacks_a_file_fails(make_artifact: MakeArtifact, tmp_path: Path) -> None:
    manifest = Artifact.load(make_artifact()).manifest
    with pytest.raises(ArtifactError, match=r"lacks draws\.npy"), artifact.write(tmp_path / "a", manifest):
        pass
    assert not list(tmp_path.iterdir())
