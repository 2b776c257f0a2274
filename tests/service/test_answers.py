"""What a model says of itself: overview, countries, observations, parameters."""

import pytest

from forecastle.artifact import Artifact
from forecastle.service import create_app

from ..conftest import Ask, Get, MakeArtifact, table


def test_the_overview_leads_everywhere(get: Get) -> None:
    body = get("/").json()
    assert body["model"] == "flu" and body["horizon"] == 28
    assert body["version"].startswith("2020-04-24-")
    assert (body["data_through"], body["trained_at"]) == ("2020-04-24", "2020-04-25T06:00:00Z")
    assert all(get(link).status_code == 200 for link in body["links"].values())


@pytest.mark.parametrize(
    ("minimum", "told"), [(0, "0"), (0.0, "0"), (-2.0, "-2"), (0.5, "0.5"), (None, "null")]
)
def test_a_whole_minimum_is_told_without_decimals(
    minimum: float | None, told: str, make_artifact: MakeArtifact, ask: Ask
) -> None:
    app = create_app(Artifact.load(make_artifact(minimum=minimum)))
    assert f'"minimum":{told},' in ask(app, "/").text


def test_countries(get: Get) -> None:
    countries = {entry["code"]: entry for entry in get("/countries").json()["countries"]}
    assert countries["GBR"] == {
        "code": "GBR",
        "name": "United Kingdom",
        "origin_date": "2020-04-24",
        "last_observation": {"date": "2020-04-24", "observed": 40},
        "links": countries["GBR"]["links"],
    }
    assert get("/countries/gbr").json() == countries["GBR"]
    assert all(get(link).status_code == 200 for link in countries["GBR"]["links"].values())
    assert countries["GRC"]["last_observation"] == {"date": "2020-04-23", "observed": 30}  # the last report
    assert table(get("/countries", headers={"Accept": "text/csv"}))[0]["last_observed"] == "40"


def test_observations(get: Get) -> None:
    path = "/countries/GRC/observations"
    rows = get(path).json()["observations"]
    assert rows[-2:] == [{"date": "2020-04-23", "observed": 30}, {"date": "2020-04-24", "observed": None}]
    assert table(get(path, headers={"Accept": "text/csv"}))[-1] == {
        "country": "GRC",
        "date": "2020-04-24",
        "observed": "",
    }


def test_parameters(get: Get) -> None:
    body = get("/countries/GBR/parameters").json()
    assert [parameter["parameter"] for parameter in body["parameters"]] == ["growth"]
    assert body["shared"][0]["parameter"] == "dispersion"
    assert body["shared"][0]["r_hat"] == 1.001
