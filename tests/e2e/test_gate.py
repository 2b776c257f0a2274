"""A bad fit is not an image: what `make build` says of it, and what goes on serving."""

from pathlib import Path

import pytest

from .conftest import Project, inspect, run

pytestmark = pytest.mark.engine

# Two modes far apart, of which each chain finds one.
BIMODAL = '''

unconverged = build


def build(rows: pd.DataFrame) -> pm.Model:
    """The chains cannot agree: the sign of `twin` is not identified."""
    with unconverged(rows) as model:
        twin = pm.Normal("twin", 0, 10, initval=None)
        pm.Potential("modes", pm.logp(pm.Normal.dist(100, 0.1), twin**2))
    return model
'''

# Converges as before, and forecasts ten times too much.
TEN_TIMES = '''

converged = predict


def predict(
    posterior: xr.Dataset, rows: pd.DataFrame, days: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Far too much."""
    return 10 * converged(posterior, rows, days, rng)
'''


@pytest.mark.parametrize(
    ("flaw", "verdicts"),
    [
        (
            BIMODAL,
            ["r_hat of twin is ", "should be at most 1.01", "the chains disagree", "a narrower prior"],
        ),
        (
            TEN_TIMES,
            ["wis_ratio is ", "at most 1.0", "worse than the naive forecast", "90 % intervals cover"],
        ),
    ],
    ids=["chains that disagree", "worse than naive"],
)
def test_a_bad_fit_leaves_the_image_and_what_serves(stack: Project, flaw: str, verdicts: list[str]) -> None:
    image, forecast = stack.image("newcomer"), "/newcomer/countries/GBR/forecast"
    before, served = inspect(image)["Id"], stack.get(forecast).json
    listed = ("docker", "images", "--format", "{{.Tag}} {{.ID}}", "forecastle/newcomer")
    tags = set(run(*listed).stdout.splitlines())
    train: Path = stack.folder / "models/newcomer/train.py"
    good = train.read_text()
    definitions, call = good.split('if __name__ == "__main__":')
    train.write_text(f'{definitions.rstrip()}{flaw}\n\nif __name__ == "__main__":{call}')
    try:
        done = stack.make("build", "MODEL=newcomer", check=False)
    finally:
        train.write_text(good)
    assert done.returncode != 0
    for verdict in ("newcomer: the fit is not to be used", f"{image} was not built", *verdicts):
        assert verdict in done.stdout
    assert inspect(image)["Id"] == before
    assert set(run(*listed).stdout.splitlines()) == tags
    answer = stack.get(forecast)
    assert answer.status == 200 and answer.json == served
