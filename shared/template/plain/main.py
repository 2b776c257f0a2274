"""The API of {{model}}. Any ASGI app will do: FastAPI, Starlette, Litestar, Flask through a2wsgi."""

import json

from fastapi import FastAPI
from pydantic import BaseModel

with open("artifact/line.json") as file:
    line = json.load(file)

app = FastAPI(title="{{model}}")


class Point(BaseModel):
    """What is known."""

    x: float = 4.5


class Prediction(BaseModel):
    """What is predicted."""

    y: float


@app.post("/predict")
def predict(point: Point) -> Prediction:
    """The y that belongs to an x."""
    return Prediction(y=line["intercept"] + line["slope"] * point.x)
