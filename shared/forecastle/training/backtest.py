"""Backtests with rolling origins: how good would the forecasts of past days have been?

A model is fitted to the data up to each origin, forecasts the days after it, and is scored on what then was
reported, beside a naive forecast (`scores.naive`).
"""

import dataclasses
import datetime
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import rich.box
import rich.console
import rich.table
import scipy.stats
import xarray as xr

from forecastle import observations
from forecastle.artifact import ArtifactError, Backtest
from forecastle.frequency import Frequency
from forecastle.observations import Observations, Reported, noun_of
from forecastle.scores import COVERAGE_LEVELS, QUANTILES, hub_baseline, naive, naive_sums, same_weekday
from forecastle.training import contract, scores, vintages
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import Report, silent
from forecastle.training.recipe import Recipe, Shape
from forecastle.training.sampling import thinned

PERIODS = 14  # ahead that are scored, at most
REACH = 28  # days ahead whose sums by week are scored, at most
WEEK = 7  # days, from a Sunday to a Saturday
SATURDAY = 5  # as of datetime.date.weekday()
# What a file of forecasts holds of each, beside its series, origin and horizon, and how.
KINDS = {
    "quantiles": "float32",
    "naive": "float32",
    "baseline": "float32",
    "date": "datetime64[D]",
    "observed": "float64",
    "mean": "float64",
    "bias": "float32",
}
# How many origins, and periods between them: no whole weeks of days, or each horizon would always be the
# same weekday. Every training has the short one.
ORIGINS = {"short": (3, 16), "full": (11, 8)}
LEAST_PATHS = 15  # origins times series: of few series there are more origins,
DENSE = 8  # at most so many periods apart
DRAWS = 250  # of each chain: quantiles need fewer than the tails of the artifact's draws
WIS_RATIO = 1.0  # at most: no worse than the naive forecast
COVERAGE = (0.8, 0.97)  # that 90 % intervals must not lie surely outside of
LEVEL = "0.9"
WIDTH = 120  # of the tables
SHOWN = 3  # failures in an error message

REFERENCE = "or declare the model a reference (reference=True)"

BOUNDS = {"wis_ratio": WIS_RATIO, "coverage_least": COVERAGE[0], "coverage_most": COVERAGE[1]}


@dataclass(frozen=True)
class Advice:
    """What to do about a model that is refused.

    Attributes:
        worse: It forecasts worse than the naive forecast.
        narrow: Its intervals hold too little.
        wide: They hold too much.
    """

    worse: str
    narrow: str
    wide: str


FITTED = Advice(
    worse="give later days more weight, widen what is too narrow",
    narrow="give what changes from day to day or week to week more room",
    wide="narrow priors, or let noise be less",
)


