"""openapi.py: one document of all models, always valid, with an entity tag."""

import asyncio
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import httpx
import pytest
import schemathesis
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import APIKeyHeader
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from pydantic import BaseModel, Field
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from forecastle.artifact import Artifact
from forecastle.catalogue import upstreams
from forecastle.catalogue.app import create_catalogue
from forecastle.project.local_gateway import Gateway
from forecastle.service import create_app

from ..conftest import Ask, MakeArtifact
from .test_models import Switch, broken, client

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate Operation ID")  # which `fortune` has on purpose

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance),
]
# The same in every run.
MADE_UP = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
METHODS = {"get", "post", "put", "delete"}


@pytest.fixture(scope="module")
def forecasts(make_artifact: MakeArtifact) -> dict[str, FastAPI]:
    """Two models of the usual kind."""
    names = ("flu", "flu-2")
    return {name: create_app(Artifact.load(make_artifact(name))) for name in names}


class Overview(BaseModel):
    """Another one than that of `answers.py`, which has the same name."""

    cards: list[str]


class Cat(BaseModel):
    kind: Literal["cat"]
    told: Overview


class Dog(BaseModel):
    kind: Literal["dog"]


def fortune() -> FastAPI:
    """A plain app whose schemas, operation ids and security could be mistaken for others'."""
    app = FastAPI()
    callbacks = APIRouter()

    @callbacks.post("{$request.query.callback}", operation_id="told_you")
    async def told_you(overview: Overview) -> None: ...

    @app.get("/v2/models/flu", operation_id="twice")
    async def own_idea_of_v2(key: Annotated[str, Security(APIKeyHeader(name="key"))]) -> Overview:
        raise NotImplementedError

    @app.post("/pets", operation_id="twice", callbacks=callbacks.routes)
    async def pets(pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> list[Overview]:
        raise NotImplementedError

    @app.get("/countries", operation_id="get_models")
    async def countries() -> dict[str, Overview]:
        return {}

    return app


def merged(apps: dict[str, ASGIApp], ask: Ask) -> dict[str, Any]:
    document = ask(Gateway(apps), "/openapi.json").json()
    validate(document)
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def test_all_models_are_in_one_valid_document(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    document = merged({**forecasts, "fortune": fortune()}, ask)
    assert {tag["name"]: tag.get("x-health") for tag in document["tags"]} == {
        **{"gateway": None, "flu": "ready", "flu-2": "ready", "fortune": "ready"},
    }
    ids = [operation["operationId"] for _, _, operation in operations(document) if "operationId" in operation]
    assert len(ids) == len(set(ids))
    assert {"get_models", "flu_post_infer", "flu_2_post_infer", "fortune_get_models", "fortune_twice"} <= set(
        ids
    )
    for path, _, operation in operations(document):
        (tag,) = operation["tags"]
        assert path.startswith((f"/{tag}/", f"/v2/models/{tag}") if tag != "gateway" else ("/models", "/v2"))


def test_what_is_listed_is_there(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    gateway = Gateway({**forecasts, "fortune": fortune()})
    document = ask(gateway, "/openapi.json").json()
    asked = 0
    for path, method, operation in operations(document):
        parameters = [each for each in operation.get("parameters", []) if each.get("required")]
        if method == "get" and not parameters and "security" not in operation:
            asked += 1
            assert ask(gateway, path).status_code == 200, path
    assert asked > 20


def test_schemas_are_shared_if_they_are_the_same(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    document = merged({**forecasts, "fortune": fortune()}, ask)
    schemas = document["components"]["schemas"]
    assert "links" in schemas["Overview"]["properties"]
    assert "cards" in schemas["FortuneOverview"]["properties"]
    assert {name for name in schemas if "Overview" in name} == {"Overview", "FortuneOverview"}
    for model in forecasts:
        answer = document["paths"][f"/{model}/"]["get"]["responses"]["200"]
        assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Overview"}
    assert schemas["Cat"]["properties"]["told"] == {"$ref": "#/components/schemas/FortuneOverview"}


def test_a_schema_that_refers_to_one_that_differs_differs_too(ask: Ask) -> None:
    """Their `Outer` read alike, but mean their own `Inner`."""

    def app(inner: type) -> FastAPI:
        made = FastAPI()
        Inner = type("Inner", (BaseModel,), {"__annotations__": {"value": inner}})
        Outer = type("Outer", (BaseModel,), {"__annotations__": {"inner": Inner}})

        @made.get("/", response_model=Outer)
        async def outer() -> None: ...

        return made

    document = merged({"one": app(int), "two": app(str), "three": app(int)}, ask)
    schemas = document["components"]["schemas"]
    assert schemas["Outer"]["properties"]["inner"] == {"$ref": "#/components/schemas/Inner"}
    assert schemas["TwoOuter"]["properties"]["inner"] == {"$ref": "#/components/schemas/TwoInner"}
    assert schemas["Inner"]["properties"]["value"]["type"] == "integer"
    assert schemas["TwoInner"]["properties"]["value"]["type"] == "string"
    assert "ThreeOuter" not in schemas


def test_security_callbacks_and_discriminators_keep_their_meaning(ask: Ask) -> None:
    keyed = FastAPI()

    @keyed.get("/")
    async def secret(key: Annotated[str, Security(APIKeyHeader(name="another"))]) -> None: ...

    document = merged({"fortune": fortune(), "keyed": keyed}, ask)
    (scheme,) = document["paths"]["/keyed/"]["get"]["security"][0]
    assert document["components"]["securitySchemes"][scheme]["name"] == "another"
    pets = document["paths"]["/fortune/pets"]["post"]
    told = pets["callbacks"]["told_you"]["{$request.query.callback}"]["post"]
    assert told["operationId"] == "fortune_told_you"
    mapping = pets["requestBody"]["content"]["application/json"]["schema"]["discriminator"]["mapping"]
    assert mapping == {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}


def test_a_path_of_the_inference_protocol_is_the_gateways(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    paths = merged({**forecasts, "fortune": fortune()}, ask)["paths"]
    assert "/v2/models/flu/infer" in paths and "/flu/v2/models/flu/infer" not in paths
    assert paths["/v2/health/ready"]["get"]["tags"] == ["gateway"]
    assert "/fortune/v2/models/flu" in paths  # another app's idea of these words


def test_one_that_goes_down_is_marked_and_kept(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    switch = Switch(forecasts["flu"])
    catalogue = create_catalogue({"flu": client(switch, "flu"), "worse": client(broken, "worse")})
    before = ask(catalogue, "/openapi.json")
    switch.app = broken
    after = ask(catalogue, "/openapi.json")
    switch.app = forecasts["flu"]
    again = ask(catalogue, "/openapi.json")

    for answer in (before, after):
        validate(answer.json())
        _, flu, worse = answer.json()["tags"]
        assert worse["x-health"] == "down"
        assert "its routes are not listed" in worse["description"].lower()
    assert after.json()["paths"] == before.json()["paths"]
    assert flu["x-health"] == "down"
    assert "does not answer at the moment" in flu["description"]
    assert again.content == before.content
    assert again.headers["etag"] == before.headers["etag"] != after.headers["etag"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"[]",
        b"null",
        b'{"swagger": "2.0", "paths": {}}',
        b'{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {}}',
        b'{"openapi": "3.1.0"}',
        b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/": []}}',
        b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/": {"get": 7}}}',
        b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "components": {"schemas": 1}}',
        b'{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}}',
    ],
)
def test_a_document_that_is_none_spoils_nothing(content: bytes, ask: Ask) -> None:
    async def odd(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content})

    document = merged({"odd": odd, "fortune": fortune()}, ask)
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == {
        *("gateway", "fortune")
    }


@pytest.mark.parametrize("path", ["/openapi.json", "/flu/openapi.json"])
def test_a_document_is_not_sent_again(path: str, forecasts: dict[str, FastAPI], ask: Ask) -> None:
    gateway = Gateway(forecasts)
    first = ask(gateway, path)
    known = ask(gateway, path, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert ask(gateway, path, "HEAD").headers["etag"] == first.headers["etag"]


def test_the_models_documents_are_asked_for_once(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    switch = Switch(forecasts["flu"])
    catalogue = create_catalogue({"flu": client(switch, "flu")})
    for _ in range(3):
        ask(catalogue, "/openapi.json")
    assert switch.statuses == [200, 304, 304]


def test_a_model_that_comes_up_between_two_questions_is_asked_both(
    forecasts: dict[str, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstreams, "PAUSE", 0.01)

    async def comes_up(scope: Scope, receive: Receive, send: Send) -> None:
        switch.app = forecasts["flu"]
        await broken(scope, receive, send)

    switch = Switch(comes_up)
    flu = upstreams.Upstream("flu", client(switch, "flu"))
    asyncio.run(asyncio.wait_for(upstreams.ask_until_answered([flu], "/", "/openapi.json"), 10))
    assert flu.known.keys() == {"/", "/openapi.json"}


def test_what_models_are_is_known_before_anybody_asks(
    forecasts: dict[str, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that came up after the catalogue and went down again."""
    monkeypatch.setattr(upstreams, "PAUSE", 0.01)
    switch = Switch(broken)
    catalogue = create_catalogue({"flu": client(switch, "flu")})

    async def story() -> dict[str, Any]:
        async with catalogue.router.lifespan_context(catalogue):
            await asyncio.sleep(0.1)
            switch.app = forecasts["flu"]
            async with asyncio.timeout(10):
                while switch.statuses.count(200) < 2:
                    await asyncio.sleep(0.01)
            switch.app = broken
            transport = httpx.ASGITransport(catalogue)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as asking:
                return (await asking.get("/openapi.json")).json()

    document = asyncio.run(story())
    assert document["tags"][1]["x-health"] == "down"
    assert "/flu/countries" in document["paths"]


def test_a_model_alone_names_its_prefix_as_its_server(forecasts: dict[str, FastAPI], ask: Ask) -> None:
    document = ask(Gateway(forecasts), "/flu/openapi.json").json()
    assert document["servers"] == [{"url": "/flu"}]
    alone = ask(forecasts["flu"], "/openapi.json").json()
    assert "servers" not in alone
    validate(json.loads(json.dumps(alone)))


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_no_request_makes_it_fail_or_answer_what_is_not_documented(
    mode: str, forecasts: dict[str, FastAPI]
) -> None:
    """Neither requests that fit the document nor those that do not: schemathesis makes up both."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", Gateway(forecasts))
    statuses = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode == "negative" and not operation.query and not operation.body:
            continue  # nothing can be wrong: in a path any text will do

        @given(case=operation.as_strategy(GenerationMode(mode)))
        @settings(MADE_UP)
        def asked(case: schemathesis.Case) -> None:
            answer = case.call()
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"]

        asked()
    assert (200 if mode == "positive" else 422) in statuses
