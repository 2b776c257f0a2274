"""recipe.py: what a train.py says of its model."""

import dataclasses
from pathlib import Path

import pytest

from ..tiny import recipe


def test_a_model_has_its_folders_name_and_nothing_renames_it() -> None:
    flu = recipe(folder=Path("/somewhere/models/flu"), observe=None, build=None, predict=None)
    assert flu.model == "flu"
    with pytest.raises(dataclasses.FrozenInstanceError):
        flu.folder = Path("cold")  # type: ignore[misc]
    assert dataclasses.replace(flu, folder=Path("cold")).model == "cold"