@dataclass(frozen=True)
class Gap:
    """A series without a forecast from an origin, or an origin without any forecast.

    Attributes:
        origin: As of ISO 8601.
        series: Its code; "" for all series.
        reason: In words.
    """

    origin: str
    series: str
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}{self.series and f', {self.series}'}: {self.reason}"


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from past origins.

    Attributes:
        made: Of all counts that are known by now, as `scores.summarise` takes them, with their `series`,
            `origin`, `date` and `horizon`.
        weeks: Likewise of a daily measure's sums by week. `horizon` counts whole weeks from a Sunday to a
            Saturday after the origin, from 1, and `date` is the Saturday. Weeks that are not wholly known by
            now are left out, and so are those of series that are not daily.
        increments: What is new each period, where `made` has running totals; otherwise `made` itself.
        failed: Fits that failed.
        skipped: Origins whose data leave nothing to fit or to score.
    """

    made: xr.Dataset
    weeks: xr.Dataset
    increments: xr.Dataset
    failed: tuple[Gap, ...] = ()
    skipped: tuple[Gap, ...] = ()

    def __len__(self) -> int:
        return self.made.sizes["forecast"]


def origins(
    last_day: datetime.date, kind: str, series: int, frequency: Frequency, horizon: int = PERIODS
) -> list[datetime.date]:
    """The origins of a `short` or a `full` backtest, the last of them with all scored dates after it.

    Args:
        last_day: The last date with a report.
        kind: Of the backtest.
        series: How many there are. Of few, more origins are needed to tell anything.
        frequency: Of the dates.
        horizon: How many periods ahead the model forecasts; at most `PERIODS` of them are scored.
    """
    number, apart = ORIGINS[kind]
    needed = -(-LEAST_PATHS // series)
    if needed > number:
        number, apart = needed, min(apart, DENSE)
    last = frequency.after(last_day, -min(PERIODS, horizon))
    return sorted(frequency.after(last, -apart * i) for i in range(number))


def measured(recipe: Recipe, selected: Observations) -> pd.DataFrame:
    """What is known of the measure: `date`, the noun and the measure.

    As far as `observe` says what it has read, of all series and dates; else of those that are fitted.
    """
    columns = ["date", recipe.noun, recipe.measure]
    if selected.reported is not None and recipe.measure in selected.reported:
        return selected.reported[columns]
    rows = selected.frame.drop(columns=recipe.measure, errors="ignore")
    if recipe.cumulative:  # the measure is what was new
        rows = rows.assign(count=rows.groupby(recipe.noun)["total"].diff().where(rows["count"].notna()))
    return rows.rename(columns={"count": recipe.measure})[columns]


def forecast(
    recipe: Recipe,
    known: Sequence[Reported],
    truth: pd.DataFrame,
    origins: Sequence[datetime.date],
    report: Report,
    periods: int | None = None,
) -> Forecasts:
    """Refit at each origin, in as many processes as there are cores, and forecast.

    Refits run through joblib: `joblib.parallel_config(backend="ray")` or "dask" takes them to other machines.

    Args:
        recipe: The model. Its `observe` gets a file that ends on the origin.
        known: The vintages of the observations, or the one there is. Each origin's are of the oldest that
            reaches it, and are cleaned anew, so that no later revision within it reaches them.
        truth: What is known by now, as `measured` gives it.
        origins: Last days of the data to be fitted.
        report: Takes the fraction that is done.
        periods: How far ahead of a series' last fitted date; by default as far as is scored. Sums by week
            reach further.
    """
    periods = min(PERIODS, recipe.horizon) if periods is None else periods
    _pickle_by_value(recipe.folder)
    cores = joblib.cpu_count()
    workers = min(cores, max(1, len(origins)))
    # Those of the last round share the cores that it would leave idle.
    last_round = len(origins) % workers or workers
    each = [1] * (len(origins) - last_round) + [cores // last_round] * last_round
    tasks = [
        joblib.delayed(_from_origin)(
            recipe, vintages.known_on(known, origin), truth, origin, periods, its_cores
        )
        for origin, its_cores in zip(origins, each, strict=True)
    ]
    parts: list[Forecasts] = []
    for part in joblib.Parallel(n_jobs=workers, return_as="generator")(tasks):
        parts.append(part)
        report(len(parts) / len(tasks))
    return gathered(parts)


def gathered(parts: Sequence[Forecasts]) -> Forecasts:
    """Those from several origins as one."""
    made, weeks, increments = (
        xr.concat([getattr(part, name) for part in parts] or [_made([])], "forecast")
        for name in ("made", "weeks", "increments")
    )
    same = all(part.increments is part.made for part in parts)
    return Forecasts(
        made,
        weeks,
        made if same else increments,
        tuple(gap for part in parts for gap in part.failed),
        tuple(gap for part in parts for gap in part.skipped),
    )


def gap(reason: Gap) -> Forecasts:
    """None from an origin whose data leave nothing to fit or to score."""
    return dataclasses.replace(gathered([]), skipped=(reason,))


def score(forecasts: Forecasts, kind: str) -> dict[str, Any] | None:
    """Scores (as of `scores.summarise`) of all forecasts, by horizon, origin and series, and calibration.

    None if there are no forecasts. `failed` lists the fits that failed, `skipped` the origins without enough
    data, each with its reason. `weekly` has the same scores of sums by week, whose `horizon` counts weeks;
    None if there are none. `baseline` is for days the value of last week's same weekday, and for weeks the
    baseline of the COVID-19 Forecast Hub.
    """
    if not len(forecasts):
        return None
    daily = _scored(forecasts.made)
    weekly = _scored(forecasts.weeks) if forecasts.weeks.sizes["forecast"] else None
    return {
        "kind": kind,
        "origins": [entry["origin"] for entry in daily["by_origin"]],
        "failed": [asdict(gap) for gap in forecasts.failed],
        "skipped": [asdict(gap) for gap in forecasts.skipped],
        **daily,
        "weekly": weekly,
    }


def _scored(made: xr.Dataset) -> dict[str, Any]:
    by_origin = [
        {"origin": str(origin), "series": len(np.unique(group["series"])), **scores.summarise(group)}
        for origin, group in made.groupby("origin")
    ]
    by_horizon = [
        {"horizon": int(horizon), **scores.summarise(group)} for horizon, group in made.groupby("horizon")
    ]
    return {
        "forecasts": made.sizes["forecast"],
        "scores": {**scores.summarise(made), "intervals": scores.intervals(made)},
        "by_horizon": by_horizon,
        "by_origin": by_origin,
        "by_series": scores.by_series(made),
        "largest": scores.largest(made),
        "quantiles": scores.calibration(made["observed"].values, made["quantiles"].values),
        "pit": scores.pit_histogram(made["observed"].values, made["quantiles"].values),
    }


def save(forecasts: Forecasts, path: Path) -> None:
    """Write every forecast to a file that NumPy reads without pickle.

    `origin`, `series` and `horizon` are the axes. `quantiles`, `naive` and `baseline` have the shape (origin,
    series, horizon, quantile) with the levels `quantile`; `date`, `observed`, `mean` and `bias` have the
    shape (origin, series, horizon). What was not forecast or not reported is nan, and NaT as a date. Without
    forecasts the axes are empty. The same of sums by week has the prefix `week_`, and where running totals
    are forecast, the same of what is new each period has the prefix `increment_`.
    """
    arrays: dict[str, Any] = _by_axes(forecasts.made, "") | _by_axes(forecasts.weeks, "week_")
    if forecasts.increments is not forecasts.made:
        arrays |= _by_axes(forecasts.increments, "increment_")
    np.savez_compressed(path, quantile=QUANTILES, **arrays)


def load(path: Path) -> Forecasts:
    """What `save` wrote. Failed fits and origins that were skipped are not in the file.

    Raises:
        ArtifactError: It is no such file, or an earlier version's.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            made, weeks = (_forecasts(arrays, prefix) for prefix in ("", "week_"))
            known = "increment_origin" in arrays
            return Forecasts(made, weeks, _forecasts(arrays, "increment_") if known else made)
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read ({error!r}): train the model again") from None


