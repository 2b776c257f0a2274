"""Sampling a posterior: PyMC models, compiled and sampled by nutpie."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import xarray as xr

from forecastle.observations import Observations, noun_of
from forecastle.training.diagnostics import FitError
from forecastle.training.progress import Report, Step

CHAINS = 4
TREE_DEPTH = 8  # at most 255 steps a draw: good fits take 31, and only the first warm-up draws more

# Machine code from the cache rounds differently than fresh code, and so would give other draws.
pytensor.config.numba__cache = False

Observe = Callable[[Path], Observations | pd.DataFrame]
Build = Callable[[pd.DataFrame], pm.Model]
Predict = Callable[..., np.ndarray]  # posterior, rows, periods, rng and perhaps covariates: see `train`


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        each_series: Whether a model is of one series: compiled once and refitted with the data of each.
        draws: Kept draws of each chain.
        tune: Draws of each chain that adapt the sampler.
        seed: Of all randomness.
        cores: Chains that run at the same time.
    """

    each_series: bool
    draws: int
    tune: int
    seed: int
    cores: int = min(CHAINS, joblib.cpu_count())  # of this process: a container may have fewer

    def within(self, *, draws: int, cores: int) -> Self:
        """The same with other draws and cores, and a warm-up that is no longer than these draws."""
        return replace(self, draws=draws, tune=min(self.tune, draws), cores=cores)

    def fit(self, rows: pd.DataFrame, build: Build, step: Step) -> xr.DataTree:
        """The groups posterior and sample_stats, dimensions chain, draw and those of the model.

        With `each_series` all variables have the noun's dimension, and `attrs["failed"]` names the
        series without a fit, each with its reasons.

        Raises:
            FitError: The sampler fails; or it does for every series.
        """
        return self._fit_each_series(rows, build, step) if self.each_series else self._fit(rows, build, step)

    def _fit(self, rows: pd.DataFrame, build: Build, step: Step) -> xr.DataTree:
        with step("compiling"):
            compiled = _compile(build(rows))
        with step("sampling") as report:
            try:
                return self._sample(compiled, report)
            except (RuntimeError, ValueError) as error:
                raise FitError(f"  the sampler fails: {error}") from None

    def _fit_each_series(self, rows: pd.DataFrame, build: Build, step: Step) -> xr.DataTree:
        groups = [(str(code), group.reset_index(drop=True)) for code, group in rows.groupby(noun_of(rows))]
        with step("compiling"):
            compiled = _compile(build(groups[0][1]))
        fits, failed = {}, {}
        with step("sampling") as report:
            for i, (code, group) in enumerate(groups):
                data = {variable.name: variable.get_value() for variable in build(group).data_vars}
                try:
                    fits[code] = self._sample(compiled.with_data(**data))
                except (RuntimeError, ValueError) as error:
                    failed[code] = (f"the sampler fails: {error}",)
                report((i + 1) / len(groups))
        if not fits:
            raise FitError(f"  no series can be fitted, {next(iter(failed.items()))}")
        codes = pd.Index(fits, name=noun_of(rows))
        fit = xr.DataTree.from_dict(
            {
                group: xr.concat([fit[group].dataset for fit in fits.values()], codes).transpose(
                    "chain", "draw", ...
                )
                for group in ("posterior", "sample_stats")
            }
        )
        fit.attrs["failed"] = failed
        return fit

    def _sample(self, compiled: Any, report: Report | None = None) -> xr.DataTree:
        def callback(chains: list[Any]) -> None:
            if report:
                report(
                    sum(chain.finished_draws for chain in chains) / sum(chain.total_draws for chain in chains)
                )

        return nutpie.sample(
            compiled,
            chains=CHAINS,
            cores=self.cores,
            draws=self.draws,
            tune=self.tune,
            seed=self.seed,
            maxdepth=TREE_DEPTH,
            save_warmup=False,
            progress_bar=False,
            progress_callback=callback,
        )


def _compile(model: pm.Model) -> Any:
    # Without the name of a C++ compiler PyTensor limits a fused loop to NumPy's 32 operands, and warns of
    # longer ones. Numba compiles these loops and has no such limit. The compiler that is named is not called.
    with pytensor.config.change_flags(cxx="unused"):
        return nutpie.compile_pymc_model(model)


def thinned(fit: xr.DataTree, draws: int) -> xr.Dataset:
    """So many draws of the posterior, evenly spaced; the dimension `draw` in place of chain and draw.

    They stay in the order of the chains, from which `forecastle.service.montecarlo` finds how many
    independent draws they are worth.
    """
    posterior = fit["posterior"].dataset.stack(sample=("chain", "draw"))
    chosen = np.linspace(0, posterior.sizes["sample"] - 1, draws).round().astype(int)
    posterior = posterior.isel(sample=chosen).reset_index("sample").drop_vars(["chain", "draw"])
    return posterior.rename(sample="draw").transpose("draw", ...)
