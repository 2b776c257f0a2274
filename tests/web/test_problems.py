"""Every error of any FastAPI app becomes an RFC 9457 problem that says what was wrong."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Query

from forecastle.web import problem_types, problems
from forecastle.web.problems import Problem, ProblemError

from ..conftest import Ask

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.get("/items/{number}")
    async def item(number: int, size: float = Query(1, gt=0), colour: str = Query()) -> None:
        if number == 404:
            raise ProblemError(404, "There is no item 404.", near_matches=[{"code": "403", "name": "Next"}])
        if number == 500:
            raise RuntimeError("a secret")
        raise HTTPException(409, "It is taken.", headers={"Retry-After": "5"})

    @app.post("/items")
    async def create(item: dict[str, int]) -> None: ...

    return app


def problem(response: httpx.Response, status: int) -> Problem:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body = Problem.model_validate_json(response.content)
    assert body.status == problem_types.TYPES[body.type.removeprefix("/docs/problems/")].status == status
    return body


def test_an_unknown_path(app: FastAPI, ask: Ask) -> None:
    answer = problem(ask(app, "/nowhere?x=1"), 404)
    assert (answer.title, answer.detail) == ("Not Found", "There is nothing at /nowhere.")
    assert answer.instance == "/nowhere"


def test_a_method_that_is_not_allowed(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/items", "DELETE")
    assert problem(response, 405).detail == "DELETE is not allowed here, only OPTIONS, POST."
    assert response.headers["allow"] == "OPTIONS, POST"


def test_an_error_that_the_app_raises_keeps_its_words_and_headers(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/items/1?colour=red")
    assert problem(response, 409).detail == "It is taken."
    assert response.headers["retry-after"] == "5"


def test_an_error_may_have_further_members(app: FastAPI, ask: Ask) -> None:
    answer = problem(ask(app, "/items/404?colour=red"), 404)
    assert answer.near_matches == [{"code": "403", "name": "Next"}]


def test_invalid_parameters_are_all_told_in_words(app: FastAPI, ask: Ask) -> None:
    answer = problem(ask(app, "/items/one?size=0"), 422)
    assert answer.errors is not None
    assert [(error["in"], error["parameter"]) for error in answer.errors] == [
        ("path", "number"),
        ("query", "size"),
        ("query", "colour"),
    ]
    assert answer.detail == (
        "number should be a valid integer, unable to parse string as an integer; "
        "size should be greater than 0; colour is missing"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a": "b"}'])
def test_an_invalid_body(app: FastAPI, ask: Ask, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert problem(ask(app, "/items", "POST", content=body, headers=headers), 422).detail


def test_an_unhandled_exception_tells_nothing_of_itself(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/items/500?colour=red")
    problem(response, 500)
    assert "secret" not in response.text and "Traceback" not in response.text


def test_an_error_may_be_of_a_kind_of_its_own(ask: Ask) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "Short and stout.")

    @app.get("/past")
    async def past() -> None:
        raise ProblemError(404, "It was before.", type="past-forecast")

    body = problem(ask(app, "/past"), 404)
    assert (body.type, body.title) == ("/docs/problems/past-forecast", "Past Forecast")
    told = ask(app, "/teapot").json()
    assert told == {
        "type": "about:blank",
        "title": "I'm a Teapot",
        "status": 418,
        "detail": "Short and stout.",
        "instance": "/teapot",
    }


@pytest.mark.parametrize("name", problem_types.TYPES)
def test_every_type_leads_to_a_page_about_it(app: FastAPI, ask: Ask, name: str) -> None:
    about = problem_types.TYPES[name]
    page = ask(app, problem_types.uri(name))
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert about.title in page.text and str(about.status) in page.text
    assert f'href="problems/{name}"' in ask(app, "/docs/problems").text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert problem(ask(app, "/docs/problems/nonsense"), 404)


def test_the_gateways_own_problems_have_the_same_types() -> None:
    lines = (ROOT / "docker/gateway/nginx.conf").read_text().split("map $status $problem {")[1].split("}")[0]
    types = dict(line.split() for line in lines.strip().rstrip(";").split(";\n"))
    assert types.pop("default") == "about:blank"
    assert types == {status: problem_types.uri(problem_types.of_status(int(status))) for status in types}
    assert {"404", "405", "413", "503"} <= types.keys()


def test_problems_are_documented() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/items", responses=problems.documented(404, 422))
    async def items(size: int) -> None: ...

    @app.post("/items")
    async def plain(size: int) -> None: ...  # says nothing of its problems

    paths = app.openapi()["paths"]["/items"]
    assert paths["post"]["responses"]["422"] == paths["get"]["responses"]["422"]
    assert list(app.openapi()["components"]["schemas"]) == ["Problem"]
    responses = paths["get"]["responses"]
    assert list(responses["422"]["content"]) == list(responses["404"]["content"]) == [problems.MEDIA_TYPE]