def nothing(forecasts: Forecasts) -> FitError:
    """The error that no past day was forecast: why not, and what to do."""
    return FitError(
        f"  no past day could be forecast ({_in_short(forecasts.failed + forecasts.skipped)}): use more days "
        f"of data, let observe keep series with fewer days, {REFERENCE}"
    )


def check(forecasts: Forecasts, scored: dict[str, Any] | None, otherwise: Advice = FITTED) -> None:
    """Refuse a model that has forecast no past day, or badly.

    That is worse than the naive forecast, or with 90 % intervals, of single values or of sums by week, that
    surely hold too little or too much.

    Args:
        forecasts: Those of past days.
        scored: Their scores, as of `score`.
        otherwise: What to do about it.

    Raises:
        FitError: Why, where most, and what to do.
    """
    if scored is None:
        raise nothing(forecasts)
    ratio, failed = scored["scores"]["wis_ratio"], forecasts.failed
    if ratio <= WIS_RATIO:
        _check_coverage(scored, "", otherwise)
        if scored["weekly"]:
            _check_coverage(scored["weekly"], " of sums by week", otherwise)
        return
    horizon = max(scored["by_horizon"], key=lambda entry: entry["wis_ratio"])
    origin = max(scored["by_origin"], key=lambda entry: entry["wis_ratio"])
    raise FitError(
        f"  wis_ratio is {ratio:.4g}, should be at most {WIS_RATIO}: the backtest is worse than the naive "
        f"forecast, most so {horizon['horizon']} periods ahead ({horizon['wis_ratio']:.4g}) and from "
        f"{origin['origin']} on ({origin['wis_ratio']:.4g}); 90 % intervals cover "
        f"{scored['scores']['coverage']['0.9']:.0%}: {otherwise.worse}, "
        f"{REFERENCE}" + (f"\n  fits that failed: {len(failed)} ({_in_short(failed)})" if failed else "")
    )


