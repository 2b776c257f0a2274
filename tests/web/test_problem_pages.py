"""problem_pages.py: every type of problem has a page."""

import pytest
from fastapi import FastAPI

from forecastle.web import problem_types, problems

from ..conftest import Ask
from .test_problems import problem


@pytest.mark.parametrize("name", problem_types.TYPES)
def test_every_type_leads_to_a_page_about_it(ask: Ask, name: str) -> None:
    app = FastAPI()
    problems.install(app)
    problem_type = problem_types.TYPES[name]
    page = ask(app, problem_types.uri(name))
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert problem_type.title in page.text and str(problem_type.status) in page.text
    assert f'href="problems/{name}"' in ask(app, "/docs/problems").text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert problem(ask(app, "/docs/problems/nonsense"), 404)
