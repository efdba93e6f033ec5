"""What is not the API's: probes, metrics and the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.problems import problem
from duenna_actors.console.metrics import probes
from duenna_actors.console.server.auth import OPEN_FOLDER, require
from duenna_actors.console.server.static import ICON, INDEX
from duenna_actors.console.server.tokens import VIEW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from duenna_actors.console.metrics.exposition import Exposition
    from duenna_actors.console.server.static import PageFile

    Probe = Callable[..., tuple[int, Any]]


def own_routes(deps: Any, *, exposition: Exposition, files: Mapping[str, PageFile]) -> list[Route]:
    """Return the routes that are not the API's."""
    return [
        *_probe_routes(deps),
        Route("/metrics", partial(_metrics, exposition)),
        Route("/", partial(_file, files, INDEX)),
        Route("/favicon.ico", partial(_file, files, ICON)),
        Route(OPEN_FOLDER + "{name:path}", partial(_file, files, None)),
    ]


def _probe_routes(deps: Any) -> list[Route]:
    checks: dict[str, Probe] = {
        "/livez": partial(probes.livez, deps.runtime),
        "/healthz": partial(probes.livez, deps.runtime),
        "/readyz": partial(probes.readyz, deps.runtime, deps.desk),
        "/startupz": partial(probes.startupz, deps.runtime),
    }
    return [Route(path, partial(_probe, check)) for path, check in checks.items()]


async def _probe(check: Probe, request: Request) -> Response:
    """Answer a probe; to who has no token without a word but how it is."""
    excluded = [each for given in request.query_params.getlist("exclude") for each in given.split(",") if each]
    status, body = check(
        verbose="verbose" in request.query_params,
        exclude=excluded,
        detailed=request.state.caller is not None,
    )
    return answer(body, status, media_type=probes.MEDIA_TYPE)


async def _metrics(exposition: Exposition, request: Request) -> Response:
    require(request, VIEW)
    content, media_type = await exposition.scrape(request.headers.get("accept", ""))
    return Response(content, headers={"content-type": media_type})


async def _file(files: Mapping[str, PageFile], name: str | None, request: Request) -> Response:
    found = files.get(request.path_params["name"] if name is None else name)
    if found is None:
        return problem(404, "no such file", "the page has no such file")
    return found.answer(request.headers.get("if-none-match"))