def _check_coverage(scored: dict[str, Any], of: str, otherwise: Advice) -> None:
    """Refuse 90 % intervals that surely hold too little or too much.

    Sure is what the resamples and the number of forecast paths both tell: where all is covered, or there are
    few series and origins, resamples vary less than chance does.
    """
    share, ends = (each["coverage_pit"][LEVEL] for each in (scored["scores"], scored["scores"]["intervals"]))
    paths = sum(entry["series"] for entry in scored["by_origin"])
    jeffreys = scipy.stats.beta.ppf(scores.INTERVAL, share * paths + 0.5, (1 - share) * paths + 0.5).tolist()
    both = np.array([jeffreys, ends or jeffreys])
    low, high = both[:, 0].min(), both[:, 1].max()
    least, most = COVERAGE
    if high < least:
        advice = f"the forecasts are too narrow: {otherwise.narrow}"
    elif low > most:
        advice = f"the forecasts are too wide: {otherwise.wide}"
    else:
        return
    raise FitError(
        f"  the 90 % intervals{of} hold {share:.1%} ({low:.1%} to {high:.1%} by resampling series and "
        f"origins, and by their number), should be {least:.0%} to {most:.0%}: {advice}, {REFERENCE}"
    )


def summary(scored: dict[str, Any] | None) -> Backtest | None:
    """The summary of a backtest for the manifest; the whole of it stands in `backtest.json`."""
    if scored is None:
        return None
    origins = [datetime.date.fromisoformat(origin) for origin in scored["origins"]]
    return Backtest(scored["kind"], BOUNDS, origins, scored["forecasts"], scored["scores"])


def show(scored: dict[str, Any]) -> None:
    """Print the scores: tables by horizon and by origin, of weeks too, all in short, and what failed."""
    console = rich.console.Console()
    console.width = max(console.width, WIDTH)  # or numbers would be cut
    weekly = scored["weekly"]
    for kind in ("horizon", "origin"):
        console.print(_table(scored, kind, kind))
    if weekly:
        for kind, heading in (("horizon", "week"), ("origin", "weeks from")):
            console.print(_table(weekly, kind, heading))
    console.print(_in_all({"": scored} if weekly is None else {"by day": scored, "by week": weekly}))
    console.print(
        "WIS: mean weighted interval score over 23 quantiles; ratio: to the naive forecast's; baseline: to\n"
        "that of last week's same weekday, or for weeks the COVID-19 Forecast Hub's; logs: to naive's, of\n"
        "log(1 + count); 50% to 95%: share of counts in central intervals; PIT: the same without the\n"
        "excess that comes of whole numbers; bias: share of draws too high less too low; error: median\n"
        "absolute percentage error of the mean; in brackets: 90 % of resamples of series and origins"
    )
    for kind, meaning in (("failed", "fits failed"), ("skipped", "origins without enough data")):
        if gaps := [Gap(**gap) for gap in scored[kind]]:
            print(f"{len(gaps)} {meaning}:", *gaps, sep="\n  ")


def _table(scored: dict[str, Any], kind: str, heading: str) -> rich.table.Table:
    """The scores by horizon or by origin."""
    table = rich.table.Table(box=rich.box.SIMPLE)
    levels = map("{:.0%}".format, COVERAGE_LEVELS)
    headings = ("forecasts", "WIS", "naive", "ratio", "baseline", "logs", *levels, "PIT 90%", "bias", "error")
    for each in (heading, *headings):
        table.add_column(each, justify="right", no_wrap=each == heading)
    for entry in [*scored[f"by_{kind}"], {kind: "all", **scored["scores"]}]:
        table.add_row(
            str(entry[kind]),
            f"{entry['forecasts']:,}",
            *(f"{wis:,.0f}" if wis >= 1000 else f"{wis:.4g}" for wis in (entry["wis"], entry["wis_naive"])),
            *(_ratio(entry[name]) for name in ("wis_ratio", "wis_ratio_baseline", "wis_ratio_log")),
            *(f"{share:.0%}" for share in entry["coverage"].values()),
            f"{entry['coverage_pit']['0.9']:.0%}",
            f"{entry['bias']:+.2f}",
            f"{entry['absolute_percentage_error']:.0%}",
        )
    return table


