"""The OpenAPI document, made from the table of endpoints."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from duenna_actors.console.api.answers import HEADERS, JSON
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import PROBLEM
from duenna_actors.console.view.frames import encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALWAYS: Final = (400, 401, 403, 405, 413, 415, 421, 422, 431, 500)
"""Statuses of problems that any endpoint may answer: those of the server, of roles and of wrong queries."""

_REFERENCE: Final = "#/components/schemas/{name}"
_TEXTS: Final = {
    200: "What was asked for.",
    201: "It is made.",
    202: "It has begun.",
    204: "It is done.",
    400: "The request cannot be read.",
    401: "There is no token, or a wrong one.",
    403: "The token's role is too low, or the request comes from another site.",
    404: "There is no such thing; `names` says what there is.",
    405: "The path does not know this method.",
    409: "It cannot be done now.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The Host header is not the bot's.",
    422: "A parameter or a field is wrong; `field` says which.",
    431: "The head is too large.",
    500: "The console failed; the bot did not.",
    503: "It cannot be answered now.",
}
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. More members say what would be right, such as names, candidates or expected.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "names": {"type": "array", "items": {"type": "string"}},
        "candidates": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["type", "title", "status", "detail"],
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the document that describes *endpoints*."""
    known = list(endpoints)
    schemas = _Schemas(known)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in known:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "duenna console",
            "version": version("duenna"),
            "description": "Errors are application/problem+json (RFC 9457). Times are seconds of the bot's clock"
            " or, where it says so, since 1970.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


class _Schemas:
    """The schemas of all types that endpoints name."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        named = [kind for endpoint in endpoints for kind in (endpoint.query, endpoint.body, *endpoint.answers.values())]
        kinds = [kind for kind in dict.fromkeys(named) if kind is not None]
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
        self._by_kind = dict(zip(kinds, schemas, strict=True))
        queries = {endpoint.query.__name__ for endpoint in endpoints}
        self.queries = {name: self.components.pop(name) for name in queries}  # a query is not a component

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of *kind*, a reference to it if it has a name."""
        found: dict[str, Any] = self._by_kind[kind]
        return found


def _operation(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.handle.__name__,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint, schemas),
        "responses": _responses(endpoint, schemas),
        "x-role": endpoint.role,
    }
    if endpoint.role == "open":
        found["security"] = []
    if endpoint.body is not None:
        needed = bool(schemas.components[endpoint.body.__name__].get("required"))
        found["requestBody"] = {"required": needed, "content": {JSON: {"schema": schemas.of(endpoint.body)}}}
    return found


def _parameters(endpoint: Endpoint, schemas: _Schemas) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": dict(schema)}
        for name, schema in endpoint.parts.items()
    ]
    fields: Mapping[str, Any] = schemas.queries[endpoint.query.__name__]["properties"]
    found += [
        {"name": name, "in": "query", "required": False, "schema": _of_query(schema)} for name, schema in fields.items()
    ]
    if endpoint.takes_key:
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema})
    return found


def _of_query(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return *schema* without null, which a query has no word for."""
    if "anyOf" not in schema:
        return dict(schema)
    (inner,) = (each for each in schema["anyOf"] if each != {"type": "null"})
    return dict(inner)


def _responses(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, kind in endpoint.answers.items():
        response: dict[str, Any] = {"description": _TEXTS[status]}
        content: dict[str, Any] = {} if kind is None else {JSON: {"schema": schemas.of(kind)}}
        if status < 300:  # noqa: PLR2004  # what HTTP calls a success
            content |= {media: {"schema": {"type": "string"}} for media in endpoint.media}
        if content:
            response["content"] = content
        found[str(status)] = response
    for status in sorted({*ALWAYS, *endpoint.problems}):
        content = {PROBLEM: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}}
        found[str(status)] = {"description": _TEXTS[status], "content": content}
    return found


async def get_document(call: Call) -> Response:
    """Answer with the document."""
    return Response(_written(tuple(call.endpoints)), headers=HEADERS, media_type=JSON)


@lru_cache(maxsize=1)
def _written(endpoints: tuple[Endpoint, ...]) -> bytes:
    """Return the document as JSON, made once: it takes 10 ms, and whoever has no token may ask for it."""
    return encoded(document(endpoints))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/openapi.json",
        summary="This document.",
        handle=get_document,
        answers={200: dict[str, Any]},
        role="open",
    ),
)
