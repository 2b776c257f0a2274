"""The artifact: what training leaves behind and all that serving needs. Plain files, never a pickle.

| file                | holds                                                                              |
|---------------------|------------------------------------------------------------------------------------|
| `manifest.json`     | what was fitted to which data, how well it converged, the SHA-256 of every file    |
| `draws.npy`         | posterior predictive draws, shape (draw, country, day ahead)                       |
| `observations.csv`  | `date,country,observed`: the counts that the model was fitted to                   |
| `parameters.json`   | posterior summaries of every parameter, by country                                 |
| `posterior.nc`      | the posterior itself in ArviZ's schema, for analysts                               |
| `backtest.json`     | scores of forecasts of past days, by horizon and by origin; null without a backtest |
| `backtest.npz`      | these forecasts: quantiles by origin, country and horizon, beside what was observed |
| `card.html`         | the model card, but for the prose of README.md, which the server adds              |

Training writes it and serving reads it, so this module needs NumPy and the standard library alone.
"""

import csv
import dataclasses
import datetime
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

SCHEMA_VERSION = 2
FILES = (
    "draws.npy",
    "observations.csv",
    "parameters.json",
    "posterior.nc",
    "backtest.json",
    "backtest.npz",
    "card.html",
)
LEARNED = ("draws.npy", "observations.csv", "parameters.json")  # posterior.nc too, but HDF5 files carry times
PROSE = "<!-- README.md -->"  # the place in card.html where the server puts the prose


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
class Data:
    """The observations that a model was trained with.

    Attributes:
        file: The name of the file.
        sha256: Its hash, in hexadecimal digits.
        last_day: The last day with a report in it.
        changes: What cleaning and selection changed, in words.
    """

    file: str
    sha256: str
    last_day: datetime.date
    changes: list[str]


@dataclass(frozen=True)
class Excluded:
    """A country without a forecast, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Diagnostics:
    """The worst value of every diagnostic over all parameters, and the bounds that it was held to."""

    bounds: dict[str, float]
    worst: dict[str, float]


@dataclass(frozen=True)
class Backtest:
    """The summary of a backtest; `backtest.json` has the whole of it.

    Attributes:
        kind: `short` or `full`.
        bounds: What the scores were held to.
        origins: The last days that the forecasts knew.
        forecasts: How many forecasts of a country and a day were scored.
        scores: Of all forecasts, as `training.scores.summarise` gives them.
    """

    kind: str
    bounds: dict[str, float]
    origins: list[datetime.date]
    forecasts: int
    scores: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """`manifest.json`, which this class alone writes and reads.

    Attributes:
        model: The model's name: its folder's, its route's and its image's.
        title: What the model is, in a line.
        target: What is forecast, such as "daily deaths".
        unit: Of the forecast numbers, such as "deaths".
        cumulative: Whether the target is a running total rather than a count a day.
        reference: Whether the model is there to be compared with, and not for use.
        created: When training ended.
        seed: Of all randomness.
        training_seconds: How long training took.
        noun: What a series is about, such as "country".
        frequency: Of the series' dates, by pandas' alias: "D" is daily.
        horizon: How many periods ahead forecasts reach.
        data: What the model was trained with.
        series: What is forecast, by identifier, in the order of the draws' second axis.
        excluded: What the data hold and is not forecast, by identifier.
        versions: Of Python and of the libraries that training used.
        diagnostics: How well the sampler converged.
        posterior_predictive: How well the fit covers its own data.
        backtest: How well past days were forecast; None without a backtest.
        retrained: What the model replaced, if it came about by `make retrain`.
        schema_version: Of this format.
        version: The data's last day and the start of a hash over everything that was learned from them.
        files: The SHA-256 of every other file.
        manifest_sha256: Of all else in the manifest, so that a changed manifest is noticed.
    """

    model: str
    title: str
    target: str
    unit: str
    cumulative: bool
    reference: bool
    created: datetime.datetime
    seed: int
    training_seconds: float
    noun: str = "country"
    frequency: str = "D"
    horizon: int
    data: Data
    series: dict[str, Country]
    excluded: dict[str, Excluded]
    versions: dict[str, str]
    diagnostics: Diagnostics
    posterior_predictive: dict[str, Any] = field(default_factory=dict)
    backtest: Backtest | None
    retrained: dict[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION
    version: str = ""
    files: dict[str, str] = field(default_factory=dict)
    manifest_sha256: str = ""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            KeyError: A member is missing.
            TypeError: A member is of another type, or is not one of the manifest's.
            ValueError: A member's value is none of its type.
        """
        day = datetime.date.fromisoformat
        data, backtest = content["data"], content["backtest"]
        read: dict[str, Any] = {
            "created": datetime.datetime.fromisoformat(content["created"]),
            "data": Data(**{**data, "last_day": day(data["last_day"])}),
            "series": {
                code: Country(
                    code, one["name"], day(one["first_day"]), day(one["origin_date"]), int(one["total"])
                )
                for code, one in content["series"].items()
            },
            "excluded": {code: Excluded(**one) for code, one in content["excluded"].items()},
            "diagnostics": Diagnostics(**content["diagnostics"]),
            "backtest": backtest
            and Backtest(**{**backtest, "origins": [day(origin) for origin in backtest["origins"]]}),
        }
        return cls(**{**content, **read})

    def json(self) -> dict[str, Any]:
        """What `manifest.json` holds: dates and times in ISO 8601."""
        content = dataclasses.asdict(self)
        for country in content["series"].values():
            del country["code"]
        return json.loads(json.dumps(content, default=lambda day: day.isoformat()))


