"""What an artifact must do on tumours that it has not seen, before it is served."""

import json
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient
from main import app

client = TestClient(app)
names = list(json.loads(Path("artifact/regression.json").read_text())["weights"])
held_out = np.load("artifact/held-out.npz", allow_pickle=False)
nuclei = [dict(zip(names, row, strict=True)) for row in held_out["measures"].tolist()]
probabilities = np.array([client.post("/predict", json=each).json()["malignant"] for each in nuclei])
malignant = held_out["malignant"]


def test_nine_of_ten_are_told_apart() -> None:
    assert len(malignant) == 171
    assert ((probabilities > 0.5) == malignant).mean() > 0.9


def test_the_probabilities_are_better_than_that_of_the_whole() -> None:
    """The Brier score, against answering with the share of malignant tumours."""
    brier = ((probabilities - malignant) ** 2).mean()
    assert brier < 0.5 * malignant.mean() * (1 - malignant.mean())


def test_the_probabilities_are_calibrated() -> None:
    """As many are malignant as were expected, within four standard deviations."""
    deviation = np.sqrt((probabilities * (1 - probabilities)).sum())
    assert abs(probabilities.sum() - malignant.sum()) < 4 * deviation


def test_what_is_missing_or_negative_is_refused() -> None:
    for changed in ({**nuclei[0], "radius": -1}, {"radius": 14.1}):
        assert client.post("/predict", json=changed).status_code == 422
