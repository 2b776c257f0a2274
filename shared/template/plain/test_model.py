"""What {{model}} must do before it is served: `make train` and `make build` run these tests."""

from fastapi.testclient import TestClient
from main import app


def test_it_predicts_what_made_the_points() -> None:
    answer = TestClient(app).post("/predict", json={"x": 5})
    assert abs(answer.json()["y"] - 13) < 0.5
