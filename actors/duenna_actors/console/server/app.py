"""The application: hardening round the tokens round the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from duenna_actors.console.api.problems import EXCEPTION_HANDLERS
from duenna_actors.console.api.routes import routes
from duenna_actors.console.server.auth import Auth
from duenna_actors.console.server.hardening import Hardening
from duenna_actors.console.server.routes import own_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from duenna_actors.console.metrics.exposition import Exposition
    from duenna_actors.console.server.options import Limits
    from duenna_actors.console.server.static import PageFile
    from duenna_actors.console.server.tokens import Tokens


def build_app(
    deps: Any,
    tokens: Tokens,
    *,
    files: Mapping[str, PageFile],
    exposition: Exposition,
    hosts: Iterable[str],
    limits: Limits,
    report: Callable[[BaseException], object],
) -> Hardening:
    """Return the ASGI application.

    Args:
        deps: What the API works with.
        tokens: Who may come in.
        files: The page.
        exposition: The metrics, in the format that fits a header Accept.
        hosts: Names under which it is reached, beside those of this machine for itself.
        limits: What a client may take.
        report: Is told of errors that no handler expected.
    """
    own = own_routes(deps, exposition=exposition, files=files)
    starlette = Starlette(routes=[*own, *routes(deps)], exception_handlers=EXCEPTION_HANDLERS)
    starlette.router.redirect_slashes = False  # the redirect would be made of what the client says
    return Hardening(Auth(starlette, tokens), hosts=hosts, limits=limits, report=report)
