"""Codes of countries: near matches of those that are unknown, reasons of those that were left out."""

import httpx
import pytest
from fastapi import FastAPI

from ..conftest import Ask, Get


@pytest.mark.parametrize(
    ("code", "near"),
    [
        ("GRB", ["GBR", "GRC"]),
        ("germany", ["DEU"]),
        ("Untied Kingdom", ["GBR"]),
        ("uk", ["GBR"]),
        ("de", ["DEU"]),
        ("QQQ", None),
        ("%F0%9F%A6%A0", None),
        ("%2e%2e", None),
        ("{code}", None),
        ("x" * 5000, None),
    ],
)
@pytest.mark.parametrize("route", ["forecast", "probability?above=1&on=2020-05-01", "parameters"])
def test_an_unknown_country_has_near_matches(
    app: FastAPI, ask: Ask, code: str, near: list[str] | None, route: str
) -> None:
    response = ask(app, httpx.URL("http://test").copy_with(raw_path=f"/countries/{code}/{route}".encode()))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert ([match["code"] for match in body["near_matches"]] if near else body.get("near_matches")) == near


def test_a_country_that_was_left_out_has_the_reason(get: Get) -> None:
    response = get("/countries/and/forecast")
    assert response.status_code == 404
    assert response.json()["detail"] == "Andorra has no forecast: it has 40 deaths, and 50 are needed"
