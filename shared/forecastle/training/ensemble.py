"""Ensembles: one forecast from those of several models.

combine(target="daily deaths", unit="deaths")

The last line of an ensemble's `train.py`. The file `members` beside it names the models, and nothing is
fitted: what they forecast now, and what they forecast of past days, stands in their artifacts. Their
quantiles are averaged (`averaging`). Forecast hubs have found that a few members with equal weights do well:
Cramer et al., PNAS 119 (2022); Sherratt et al., eLife 12 (2023). Where a member forecasts running totals,
what is averaged is what is new each period.
"""

import argparse
import dataclasses
import datetime
import inspect
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import forecastle
from forecastle import artifact, manifest, members, scores
from forecastle.artifact import Artifact, ArtifactError, Diagnostics, Excluded
from forecastle.folder import ARTIFACT, sources
from forecastle.frequency import Frequency
from forecastle.training import backtest, diagnostics, files, saving
from forecastle.training.averaging import average, marginals, shuffled
from forecastle.training.backtest import Forecasts
from forecastle.training.contract import ContractError
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import Step, steps

AGREED = ("noun", "plural", "measure", "frequency", "real", "minimum")  # of the members' manifests
KEY = ("origin", "series", "date")  # of a forecast
EQUAL, PAST = "equal", "past"  # rules for weights
SEED = 20200423
# What to do about a backtest that is refused: nothing is fitted here.
ADVICE = backtest.Advice(
    worse="mend the members that are worse than naive, or take others",
    narrow="mend the members whose intervals are too narrow, or take others",
    wide="mend the members whose intervals are too wide, or take others",
)


@dataclass(frozen=True)
class Ensemble:
    """What an ensemble's `train.py` passes to `combine`, which explains each, and where it lies."""

    folder: Path
    title: str
    target: str
    unit: str
    weights: str
    reference: bool
    seed: int


@dataclass(frozen=True)
class Member:
    """A model whose forecasts are averaged.

    Attributes:
        artifact: Its artifact.
        past: What it forecast of past days.
    """

    artifact: Artifact
    past: Forecasts

    @property
    def name(self) -> str:
        """The model's."""
        return self.artifact.model

    @property
    def content(self) -> str:
        """The hash of what is read of it."""
        return artifact.combined(self.artifact.manifest.files)

    def draws(self, codes: Sequence[str]) -> np.ndarray:
        """What is new in each coming period of these series, shape (draw, series, period)."""
        known = list(self.artifact.series)
        drawn = self.artifact.draws[:, [known.index(code) for code in codes], :]
        if not self.artifact.cumulative:
            return drawn
        totals = np.array([self.artifact.series[code].total for code in codes], dtype=float)
        before = np.broadcast_to(totals[None, :, None], (len(drawn), len(codes), 1))
        return np.diff(drawn.astype(float), axis=2, prepend=before)


def combine(
    *,
    target: str,
    unit: str,
    title: str = "",
    weights: str = EQUAL,
    reference: bool = False,
    seed: int = SEED,
) -> None:
    """Average the members' forecasts, check, backtest, save: the artifact in the script's folder.

    What goes wrong ends the program with a message, and the last artifact stays as it was. The series are
    those that all members forecast. The backtest has the origins that the members' have in common; where all
    of these are long ones, so is it, and `--backtest` prints its scores.

    Args:
        target: What is forecast each period, such as "daily deaths": no running total.
        unit: Of the numbers, such as "deaths".
        title: What the ensemble is, in a line; by default the first one of the script's docstring.
        weights: `equal`; or `past`: from each origin on in proportion to the inverse of each member's mean
            weighted interval score, as far as it was known there. Taylor and Taylor, "Combining probabilistic
            forecasts of COVID-19 mortality in the United States", European Journal of Operational Research
            304 (2023). Where nothing was known yet they are equal.
        reference: Whether the ensemble is there to be compared with. Then its backtest does not decide.
        seed: Of all randomness.
    """
    started = time.perf_counter()
    main = sys.modules["__main__"]
    if not (script := getattr(main, "__file__", None)):
        sys.exit("combine() finds no script: call it from a file, such as models/ensemble/train.py")
    folder = Path(script).resolve().parent
    title = title or (inspect.getdoc(main) or folder.name).splitlines()[0].rstrip(".")
    ensemble = Ensemble(folder, title, target, unit, weights, reference, seed)
    options = _options(title)
    try:
        if options.held_out:
            raise ContractError("an ensemble is not fitted: retrain its members, then train it")
        if options.vintages:
            raise ContractError("an ensemble is not fitted: score its members on vintages")
        if weights not in (EQUAL, PAST):
            raise ContractError(f"weights={weights!r} is unknown: choose {EQUAL!r} or {PAST!r}")
        with steps(folder.name) as step:
            with step("reading members"):
                found = load(folder)
            if options.backtest:
                _show_long_backtest(ensemble, found)
            else:
                _make_artifact(ensemble, found, step, started)
    except FitError as error:
        sys.exit(f"{folder.name}: the ensemble is not to be used, and the last artifact stays\n{error}")
    except (ContractError, ArtifactError) as error:
        sys.exit(f"{folder.name}: {error}")


