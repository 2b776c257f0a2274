"""What a new artifact must say of the market of homes, before it is served."""

import numpy as np
from fastapi.testclient import TestClient
from main import app, artifact

client = TestClient(app)
cities = list(artifact.series)


def medians(city: str) -> dict[int, float]:
    """The forecast's median by month of the year."""
    forecast = client.get(f"/cities/{city}/forecast", params={"days": 12}).json()["forecast"]
    return {int(one["date"][5:7]): one["median"] for one in forecast}


def test_a_year_is_forecast_with_its_season() -> None:
    """More homes are sold in June than in January, in nearly every city."""
    forecasts = [medians(city) for city in cities]
    assert all(sorted(one) == list(range(1, 13)) for one in forecasts)
    assert np.mean([one[6] > one[1] for one in forecasts]) > 0.9


def test_a_year_is_within_half_and_double_of_the_last_one() -> None:
    for city in cities:
        last = [value for _, value in artifact.observations[city][-12:] if value is not None]
        assert 0.5 < sum(medians(city).values()) / sum(last) < 2, city


def test_more_working_days_are_more_sales() -> None:
    shared = client.get(f"/cities/{cities[0]}/parameters").json()["shared"]
    (working_days,) = [one for one in shared if one["parameter"] == "working_days"]
    assert 0 < working_days["hdi_lower"] < working_days["hdi_upper"] < 1.5
