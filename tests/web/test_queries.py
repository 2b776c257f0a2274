"""queries.py: parameters that many routes take, and in which words wrong ones are refused."""

import pytest

from ..conftest import Get


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (
            "/countries/GBR/forecast?dayz=3",
            "days, level, quantile, counts, as_of, known_at, format, period, draws",
        ),
        ("/forecast?draws=3&dayz=3", "days, level, quantile, counts, as_of, known_at, format, period"),
        (
            "/countries/GBR/probability?above=1&dayz=3&on=2020-05-01",
            "above, below, exceeds, on, by, ever_by, peak_by, doubles_within, halves_within, counts, period",
        ),
        ("/countries?dayz=3", "limit, offset, format"),
        ("/countries/GBR/observations?dayz=3", "limit, offset, format"),
        ("/countries/GBR?dayz=3", "none"),
    ],
)
def test_a_misspelt_parameter_is_told_which_ones_there_are(get: Get, path: str, known: str) -> None:
    response = get(path)
    assert response.status_code == 422
    unknown = "dayz, draws" if "draws" in path else "dayz"
    assert response.json()["detail"] == f"unknown query parameter {unknown} (known here: {known})"


@pytest.mark.parametrize("day", ["yesterday", "2020-02-30", "", "20200424T00", "1"])
def test_as_of_must_be_a_date(get: Get, day: str) -> None:
    response = get("/countries/GBR/forecast", params={"as_of": day})
    assert response.status_code == 422
    assert response.json()["detail"] == f"as_of must be a date such as 2020-05-01, not {day!r}"


def test_an_unknown_format_names_those_there_are(get: Get) -> None:
    response = get("/countries/GBR/forecast?format=xml")
    assert response.status_code == 422
    assert response.json()["detail"] == "format must be json, csv, ndjson or hubverse, not 'xml'"
    assert get("/countries?format=hubverse").json()["detail"] == (
        "format must be json, csv or ndjson, not 'hubverse'"
    )


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "offset=-1", "offset=1000001"])
def test_a_page_has_bounds(get: Get, query: str) -> None:
    response = get(f"/countries?{query}")
    assert response.status_code == 422
    assert f"{query.partition('=')[0]} must be a number from " in response.json()["detail"]
