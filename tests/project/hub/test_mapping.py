"""mapping.py: a model's hub.toml."""

from pathlib import Path

import pytest

from forecastle.project.hub import HubError, mapping

from .conftest import Forecast, called

COMPLETE = """team_abbr = "ours"
model_abbr = "wave"
target = "wk inc covid hosp"
offset = -10
horizons = [0, 1]
output_types = ["quantile"]

[locations]
US-CA = "06"

[tasks]
age_group = "all"
"""


def test_what_a_model_is_called_is_read(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(COMPLETE)
    read = mapping.read(tmp_path)
    assert (read.model_id, read.target, read.offset) == ("ours-wave", "wk inc covid hosp", -10)
    assert (read.horizons, read.locations, read.tasks) == ([0, 1], {"US-CA": "06"}, {"age_group": "all"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (COMPLETE.replace("offset", "offsets"), "hub.toml: offsets: Extra inputs are not permitted"),
        (COMPLETE.replace('"ours"', '"our-team"'), "hub.toml: team_abbr: String should match pattern"),
        (COMPLETE.replace('target = "wk inc covid hosp"', ""), "hub.toml: target: Field required"),
        ("team_abbr = ours", "hub.toml cannot be read: Invalid value"),
    ],
)
def test_something_else_is_refused_in_a_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"hub\.toml is not there: it names team_abbr"):
        mapping.read(tmp_path)
    (tmp_path / "hub.toml").write_text(content)
    with pytest.raises(HubError) as error:
        mapping.read(tmp_path)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_misspelt_series_and_locations_are_told(forecast: Forecast) -> None:
    artifact = forecast(excluded={"US-VT": {"name": "Vermont", "reason": "it has 4 admissions"}})
    called(locations={"US-VT": "50", "US-CA": "06"}).check(artifact, ["06", "50"])
    with pytest.raises(HubError, match="the model knows no state 'US-CX': is it US-CA"):
        called(locations={"US-CX": "06"}).check(artifact, ["06"])
    with pytest.raises(HubError, match="the hub has no location '6': is it 36 or 06"):
        called(locations={"US-CA": "6"}).check(artifact, ["06", "36"])
