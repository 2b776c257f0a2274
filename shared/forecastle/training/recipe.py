"""A recipe: what a `train.py` passes to `train`, and where it lies."""

from dataclasses import dataclass
from pathlib import Path

from forecastle.training.sampling import Build, Observe, Predict, Sampling


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model's three functions and what it says of itself; `train` explains each.

    Attributes:
        folder: The model's folder.
        title: What the model is, in a line.
        observe: From a file to the rows that are fitted.
        build: From these rows to a PyMC model.
        predict: From posterior draws to draws of the target.
        target: What is forecast.
        unit: The column of the observations that forecasts are scored on.
        cumulative: Whether the target is a running total.
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
    cumulative: bool
    reference: bool
    sampling: Sampling

    @property
    def model(self) -> str:
        """The model's name: its folder's."""
        return self.folder.name
