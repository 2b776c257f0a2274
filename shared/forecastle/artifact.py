"""The artifact: what training leaves behind and all that serving needs. Plain files, never a pickle.

| file                | holds                                                                              |
|---------------------|------------------------------------------------------------------------------------|
| `manifest.json`     | what was fitted to which data, how well it converged, the SHA-256 of every file    |
| `draws.npy`         | posterior predictive draws, shape (draw, series, period ahead)                       |
| `observations.csv`  | `date,<noun>,observed`: the values that the model was fitted to                    |
| `parameters.json`   | posterior summaries of every parameter, by series                                  |
| `posterior.nc`      | the posterior itself in ArviZ's schema, for analysts                               |
| `backtest.json`     | scores of forecasts of past days, by horizon and by origin; null without a backtest |
| `backtest.npz`      | these forecasts: quantiles by origin, series and horizon, beside what was observed;  |
|                     | of daily series also those of sums by week                                           |
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
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from forecastle import manifest as manifests
from forecastle.frequency import Frequency
from forecastle.manifest import ArtifactError, Sealed, sha256, write_json

__all__ = ["Artifact", "ArtifactError", "Manifest", "amend", "sha256", "write", "write_json"]

FILES = (
    "draws.npy",
    "observations.csv",
    "parameters.json",
    "posterior.nc",
    "backtest.json",
    "backtest.npz",
    "card.html",
)
COMBINED = ("draws.npy", "observations.csv", "backtest.npz")  # what an ensemble reads of its members
LEARNED = ("draws.npy", "observations.csv", "parameters.json")  # posterior.nc too, but HDF5 files carry times
PROSE = "<!-- README.md -->"  # the place in card.html where the server puts the prose


@dataclass(frozen=True)
class Series:
    """One series of an artifact, such as a country's.

    Attributes:
        code: Its identifier; of a country, ISO 3166 alpha-3.
        name: In words.
        first_day: The first date that the model was fitted to.
        origin_date: The last one; forecasts start one period after it.
        total: The running total of the counts by the end of `origin_date`, those before `first_day` included;
            None if the values are no counts.
    """

    code: str
    name: str
    first_day: datetime.date
    origin_date: datetime.date
    total: float | None


@dataclass(frozen=True)
class Data:
    """The observations that a model was trained with.

    Attributes:
        file: The name of the file.
        sha256: Its hash, in hexadecimal digits.
        last_day: The last day with a report in it.
        changes: What cleaning and selection changed, in words.
        title: What is counted, and where and when, if that is known.
        source: Who collected the counts, likewise.
        url: A page about them, likewise.
        licence: Under which they may be used, likewise.
    """

    file: str
    sha256: str
    last_day: datetime.date
    changes: list[str]
    title: str | None = None
    source: str | None = None
    url: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Excluded:
    """A series without a forecast, and the reason."""

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
        forecasts: How many forecasts of a series and a date were scored.
        scores: Of all forecasts, as `training.scores.summarise` gives them.
    """

    kind: str
    bounds: dict[str, float]
    origins: list[datetime.date]
    forecasts: int
    scores: dict[str, Any]


@dataclass(frozen=True)
class Member:
    """A model that an ensemble averages.

    Attributes:
        version: Of its artifact.
        content: The SHA-256 of what the ensemble has read of it (`combined`).
        weight: Its share of the average.
        diagnostics: Its own.
    """

    version: str
    content: str
    weight: float
    diagnostics: Diagnostics


@dataclass(frozen=True, kw_only=True)
class Manifest(Sealed):
    """`manifest.json` of a forecast, which this class alone writes and reads.

    Attributes:
        target: What is forecast, such as "daily deaths".
        unit: Of the forecast numbers, such as "deaths".
        cumulative: Whether the target is a running total rather than a count a period.
        reference: Whether the model is there to be compared with, and not for use.
        seed: Of all randomness.
        noun: What a series is about, such as "country".
        plural: Of the noun, such as "countries": a part of the routes.
        measure: What is measured, such as "deaths": a column of the observations.
        real: Whether the values are real numbers, of which there is no running total, rather than counts.
        minimum: The least value that there can be, such as 0; None if there is none.
        frequency: Of the series' dates, by pandas' alias: "D" is daily. See `forecastle.frequency`.
        horizon: How many periods ahead forecasts reach.
        data: What the model was trained with.
        series: What is forecast, by identifier, in the order of the draws' second axis.
        excluded: What the data hold and is not forecast, by identifier.
        diagnostics: How well the sampler converged.
        posterior_predictive: How well the fit covers its own data.
        backtest: How well past days were forecast; None without a backtest.
        retrained: What the model replaced, if it came about by `make retrain`.
        members: Of an ensemble, what it averages, by their models' names.
        version: The data's last day and the start of a hash over everything that was learned from them.
    """

    kind: str = manifests.FORECAST
    target: str
    unit: str
    cumulative: bool
    reference: bool
    seed: int
    noun: str = "country"
    plural: str = "countries"
    measure: str
    real: bool = False
    minimum: float | None = 0
    frequency: str = "D"
    horizon: int
    data: Data
    series: dict[str, Series]
    excluded: dict[str, Excluded]
    diagnostics: Diagnostics
    posterior_predictive: dict[str, Any] = field(default_factory=dict)
    backtest: Backtest | None
    retrained: dict[str, Any] | None = None
    members: dict[str, Member] = field(default_factory=dict)

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
            "data": Data(**{**data, "last_day": day(data["last_day"])}),
            "series": {
                code: Series(code, one["name"], day(one["first_day"]), day(one["origin_date"]), one["total"])
                for code, one in content["series"].items()
            },
            "excluded": {code: Excluded(**one) for code, one in content["excluded"].items()},
            "diagnostics": Diagnostics(**content["diagnostics"]),
            "members": {
                model: Member(**{**one, "diagnostics": Diagnostics(**one["diagnostics"])})
                for model, one in content.get("members", {}).items()
            },
            "backtest": backtest
            and Backtest(**{**backtest, "origins": [day(origin) for origin in backtest["origins"]]}),
        }
        return super().of({**content, **read})

    def json(self) -> dict[str, Any]:
        """What `manifest.json` holds: dates and times in ISO 8601."""
        content = super().json()
        for series in content["series"].values():
            del series["code"]
        return content


