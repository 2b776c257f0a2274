"""Every observe of countries: whatever a file holds, it gives rows to fit, or says in a line why not."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from forecastle import observations
from forecastle.observations import ObservationsError
from forecastle.project import compose
from forecastle.training import contract

from ..conftest import load
from ..tiny import recipe

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [ROOT / "shared/template/forecast/train.py"]
SCRIPTS += [
    script
    for name in compose.models()
    if "def observe(" in (text := (script := ROOT / "models" / name / "train.py").read_text())
    and 'series="' not in text  # of countries: home-sales reads a file of its own
]
CODES = ("AND", "FRA", "GBR")

Counts = list[int | None]
COUNT = st.sampled_from([None, 0, 1, 20, 300, 40_000, -50, -10_000]) | st.integers(0, 1_000_000)
STEADY = st.tuples(st.sampled_from([None, 0, 5, 100, 3000]), st.integers(1, 60)).map(lambda x: [x[0]] * x[1])
SERIES = st.lists(STEADY | st.lists(COUNT, min_size=1, max_size=30), min_size=1, max_size=4).map(
    lambda parts: [count for part in parts for count in part]
)


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """Up to three countries that begin and end on any day, with blank columns, gaps, constants and leaps."""
    parts = []
    for code in draw(st.lists(st.sampled_from(CODES), min_size=1, unique=True)):
        cases = draw(SERIES)
        deaths = draw(st.just([None] * len(cases)) | st.just(cases) | SERIES)
        days = min(len(cases), len(deaths))
        dates = pd.date_range("2020-03-01", periods=days) + pd.Timedelta(draw(st.integers(0, 40)), unit="D")
        part = pd.DataFrame({"date": dates, "country": code})
        parts.append(part.assign(cases=counted(cases[:days]), deaths=counted(deaths[:days])))
    frame = pd.concat(parts, ignore_index=True)
    kept = draw(st.lists(st.booleans(), min_size=1, max_size=20))
    gaps = [not kept[i % len(kept)] for i in range(len(frame))] if any(kept) else [False] * len(frame)
    return frame[[not gap for gap in gaps]]


def counted(counts: Counts) -> pd.Series:
    return pd.Series(counts, dtype="Int64")


def one(cases: Counts, deaths: Counts) -> pd.DataFrame:
    dates = pd.date_range("2020-03-01", periods=len(cases))
    return pd.DataFrame({"date": dates, "country": "GBR", "cases": counted(cases), "deaths": counted(deaths)})


@pytest.fixture(scope="module", params=SCRIPTS, ids=lambda script: script.parent.name)
def train(request: pytest.FixtureRequest) -> ModuleType:
    return load(request.param)


@pytest.mark.filterwarnings("error")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=frames())
@example(frame=one([100] * 60, [None] * 60))
@example(frame=one([300] * 70 + [None] * 40, [30] * 70 + [None] * 40))
@example(frame=one([10_000], [10_000]))
def test_rows_or_one_line(
    train: ModuleType, tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.csv"
    observations.write(frame, path)
    try:
        selected = train.observe(path)
    except ObservationsError as error:
        assert len(str(error).splitlines()) == 1
    else:
        functions = {name: getattr(train, name) for name in ("observe", "build", "predict")}
        contract.observed(recipe(**functions), selected, set(frame["country"]))
