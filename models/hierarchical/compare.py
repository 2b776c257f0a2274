"""The series' ladder of pooling, compared by PSIS-LOO: what is gained by partial pooling?

    make compare MODEL=hierarchical

The logistic curve of cumulative cases with lognormal errors, as in the series, of all countries from their
500th case to 14 April 2020, with one or with each country's own final size K, growth rate r, first count C0
and spread eps. Priors are normal on the log scale, where the published ones diverge. Prints the expected log
pointwise predictive density (elpd; higher is better) with standard errors and Pareto k, beside the published
one, and writes docs/compare-hierarchical.png. Vehtari, Gelman and Gabry, "Practical Bayesian model evaluation
using leave-one-out cross-validation and WAIC", Statistics and Computing 27 (2017).
"""

import datetime
import functools
import time
from pathlib import Path

import arviz as az
import matplotlib
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import rich.box
import rich.console
import rich.table

from forecastle import observations
from forecastle.training import diagnostics
from forecastle.training.progress import steps
from forecastle.training.sampling import Sampling

THRESHOLD, UNTIL = 500, datetime.date(2020, 4, 14)
SAMPLING = Sampling(each_series=False, draws=500, tune=500, seed=20200414)
WIDTH = 140  # of the table
BAD_PARETO_K = 0.7  # above it the estimate for an observation cannot be trusted
PLOT = Path(__file__).resolve().parents[2] / "docs/compare-hierarchical.png"

# Of final size, growth rate, first count and spread: one for all, each country's own, or partially pooled.
ONE, OWN, PARTIAL = "one", "own", "partial"
LADDER = {
    "pooled": (ONE, ONE, ONE, ONE),
    "K per country": (OWN, ONE, ONE, ONE),
    "r per country": (ONE, OWN, ONE, ONE),
    "r and K per country": (OWN, OWN, ONE, ONE),
    "everything per country": (OWN, OWN, OWN, OWN),
    "hierarchical": (PARTIAL, PARTIAL, ONE, ONE),
}
PUBLISHED = {  # of the article's data and priors
    "pooled": -16629.8,
    "K per country": -14416.5,
    "r per country": -15052.1,
    "r and K per country": -13219.6,
    "everything per country": -16240.9,
    "hierarchical": -13243.7,
}


def build(rows: pd.DataFrame, pooling: tuple[str, str, str, str]) -> pm.Model:
    """C_t ~ LogNormal(log C(t), eps), C(t) = K C0 / (C0 (1 - e^(-r t)) + K e^(-r t))."""
    final, growth, first, spread = pooling
    reported = rows["count"].notna().to_numpy()
    country = rows.groupby("country").ngroup().to_numpy()[reported]
    day = rows.groupby("country").cumcount().to_numpy(dtype=float)[reported]
    with pm.Model(coords={"country": rows["country"].unique()}) as model:

        def parameter(name: str, pooling: str, mean: float, sd: float) -> pt.TensorVariable:
            """The exponential of a normal one, for each row."""
            if pooling == ONE:
                return pt.exp(pm.Normal(f"log_{name}", mean, sd))
            if pooling == OWN:
                return pt.exp(pm.Normal(f"log_{name}", mean, sd, dims="country"))[country]
            centre = pm.Normal(f"log_{name}_mean", mean, sd)
            scale = pm.LogNormal(f"log_{name}_sd", np.log(sd / 2), 0.5)
            return pt.exp(pm.Normal(f"log_{name}", centre, scale, dims="country"))[country]

        k = parameter("final_size", final, np.log(30_000), 2)
        r = parameter("growth", growth, np.log(0.2), 0.5)
        c0 = parameter("first_count", first, np.log(THRESHOLD), 0.3)
        eps = parameter("spread", spread, np.log(0.2), 1)
        left = pt.exp(-r * day)
        log_curve = pt.log(k) + pt.log(c0) - pt.log(c0 * (1 - left) + k * left)
        pm.LogNormal("cases", log_curve, eps, observed=rows["total"].to_numpy(dtype=float)[reported])
    return model


def main() -> None:
    """Fit the ladder, print the comparison and write the plot."""
    path = observations.default_path()
    cut = observations.read(path, until=UNTIL)
    rows = observations.since_total(cut, "cases", start=THRESHOLD, total=THRESHOLD).frame
    fits = {}
    for name, pooling in LADDER.items():
        started = time.perf_counter()
        with steps(name) as step:
            fit = SAMPLING.fit(rows, functools.partial(build, pooling=pooling), step)
        seconds = time.perf_counter() - started
        with build(rows, pooling):
            pm.compute_log_likelihood(fit, progressbar=False)
        worst = diagnostics.check(fit, diagnostics.summarise(fit)).worst
        fits[name] = (az.loo(fit, pointwise=True), worst, seconds)
    comparison = az.compare({name: loo for name, (loo, *_) in fits.items()})
    _print(comparison, fits, rows, path)
    with matplotlib.rc_context():
        matplotlib.use("agg")
        az.plot_compare(comparison, backend="matplotlib").savefig(PLOT, bbox_inches="tight", dpi=80)
    print(f"{PLOT.relative_to(PLOT.parents[1])} is written")


def _print(comparison: pd.DataFrame, fits: dict, rows: pd.DataFrame, path: Path) -> None:
    table = rich.table.Table(
        box=rich.box.SIMPLE,
        title=f"{rows['country'].nunique()} countries, {len(rows)} days to {UNTIL}, {path.name}",
    )
    for heading in ("model", "elpd", "se", "difference", "se", f"k > {BAD_PARETO_K}", "worst k", "R-hat"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("divergences", "seconds", "published elpd"):
        table.add_column(heading, justify="right")
    for name, row in comparison.iterrows():
        loo, worst, seconds = fits[name]
        pareto_k = np.asarray(loo.pareto_k)
        table.add_row(
            str(name),
            f"{loo.elpd:.1f}",
            f"{loo.se:.1f}",
            f"{row['elpd_diff']:.1f}",
            f"{row['dse']:.1f}",
            str(int((pareto_k > BAD_PARETO_K).sum())),
            f"{pareto_k.max():.2f}",
            f"{worst['r_hat']:.3f}",
            f"{worst['divergences']:.0f}",
            f"{seconds:.0f}",
            f"{PUBLISHED[str(name)]:.1f}",
        )
    console = rich.console.Console()
    console.width = max(console.width, WIDTH)  # or numbers would be cut
    console.print(table)


if __name__ == "__main__":
    main()
