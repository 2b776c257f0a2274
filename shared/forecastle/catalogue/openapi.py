"""`/openapi.json`: one OpenAPI document of all models and of the catalogue itself.

It is always valid. A model that is down is described as in its last answer. The health of each model is the
`x-health` of its tag.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.models import OpenAPI, PathItem
from pydantic import TypeAdapter, ValidationError

from forecastle.catalogue.upstreams import Answer, Upstream, get_all
from forecastle.web import openapi
from forecastle.web.documents import Document
from forecastle.web.prefix import forwarded
from forecastle.web.problems import documented

OWN = "gateway"  # the tag of the catalogue's routes; no model may have this name
UNAVAILABLE = documented(503)[503]  # the gateway's answer for a model that is down
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMPONENT = re.compile("#/components/([^/]+)/([^/]+)(.*)")

Json = dict[str, Any]
Names = dict[tuple[str, str], str]  # components' names in the merged document, by section and own name


def install(app: FastAPI, upstreams: Sequence[Upstream]) -> None:
    """Make `/openapi.json` of the catalogue's app describe these models, too."""
    known: list[Answer] = []

    @lru_cache(32)  # a client may choose what a path starts with
    def document(before: str) -> Document:
        models = {upstream.name: answer for upstream, answer in zip(upstreams, known, strict=True)}
        return openapi.render(merge(app.openapi(), models, before))

    async def merged(request: Request) -> Response:
        nonlocal known
        answers = await get_all(upstreams, "/openapi.json")
        if answers != known:
            known = answers
            document.cache_clear()
        return document(forwarded(request.scope)).answer(request)

    openapi.replace(app, merged)


def merge(own: Json, models: Mapping[str, Answer], before: str = "") -> Json:
    """One document from the catalogue's own and those of the models, all of whose paths come after `before`.

    A model's paths and operation ids start with its name, which is their tag, too. Components that are equal
    in several documents are shared; one that differs gets the model's name as a prefix.
    """
    documents = {
        OWN: own,
        **{name: answer.content for name, answer in models.items() if _is_openapi(answer.content)},
    }
    paths: Json = {}
    components: Json = {}
    ids: set[str] = set()
    for source, names in _component_names(documents).items():
        prefix = "" if source == OWN else source.replace("-", "_") + "_"
        document = _renamed(documents[source], names, prefix)
        for section, name, component in _components(document):
            components.setdefault(section, {})[names[section, name]] = component
        for path, item in document["paths"].items():
            if source != OWN and path.startswith("/v2") and path in own["paths"]:
                continue  # the catalogue answers these for all models
            paths[path if source == OWN else _place(source, path)] = item
            for operation in _operations(item):
                operation["tags"] = [source]
                if operation.get("operationId") in ids:  # an id may be missing, but must not occur twice
                    del operation["operationId"]
                ids.add(operation.get("operationId", ""))
                if security := operation.get("security", document.get("security")):
                    operation["security"] = [_secured(each, names) for each in security]
                if source != OWN:
                    operation.setdefault("responses", {}).setdefault("503", UNAVAILABLE)
    about = {"openapi": own["openapi"], "info": own["info"], **openapi.servers(before)}
    tags = [_tag(name, answer, name in documents, before) for name, answer in models.items()]
    own_tag = {"name": OWN, "description": "Routes that are not about a single model."}
    return {**about, "tags": [own_tag, *tags], "paths": paths, "components": components}


def _is_openapi(content: Any) -> bool:
    """Whether it can be merged: OpenAPI 3.1, of the right structure in the parts that `merge` reads."""
    try:
        items = OpenAPI.model_validate(content).paths or {}
        TypeAdapter(dict[str, PathItem]).validate_python(items)
    except ValidationError:
        return False
    return content["openapi"].startswith("3.1.") and "paths" in content


def _place(model: str, path: str) -> str:
    """The gateway's path for a path of the model."""
    inference = f"/v2/models/{model}"
    return path if path == inference or path.startswith(inference + "/") else f"/{model}{path}"


def _tag(model: str, answer: Answer, listed: bool, before: str) -> Json:
    """The model's description and health."""
    about = answer.content["info"] if listed else {}
    words = [about.get("title"), about.get("description")]
    if answer.health == "down":
        words.append(
            "The model does not answer at the moment" + (": these were its last routes." if listed else ".")
        )
    if not listed:
        words.append("Its routes are not listed here, since it has not described them yet.")
    links = {"externalDocs": {"url": f"{before}/{model}/docs"}} if listed else {}
    description = "\n\n".join(each for each in words if each)
    return {"name": model, "description": description, "x-health": answer.health, **links}


def _component_names(documents: Mapping[str, Json]) -> dict[str, Names]:
    """For each document the names of its components in the merged one.

    The first component with a name keeps it; so do later ones that are equal, and refer to equal components.
    """
    kept: dict[tuple[str, str], Any] = {}
    times: Counter[tuple[str, str]] = Counter()
    for document in documents.values():
        for section, name, component in _components(document):
            kept.setdefault((section, name), component)
            times[section, name] += 1
    taken = set(kept)
    named: dict[str, Names] = {}
    for source, document in documents.items():
        own = {(section, name): component for section, name, component in _components(document)}
        others = {key for key, component in own.items() if component != kept[key]}
        several = {key for key in own if times[key] > 1}
        while more := {key for key in several - others if not others.isdisjoint(_references(own[key]))}:
            others |= more
        named[source] = {}
        for section, name in own:
            new = name
            if (section, name) in others:
                new = "".join(word.capitalize() for word in source.split("-")) + name
                while (section, new) in taken:
                    new += "_"
                taken.add((section, new))
            named[source][section, name] = new
    return named


def _components(document: Json) -> Iterator[tuple[str, str, Any]]:
    """Section, name and content of each."""
    for section, components in document.get("components", {}).items():
        if not section.startswith("x-"):
            for name, component in components.items():
                yield section, name, component


def _operations(item: Json) -> Iterator[Json]:
    """The operations of a path."""
    return (item[method] for method in METHODS if method in item)


def _references(node: Any) -> Iterator[tuple[str, str]]:
    """The section and name of each component that the node refers to."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str) and (match := COMPONENT.match(reference)):
            yield match[1], match[2]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)


def _renamed(node: Any, names: Names, prefix: str) -> Any:
    """A copy that refers to components by their new names, and whose operation ids have the prefix."""

    def reference(match: re.Match[str]) -> str:
        section, name, rest = match.groups()
        return f"#/components/{section}/{names.get((section, name), name)}{rest}"

    if isinstance(node, list):
        return [_renamed(each, names, prefix) for each in node]
    if not isinstance(node, dict):
        return node
    copy: Json = {}
    for key, value in node.items():
        if isinstance(value, str) and key == "$ref":
            copy[key] = COMPONENT.sub(reference, value)
        elif isinstance(value, str) and key == "operationId":
            copy[key] = prefix + value
        elif isinstance(value, dict) and key == "mapping":  # a discriminator's
            copy[key] = {
                kind: COMPONENT.sub(reference, schema)
                if isinstance(schema, str)
                else _renamed(schema, names, prefix)
                for kind, schema in value.items()
            }
        else:
            copy[key] = _renamed(value, names, prefix)
    return copy


def _secured(requirement: Json, names: Names) -> Json:
    return {names.get(("securitySchemes", scheme), scheme): scopes for scheme, scopes in requirement.items()}