def _in_all(each: dict[str, dict[str, Any]]) -> rich.table.Table:
    """All forecasts in a column, of days and of weeks."""
    table = rich.table.Table("", box=rich.box.SIMPLE)
    for name in each:
        table.add_column(name, justify="right")

    def with_interval(scored: dict[str, Any], name: str) -> str:
        value, ends = scored["scores"][name], scored["scores"]["intervals"][name]
        return _ratio(value) + (f" [{ends[0]:.2f} to {ends[1]:.2f}]" if ends else "")

    def covered(scored: dict[str, Any]) -> str:
        ends = scored["scores"]["intervals"]["coverage_pit"]["0.9"]
        share = f"{scored['scores']['coverage_pit']['0.9']:.0%}"
        return share + (f" [{ends[0]:.0%} to {ends[1]:.0%}]" if ends else "")

    def of_wis(scored: dict[str, Any]) -> str:
        found = scored["scores"]
        return ", ".join(
            f"{found[name] / found['wis']:.0%}" if found["wis"] else "-"
            for name in ("dispersion", "overprediction", "underprediction")
        )

    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "ratio to naive": lambda scored: with_interval(scored, "wis_ratio"),
        "ratio to the baseline": lambda scored: with_interval(scored, "wis_ratio_baseline"),
        "ratio to naive, logs": lambda scored: with_interval(scored, "wis_ratio_log"),
        "90 % intervals hold (PIT)": covered,
        "WIS: width, too high, too low": of_wis,
        f"share of WIS of the {scores.LARGEST} largest series": lambda scored: (
            f"{scored['largest']['share']:.0%}" if scored["largest"]["share"] is not None else "-"
        ),
        "series worse than naive": lambda scored: (
            f"{scored['largest']['worse']} of {len(scored['by_series'])}"
        ),
    }
    for name, row in rows.items():
        table.add_row(name, *(row(scored) for scored in each.values()))
    return table


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _in_short(gaps: Sequence[Gap]) -> str:
    more = f"; and {len(gaps) - SHOWN} more" if len(gaps) > SHOWN else ""
    return "; ".join(map(str, gaps[:SHOWN])) + more


