"""One table makes the routes and the document: they agree, and the document is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from duenna_actors.console.api.openapi import ALWAYS, _written, document
from duenna_actors.console.api.routes import ENDPOINTS, routes
from tests.actors.console.api.bots import bot
from tests.actors.console.support import running_console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duenna_actors.console.api.deps import Deps

DOCUMENT = document(ENDPOINTS)


def references(value: Any) -> Iterator[str]:
    """Yield what *value* refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    deps: Deps = object()  # type: ignore[assignment]  # no route is asked
    routed = set[tuple[str, str]]()
    for route in routes(deps):
        assert isinstance(route, Route)
        path = re.sub(r":actor", "", route.path)
        routed |= {(method, path) for method in route.methods or () if method != "HEAD"}

    assert routed == {(method, path) for method, path, _ in operations()}
    assert len(routed) == len(ENDPOINTS)


def test_all_that_is_referred_to_is_there() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}

    assert set(references(DOCUMENT)) <= known


def test_every_operation_has_a_name_of_its_own_and_says_what_it_may_answer() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)

    for method, path, operation in operations():
        parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert {name for name, each in parameters.items() if each["in"] == "path"} == set(
            re.findall(r"\{(\w+)\}", path)
        )
        assert operation["summary"].endswith(".")
        assert {str(status) for status in ALWAYS} <= operation["responses"].keys()
        assert operation["x-role"] in {"open", "view", "operate"}, (method, path)


def test_whatever_changes_something_needs_the_role_for_it() -> None:
    assert {endpoint.path for endpoint in ENDPOINTS if endpoint.role == "open"} == {"/openapi.json"}
    for endpoint in ENDPOINTS:
        assert (endpoint.role == "operate") == (endpoint.method != "GET"), endpoint.path


async def test_it_is_served_to_everybody() -> None:
    async with running_console(bot()) as running:
        answer = await running.get("/openapi.json", token=None)

    assert answer.status_code == 200
    assert answer.json() == msgspec.json.decode(msgspec.json.encode(DOCUMENT))


async def test_it_is_made_once() -> None:
    """Whoever has no token may ask for it, again and again, and it takes ten milliseconds of the bot's loop."""
    _written.cache_clear()
    async with running_console(bot()) as running:
        answers = [await running.get("/openapi.json", token=None) for _ in range(3)]

    assert len({answer.content for answer in answers}) == 1
    assert (_written.cache_info().hits, _written.cache_info().misses) == (2, 1)


async def test_nothing_but_the_document_is_answered_without_a_token() -> None:
    """Nor what changes something with a token that may only look."""
    async with running_console(bot()) as running, running.client(None) as nobody, running.client("view") as viewer:
        for method, path, operation in operations():
            url = path.replace("{path}", "bot/store").replace("{name}", "x").replace("{id}", "x")
            url = url.replace("{action}", "restart")
            body: Any = {} if method == "POST" else None
            answer = await nobody.request(method, url, json=body)
            assert answer.status_code == (200 if operation["x-role"] == "open" else 401), url
            if operation["x-role"] == "operate":
                assert (await viewer.request(method, url, json=body)).status_code == 403, url


async def test_no_answer_holds_a_token(tmp_path: Path) -> None:
    """Whatever is asked for, and whatever was done before; HEAD is answered as GET, without the body."""
    async with running_console(bot(), runtime_options={"directory": tmp_path}) as running, running.client() as http:
        done = (await http.post("/api/v1/actors/bot/store/suspend", json={"reason": running.tokens["view"]})).json()
        taken = (await http.post("/api/v1/incidents", json={"reason": running.tokens["operate"]})).json()
        names = {"/operations/": done["operation_id"], "/incidents/": taken["id"]}
        for method, path, operation in operations():
            if (
                method != "GET"
                or 200 not in {int(status) for status in operation["responses"]}
                or path == "/api/v1/live"
            ):
                continue
            name = next((known for part, known in names.items() if part in path), "")
            url = path.replace("{path}", "bot/store").replace("{id}", name)
            answer = await http.get(url)
            head = await http.head(url)

            assert answer.status_code in {200, 409}, url
            assert (head.status_code, head.content) == (answer.status_code, b"")
            for token in running.tokens.values():
                assert token not in answer.text, url
