"""How models forecast beside each other, by what they forecast of the same past days.

`make backtest` of all models ends with it. Not all forecast the same series from the same origins, so each
two are compared on what both did, by the quotient of their mean weighted interval scores. A model's relative
score is the geometric mean of its quotients with all others and the baseline, over the baseline's own. Cramer
et al., "Evaluation of individual and ensemble probabilistic forecasts of COVID-19 mortality in the United
States", PNAS 119 (2022).
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import rich.box
import rich.console
import rich.table
import xarray as xr

from forecastle import manifest as manifests
from forecastle.artifact import Artifact
from forecastle.folder import ARTIFACT
from forecastle.frequency import Frequency
from forecastle.manifest import ArtifactError
from forecastle.project.compose import ROOT, models
from forecastle.scores import weighted_interval_score
from forecastle.training import backtest

KEY = ("origin", "series", "date", "observed")  # of what is compared: the same of what was observed, too
NAIVE, HUB = "naive forecast", "hub's baseline"  # no model has such a name
ALONE = 2  # a model and its baseline
WIDTH = 120

Scores = Mapping[str, pd.Series]  # of each model the weighted interval scores, by `KEY`


def quotients(scores: Scores) -> pd.DataFrame:
    """Mean scores of each row's over each column's, of what both forecast; nan if that is nothing."""
    found = pd.DataFrame(np.nan, list(scores), list(scores))
    for one, ours in scores.items():
        for other, theirs in scores.items():
            common = ours.index.intersection(theirs.index)
            if len(common) and (mean := theirs[common].mean()):
                found.loc[one, other] = ours[common].mean() / mean
    return found


def relative(found: pd.DataFrame, baseline: str) -> pd.Series:
    """The relative score of each row of `quotients`: 1 is the baseline's, and less is better."""
    means = np.exp(np.log(found).mean(axis=1))
    return means / means[baseline]


def of(name: str, made: xr.Dataset, baseline: str) -> Scores:
    """The scores of a model, and of what it is held against.

    Args:
        name: The model's.
        made: Its forecasts, as of `backtest.Forecasts`.
        baseline: `NAIVE`, or `HUB`, which sums by week have as their `baseline`.
    """
    keys = pd.MultiIndex.from_arrays([made[key].values for key in KEY], names=KEY)
    columns = {name: "quantiles", baseline: "naive" if baseline == NAIVE else "baseline"}
    observed = made["observed"].values
    scores = {
        one: pd.Series(weighted_interval_score(observed, made[column].values), keys)
        for one, column in columns.items()
    }
    return {one: values.dropna() for one, values in scores.items()}


def tables(names: Sequence[str], root: Path = ROOT) -> Iterator[rich.table.Table]:
    """A table for each measure that several models forecast: of what is new each period, and of weeks.

    Raises:
        ArtifactError: An artifact cannot be read.
    """
    groups: dict[tuple[str, str], dict[str, pd.Series]] = defaultdict(dict)
    for name in names:
        folder = root / "models" / name / ARTIFACT
        if not (folder / "backtest.npz").is_file() or manifests.read(folder).get("kind") == manifests.PLAIN:
            continue
        manifest, past = Artifact.load(folder).manifest, backtest.load(folder / "backtest.npz")
        what = f"{manifest.measure} of {manifest.plural}"
        adjective = Frequency.of(manifest.frequency).adjective
        for period, made, baseline in ((adjective, past.increments, NAIVE), ("by week", past.weeks, HUB)):
            for one, values in of(name, made, baseline).items() if made.sizes["forecast"] else ():
                known = groups[what, period]
                # Each model has the baseline of what it forecasts itself.
                together = pd.concat([known[one], values]) if one in known else values
                known[one] = together[~together.index.duplicated()]
    for (what, period), scores in groups.items():
        if len(scores) > ALONE:
            yield _table(f"{what}, {period}", scores)


def _table(title: str, scores: Scores) -> rich.table.Table:
    """The relative scores, the best first, and the quotients."""
    (baseline,) = scores.keys() & {NAIVE, HUB}
    found = quotients(scores)
    overall = relative(found, baseline).sort_values()
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE)
    table.add_column("WIS over that of")
    for heading in ("forecasts", "relative", *overall.index):
        table.add_column(heading, justify="right")
    for one in overall.index:
        ratios = [
            "" if np.isnan(found.loc[one, other]) else f"{found.loc[one, other]:.2f}"
            for other in overall.index
        ]
        table.add_row(one, f"{len(scores[one]):,}", f"{overall[one]:.2f}", *ratios)
    return table


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m forecastle.project.pairwise", description="Compare the backtests of all models."
    )
    parser.parse_args(argv)
    console = rich.console.Console()
    console.width = max(console.width, WIDTH)
    try:
        for table in tables(models(root), root):
            console.print(table)
    except ArtifactError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
