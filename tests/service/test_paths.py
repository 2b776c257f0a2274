"""Paths: running totals and daily counts out of each other, weeks, and how counts are rounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecastle.artifact import Artifact
from forecastle.service import create_app, paths

from ..conftest import HORIZON, OBSERVED_DAYS, TOTAL, Ask, MakeArtifact


def test_totals_are_sums_along_paths_and_daily_counts_their_differences(make_artifact: MakeArtifact) -> None:
    daily = np.random.default_rng(1).poisson(50, (20, 4, HORIZON))
    totals = TOTAL + daily.cumsum(axis=2)
    for artifact in (
        Artifact.load(make_artifact(draws=daily)),
        Artifact.load(make_artifact(draws=totals, cumulative=True)),
    ):
        for index, country in enumerate(artifact.series.values()):
            assert np.array_equal(paths.paths(artifact, country, "daily"), daily[:, index])
            assert np.array_equal(paths.paths(artifact, country, "cumulative"), totals[:, index])


def test_the_observed_days_lead_into_the_weeks_ahead(make_artifact: MakeArtifact) -> None:
    artifact = Artifact.load(make_artifact(draws=np.full((3, 4, HORIZON), 70.0)))
    gbr = artifact.series["GBR"]
    assert paths.observed(artifact, gbr).tolist() == [10 * day for day in range(OBSERVED_DAYS)]
    past, coming = paths.means(artifact, gbr)
    assert past.tolist() == [20]  # of five days with reports
    assert coming.shape == (3, HORIZON)
    assert coming[0, 0] == pytest.approx((0 + 10 + 20 + 30 + 40 + 70) / 6)
    assert (coming[:, 6:] == 70).all()


@given(st.floats(-1e300, 1e300))
def test_counts_are_rounded_to_three_digits_or_one_decimal(count: float) -> None:
    rounded = float(paths.rounded(np.array(count)))
    size = abs(count)
    decimals = 1 if size >= 10 else 2 - int(np.floor(np.log10(max(size, 1e-9))))
    assert abs(rounded - count) <= 0.5001 * 10.0**-decimals
    assert size >= 1e15 or size < 1e-9 or rounded == float(f"{rounded:.{decimals}f}")
    assert np.signbit(rounded) == (rounded < 0)  # no -0.0


def test_counts_are_rounded_to_what_draws_can_tell(make_artifact: MakeArtifact, ask: Ask) -> None:
    draws = np.full((10, 4, 28), 1e6 / 3)
    draws[:, :, 1] = 1 / 3
    app = create_app(Artifact.load(make_artifact(draws=draws)))
    forecast = ask(app, "/countries/GBR/forecast?days=2").json()["forecast"]
    assert [day["mean"] for day in forecast] == [333333.3, 0.333]
