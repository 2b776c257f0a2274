"""card.py: the prose of README.md on the card."""

from forecastle.artifact import Artifact
from forecastle.service import card

from ..conftest import MakeArtifact


def test_the_prose_stands_in_its_place_after_the_version(make_artifact: MakeArtifact) -> None:
    folder = make_artifact()
    artifact = Artifact.load(folder)
    assert "<h2>Flu</h2>" not in card.page(artifact)
    (folder.parent / "README.md").write_text("# Flu\n\nGrippe, \\1 größer.\n", encoding="utf-8")
    page = card.page(artifact)
    places = ["A synthetic card", artifact.version, "<h2>Flu</h2>", "Grippe, \\1 größer", "<h2>Data</h2>"]
    assert sorted(places, key=page.index) == places
    assert "<!--" not in page
