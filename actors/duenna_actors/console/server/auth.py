"""Who asks: a bearer token, at every request, on every socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna_actors.console.api.problems import ProblemError, problem
from duenna_actors.console.server.tokens import OPERATE, ROLES

if TYPE_CHECKING:
    from starlette.requests import Request

    from duenna_actors.console.server.tokens import Tokens

OPEN: Final = frozenset(
    {"/", "/favicon.ico", "/openapi.json", "/livez", "/healthz", "/readyz", "/startupz"},
)
"""What is answered without a token, and says nothing of the bot but whether it is well."""

OPEN_FOLDER: Final = "/page/"
"""The files of the page, which are the same for every bot."""

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_SCHEME = b"bearer "


@attrs.frozen
class Caller:
    """Who asks.

    Attributes:
        name: Of the token.
        role: `view` or `operate`.
        peer: Where the request came from: an address, or a process of this machine.
    """

    name: str
    role: str
    peer: str


class Auth:
    """Lets nobody through without a token, but to what is open; says who it is in ``scope["state"]``."""

    def __init__(self, app: Any, tokens: Tokens) -> None:
        """Guard *app*."""
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or answer it 401 or 403."""
        is_open = scope["path"] in OPEN or scope["path"].startswith(OPEN_FOLDER)
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        caller = self._caller(shown, scope["state"].get("peer", "")) if shown else None
        scope["state"]["caller"] = caller
        if caller is None and (shown or not is_open):
            why = "the token is not valid" if shown else "a token is needed"
            detail = f"{why}: send the header 'Authorization: Bearer TOKEN' with one of the bot's token file"
            title = "wrong token" if shown else "no token"
            challenge = 'Bearer realm="duenna"' + (', error="invalid_token"' if shown else "")
            await problem(401, title, detail, headers={"www-authenticate": challenge})(scope, receive, send)
        elif caller is not None and scope["method"] not in SAFE and caller.role != OPERATE:
            await _too_low(caller, OPERATE).response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _caller(self, shown: list[bytes], peer: str) -> Caller | None:
        value = shown[0].strip()
        if len(shown) != 1 or value[: len(_SCHEME)].lower() != _SCHEME:
            return None
        token = self._tokens.find(value[len(_SCHEME) :].strip())
        return None if token is None else Caller(token.name, token.role, peer)


def require(request: Request, role: str) -> Caller:
    """Return who asks, if the token is good for *role*.

    Raises:
        ProblemError: It is not (403), or there is none (401).
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        detail = "a token is needed: send the header 'Authorization: Bearer TOKEN' with one of the bot's token file"
        raise ProblemError(401, "no token", detail, headers={"www-authenticate": 'Bearer realm="duenna"'})
    if ROLES.index(caller.role) < ROLES.index(role):
        raise _too_low(caller, role)
    return caller


def _too_low(caller: Caller, role: str) -> ProblemError:
    detail = f"this needs a token of role {role}, {caller.name!r} is of role {caller.role}"
    return ProblemError(403, "role too low", detail, role=caller.role, needed=role)
