"""The routes of the API, made from the table of endpoints."""

from __future__ import annotations

import re
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Route

from duenna_actors.console.api import (
    actors,
    alerts,
    breakers,
    errors,
    events,
    incidents,
    logs,
    ongoing,
    openapi,
    recovery,
    tree,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from duenna_actors.console.api.deps import Deps
    from duenna_actors.console.api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *recovery.ENDPOINTS,
    *logs.ENDPOINTS,
    *tree.ENDPOINTS,
    *actors.ENDPOINTS,
    *errors.ENDPOINTS,
    *breakers.ENDPOINTS,
    *alerts.ENDPOINTS,
    *events.ENDPOINTS,
    *ongoing.ENDPOINTS,
    *incidents.ENDPOINTS,
    *openapi.ENDPOINTS,
)
"""Every endpoint; of two whose paths fit, the first is meant."""


class _Anything(Convertor[str]):
    """A path of an actor in a URL: whatever it holds, line ends too."""

    regex = r"(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("actor", _Anything())


def routes(deps: Deps) -> list[Route]:
    """Return the routes: one for each path, with all its methods."""
    by_path = groupby(ENDPOINTS, key=lambda endpoint: endpoint.path)
    return [_route(deps, path, {each.method: each for each in group}) for path, group in by_path]


def _route(deps: Deps, path: str, methods: dict[str, Endpoint]) -> Route:
    answer = partial(_answer, deps, methods)
    pattern = re.sub(r"\{(path|name|id)\}", r"{\1:actor}", path)
    return Route(pattern, answer, methods=list(methods), name=path)


async def _answer(deps: Deps, methods: dict[str, Endpoint], request: Request) -> Response:
    method = "GET" if request.method == "HEAD" else request.method
    return await methods[method](deps, request, ENDPOINTS)
