"""Every error of any FastAPI app becomes an RFC 9457 problem that says what was wrong."""

from typing import Annotated

import httpx
import pytest
from fastapi import Body, FastAPI, HTTPException, Query

from forecastle.runtime.monitoring import Monitoring
from forecastle.web import problem_types, problems
from forecastle.web.problems import Problem, ProblemError

from ..conftest import Ask


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
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


def test_a_slash_too_many(app: FastAPI, ask: Ask) -> None:
    """The path without it is named if it is a route, but redirected to by nobody: it would lose a body."""
    assert problem(ask(app, "/items/"), 404).detail == "There is nothing at /items/; did you mean /items?"
    assert (
        problem(ask(app, "/items/5//"), 404).detail
        == "There is nothing at /items/5//; did you mean /items/5?"
    )
    assert problem(ask(app, "/nowhere/"), 404).detail == "There is nothing at /nowhere/."
    assert problem(ask(app, "/"), 404).detail == "There is nothing at /."


def test_a_slash_too_many_behind_a_gateway(app: FastAPI, ask: Ask) -> None:
    behind = Monitoring(app, model="flu", prefix="/flu")
    answer = problem(ask(behind, "/flu/items/"), 404)
    assert answer.detail == "There is nothing at /flu/items/; did you mean /flu/items?"


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


def test_all_invalid_parameters_are_named(app: FastAPI, ask: Ask) -> None:
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


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 422, "the body is missing"),
        (b"[]", 422, "the body should be a valid dictionary"),
        (b'{"a": "b"}', 422, "a should be a valid integer, unable to parse string as an integer"),
        (
            b"{",
            400,
            "The body is not JSON: Expecting property name enclosed in double quotes at character 1.",
        ),
        (
            b'{"a": 1,}',
            400,
            "The body is not JSON: Illegal trailing comma before end of object at character 7.",
        ),
        (b"\xff", 400, "There was an error parsing the body"),
    ],
)
def test_an_invalid_body(app: FastAPI, ask: Ask, body: bytes, status: int, detail: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = problem(ask(app, "/items", "POST", content=body, headers=headers), status)
    assert answer.detail == detail


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, "is missing"),
        ({"Content-Type": "text/plain"}, "is 'text/plain'"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "is 'application/x-www-form-urlencoded'"),
    ],
)
def test_json_of_another_type_is_told_what_to_send(
    app: FastAPI, ask: Ask, headers: dict[str, str], found: str
) -> None:
    answer = problem(ask(app, "/items", "POST", content=b'{"a": 1}', headers=headers), 415)
    assert answer.title == "Unsupported Media Type"
    assert answer.detail == f"Content-Type {found}: send JSON with the header Content-Type: application/json."


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.items+json"])
def test_other_names_of_json_are_read(app: FastAPI, ask: Ask, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert ask(app, "/items", "POST", content=b'{"a": 1}', headers=headers).status_code == 200


def test_a_route_that_takes_no_json_does_not_ask_for_it(app: FastAPI, ask: Ask) -> None:
    @app.post("/table")
    async def table(content: Annotated[str, Body(media_type="text/csv", max_length=3)]) -> None: ...

    headers = {"Content-Type": "text/csv"}
    assert ask(app, "/table", "POST", content=b"a,b", headers=headers).status_code == 200
    assert "at most 3" in problem(ask(app, "/table", "POST", content=b"a,b,c", headers=headers), 422).detail


def test_an_unhandled_exception_tells_nothing_of_itself(app: FastAPI, ask: Ask) -> None:
    response = ask(app, "/items/500?colour=red")
    problem(response, 500)
    assert "secret" not in response.text and "Traceback" not in response.text


def test_an_error_may_have_a_type_of_its_own(ask: Ask) -> None:
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
    assert ask(app, "/teapot").json() == {
        "type": "about:blank",
        "title": "I'm a Teapot",
        "status": 418,
        "detail": "Short and stout.",
        "instance": "/teapot",
    }


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
