"""documents.py: a client that has an answer gets a 304, and each answer has an entity tag of its own."""

import re

import numpy as np
import pytest

from forecastle.artifact import Artifact
from forecastle.service import create_app

from ..conftest import Ask, Get, MakeArtifact


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/countries",
            "/countries/GBR",
            "/countries/GBR/forecast",
            "/forecast",
            "/forecast?format=ndjson",
        ),
        *("/countries/GBR/probability?peak_by=2020-05-01", "/manifest.json", "/card", "/posterior.nc"),
    ],
)
def test_what_the_client_has_is_not_sent_again(get: Get, path: str) -> None:
    first = get(path)
    etag = first.headers["etag"]
    assert re.fullmatch('"[0-9a-f]{32}"', etag)  # strong
    assert first.headers["cache-control"].startswith("public, max-age=2")
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag and again.headers.get("vary") == first.headers.get("vary")
    assert get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_etags_differ_by_parameters_formats_and_artifacts(
    get: Get, make_artifact: MakeArtifact, ask: Ask
) -> None:
    path = "/countries/GBR/forecast"
    other = create_app(Artifact.load(make_artifact(draws=np.ones((200, 4, 28)))))
    responses = [
        get(path),
        get(path + "?days=3"),
        get(path + "?level=0.5"),
        get(path, headers={"Accept": "text/csv"}),
        get(path + "?format=ndjson"),
        get("/forecast"),
        get("/forecast?format=ndjson"),
        get("/forecast?format=ndjson&days=3"),
        ask(other, "/forecast?format=ndjson"),
        ask(other, path),
    ]
    assert len({response.headers["etag"] for response in responses}) == len(responses)
