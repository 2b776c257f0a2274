"""The issue: everything that the other routes answer, in one document."""

import numpy as np
import pytest
from fastapi import FastAPI

from forecastle.artifact import Artifact
from forecastle.scores import HUB_QUANTILES
from forecastle.service import create_app
from forecastle.service.issue import Issue

from ..conftest import HORIZON, TOTAL, Ask, MakeArtifact


@pytest.fixture(scope="module")
def app(make_artifact: MakeArtifact) -> FastAPI:
    return create_app(
        Artifact.load(make_artifact(draws=np.random.default_rng(1).poisson(50, (99, 4, HORIZON))))
    )


def test_it_has_the_answers_of_all_countries(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/issue.json")
    issue = response.json()
    assert Issue.model_validate_json(response.content).model_dump(mode="json") == issue
    query = "".join(f"&quantile={level}" for level in HUB_QUANTILES)
    assert issue["levels"] == list(HUB_QUANTILES)
    for code, country in issue["series"].items():
        for counts in ("daily", "cumulative"):
            issued = country["forecasts"][counts]
            answer = ask(app, f"/countries/{code}/forecast?days={HORIZON}&counts={counts}{query}").json()
            days = answer["forecast"]
            assert issued["answer"] == {**answer, "forecast": None}
            assert issued["mean"] == [day["mean"] for day in days]
            assert issued["quantiles"] == [[one["value"] for one in day["quantiles"]] for day in days]


def test_it_has_the_manifest_and_the_counts_that_were_fitted(app: FastAPI, ask: Ask) -> None:
    issue, manifest = ask(app, "/issue.json").json(), ask(app, "/manifest.json").json()
    for name in ("model", "version", "target", "unit", "cumulative"):
        assert issue[name] == manifest[name]
    assert issue["data_through"] == manifest["data"]["last_day"]
    grc = issue["series"]["GRC"]
    observations = ask(app, "/countries/GRC/observations").json()["observations"]
    assert grc["observed"] == [day["observed"] for day in observations]
    assert (grc["first_day"], grc["origin_date"]) == (observations[0]["date"], observations[-1]["date"])
    assert grc["total"] == TOTAL
