"""The artifact: what training leaves behind and all that serving needs. Plain files, never a pickle.

| file                | holds                                                                            |
|---------------------|----------------------------------------------------------------------------------|
| `manifest.json`     | what was fitted to which data, how well it converged, the SHA-256 of every file   |
| `draws.npy`         | posterior predictive draws, float32, shape (draw, country, day ahead)             |
| `observations.csv`  | `date,country,observed`: the counts that the model was fitted to                  |
| `parameters.json`   | posterior summaries of every parameter, by country                                |
| `posterior.nc`      | the posterior itself in ArviZ's schema, for analysts                              |
| `backtest.json`     | scores of forecasts of past days, by horizon and by origin; null if there are none |
| `card.html`         | the model card, but for the prose of README.md, which the server puts in          |

Both sides of the artifact import this module, so it needs NumPy and the standard library alone.
"""

import csv
import datetime
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

SCHEMA_VERSION = 1
FILES = ("draws.npy", "observations.csv", "parameters.json", "posterior.nc", "backtest.json", "card.html")
LEARNED = ("draws.npy", "observations.csv", "parameters.json")  # posterior.nc too, but HDF5 files carry times
PROSE = "<!-- README.md -->"  # where in card.html the prose goes
KEYS = (  # of the manifest, that serving needs
    *("version", "model", "title", "target", "unit", "cumulative", "reference", "created", "horizon"),
    *("data", "countries", "excluded", "backtest", "files"),
)


class ArtifactError(Exception):
    """The artifact cannot be served; the message is one line that names the file and says what to do."""


@dataclass(frozen=True)
class Country:
    """One country of an artifact.

    Attributes:
        code: ISO 3166 alpha-3.
        name: In English.
        first_day: The first day that the model was fitted to.
        origin_date: The last one; forecasts start the day after.
        total: The running total of the counts by the end of `origin_date`, days before `first_day` included.
    """

    code: str
    name: str
    first_day: datetime.date
    origin_date: datetime.date
    total: int


@dataclass(frozen=True)
class Artifact:
    """A verified artifact in memory, its draws mapped from disk so that all workers share one copy.

    Attributes:
        folder: Where it was loaded from.
        manifest: `manifest.json` as it stands.
        draws: Posterior predictive draws of the target, shape (draw, country, day ahead), float32, read-only;
            `draws[:, i, 0]` is the day after the origin of the i-th country of `countries`.
        countries: By code, in the order of the second axis of `draws`.
        observations: By country code, the (day, count) pairs that were fitted; a count of None is no report.
        parameters: By country code, the posterior summaries of that country's parameters; those that all
            countries share lie under `""`.
    """

    folder: Path
    manifest: dict[str, Any]
    draws: np.ndarray
    countries: dict[str, Country]
    observations: dict[str, list[tuple[datetime.date, int | None]]]
    parameters: dict[str, list[dict[str, Any]]]

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read and verify the artifact in `folder`.

        Raises:
            ArtifactError: A file is missing or was changed, or the schema is not this version's.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        for name, expected in manifest["files"].items():
            if not (folder / name).is_file():
                raise ArtifactError(f"{folder / name} is missing: train the model again")
            if sha256(folder / name) != expected:
                raise ArtifactError(
                    f"{folder / name} is not what training wrote (SHA-256): train the model again"
                )
        try:
            countries = {
                code: Country(
                    code,
                    entry["name"],
                    datetime.date.fromisoformat(entry["first_day"]),
                    datetime.date.fromisoformat(entry["origin_date"]),
                    entry["total"],
                )
                for code, entry in manifest["countries"].items()
            }
            draws = np.load(folder / "draws.npy", mmap_mode="r", allow_pickle=False)
            if draws.ndim != 3 or draws.shape[1:] != (len(countries), manifest["horizon"]):
                raise ArtifactError(
                    f"{folder / 'draws.npy'} does not fit the manifest: train the model again"
                )
            parameters = json.loads((folder / "parameters.json").read_bytes())
            return cls(folder, manifest, draws, countries, _read_observations(folder), parameters)
        except (ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
            raise ArtifactError(f"{folder} cannot be read ({error!r}): train the model again") from None

    @property
    def model(self) -> str:
        """The model's name: its folder's, its route's and its image's."""
        return self.manifest["model"]

    @property
    def version(self) -> str:
        """The data's last day and the start of a hash over everything that was learned from it."""
        return self.manifest["version"]

    @property
    def horizon(self) -> int:
        """How many days ahead the draws reach."""
        return self.manifest["horizon"]

    @property
    def cumulative(self) -> bool:
        """Whether the target is a running total rather than a count a day."""
        return self.manifest["cumulative"]

    @cached_property
    def data_through(self) -> datetime.date:
        """The last day in the data that the model was trained with."""
        return datetime.date.fromisoformat(self.manifest["data"]["last_day"])

    def forecast_draws(self, code: str) -> np.ndarray:
        """The draws of one country, shape (draw, day ahead)."""
        return self.draws[:, list(self.countries).index(code), :]


@contextmanager
def write(folder: Path | str, manifest: dict[str, Any]) -> Iterator[Path]:
    """Write an artifact: yields a temporary folder to put `FILES` into, which takes `folder`'s place.

    `manifest` is completed with the schema's version, the artifact's version, and hashes of the files and of
    itself. If the body raises, or the process is killed, what lies in `folder` stays as it was.

    Raises:
        ArtifactError: A file is missing in the end.
    """
    folder = Path(folder)
    scratch, previous = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".previous")
    if previous.exists() and not folder.exists():  # killed between the two renames below
        previous.rename(folder)
    for leftover in (scratch, previous):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        if missing := [name for name in FILES if not (scratch / name).is_file()]:
            raise ArtifactError(f"{scratch} lacks {', '.join(missing)}")
        hashes = {file.name: sha256(file) for file in sorted(scratch.iterdir())}
        # Of what was learned, not of when: the same data, code and library versions give the same version.
        learned = hashlib.sha256("".join(hashes[name] for name in LEARNED).encode())
        version = f"{manifest['data']['last_day']}-{learned.hexdigest()[:8]}"
        complete = {"schema_version": SCHEMA_VERSION, "version": version, **manifest, "files": hashes}
        write_json(scratch / "manifest.json", {**complete, "manifest_sha256": _digest(complete)})
        if folder.exists():
            folder.rename(previous)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read, too."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
        schema_version = int(manifest["schema_version"])
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
    if manifest.get("manifest_sha256") != _digest(manifest):
        raise ArtifactError(f"{path} is not what training wrote (SHA-256): train the model again")
    if missing := [key for key in KEYS if key not in manifest]:
        raise ArtifactError(f"{path} lacks {', '.join(missing)}: train the model again")
    if missing := [name for name in FILES if name not in manifest["files"]]:
        raise ArtifactError(f"{path} does not name {', '.join(missing)}: train the model again")
    return manifest


def _digest(manifest: dict[str, Any]) -> str:
    """The SHA-256 of all else in the manifest, which it carries itself, so that a changed one shows."""
    others = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def _read_observations(folder: Path) -> dict[str, list[tuple[datetime.date, int | None]]]:
    observations: dict[str, list[tuple[datetime.date, int | None]]] = {}
    with (folder / "observations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            count = int(row["observed"]) if row["observed"] else None
            observations.setdefault(row["country"], []).append(
                (datetime.date.fromisoformat(row["date"]), count)
            )
    return observations