@dataclass(frozen=True, eq=False)
class Artifact:
    """A verified artifact in memory, its draws mapped from disk so that all workers share one copy.

    Attributes:
        folder: Where it was loaded from.
        manifest: Of the model.
        draws: Posterior predictive draws of the target, shape (draw, country, day ahead), float32 or float64,
            read-only. `draws[:, i, 0]` is the day after the origin of the i-th country of `countries`.
        countries: By code, in the order of the second axis of `draws`.
        observations: By country code, the (day, count) pairs that were fitted; a count of None is no report.
        parameters: By country code, the posterior summaries of that country's parameters; those that all
            countries share lie under `""`.
    """

    folder: Path
    manifest: Manifest
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
        for name, expected in manifest.files.items():
            if not (folder / name).is_file():
                raise ArtifactError(f"{folder / name} is missing: train the model again")
            if sha256(folder / name) != expected:
                raise ArtifactError(
                    f"{folder / name} is not what training wrote (SHA-256): train the model again"
                )
        try:
            draws = np.load(folder / "draws.npy", mmap_mode="r", allow_pickle=False)
            if draws.ndim != 3 or draws.shape[1:] != (len(manifest.series), manifest.horizon):
                raise ArtifactError(
                    f"{folder / 'draws.npy'} does not fit the manifest: train the model again"
                )
            parameters = json.loads((folder / "parameters.json").read_bytes())
            return cls(folder, manifest, draws, manifest.series, _read_observations(folder), parameters)
        except (ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
            raise ArtifactError(f"{folder} cannot be read ({error!r}): train the model again") from None

    @property
    def model(self) -> str:
        """The model's name: its folder's, its route's and its image's."""
        return self.manifest.model

    @property
    def version(self) -> str:
        """The data's last day and the start of a hash over everything that was learned from it."""
        return self.manifest.version

    @property
    def horizon(self) -> int:
        """How many days ahead the draws reach."""
        return self.manifest.horizon

    @property
    def cumulative(self) -> bool:
        """Whether the target is a running total rather than a count a day."""
        return self.manifest.cumulative

    @property
    def data_through(self) -> datetime.date:
        """The last day in the data that the model was trained with."""
        return self.manifest.data.last_day

    def forecast_draws(self, code: str) -> np.ndarray:
        """The draws of one country, shape (draw, day ahead)."""
        return self.draws[:, list(self.countries).index(code), :]


@contextmanager
def write(folder: Path | str, manifest: Manifest) -> Iterator[Path]:
    """Write an artifact: yields a temporary folder to put `FILES` into, which takes `folder`'s place.

    `manifest` is completed with the artifact's version, and hashes of the files and of itself. The artifact
    is loaded before it replaces the last one. If the body raises, or the process is killed, or the artifact
    cannot be loaded, what lies in `folder` stays as it was.

    Raises:
        ArtifactError: A file is missing in the end, or cannot be read.
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
        files = {
            file.name: sha256(file) for file in sorted(scratch.iterdir()) if file.name != "manifest.json"
        }
        # Of what was learned, not of when: the same data, code and library versions give the same version.
        learned = hashlib.sha256("".join(files[name] for name in LEARNED).encode())
        version = f"{manifest.data.last_day}-{learned.hexdigest()[:8]}"
        content = dataclasses.replace(manifest, version=version, files=files).json()
        write_json(scratch / "manifest.json", {**content, "manifest_sha256": _digest(content)})
        Artifact.load(scratch)
        if folder.exists():
            folder.rename(previous)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def amend(folder: Path | str, **changes: Any) -> Iterator[Path]:
    """Write an artifact anew, with these members of its manifest changed: as `write`, but with its files.

    Raises:
        ArtifactError: There is no artifact in `folder`, or it cannot be read.
    """
    known = Artifact.load(folder)
    with write(folder, dataclasses.replace(known.manifest, **changes)) as scratch:
        for name in known.manifest.files:
            shutil.copy2(known.folder / name, scratch / name)
        yield scratch


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read, too."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_bytes())
        schema_version = int(content["schema_version"])
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
    if content.get("manifest_sha256") != _digest(content):
        raise ArtifactError(f"{path} is not what training wrote (SHA-256): train the model again")
    if missing := [one.name for one in dataclasses.fields(Manifest) if one.name not in content]:
        raise ArtifactError(f"{path} lacks {', '.join(missing)}: train the model again")
    try:
        manifest = Manifest.of(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is not a manifest ({error!r}): train the model again") from None
    if missing := [name for name in FILES if name not in manifest.files]:
        raise ArtifactError(f"{path} does not name {', '.join(missing)}: train the model again")
    return manifest


def _digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's JSON but for `manifest_sha256`."""
    others = {key: value for key, value in content.items() if key != "manifest_sha256"}
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
