"""One websocket, opened and closed within deadlines; what trio-websocket hides is brought to light.

- Its own connect function reports a bad certificate, and a peer that closes during the
  upgrade, only as a timeout: here the stream is opened first, and its end is watched.
- Its reader stops answering pings once messages pile up: the queue is large, and the one
  who reads from it never waits for anybody.
- Its closing handshake waits 60 s for a peer that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from duenna_actors._retry_after import retry_after
from duenna_actors._tls import shared_tls_context
from duenna_actors.api_errors import excerpt
from duenna_actors.feed_errors import FeedClosedError, FeedHandshakeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna.wallclock import WallTime

_HEAD = 4096
_RECEIVE = 64 * 2**10
_NO_STATUS = 1005
_ABNORMAL = 1006


class Socket:
    """A websocket to *url*; `host` runs it, in a task that is shielded until `close`."""

    def __init__(
        self, url: str, *, headers: Mapping[str, str], queue: int, max_message: int, wall_time: WallTime
    ) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "wss"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._header_host = parts.netloc.rpartition("@")[2]
        self._resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._queue = queue
        self._max_message = max_message
        self._wall_time = wall_time
        self._scope = trio.CancelScope(shield=True)
        self._opened = trio.Event()
        self._failure: BaseException | None = None
        self._stream: _Tap | None = None
        self._websocket: WebSocketConnection | None = None

    async def host(self) -> None:
        """Open the websocket and run its tasks until `close` is called, or they fail."""
        with self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    self._websocket = await self._handshake(nursery)
                    self._opened.set()
                    await trio.sleep_forever()
            except Exception as error:  # noqa: BLE001  # handed to whoever waits in open() or receive()
                head = None if self._stream is None else self._stream.head
                self._failure = _translate(error, bytes(head or b""), self._wall_time)
            finally:
                if self._stream is not None:  # the library leaves it open when the far end was the first to close
                    await trio.aclose_forcefully(self._stream)
        self._opened.set()

    async def open(self) -> None:
        """Return when the websocket is open.

        Raises:
            FeedHandshakeError: It cannot be opened.
        """
        await self._opened.wait()
        if self._failure is not None:
            raise self._failure
        if self._websocket is None:
            raise FeedHandshakeError("closed while it was being opened")

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            FeedClosedError: There is none any more.
        """
        websocket = self._open_websocket()
        try:
            return await websocket.get_message()
        except ConnectionClosed as exc:
            raise self._closed(exc) from self._failure

    async def send(self, frame: str) -> None:
        """Send one message.

        Raises:
            FeedClosedError: The websocket is closed.
        """
        websocket = self._open_websocket()
        try:
            await websocket.send_message(frame)
        except ConnectionClosed as exc:
            raise self._closed(exc) from self._failure

    async def ping(self, payload: bytes) -> None:
        """Send a ping and return when it is answered. *payload* must differ from those on their way.

        Raises:
            FeedClosedError: The websocket is closed.
        """
        websocket = self._open_websocket()
        try:
            await websocket.ping(payload)
        except ConnectionClosed as exc:
            raise self._closed(exc) from self._failure

    async def close(self, within: float) -> None:
        """Close the websocket, in form if that can be done in *within* seconds, and end `host`."""
        try:
            if self._websocket is not None:
                with trio.move_on_after(within):
                    await self._websocket.aclose()
        finally:
            self._scope.cancel()

    def _open_websocket(self) -> WebSocketConnection:
        if self._websocket is None:
            raise FeedClosedError(_ABNORMAL, "not open")
        return self._websocket

    def _closed(self, exc: ConnectionClosed) -> FeedClosedError:
        reason: Any = exc.reason
        if reason is None:
            return FeedClosedError(_ABNORMAL, "" if self._failure is None else repr(self._failure))
        return FeedClosedError(reason.code, reason.reason or ("no code was given" if reason.code == _NO_STATUS else ""))

    async def _handshake(self, nursery: trio.Nursery) -> WebSocketConnection:
        tap = self._stream = _Tap(await self._connect())
        async with trio.open_nursery() as race:
            race.start_soon(tap.raise_at_end, self._wall_time)
            websocket = await wrap_client_stream(
                nursery,
                cast("trio.SocketStream", tap),
                self._header_host,
                self._resource,
                extra_headers=self._headers,
                message_queue_size=self._queue,
                max_message_size=self._max_message,
                receive_buffer_size=_RECEIVE,
            )
            race.cancel_scope.cancel()
        tap.head = None
        return websocket

    async def _connect(self) -> trio.abc.Stream:
        if not self._tls:
            return await trio.open_tcp_stream(self._host, self._port)
        context = await shared_tls_context()
        stream = await trio.open_ssl_over_tcp_stream(self._host, self._port, ssl_context=context, https_compatible=True)
        try:
            await stream.do_handshake()  # now, so that a bad certificate is seen as one
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream


class _Tap(trio.abc.Stream):
    """A stream that remembers how an upgrade was answered, and tells when it ended."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._ended = trio.Event()
        self.head: bytearray | None = bytearray()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self._ended.set()
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self.head is None:
            return await self._stream.receive_some(max_bytes)
        data: bytes | bytearray = b""
        try:
            data = await self._stream.receive_some(max_bytes)
        finally:
            if not data:
                self._ended.set()
        if self.head is not None and len(self.head) < _HEAD:  # the upgrade may have been through meanwhile
            self.head += data
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def raise_at_end(self, wall_time: WallTime) -> None:
        """Raise when the stream ends before the upgrade is through."""
        await self._ended.wait()
        raise _answered(bytes(self.head or b""), wall_time)


def _answered(head: bytes, wall_time: WallTime) -> FeedHandshakeError:
    """Make the error out of what came in place of an upgrade: nothing, a refusal, or anything else."""
    fields, _, body = head.partition(b"\r\n\r\n")
    first, *lines = fields.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isdigit():
        what = f"sent {excerpt(head)!r}" if head else "closed the connection"
        return FeedHandshakeError(f"the far end {what} during the upgrade")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return _refused(int(rest[:3]), headers, body, wall_time)


def _refused(status: int, headers: Mapping[str, str], body: bytes, wall_time: WallTime) -> FeedHandshakeError:
    text = excerpt(body)
    return FeedHandshakeError(
        f"upgrade refused with status {status}" + (f": {text}" if text else ""),
        status=status,
        body=text,
        retry_after=retry_after(headers, body, wall_time()),
    )


def _translate(error: BaseException, head: bytes, wall_time: WallTime) -> FeedHandshakeError:
    """Return the one error of ours that says most of what *error* does; *head* is what came before it."""
    leaves = _leaves(error)
    for leaf in leaves:
        if isinstance(leaf, ConnectionRejected):
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in leaf.headers}
            return _caused(_refused(leaf.status_code, headers, leaf.body or b"", wall_time), leaf)
    for leaf in leaves:
        if isinstance(leaf, FeedHandshakeError):
            return leaf
    if head:
        return _caused(_answered(head, wall_time), leaves[0])
    return _caused(FeedHandshakeError(f"{type(leaves[0]).__name__}: {leaves[0]}".rstrip(": ")), leaves[0])


def _caused(error: FeedHandshakeError, cause: BaseException) -> FeedHandshakeError:
    error.__cause__ = cause
    return error


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    members = cast("tuple[BaseException, ...]", cast("Any", error).exceptions)
    return [leaf for member in members for leaf in _leaves(member)]
