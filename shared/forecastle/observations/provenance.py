"""Where observations come from: what is counted, by whom, and under which licence.

A file of observations may have a file of JSON beside it, of the same name but for its end:
first-wave-2020.csv has first-wave-2020.json. Pages, cards and pictures show what it says.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from forecastle.observations.schema import ObservationsError


@dataclass(frozen=True)
class Provenance:
    """Where observations come from; each member is a line of text, or None if it is not known.

    Attributes:
        title: What is counted, and where and when.
        source: Who collected the counts.
        url: A page about them, with http:// or https://.
        licence: Under which they may be used.
    """

    title: str | None = None
    source: str | None = None
    url: str | None = None
    licence: str | None = None

    @classmethod
    def of(cls, data: Path) -> Self:
        """That of a file of observations; without a file beside it nothing is known.

        Raises:
            ObservationsError: The file beside it holds something else.
        """
        path = data.with_suffix(".json")
        if not path.is_file():
            return cls()
        try:
            content = json.loads(path.read_bytes())
            known = cls(**content)
        except (ValueError, TypeError, OSError) as error:
            names = ", ".join(field.name for field in dataclasses.fields(cls))
            raise ObservationsError(f"{path} is no JSON object of {names}: {error}") from None
        for name, value in content.items():
            if not (value is None or (isinstance(value, str) and value.strip() and "\n" not in value)):
                raise ObservationsError(f"{path}: {name} must be a line of text, not {value!r}")
        if known.url and not known.url.startswith(("http://", "https://")):
            raise ObservationsError(f"{path}: url must start with http:// or https://, not {known.url!r}")
        return known

    def write(self, data: Path) -> None:
        """Write it beside a file of observations; if nothing is known, no file stays there."""
        path = data.with_suffix(".json")
        known = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        if known:
            path.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


def file_name(path: Path) -> str:
    """The name of a file, in letters that can be written anywhere, whatever the encoding of file names is."""
    return os.fsencode(path.name).decode(errors="replace")