def load(folder: Path) -> list[Member]:
    """The members of the ensemble in a folder; their artifacts lie in the folders beside it.

    Raises:
        ArtifactError: One has no artifact, or none of a forecast.
        ContractError: They were trained with different data, or forecast different things.
    """
    names = members.read(folder)
    if len(names) < members.LEAST:
        raise ContractError(
            f"its file {members.FILE} names {len(names)} models: name at least {members.LEAST}, one a line"
        )
    found = []
    for name in names:
        path = folder.parent / name / ARTIFACT
        if not (path / manifest.NAME).is_file():
            raise ArtifactError(f"its member {name} has no artifact: run `make train MODEL={name}` first")
        found.append(Member(Artifact.load(path), backtest.load(path / "backtest.npz")))
    _check(found)
    return found


def _check(found: Sequence[Member]) -> None:
    """Hold the members against the first.

    Raises:
        ContractError: They were trained with different data, or forecast different things; or what is new
            each period cannot be told from a member's running totals.
    """
    for member in found:
        one, codes = member.artifact, list(member.artifact.series)
        if one.cumulative and (member.draws(codes) < 0).any():
            raise ContractError(
                f"running totals of its member {one.model} fall along paths, so they do not tell what is new "
                f"each {one.frequency.period}: take another member"
            )
    first = found[0].artifact
    for other in (member.artifact for member in found[1:]):
        ours, theirs = first.manifest.data, other.manifest.data
        if (ours.sha256, ours.last_day) != (theirs.sha256, theirs.last_day):
            of_first, of_other = (f"{one.file or 'data'} up to {one.last_day}" for one in (ours, theirs))
            raise ContractError(
                f"its members were trained with different data, {first.model} with {of_first} and "
                f"{other.model} with {of_other}: train both"
            )
        for key in AGREED:
            known, value = getattr(first.manifest, key), getattr(other.manifest, key)
            if known != value:
                raise ContractError(
                    f"its members forecast different things, {first.model} with the {key} {known!r} and "
                    f"{other.model} with {value!r}: correct its file {members.FILE}"
                )


def past(found: Sequence[Member], rule: str) -> Forecasts:
    """What the ensemble would have forecast of past days: all that each member did.

    Args:
        found: The members.
        rule: For the weights.
    """
    daily = _in_common([member.past.increments for member in found])

    def averaged(parts: list[xr.Dataset]) -> xr.Dataset:
        origins, which = np.unique(parts[0]["origin"].values, return_inverse=True)
        by_origin = [_weights(daily, rule, origin) for origin in origins]
        each = np.array(by_origin).reshape(len(origins), len(parts)).T[:, which]
        observed = parts[0]["observed"].values
        quantiles = average([part["quantiles"].values for part in parts], each)
        return parts[0].assign(
            quantiles=(("forecast", "quantile"), quantiles),
            mean=("forecast", average([part["mean"].values for part in parts], each)),
            bias=("forecast", scores.bias(observed, quantiles)),
        )

    made = averaged(daily)
    weeks = averaged(_in_common([member.past.weeks for member in found]))
    return Forecasts(made=made, weeks=weeks, increments=made)


