"""Scores of a challenger's and an incumbent's forecasts of the same series and dates."""

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
import rich.box
import rich.console
import rich.table
import xarray as xr

from forecastle.artifact import Artifact
from forecastle.frequency import Frequency
from forecastle.project.retraining import RetrainingError
from forecastle.scores import QUANTILES, weighted_interval_score
from forecastle.training import scores

WIS_RATIO = 1.05  # the challenger's weighted interval score over the incumbent's, at most
SURELY = 1.01  # the least that it may be in 95 % of resamples: else many small losses would add up
FEWEST = 5  # series: of fewer it is too likely that all err the same way by chance
DATES = 4  # held-out dates, at least, and a whole cycle; the scores of fewer decide nothing
LEVEL = "0.9"  # of the intervals whose coverage is printed


@dataclass(frozen=True)
class Comparison:
    """Scores of a challenger and an incumbent on the same series and dates.

    Attributes:
        days: The dates that both forecast, the earliest first.
        least: How many there must be to decide by.
        plural: Of the noun, such as "countries".
        series: The number of series that both forecast.
        alone: The numbers of series that only the challenger and only the incumbent forecasts.
        challenger: The challenger's scores, as of `scores.summarise`.
        incumbent: The incumbent's scores.
        interval: Between what the ratio of their scores lies in 90 % of resamples of the series; None if
            there are too few.
    """

    days: list[datetime.date]
    least: int
    plural: str
    series: int
    alone: tuple[int, int]
    challenger: dict[str, Any]
    incumbent: dict[str, Any]
    interval: list[float] | None = None

    @property
    def wis_ratio(self) -> float:
        """The challenger's weighted interval score over the incumbent's; below 1 the challenger is better."""
        ours, theirs = self.challenger["wis"], self.incumbent["wis"]
        return ours / theirs if theirs else float("inf" if ours else 1)

    @property
    def decides(self) -> bool:
        """Whether there are enough dates to decide by."""
        return len(self.days) >= self.least

    @property
    def holds(self) -> bool:
        """Whether the challenger forecasts no worse: within the tolerance, and not surely."""
        return self.wis_ratio <= WIS_RATIO and (self.interval is None or self.interval[0] <= SURELY)

    @property
    def verdict(self) -> str:
        """The ratio and what is allowed, in words."""
        ends = self.interval
        resampled = f" ({ends[0]:.3f} to {ends[1]:.3f} by resampling {self.plural})" if ends else ""
        return (
            f"its WIS is {self.wis_ratio:.3f} of the incumbent's{resampled}; at most {WIS_RATIO} is allowed"
            + (f", and the interval must reach down to {SURELY}" if ends else "")
        )

    def summary(self) -> dict[str, Any]:
        """The comparison as it stands in the challenger's manifest."""
        return {
            "first_day": self.days[0].isoformat(),
            "last_day": self.days[-1].isoformat(),
            "series": self.series,
            "forecasts": self.challenger["forecasts"],
            "wis": self.challenger["wis"],
            "wis_incumbent": self.incumbent["wis"],
            "interval": self.interval,
            "bounds": {"wis_ratio": WIS_RATIO, "surely": SURELY, "dates": self.least},
        }

    def show(self) -> None:
        """Print the scores of the challenger, the incumbent and the naive forecast."""
        print(
            f"held-out dates {self.days[0]} to {self.days[-1]}: {self.challenger['forecasts']:,} forecasts, "
            f"{self.series} {self.plural}"
        )
        if any(self.alone):
            ours, theirs = self.alone
            print(
                f"not compared: {self.plural} of the challenger only, {ours}; of the incumbent only, {theirs}"
            )
        table = rich.table.Table(box=rich.box.SIMPLE)
        table.add_column("")
        for heading in ("WIS", "ratio to incumbent", "ratio to naive", "90% coverage"):
            table.add_column(heading, justify="right", no_wrap=True)
        incumbent = self.incumbent
        naive = {
            "wis": incumbent["wis_naive"],
            "wis_ratio": 1.0,
            "coverage": incumbent["coverage_naive"],
        }
        for name, scored in (("challenger", self.challenger), ("incumbent", incumbent), ("naive", naive)):
            table.add_row(
                name,
                f"{scored['wis']:,.4g}",
                f"{scored['wis'] / incumbent['wis']:.3f}" if incumbent["wis"] else "",
                f"{scored['wis_ratio']:.3f}",
                f"{scored['coverage'][LEVEL]:.0%}",
            )
        rich.console.Console().print(table)


def compare(incumbent: Artifact, forecasts: xr.Dataset) -> Comparison | None:
    """Score an incumbent's draws and a challenger's forecasts on the series and dates that both forecast.

    Args:
        incumbent: The artifact whose posterior predictive draws are its forecasts.
        forecasts: The challenger's, as `backtest.forecast` gives them, with `target` and `unit` in `attrs`.

    Returns:
        None if they share no series and date.

    Raises:
        RetrainingError: They forecast different quantities.
    """
    for key in ("target", "unit"):
        if (ours := forecasts.attrs[key]) != (theirs := getattr(incumbent.manifest, key)):
            raise RetrainingError(
                f"the challenger's {key} is {ours!r} and the incumbent's {theirs!r}, which cannot be "
                "compared: use `make train` or `make build`"
            )
    frequency = Frequency.of(incumbent.manifest.frequency)
    positions = {code: position for position, code in enumerate(incumbent.series)}
    forecast = set(forecasts["series"].values.tolist())
    forecasts = forecasts.isel(forecast=np.isin(forecasts["series"].values, list(positions)))
    codes = forecasts["series"].values.tolist()
    position = np.array([positions[code] for code in codes], dtype=int)
    origins = [incumbent.series[code].origin_date for code in codes]
    dates = forecasts["date"].values.astype("datetime64[D]").tolist()
    ahead = np.array([frequency.between(*each) for each in zip(origins, dates, strict=True)], dtype=int)
    within = (ahead >= 1) & (ahead <= incumbent.horizon)
    if not within.any():
        return None
    forecasts, position, ahead = forecasts.isel(forecast=within), position[within], ahead[within]
    draws, observed = incumbent.draws[:, position, ahead - 1], forecasts["observed"].values
    of_incumbent = forecasts.assign(
        quantiles=(("forecast", "quantile"), np.quantile(draws, QUANTILES, axis=0).T),
        mean=("forecast", draws.mean(axis=0)),
        bias=("forecast", (draws > observed).mean(axis=0) - (draws < observed).mean(axis=0)),
    )
    ours, theirs = (
        weighted_interval_score(observed, one["quantiles"].values) for one in (forecasts, of_incumbent)
    )
    return Comparison(
        days=[day.item() for day in np.unique(forecasts["date"].values.astype("datetime64[D]"))],
        least=max(DATES, frequency.cycle),
        plural=incumbent.manifest.plural,
        series=len(np.unique(position)),
        alone=(len(forecast - positions.keys()), len(positions.keys() - forecast)),
        challenger=scores.summarise(forecasts),
        incumbent=scores.summarise(of_incumbent),
        interval=scores.resampled(ours, theirs, forecasts["series"].values, np.zeros(len(observed)))
        if len(np.unique(position)) >= FEWEST
        else None,
    )
