"""app.py: what the catalogue answers at paths of its own."""

from forecastle.catalogue.app import create_catalogue

from ..conftest import Ask


def test_unknown_paths_are_problems_that_name_the_list(ask: Ask) -> None:
    answer = ask(create_catalogue({}), "/nosuch/countries")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET /models" in answer.json()["detail"]


def test_its_documentation_loads_nothing_from_elsewhere(ask: Ask) -> None:
    catalogue = create_catalogue({})
    page = ask(catalogue, "/docs").text
    assert "//" not in page.replace("// ", "").replace("://test", "").replace("<!--", "")
    assert ask(catalogue, "/docs/static/swagger-ui-bundle.js").status_code == 200
