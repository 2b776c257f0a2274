"""A recipe: what a `train.py` passes to `train`, and where it lies; and the shape of what is forecast."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from forecastle.frequency import Frequency
from forecastle.training.sampling import Build, Observe, Predict, Sampling


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is forecast: of which series, and what their values are.

    Attributes:
        noun: What a series is about: the column of the identifiers.
        plural: Of the noun.
        measure: The column of the observations that forecasts are scored on.
        frequency: Of the series' dates.
        real: Whether the values are real numbers, which have no running total, rather than counts.
        minimum: The least value that there can be; None if there is none.
        cumulative: Whether running totals of the measure are forecast.
        covariates: Columns of the observations that are known ahead.
    """

    noun: str
    plural: str
    measure: str
    frequency: Frequency
    real: bool
    minimum: float | None
    cumulative: bool
    covariates: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe(Shape):
    """A model's three functions and what it says of itself; `train` explains each.

    Attributes:
        folder: The model's folder.
        title: What the model is, in a line.
        observe: From a file to the rows that are fitted.
        build: From these rows to a PyMC model.
        predict: From posterior draws to draws of the target.
        target: What is forecast.
        unit: Of the forecast numbers.
        horizon: How many periods ahead forecasts reach.
        data: The file to read instead of the data in use; None for these.
        reference: Whether the model is there to be compared with, and not for use.
        sampling: How it is sampled.
    """

    folder: Path
    title: str
    observe: Observe
    build: Build
    predict: Predict
    target: str
    unit: str
    horizon: int
    data: Path | None
    reference: bool
    sampling: Sampling

    @property
    def model(self) -> str:
        """The model's name: its folder's."""
        return self.folder.name

    def draw(
        self,
        posterior: xr.Dataset,
        rows: pd.DataFrame,
        coming: pd.DataFrame,
        periods: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """What `predict` gives; `coming` is passed to it if the model has covariates."""
        given = (coming,) if self.covariates else ()
        return self.predict(posterior, rows, periods, rng, *given)