def _in_common(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """The forecasts that all have: of the same origin, series and date, in one order."""
    keys = [pd.MultiIndex.from_arrays([part[name].values for name in KEY]) for part in parts]
    common = keys[0]
    for key in keys[1:]:
        common = common[common.isin(key)]
    return [part.isel(forecast=key.get_indexer(common)) for part, key in zip(parts, keys, strict=True)]


def _weights(known: Sequence[xr.Dataset], rule: str, origin: str) -> np.ndarray:
    """Of each member, by what was forecast of dates up to an origin."""
    equal = np.full(len(known), 1 / len(known))
    before = known[0]["date"].values <= np.datetime64(origin)
    if rule == EQUAL or not before.any():
        return equal
    observed = known[0]["observed"].values[before]
    each = [one["quantiles"].values[before] for one in known]
    means = np.array([scores.weighted_interval_score(observed, one).mean() for one in each])
    return (1 / means) / (1 / means).sum() if (means > 0).all() else equal


def _backtest(found: Sequence[Member], rule: str) -> tuple[Forecasts, dict | None]:
    """What the ensemble would have forecast, and its scores; None if a member has no backtest.

    Raises:
        FitError: The members have forecast no day in common.
    """
    forecasts = past(found, rule)
    if not len(forecasts) and all(member.artifact.manifest.backtest for member in found):
        names = " and ".join(f"`make backtest MODEL={member.name}`" for member in found)
        raise FitError(f"  its members' backtests have no origin in common: run {names}")
    return forecasts, backtest.score(forecasts, "short" if _short(found) else "full")


def _judged(
    forecasts: Forecasts, scored: dict, of: artifact.Manifest, series: int
) -> tuple[Forecasts, dict | None]:
    """The forecasts that decide, and their scores: from a short backtest's origins, as with any model."""
    frequency = Frequency.of(of.frequency)
    short = backtest.origins(of.data.last_day, "short", series, frequency, of.horizon)
    names = [origin.isoformat() for origin in short]
    if scored["kind"] == "short" or not set(names) & set(scored["origins"]):
        return forecasts, scored
    made, weeks = (
        part.isel(forecast=part["origin"].isin(names)) for part in (forecasts.made, forecasts.weeks)
    )
    judged = Forecasts(made=made, weeks=weeks, increments=made)
    return judged, backtest.score(judged, "short")


def _short(found: Sequence[Member]) -> list[str]:
    """The members without a long backtest."""
    summaries = {member.name: member.artifact.manifest.backtest for member in found}
    return [name for name, summary in summaries.items() if summary is None or summary.kind != "full"]


def _show_long_backtest(ensemble: Ensemble, found: Sequence[Member]) -> None:
    """Print the scores of the members' long backtests combined, which the artifact holds already.

    Raises:
        ArtifactError: A member has no long backtest, or the artifact was made of others than the members'.
        FitError: There is nothing to score.
    """
    if short := _short(found):
        raise ArtifactError(
            f"its member {short[0]} has no long backtest: run `make backtest MODEL={short[0]}`"
        )
    folder = ensemble.folder
    known = Artifact.load(folder / ARTIFACT).manifest.members
    if {name: one.content for name, one in known.items()} != {one.name: one.content for one in found}:
        raise ArtifactError(f"its members have new artifacts: run `make train MODEL={folder.name}` first")
    _, scored = _backtest(found, ensemble.weights)
    if scored is not None:  # or it is an error, as every member has a backtest
        backtest.show(scored)


def _make_artifact(ensemble: Ensemble, found: Sequence[Member], step: Step, started: float) -> None:
    """Average, check and save.

    Raises:
        ArtifactError: The artifact cannot be written.
        ContractError: The members forecast no series in common.
        FitError: The backtest is worse than the naive forecast.
    """
    folder, first = ensemble.folder, found[0].artifact.manifest
    codes, excluded = _series(found)
    changes = dict.fromkeys(change for one in found for change in one.artifact.manifest.data.changes)
    data = dataclasses.replace(first.data, changes=list(changes))
    with step("backtest"):
        forecasts, scored = _backtest(found, ensemble.weights)
    if scored is None:
        print(
            f"{folder.name}: nothing is known of how good past forecasts were, as a member has no backtest",
            file=sys.stderr,
        )
    elif not ensemble.reference:
        backtest.check(*_judged(forecasts, scored, first, len(codes)), otherwise=ADVICE)
    daily = _in_common([member.past.increments for member in found])
    weights = _weights(daily, ensemble.weights, data.last_day.isoformat())
    rows = _rows(found, codes)
    series = files.series(rows, first.real)
    with step("averaging"):
        draws = _paths(found, codes, weights, ensemble.seed)
    totals = None if first.real else np.array([one.total for one in series.values()], dtype=float)
    draws = files.exact(draws, totals, cumulative=False)
    of_ensemble = artifact.Manifest(
        model=folder.name,
        title=ensemble.title,
        target=ensemble.target,
        unit=ensemble.unit,
        cumulative=False,
        reference=ensemble.reference,
        created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        seed=ensemble.seed,
        training_seconds=round(time.perf_counter() - started, 1),
        noun=first.noun,
        plural=first.plural,
        measure=first.measure,
        real=first.real,
        minimum=first.minimum,
        frequency=first.frequency,
        horizon=draws.shape[2],
        data=data,
        series=series,
        excluded=excluded,
        versions=saving.versions(),
        sources=sources(folder, Path(forecastle.__file__).parent),
        diagnostics=_worst([member.artifact.manifest.diagnostics for member in found]),
        backtest=backtest.summary(scored),
        members={
            member.name: artifact.Member(
                version=member.artifact.version,
                content=member.content,
                weight=round(float(weight), 4),
                diagnostics=member.artifact.manifest.diagnostics,
            )
            for member, weight in zip(found, weights, strict=True)
        },
    )
    with step("saving"):
        saving.write(folder / ARTIFACT, of_ensemble, rows, draws, forecasts, scored)


def _paths(found: Sequence[Member], codes: Sequence[str], weights: np.ndarray, seed: int) -> np.ndarray:
    """The ensemble's draws, shape (draw, series, period), as far ahead as all members forecast."""
    periods = min(member.artifact.horizon for member in found)
    draws = [member.draws(codes)[:, :, :periods] for member in found]
    return shuffled(marginals(draws, weights), draws, weights, np.random.default_rng(seed))


def _series(found: Sequence[Member]) -> tuple[list[str], dict[str, Excluded]]:
    """The series that all members forecast from the same date on, sorted; and the others, with the reason.

    Raises:
        ContractError: There are none.
    """
    codes: list[str] = []
    excluded: dict[str, Excluded] = {}
    names = {code: one.name for each in found for code, one in each.artifact.manifest.excluded.items()}
    names |= {code: one.name for each in found for code, one in each.artifact.series.items()}
    for code in sorted(names):
        last_days = {each.artifact.series[code].origin_date for each in found if code in each.artifact.series}
        if without := [each for each in found if code not in each.artifact.series]:
            known = without[0].artifact.manifest.excluded.get(code)
            because = f": {known.reason}" if known else ""
            excluded[code] = Excluded(names[code], f"{without[0].name} does not forecast it{because}")
        elif len(last_days) > 1:
            days = " and ".join(map(str, sorted(last_days)))
            excluded[code] = Excluded(names[code], f"its members were fitted up to different dates, {days}")
        else:
            codes.append(code)
    if not codes:
        code, one = next(iter(excluded.items()))
        raise ContractError(
            f"its members forecast no {found[0].artifact.manifest.noun} in common; of {code}, {one.reason}"
        )
    return codes, excluded


def _worst(each: Sequence[Diagnostics]) -> Diagnostics:
    """Of each diagnostic the worst of all members'."""
    bounds: dict[str, float] = {}
    worst: dict[str, float] = {}
    for one in each:
        bounds |= one.bounds
        for name, value in one.worst.items():
            worse = max if name in diagnostics.AT_MOST else min
            worst[name] = worse(worst.get(name, value), value)
    return Diagnostics(bounds, worst)


def _rows(found: Sequence[Member], codes: Sequence[str]) -> pd.DataFrame:
    """What was fitted, by the first member that forecasts no running total; if all do, from the first's."""
    source = next((one.artifact for one in found if not one.artifact.cumulative), found[0].artifact)
    parts = []
    for code in codes:
        dates, values = zip(*source.observations[code], strict=True)
        count = pd.Series(values, dtype=float)
        if source.cumulative:
            count = count.diff()
        part = pd.DataFrame(
            {
                "date": pd.to_datetime(list(dates)),
                source.manifest.noun: code,
                "name": source.series[code].name,
                "count": count if source.manifest.real else count.astype("Int64"),
            }
        )
        if (total := source.series[code].total) is not None:
            running = count.fillna(0).cumsum()
            part["total"] = total - (running.iloc[-1] - running)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _options(title: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--backtest", action="store_true", help="show the scores of the long backtest")
    parser.add_argument("--held-out", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--vintages", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()
