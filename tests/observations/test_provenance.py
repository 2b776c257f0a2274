"""provenance.py: where the data in use come from, as a file beside them or their format tells."""

import json
import os
from pathlib import Path

import pytest

from forecastle.observations import ObservationsError, in_use
from forecastle.observations.provenance import Provenance
from forecastle.project.compose import ROOT

OURS = "date,country,cases,deaths\n2020-03-01,GBR,100,50\n2020-03-02,GBR,50,5\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project's data, which are known."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / in_use.DEFAULT).write_text(OURS)
    Provenance("Deaths", "Somebody", "https://somebody.test", "CC0").write(folder / in_use.DEFAULT)
    return folder


def test_the_default_data_say_what_they_count_and_whose_they_are() -> None:
    known = Provenance.of(ROOT / "data" / in_use.DEFAULT)
    assert known.title and known.title.startswith("COVID-19")
    assert known.source and known.url and known.licence


def test_make_data_keeps_what_is_known_of_a_file(folder: Path, tmp_path: Path) -> None:
    current = folder / in_use.CURRENT
    (tmp_path / "mine.csv").write_text(OURS)
    assert in_use.main(["--file", str(tmp_path / "mine.csv")], folder) == 0
    assert Provenance.of(current) == Provenance(source="mine.csv")
    Provenance("Beds", "A hospital").write(tmp_path / "mine.csv")
    assert in_use.main(["--file", str(tmp_path / "mine.csv")], folder) == 0
    assert Provenance.of(current) == Provenance("Beds", "A hospital")
    ecdc = "dateRep,geoId,countriesAndTerritories,cases,deaths\n01/03/2020,UK,United_Kingdom,100,50\n"
    (tmp_path / "ecdc.csv").write_text(ecdc)
    assert in_use.main(["--file", str(tmp_path / "ecdc.csv")], folder) == 0
    assert Provenance.of(current) == Provenance(
        "COVID-19: confirmed cases and deaths a day", "ECDC, ecdc.csv"
    )
    assert in_use.main(["--until", "2020-03-02"], folder) == 0
    assert Provenance.of(current).source == "Somebody"
    assert in_use.main([], folder) == 0
    assert not current.with_suffix(".json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON object of title, source, url, licence: "),
        ('["title"]', "is no JSON object of title, source, url, licence: "),
        ('{"author": "x"}', "is no JSON object of title, source, url, licence: "),
        ('{"title": 7}', "title must be a line of text, not 7"),
        ('{"source": "two\\nlines"}', "source must be a line of text, not "),
        ('{"url": "javascript:alert()"}', "url must start with http:// or https://, not "),
    ],
)
def test_a_file_that_says_something_else_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(ObservationsError) as caught:
        Provenance.of(tmp_path / "data.csv")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    Provenance(title="Deaths").write(tmp_path / "data.csv")
    assert json.loads((tmp_path / "data.json").read_text()) == {"title": "Deaths"}


def test_a_file_may_have_a_name_in_any_encoding(folder: Path, tmp_path: Path) -> None:
    """As Latin-1 out of an archive that was packed elsewhere."""
    path = os.fsencode(tmp_path) + "/Größe.csv".encode("latin-1")
    Path(os.fsdecode(path)).write_text(OURS)
    assert in_use.main(["--file", os.fsdecode(path)], folder) == 0
    assert Provenance.of(folder / in_use.CURRENT).source == "Gr\ufffd\ufffde.csv"
