"""What every request passes first, and every answer last: who may ask at all, how much, and what a browser may do.

Against other web sites in the operator's browser: the name that was asked must be one of ours (DNS
rebinding), what changes something must be JSON (a form cannot send that without asking first), browsers
say where a request comes from, and there is no cookie to ride on. Against hostile text in what is
shown: a policy under which nothing runs that is not a file of ours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import trio

from duenna_actors.console.api.problems import problem
from duenna_actors.console.server.auth import SAFE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.responses import Response

    from duenna_actors.console.server.options import Limits

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"duenna-api-version", b"1"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""Of every answer, unless it has a header of that name already."""

_CLOSING = (b"connection", b"close")
_OWN = ("localhost", "127.0.0.1", "[::1]")
_LINGER, _LINGER_FOR = 1_000_000, 1.0  # bytes, and seconds


class _TooLargeError(Exception):
    pass


class Hardening:
    """Refuses what no honest client sends, and keeps what goes wrong inside from getting out."""

    def __init__(
        self, app: Any, *, hosts: Iterable[str], limits: Limits, report: Callable[[BaseException], object]
    ) -> None:
        """Guard *app*, which is reached under `localhost` and *hosts*; *report* is told of its errors."""
        self._app = app
        self._hosts = frozenset({*_OWN, *(_bracketed(host.lower()) for host in hosts)})
        self._limits = limits
        self._report = report

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        answer = _Answer(send)
        try:
            await self._admit(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  # it must reach neither the client nor the connection
            self._report(error)
            if not answer.has_begun:
                detail = "the console failed at this request, the bot did not; the bot's log has more"
                await problem(500, "internal error", detail)(scope, receive, answer)

    async def _admit(self, scope: Any, receive: Any, send: _Answer) -> None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        refusal = self._refused(scope, headers)
        try:
            body = await self._body(headers, receive)
        except _TooLargeError:
            detail = f"a body must have at most {self._limits.most_body} bytes"
            await _refuse_rest(scope, receive, send, problem(413, "body too large", detail))
            return
        except trio.TooSlowError:
            detail = f"the body must be there within {self._limits.body:g} s"
            await _refuse_rest(scope, receive, send, problem(408, "too slow", detail))
            return
        if body is None:
            return  # the client is gone
        if refusal is None and body and scope["method"] not in SAFE:
            refusal = _wrong_type(headers)
        app: Any = self._app if refusal is None else refusal
        await app(scope, _Again(body, receive), send)

    def _refused(self, scope: Any, headers: dict[bytes, list[bytes]]) -> Response | None:
        """Return the answer to what no honest client sends; None: it may be one."""
        hosts = [value.decode("latin-1").strip() for value in headers.get(b"host", ())]
        if len(hosts) != 1 or not hosts[0]:
            return problem(400, "no host", f"a request must have one header Host, got {len(hosts)}")
        if _name_of(hosts[0]) not in self._hosts:
            detail = f"this is not {hosts[0][:100]!r}; names that it goes by are given to console(hosts=...)"
            return problem(421, "wrong host", detail)
        return _from_elsewhere(scope, headers, hosts[0])

    async def _body(self, headers: dict[bytes, list[bytes]], receive: Any) -> bytes | None:
        """Return the whole body; None: the client is gone.

        It is read before anything is done about it: Hypercorn's queue of what was not read would
        hold up its connection (0.18, ``HTTPStream.handle``).
        """
        told = headers.get(b"content-length", [b"0"])[0]
        if told.isdigit() and int(told) > self._limits.most_body:
            raise _TooLargeError
        body = bytearray()
        with trio.fail_after(self._limits.body):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    return None
                body += event.get("body", b"")
                if len(body) > self._limits.most_body:
                    raise _TooLargeError
                if not event.get("more_body", False):
                    return bytes(body)


async def _refuse_rest(scope: Any, receive: Any, send: _Answer, refusal: Response) -> None:
    """Answer, and close. The rest of the body is thrown away, for a while: who is cut off does not read why."""
    send.is_last = True
    with trio.move_on_after(_LINGER_FOR):
        await _drain(receive, _LINGER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain, receive, math.inf)
        await refusal(scope, receive, send)
        nursery.cancel_scope.cancel()


async def _drain(receive: Any, most: float) -> None:
    taken = 0
    while taken < most:
        event = await receive()
        if not event.get("more_body", False):
            break
        taken += len(event["body"])


def _wrong_type(headers: dict[bytes, list[bytes]]) -> Response | None:
    given = [value.decode("latin-1") for value in headers.get(b"content-type", ())]
    if len(given) == 1 and given[0].partition(";")[0].strip().lower() == "application/json":
        return None
    shown = given[0][:100] if given else "none"
    return problem(415, "wrong content type", f"Content-Type must be application/json, got {shown!r}")


def _from_elsewhere(scope: Any, headers: dict[bytes, list[bytes]], host: str) -> Response | None:
    """Return the answer to another web site; None: it is none, or only has a link to the page."""
    site = headers.get(b"sec-fetch-site", [b"none"])[-1].strip().lower()
    origin = headers.get(b"origin", [b""])[-1].decode("latin-1").strip()
    mode = headers.get(b"sec-fetch-mode", [b""])[-1].strip().lower()
    if site in {b"cross-site", b"same-site"}:
        if scope["method"] == "GET" and scope["path"] == "/" and mode == b"navigate":
            return None
        return problem(403, "from another site", "a request of another web site is refused")
    if origin and scope["method"] not in SAFE and origin.partition("://")[2].lower() != host.lower():
        return problem(403, "from another site", f"a request of {origin[:100]!r} is refused")
    return None


def _name_of(host: str) -> str:
    """Return the name in a header Host, without its port."""
    name, colon, port = host.lower().rpartition(":")
    has_port = colon and port.isascii() and port.isdigit() and (":" not in name or name.endswith("]"))
    return name if has_port else host.lower()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


class _Again:
    """Gives the body that was read, and then what comes after it."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Any:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Answer:
    """Sends an answer, with the headers that all have."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.has_begun = False
        self.is_last = False

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            given = [(name.lower(), value) for name, value in message["headers"]]
            names = {name for name, _ in given}
            more = [each for each in HEADERS if each[0] not in names]
            message = {**message, "headers": [*given, *more, *([_CLOSING] if self.is_last else [])]}
        await self._send(message)
