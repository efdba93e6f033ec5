"""HTTP/1.1 with keep-alive over one TCP connection. The protocol is h11's; this adds sockets, limits and deadlines."""

import contextlib
from http import HTTPStatus
from typing import Literal
from urllib.parse import unquote

import attrs
import h11
import trio

_CHUNK = 65_536
_MAX_HEAD = 16_384
_MAX_BODY = 65_536
_WITHOUT_BODY = (204, 304)
_JSON = "application/json;charset=UTF-8"
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


@attrs.frozen
class Request:
    """A request, as it came.

    Attributes:
        method: In capitals.
        path: Without the query, decoded.
        query: What stands behind the question mark, as sent.
        body: The whole body.
        headers: By name in lower case; of two of the same name the last.
        target: Path and query, as sent.
        raw_headers: As sent.
        wants_websocket: Whether it asks to become a websocket.
    """

    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]
    target: bytes
    raw_headers: list[tuple[bytes, bytes]]
    wants_websocket: bool


@attrs.frozen
class Response:
    """An answer.

    Attributes:
        status: The HTTP status.
        body: The whole body.
        headers: More than the ones that every answer has.
        content_type: Of the body.
        fate: `cut` sends half the body and ends the connection; `dropped` sends nothing and ends it; `silence` sends
            nothing and keeps it.
        is_last: Whether the connection ends behind it.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = _JSON
    fate: Literal["whole", "cut", "dropped", "silence"] = "whole"
    is_last: bool = False


class _BadRequestError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@attrs.define
class HttpConnection:
    """The server's side of one connection.

    Attributes:
        stream: The TCP connection.
        idle_timeout: How long the client may stay silent before a request, in seconds.
        request_timeout: How long a request may take to arrive, and an answer to be taken, in seconds.
    """

    stream: trio.SocketStream
    idle_timeout: float
    request_timeout: float
    _h11: h11.Connection = attrs.field(init=False)
    _method: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)

    @property
    def trailing(self) -> bytes:
        """What arrived behind the last request: the first bytes of a websocket."""
        return self._h11.trailing_data[0]

    async def next_request(self) -> Request | None:
        """Return the next request, or `None` when the connection is over; nonsense is answered before that."""
        try:
            return await self._next_request()
        except _BadRequestError as error:
            await self._complain(error.status, error.text)
        except h11.RemoteProtocolError as error:
            await self._complain(error.error_status_hint, str(error))
        except _GONE:
            pass
        return None

    async def send(self, response: Response) -> bool:
        """Send an answer and return whether the connection can take another request."""
        is_bare = self._method == "HEAD" or response.status in _WITHOUT_BODY
        body = b"" if is_bare else response.body
        reason = HTTPStatus(response.status).phrase if response.status in _STATUSES else "Unknown"
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(body))),
            ("Server", "duenna-sandbox"),
            *response.headers,
        ]
        if response.is_last:
            headers.append(("Connection", "close"))
        event = h11.Response(status_code=response.status, reason=reason, headers=headers)
        is_cut = response.fate == "cut"
        data = self._h11.send(event) or b""
        data += self._h11.send(h11.Data(data=body[: len(body) // 2] if is_cut else body)) or b""
        if not is_cut:
            data += self._h11.send(h11.EndOfMessage()) or b""
        if not await self._write(data) or is_cut or self._h11.our_state is not h11.DONE:
            return False
        if self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    async def _next_request(self) -> Request | None:
        if not self._h11.trailing_data[0]:
            with trio.move_on_after(self.idle_timeout) as idle:
                data = await self.stream.receive_some(_CHUNK)
                if not data:
                    return None
                self._h11.receive_data(data)
            if idle.cancelled_caught:
                return None
        with trio.move_on_after(self.request_timeout):
            head = await self._event()
            if not isinstance(head, h11.Request):
                return None
            request = _read(head, await self._body())
            self._method = request.method
            return request
        raise _BadRequestError(408, f"the request did not arrive within {self.request_timeout:g} s")

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                size += len(event.data)
                if size > _MAX_BODY:
                    raise _BadRequestError(413, f"a body may have {_MAX_BODY} bytes")
                parts.append(bytes(event.data))
            else:
                return b"".join(parts)

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self._h11.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._h11.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                await self._write(self._h11.send(go_on) or b"")
            self._h11.receive_data(await self.stream.receive_some(_CHUNK))

    async def _complain(self, status: int, text: str) -> None:
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            with contextlib.suppress(h11.LocalProtocolError):
                await self.send(Response(status, text.encode(), content_type="text/plain", is_last=True))

    async def _write(self, data: bytes) -> bool:
        with trio.move_on_after(self.request_timeout) as slow:
            try:
                await self.stream.send_all(data)
            except _GONE:
                return False
        return not slow.cancelled_caught


def _read(head: h11.Request, body: bytes) -> Request:
    raw, _, query = head.target.partition(b"?")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    connection = [token.strip() for token in headers.get("connection", "").lower().split(",")]
    return Request(
        method=head.method.decode("ascii"),
        path=unquote(raw.decode("latin-1")),
        query=query.decode("latin-1"),
        body=body,
        headers=headers,
        target=head.target,
        raw_headers=list(head.headers),
        wants_websocket="upgrade" in connection and headers.get("upgrade", "").lower() == "websocket",
    )


_STATUSES = {status.value for status in HTTPStatus}
