"""Sorted draws: quantiles as NumPy's, thresholds as counts of draws, and a bound to what is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecastle.artifact import Artifact
from forecastle.service import create_app, marginals
from forecastle.service.marginals import Marginals

from ..conftest import HORIZON, TOTAL, Ask, MakeArtifact

FLOATS = st.floats(-1e9, 1e9)
SINGLES = st.floats(-(2.0**60), 2.0**60, width=32)
PATHS = st.one_of(
    *(arrays(float, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=e) for e in (FLOATS, SINGLES))
)
LEVELS = st.floats(0, 1, exclude_min=True, exclude_max=True)


@settings(deadline=None)
@given(paths=PATHS, levels=st.lists(LEVELS, min_size=1, max_size=8))
def test_quantiles_are_numpys_to_the_last_bit(paths: np.ndarray, levels: list[float]) -> None:
    days = paths.shape[1]
    expected = np.quantile(paths, levels, axis=0).T
    assert np.array_equal(Marginals.of_paths(paths).quantiles(levels, days), expected)


@settings(deadline=None)
@given(paths=PATHS, threshold=FLOATS, at_a_draw=st.booleans())
def test_thresholds_are_strict(paths: np.ndarray, threshold: float, at_a_draw: bool) -> None:
    known = Marginals.of_paths(paths)
    for day in range(paths.shape[1]):
        limit = float(paths[0, day]) if at_a_draw else threshold
        assert known.above(limit, day + 1) == (paths[:, day] > limit).sum()
        assert known.below(limit, day + 1) == (paths[:, day] < limit).sum()


def test_a_threshold_is_not_rounded_to_single_precision() -> None:
    known = Marginals.of_paths(np.array([[np.float32(0.1)]], dtype=float))  # a little above 0.1
    assert known.draws.dtype == np.float32
    assert (known.above(0.1, 1), known.below(0.1, 1)) == (1, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_draws_of_both_precisions_are_kept_exactly(dtype: type) -> None:
    paths: np.ndarray = np.array([[16_777_217.0], [0.5]]).astype(dtype)
    known = Marginals.of_paths(paths.astype(float))
    assert known.draws.tolist() == sorted(paths.tolist())
    assert known.draws.dtype == dtype


def test_they_are_sorted_once_and_as_many_kept_as_there_is_room_for(
    make_artifact: MakeArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = Artifact.load(make_artifact())
    monkeypatch.setattr(marginals, "MOST_BYTES", 50_000)  # two of 22,400
    deu, fra, gbr, _ = artifact.series.values()
    first = marginals.of(artifact, deu, "daily")
    assert marginals.of(artifact, deu, "daily") is first
    for country in (fra, gbr):
        marginals.of(artifact, country, "daily")
    again = marginals.of(artifact, deu, "daily")
    assert again is not first and np.array_equal(again.draws, first.draws)
    assert marginals.of(artifact, deu, "cumulative").means[0] == 1099.5

    other = Artifact.load(make_artifact())
    monkeypatch.setattr(marginals, "MOST_BYTES", 100)  # none
    assert marginals.of(other, deu, "daily") is not marginals.of(other, deu, "daily")


def test_a_model_whose_running_totals_fall_says_so(make_artifact: MakeArtifact, ask: Ask) -> None:
    totals = np.random.default_rng(1).normal(TOTAL, 50, (20, 4, HORIZON))  # each day by itself
    app = create_app(Artifact.load(make_artifact(cumulative=True, target="cumulative cases", draws=totals)))
    for query, warned in (("", False), ("?counts=daily", True), ("?draws=2", True)):
        assert ("caveat" in ask(app, f"/countries/GBR/forecast{query}").json()) is warned
    for query, warned in (("on=2020-04-26", False), ("ever_by=2020-04-26", True)):
        body = ask(app, f"/countries/GBR/probability?above=1000&{query}").json()
        assert ("caveat" in body) is warned