def _pickle_by_value(folder: Path) -> None:
    """Let other processes have the modules of a model's folder, which they cannot import."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and Path(file).parent == folder and module.__name__ != "__main__":
            cloudpickle.register_pickle_by_value(module)


def _from_origin(
    recipe: Recipe, reported: Reported, truth: pd.DataFrame, origin: datetime.date, periods: int, cores: int
) -> Forecasts:
    """The forecasts from one origin, beside the naive ones and what was observed."""
    sampling = recipe.sampling.within(draws=DRAWS, cores=cores)

    def because(reason: object, code: str = "") -> Gap:
        return Gap(origin.isoformat(), code, " ".join(str(reason).split()))

    try:
        known = reported.cleaned(until=origin, ahead=recipe.covariates).frame
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "observations.csv"
            observations.write(known, file)
            selected, ahead = contract.observed(recipe, recipe.observe(file), set(known[recipe.noun]))
        rows, known = selected.frame, measured(recipe, selected)
        if (later := rows["date"] > pd.Timestamp(origin)).any():
            raise contract.ContractError(
                f"observe gives a value of {rows['date'][later].iloc[0]:%Y-%m-%d}: it must read the file "
                "that it is passed, which ends on the origin; train(..., data=) names one of the model's own"
            )
    except (observations.ObservationsError, contract.ContractError) as error:
        return gap(because(error))
    try:
        fit = sampling.fit(rows, recipe.build, silent)
        failures = fit.attrs.get("failed", {})
        rows = rows[~rows[recipe.noun].isin(list(failures))].reset_index(drop=True)
        posterior = thinned(fit, sampling.draws * fit["posterior"].sizes["chain"])
        rng = np.random.default_rng(sampling.seed)
        reach = max(periods, min(REACH, recipe.horizon)) if recipe.frequency.alias == "D" else periods
        coming = contract.covariates(recipe, rows, ahead, reach)
        draws = contract.predicted(
            recipe.draw(posterior, rows, coming, np.arange(1, reach + 1), rng),
            (posterior.sizes["draw"], rows[recipe.noun].nunique(), reach),
        )
    except (FitError, contract.ContractError) as error:
        return dataclasses.replace(gathered([]), failed=(because(error),))
    of_origin = compared(rows, draws, known, truth, origin, recipe, periods)
    failed = tuple(because("; ".join(reasons), code) for code, reasons in failures.items())
    return dataclasses.replace(of_origin, failed=failed)


def compared(
    rows: pd.DataFrame,
    draws: np.ndarray,
    known: pd.DataFrame,
    truth: pd.DataFrame,
    origin: datetime.date,
    shape: Shape,
    periods: int = PERIODS,
) -> Forecasts:
    """The forecasts from one origin, beside the naive ones and what was observed.

    Args:
        rows: What was fitted: columns `date` and the noun, and `total` where running totals are forecast.
        draws: Of the dates after each series' last row, shape (draw, series, period).
        known: What was known on the origin: columns `date`, the noun and the measure.
        truth: The same as it is known now.
        origin: The last date that was known.
        shape: What is forecast.
        periods: How many of them are scored, at most; sums by week are of all.
    """
    made, weeks, increments = [], [], []
    noun = noun_of(rows)
    for i, (code, group) in enumerate(rows.groupby(noun)):
        last_day = group["date"].iloc[-1]
        # A series may have ended a little before: with daily data, up to a week.
        if last_day <= pd.Timestamp(shape.frequency.after(origin, -shape.frequency.cycle)):
            continue
        past = known[(known[noun] == code) & (known["date"] <= last_day)]
        later = truth[truth[noun] == code].set_index("date")[shape.measure].astype(float)
        drawn = draws[:, i, :]
        new = np.diff(drawn, axis=1, prepend=float(group["total"].iloc[-1])) if shape.cumulative else drawn
        made.append(_of_series(past, later, shape, drawn[:, :periods]))
        if shape.cumulative:
            of_new = dataclasses.replace(shape, cumulative=False)
            increments.append(_of_series(past, later, of_new, new[:, :periods]))
        if shape.frequency.alias == "D":
            weeks.append(_of_weeks(past, later, shape, new, origin))
        for parts in (made, weeks, increments):
            if parts:
                parts[-1] = parts[-1].assign_coords(
                    series=("forecast", [str(code)] * parts[-1].sizes["forecast"])
                )
    forecast = _made(made, origin)
    if not forecast.sizes["forecast"]:
        return gap(Gap(origin.isoformat(), "", "nothing was reported after it that could be scored"))
    return Forecasts(
        forecast, _made(weeks, origin), _made(increments, origin) if shape.cumulative else forecast
    )


def _made(parts: Sequence[xr.Dataset], origin: datetime.date | None = None) -> xr.Dataset:
    """The forecasts of all series from an origin that it was no part of and that can be scored."""
    quantiles, counts = ("forecast", "quantile"), ("forecast",)
    empty = xr.Dataset(
        {
            **dict.fromkeys(("quantiles", "naive", "baseline"), (quantiles, np.empty((0, len(QUANTILES))))),
            **dict.fromkeys(("observed", "mean", "bias"), (counts, np.empty(0))),
        },
        {
            "horizon": (counts, np.empty(0, int)),
            "date": (counts, np.empty(0, "datetime64[us]")),
            "series": (counts, np.empty(0, "U3")),
        },
    )
    made = xr.concat(parts, "forecast") if parts else empty
    if origin is not None:
        # What the data held at the origin is no forecast, also where a model ends before it.
        made = made.isel(forecast=(made["date"] > np.datetime64(origin)) & made["observed"].notnull())
    return made.assign_coords(origin=("forecast", np.full(made.sizes["forecast"], str(origin or ""), "U10")))


def _of_series(past: pd.DataFrame, later: pd.Series, shape: Shape, draws: np.ndarray) -> xr.Dataset:
    """The forecasts of a series, by period."""
    periods = draws.shape[1]
    dates = pd.date_range(past["date"].iloc[-1], periods=periods + 1, freq=shape.frequency.alias)[1:]
    reported, count = later.reindex(dates).to_numpy(), _begun(past, shape)
    total = float(np.nansum(count)) if shape.cumulative else None
    baseline = naive(count, periods, total, cycle=shape.frequency.cycle, minimum=shape.minimum)
    weekday = np.full(baseline.shape, np.nan)
    if shape.frequency.alias == "D":
        weekday = same_weekday(count, periods, total, minimum=shape.minimum)
    observed = (
        reported if total is None else np.where(np.isnan(reported), np.nan, total + np.nancumsum(reported))
    )
    return _beside(draws, baseline, weekday, observed, dates)


def _of_weeks(
    past: pd.DataFrame, later: pd.Series, shape: Shape, draws: np.ndarray, origin: datetime.date
) -> xr.Dataset:
    """The forecasts of a daily series' sums over the whole weeks after an origin.

    Args:
        past: What was known of it.
        later: What is known of it by now, by date.
        shape: What is forecast.
        draws: Of what is new on the days after the last one in `past`, shape (draw, day).
        origin: The last date that was known.
    """
    last_day = past["date"].iloc[-1].date()
    until_saturday = (SATURDAY - origin.weekday()) % WEEK
    before = (origin - last_day).days + until_saturday  # days that no whole week has
    number = max(0, draws.shape[1] - before) // WEEK
    dates = pd.date_range(last_day, periods=draws.shape[1] + 1)[1 + before : 1 + before + WEEK * number]
    by_day = draws[:, before : before + WEEK * number]
    least = None if shape.minimum is None else WEEK * shape.minimum
    count, ends = _begun(past, shape), before + WEEK * np.arange(1, number + 1)
    return _beside(
        by_day.reshape(len(draws), number, WEEK).sum(axis=2),
        naive_sums(count, ends, minimum=least),
        hub_baseline(count, ends, minimum=least),
        later.reindex(dates).to_numpy().reshape(number, WEEK).sum(axis=1),
        dates[WEEK - 1 :: WEEK],
    )


def _begun(past: pd.DataFrame, shape: Shape) -> np.ndarray:
    """What was known of a series, from the first case, death or sale on; nan where there was no report."""
    count = past[shape.measure].astype(float).to_numpy(na_value=np.nan)
    began = ~np.isnan(count) if shape.real else count > 0
    return count[np.argmax(began) :]


def _beside(
    draws: np.ndarray,
    baseline: np.ndarray,
    other: np.ndarray,
    observed: np.ndarray,
    dates: pd.DatetimeIndex,
) -> xr.Dataset:
    """Draws of a series, shape (draw, horizon), beside the naive forecast, another, and what was observed."""
    return xr.Dataset(
        {
            "quantiles": (("forecast", "quantile"), np.quantile(draws, QUANTILES, axis=0).T),
            "naive": (("forecast", "quantile"), baseline),
            "baseline": (("forecast", "quantile"), other),
            "observed": ("forecast", observed),
            "mean": ("forecast", draws.mean(axis=0)),
            "bias": ("forecast", (draws > observed).mean(axis=0) - (draws < observed).mean(axis=0)),
        },
        {"horizon": ("forecast", np.arange(1, len(dates) + 1)), "date": ("forecast", dates)},
    )


def _by_axes(made: xr.Dataset, prefix: str) -> dict[str, np.ndarray]:
    """Forecasts as arrays with the axes origin, series and horizon, which are among them."""
    origin, i = np.unique(made["origin"].values.astype("datetime64[D]"), return_inverse=True)
    series, j = np.unique(made["series"].values.astype(str), return_inverse=True)
    horizon, k = np.unique(made["horizon"].values, return_inverse=True)
    arrays = {"origin": origin, "series": series, "horizon": horizon}
    for name, dtype in KINDS.items():
        values = made[name].values.astype(dtype)
        missing = np.datetime64("NaT", "D") if values.dtype.kind == "M" else np.nan
        shape = (len(origin), len(series), len(horizon), *values.shape[1:])
        arrays[name] = np.full(shape, missing, values.dtype)
        arrays[name][i, j, k] = values
    return {prefix + name: array for name, array in arrays.items()}


def _forecasts(arrays: Mapping[str, np.ndarray], prefix: str) -> xr.Dataset:
    """The forecasts of which `_by_axes` made arrays."""
    known = np.nonzero(~np.isnan(arrays[f"{prefix}observed"]))
    axes = {
        name: arrays[prefix + name][position]
        for name, position in zip(("origin", "series", "horizon"), known, strict=True)
    }
    values = {name: arrays[prefix + name][known] for name in KINDS}
    values |= {name: value.astype(float) for name, value in values.items() if value.dtype.kind == "f"}
    dims = {name: ("forecast", "quantile")[: value.ndim] for name, value in values.items()}
    return xr.Dataset(
        {name: (dims[name], value) for name, value in values.items() if name != "date"},
        {
            "horizon": ("forecast", axes["horizon"]),
            "date": ("forecast", values["date"].astype("datetime64[us]")),
            "series": ("forecast", axes["series"]),
            "origin": ("forecast", axes["origin"].astype(str)),
        },
    )
