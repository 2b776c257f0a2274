"""The probability that a tumour is malignant."""

import json
from math import exp
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel, Field

regression = json.loads(Path("artifact/regression.json").read_text())
app = FastAPI(
    title="Malignant or benign",
    description="From ten measures of the cell nuclei in a fine needle aspirate of a breast mass, each the "
    "mean over the nuclei in the image. For teaching, not for patients: see the model's card.",
)


class Nuclei(BaseModel):
    """Measures of the nuclei, lengths in the units of the data set."""

    radius: float = Field(gt=0, examples=[14.1])
    texture: float = Field(gt=0, examples=[19.3])
    perimeter: float = Field(gt=0, examples=[92.0])
    area: float = Field(gt=0, examples=[654.9])
    smoothness: float = Field(ge=0, examples=[0.096])
    compactness: float = Field(ge=0, examples=[0.104])
    concavity: float = Field(ge=0, examples=[0.089])
    concave_points: float = Field(ge=0, examples=[0.049])
    symmetry: float = Field(ge=0, examples=[0.181])
    fractal_dimension: float = Field(ge=0, examples=[0.063])


class Diagnosis(BaseModel):
    """A probability, rather than a verdict: where to draw the line depends on what each error costs."""

    malignant: float = Field(ge=0, le=1, description="The probability that the tumour is malignant.")


@app.post("/predict")
def predict(nuclei: Nuclei) -> Diagnosis:
    """The probability that a tumour with these nuclei is malignant."""
    logit = regression["intercept"] + sum(
        weight * getattr(nuclei, name) for name, weight in regression["weights"].items()
    )
    logit = min(max(logit, -500.0), 500.0)  # exp() takes no more
    return Diagnosis(malignant=1 / (1 + exp(-logit)))
