"""One websocket: reads requests, writes what is pushed to it, pings, and ends in every way there is."""

from collections import deque
from typing import Protocol

import attrs
import trio
import wsproto
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError

from duenna_actors.sandbox._frames import text_frame
from duenna_actors.sandbox._limits import Rate
from duenna_actors.sandbox._streams import Section, Stream
from duenna_actors.sandbox.settings import SandboxSettings

_MAX_MESSAGE = 65_536
_CHUNK = 65_536
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class SessionEvents(Protocol):
    """What a websocket tells of itself."""

    def asked(self, session: "WebSocketSession", text: str) -> bytes:
        """Answer a message of the client."""
        ...

    def joined(self, session: "WebSocketSession", name: str, stream: Stream | None) -> None:
        """Note a subscription."""
        ...

    def left(self, session: "WebSocketSession", name: str) -> None:
        """Note the end of a subscription."""
        ...


@attrs.define(eq=False)
class WebSocketSession:
    """A websocket after its handshake.

    Nothing that is sent to it waits: frames go to a buffer, and a client that lets the buffer fill up is disconnected.

    Attributes:
        number: Its number among the connections.
        path: What it was opened with.
        section: The part of the exchange it is on.
        combined: Whether events come wrapped in `{"stream": ..., "data": ...}`.
        settings: The exchange's rules.
    """

    number: int
    path: str
    section: Section
    combined: bool
    settings: SandboxSettings
    _stream: trio.SocketStream = attrs.field(alias="stream")
    _protocol: wsproto.WSConnection = attrs.field(alias="protocol")
    _events: SessionEvents = attrs.field(alias="events")
    _names: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _outbox: deque[bytes] = attrs.field(factory=deque[bytes], init=False)
    _waiting: int = attrs.field(default=0, init=False)
    _wake: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _reading: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _rate: Rate = attrs.field(init=False)
    _message: list[str] = attrs.field(factory=list[str], init=False)
    _message_size: int = attrs.field(default=0, init=False)
    _pinged_at: float | None = attrs.field(default=None, init=False)
    _is_closing: bool = attrs.field(default=False, init=False)
    _is_over: bool = attrs.field(default=False, init=False)
    _is_frozen: bool = attrs.field(default=False, init=False)
    _is_aborted: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._rate = Rate(self.settings.messages_per_second, 1.0)

    @property
    def subscriptions(self) -> list[str]:
        """The names of its streams, in the order in which it subscribed."""
        return list(self._names)

    def subscribe(self, name: str, stream: Stream | None) -> None:
        """Begin to hear a stream; without one of that name it will hear nothing."""
        self._names[name] = None
        self._events.joined(self, name, stream)

    def unsubscribe(self, name: str) -> None:
        """Stop hearing a stream."""
        self._names.pop(name, None)
        self._events.left(self, name)

    def push(self, frames: bytes) -> None:
        """Send whole frames, without waiting."""
        if self._is_frozen or self._is_closing or self._is_aborted:
            return
        if self._waiting > self.settings.send_buffer_bytes:
            self.abort()  # a slow consumer: there is no room for a close frame either
            return
        self._enqueue(frames)

    def say(self, payload: bytes) -> None:
        """Send a payload as one text message, without waiting."""
        self.push(text_frame(payload))

    def cut(self, piece: bytes) -> None:
        """Send a piece of a frame, behind all that waits, and end the connection."""
        self.push(piece)
        self._is_closing = True
        self._reading.cancel()

    def close(self, code: int, reason: str = "") -> None:
        """Begin the close handshake; 1006 ends the connection without one."""
        if code == 1006:  # noqa: PLR2004 - RFC 6455 gives it its meaning
            self.abort()
        elif not (self._is_closing or self._is_aborted or self._is_frozen):
            self._enqueue(self._protocol.send(CloseConnection(code=code, reason=reason or None)))
            self._is_closing = True
            self._reading.deadline = trio.current_time() + self.settings.close_timeout

    def abort(self) -> None:
        """End the connection now."""
        self._is_aborted = True
        self._scope.cancel()

    def freeze(self) -> None:
        """Never send or understand anything any more, and keep the socket: a peer that has vanished."""
        self._is_frozen = True
        self._outbox.clear()

    async def serve(self) -> None:
        """Run until the websocket has ended; the socket is closed by the caller."""
        with self._scope:
            async with trio.open_nursery() as writer:
                writer.start_soon(self._write)
                async with trio.open_nursery() as keeper:
                    keeper.start_soon(self._keep)
                    with self._reading:
                        await self._read()
                    keeper.cancel_scope.cancel()
                self._finish()
        for name in self.subscriptions:
            self.unsubscribe(name)

    def _finish(self) -> None:
        """Let the writer end when it has written what waits, or when that takes too long."""
        self._is_closing = self._is_over = True
        self._wake.set()
        self._scope.deadline = trio.current_time() + self.settings.close_timeout

    def _enqueue(self, data: bytes) -> None:
        self._outbox.append(data)
        self._waiting += len(data)
        self._wake.set()

    async def _write(self) -> None:
        while self._outbox or not self._is_over:
            if not self._outbox:
                await self._wake.wait()
                self._wake = trio.Event()
                continue
            data = b"".join(self._outbox)
            self._outbox.clear()
            try:
                await self._stream.send_all(data)
            except GONE:
                self.abort()
                return
            self._waiting -= len(data)

    async def _read(self) -> None:
        while True:
            for event in self._protocol.events():
                if not self._is_frozen and not self._understand(event):
                    return
            try:
                data = await self._stream.receive_some(_CHUNK)
            except GONE:
                return
            if not data:
                return
            if not self._is_frozen:
                try:
                    self._protocol.receive_data(data)
                except LocalProtocolError:  # bytes behind the end of the close handshake
                    return

    def _understand(self, event: Event) -> bool:
        """Act on what the client sent and return whether to go on reading."""
        match event:
            case CloseConnection():
                if self._protocol.state is not ConnectionState.CLOSED:
                    self._is_closing = True
                    self._respond(event)
                return False
            case Ping():
                if not self._is_closing:
                    self._respond(event)
                self._count()
            case Pong():
                self._pinged_at = None
                self._count()
            case TextMessage():
                self._gather(event)
            case BytesMessage():
                self.close(1003, "binary messages are not understood")
            case _:
                pass
        return True

    def _respond(self, event: CloseConnection | Ping) -> None:
        try:
            self._enqueue(self._protocol.send(event.response()))
        except LocalProtocolError:  # a second close, or one with a code that must not be sent back
            self.abort()

    def _gather(self, event: TextMessage) -> None:
        self._message_size += len(event.data)
        if self._message_size > _MAX_MESSAGE:
            self.close(1009, f"a message may have {_MAX_MESSAGE} characters")
            return
        self._message.append(event.data)
        if event.message_finished:
            text = "".join(self._message)
            self._message.clear()
            self._message_size = 0
            if self._count():
                self.say(self._events.asked(self, text))

    def _count(self) -> bool:
        if self._rate.record(trio.current_time()):
            return True
        self.close(1008, "Too many requests")
        return False

    async def _keep(self) -> None:
        rules = self.settings
        oldest = trio.current_time() + rules.max_age
        next_ping = trio.current_time() + rules.ping_interval
        while not (self._is_closing or self._is_frozen):  # a frozen one is never closed by its age
            deadline = float("inf") if self._pinged_at is None else self._pinged_at + rules.pong_timeout
            await trio.sleep_until(min(oldest, next_ping, deadline))
            now = trio.current_time()
            if now >= oldest:
                self.close(1001, "the connection has reached its age")
            elif self._pinged_at is not None and now >= self._pinged_at + rules.pong_timeout:
                self.close(1008, "Pong timeout")
            elif now >= next_ping:
                next_ping = now + rules.ping_interval
                self.push(self._protocol.send(Ping(str(round(now * 1_000)).encode())))
                self._pinged_at = now if self._pinged_at is None else self._pinged_at
