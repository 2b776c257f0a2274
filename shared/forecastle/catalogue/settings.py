"""What the environment sets of the observations that the catalogue receives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


class SettingsError(Exception):
    """A variable cannot be used; the message is one line that names it."""


@dataclass(frozen=True)
class Settings:
    """What the environment sets.

    Attributes:
        key: Who sends counts must have it; nobody may if it is empty.
        url: Counts are fetched from there; empty if they are not.
        every: Seconds between two fetches.
    """

    key: str = field(default="", repr=False)
    url: str = ""
    every: int = 3600

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """From `OBSERVATIONS_KEY` or the file `OBSERVATIONS_KEY_FILE`, `OBSERVATIONS_URL` and `..._EVERY`.

        Raises:
            SettingsError: One of them cannot be used.
        """
        key, every = variables.get("OBSERVATIONS_KEY", ""), variables.get("OBSERVATIONS_EVERY") or "3600"
        if path := variables.get("OBSERVATIONS_KEY_FILE"):
            try:
                key = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise SettingsError(f"OBSERVATIONS_KEY_FILE={path} cannot be read: {error}") from None
        if not re.fullmatch(r"[0-9]{1,9}", every) or int(every) < 1:
            raise SettingsError(f"OBSERVATIONS_EVERY={every} must be a whole number of seconds from 1 on")
        url = variables.get("OBSERVATIONS_URL", "")
        if url and not url.startswith(("http://", "https://")):
            raise SettingsError("OBSERVATIONS_URL must start with http:// or https://")
        return cls(key, url, int(every))