@dataclass(frozen=True, eq=False)
class Artifact:
    """A verified artifact in memory, its draws mapped from disk so that all workers share one copy.

    Attributes:
        folder: Where it was loaded from.
        manifest: Of the model.
        draws: Posterior predictive draws of the target, shape (draw, series, period ahead), float32 or
            float64, read-only. `draws[:, i, 0]` is one period after the origin of the i-th of `series`.
        series: By code, in the order of the second axis of `draws`.
        observations: By code, the (date, value) pairs that were fitted; a value of None is no report.
        parameters: By code, the posterior summaries of that series' parameters; those that all series share
            lie under `""`.
    """

    folder: Path
    manifest: Manifest
    draws: np.ndarray
    series: dict[str, Series]
    observations: dict[str, list[tuple[datetime.date, float | None]]]
    parameters: dict[str, list[dict[str, Any]]]

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read and verify the artifact in `folder`.

        Raises:
            ArtifactError: A file is missing or was changed, or the schema is not this version's.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        manifests.verify(folder, manifest.files)
        try:
            # A plain array, since each look-up in a `np.memmap` goes through methods of Python.
            draws = np.asarray(np.load(folder / "draws.npy", mmap_mode="r", allow_pickle=False))
            if draws.ndim != 3 or draws.shape[1:] != (len(manifest.series), manifest.horizon):
                raise ArtifactError(
                    f"{folder / 'draws.npy'} does not fit the manifest: train the model again"
                )
            parameters = json.loads((folder / "parameters.json").read_bytes())
            return cls(
                folder,
                manifest,
                draws,
                manifest.series,
                _read_observations(folder, manifest.noun),
                parameters,
            )
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

    @cached_property
    def frequency(self) -> Frequency:
        """Of the dates."""
        return Frequency.of(self.manifest.frequency)

    @property
    def horizon(self) -> int:
        """How many periods ahead the draws reach."""
        return self.manifest.horizon

    @property
    def cumulative(self) -> bool:
        """Whether the target is a running total rather than a count a period."""
        return self.manifest.cumulative

    @property
    def data_through(self) -> datetime.date:
        """The last day in the data that the model was trained with."""
        return self.manifest.data.last_day

    def forecast_draws(self, code: str) -> np.ndarray:
        """The draws of one series, shape (draw, period ahead)."""
        return self.draws[:, list(self.series).index(code), :]


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
    scratch = folder.with_name(folder.name + ".part")
    manifests.recover(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        if missing := [name for name in FILES if not (scratch / name).is_file()]:
            raise ArtifactError(f"{scratch} lacks {', '.join(missing)}")
        files = manifests.hashes(scratch)
        # Of what was learned, not of when: the same data, code and library versions give the same version.
        learned = hashlib.sha256("".join(files[name] for name in LEARNED).encode())
        version = f"{manifest.data.last_day}-{learned.hexdigest()[:8]}"
        dataclasses.replace(manifest, version=version).write(scratch)
        Artifact.load(scratch)
        manifests.put(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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


def combined(files: Mapping[str, str]) -> str:
    """The SHA-256 of what an ensemble reads of an artifact with these files; "" if it is no forecast."""
    if not files.keys() >= set(COMBINED):
        return ""
    return hashlib.sha256("".join(files[name] for name in COMBINED).encode()).hexdigest()


def _read_manifest(folder: Path) -> Manifest:
    path, content = folder / manifests.NAME, manifests.read(folder)
    if content.get("kind", manifests.FORECAST) != manifests.FORECAST:
        raise ArtifactError(f"{path} is of no forecast: only what train() or save_forecast() wrote is one")
    known = {*content, "kind", "sources", "members"}  # which artifacts of earlier versions do not have
    if missing := [one.name for one in dataclasses.fields(Manifest) if one.name not in known]:
        raise ArtifactError(f"{path} lacks {', '.join(missing)}: train the model again")
    try:
        manifest = Manifest.of(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is not a manifest ({error!r}): train the model again") from None
    if missing := [name for name in FILES if name not in manifest.files]:
        raise ArtifactError(f"{path} does not name {', '.join(missing)}: train the model again")
    return manifest


def _read_observations(folder: Path, noun: str) -> dict[str, list[tuple[datetime.date, float | None]]]:
    observations: dict[str, list[tuple[datetime.date, float | None]]] = {}
    with (folder / "observations.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            value = _number(row["observed"]) if row["observed"] else None
            observations.setdefault(row[noun], []).append((datetime.date.fromisoformat(row["date"]), value))
    return observations


def _number(text: str) -> float:
    """Whole numbers as such, so that counts are written without a point."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
