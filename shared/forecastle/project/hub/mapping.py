"""What a model is called at a hub: the file `hub.toml` in the model's folder.

team_abbr = "ours"
model_abbr = "wave"
target = "wk inc covid hosp"        # the hub's name for what the model forecasts

offset = 0                          # days from the reference date to the end of horizon 0
horizons = [0, 1, 2, 3]             # by default all of the hub's that can be forecast
output_types = ["quantile"]         # by default all of the hub's that can be made

[locations]                         # of a series' code; one that is not here keeps its own
US-CA = "06"

[tasks]                             # values of further task ids
age_group = "all"
"""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from forecastle.artifact import Artifact
from forecastle.project.hub import HubError

NAME = "hub.toml"
Abbreviation = Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")]


class Mapping(BaseModel):
    """See the module's example."""

    model_config = ConfigDict(extra="forbid")

    team_abbr: Abbreviation
    model_abbr: Abbreviation
    target: str
    offset: int = 0
    horizons: list[int] | None = None
    output_types: list[str] | None = None
    locations: dict[str, str] = Field(default_factory=dict)
    tasks: dict[str, str | int] = Field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """As hubs name models."""
        return f"{self.team_abbr}-{self.model_abbr}"

    def check(self, artifact: Artifact, known: Iterable[str]) -> None:
        """Refuse what is misspelt in `[locations]`.

        Args:
            artifact: Of the model.
            known: The hub's locations.

        Raises:
            HubError: A code is neither a series of the model nor one that it left out, or the hub does not
                know a location.
        """
        codes, names = {*artifact.series, *artifact.manifest.excluded}, set(known)
        for code, location in self.locations.items():
            if code not in codes:
                noun = artifact.manifest.noun
                raise HubError(f"{NAME}: the model knows no {noun} {code!r}{_nearest(code, codes)}")
            if location not in names:
                raise HubError(f"{NAME}: the hub has no location {location!r}{_nearest(location, names)}")


def read(folder: Path) -> Mapping:
    """Read the file in a model's folder.

    Raises:
        HubError: It is not there, or is not what it should be.
    """
    path = folder / NAME
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise HubError(
            f"{path} is not there: it names team_abbr, model_abbr, target and locations (docs/hubs.md)"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise HubError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise HubError(f"{path} cannot be read: {error}") from None


def _nearest(word: str, words: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, sorted(words), n=3, cutoff=0.5)
    return f": is it {' or '.join(found)}?" if found else ""
