"""The connections of all kinds, and what faults do to them from outside."""

from collections.abc import Iterator

import attrs
import trio

from duenna_actors.sandbox._tcp import reset
from duenna_actors.sandbox._websocket import WebSocketSession


@attrs.define(eq=False)
class Link:
    """One TCP connection.

    Attributes:
        number: Grows from connection to connection.
        stream: The socket.
        address: The other side's.
        path: What it last asked for; empty before that.
        session: The websocket that it has become.
        is_frozen: Whether nothing is answered any more.
    """

    number: int
    stream: trio.SocketStream
    address: str
    path: str = ""
    session: WebSocketSession | None = None
    is_frozen: bool = False
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    @property
    def is_control(self) -> bool:
        """Whether it is the operator's, whom no fault touches."""
        return self.path.startswith("/sandbox")

    def freeze(self) -> None:
        """Answer nothing any more, and keep the socket."""
        self.is_frozen = True
        if self.session is not None:
            self.session.freeze()

    def drop(self) -> None:
        """End the connection with a reset."""
        reset(self.stream)
        if self.session is not None:
            self.session.abort()
        self.scope.cancel()


@attrs.define
class Links:
    """All open connections, in the order in which they came.

    Attributes:
        limit: How many there may be.
        crashes: Those that ended in an error of the sandbox's own.
    """

    limit: int
    crashes: int = attrs.field(default=0, init=False)
    _open: dict[int, Link] = attrs.field(factory=dict[int, Link], init=False)
    _count: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._open.values()))

    def add(self, stream: trio.SocketStream, address: str) -> Link | None:
        """Note a connection, or return `None` if there are too many."""
        if len(self._open) >= self.limit:
            return None
        self._count += 1
        link = self._open[self._count] = Link(self._count, stream, address)
        return link

    def remove(self, link: Link) -> None:
        """Forget a connection."""
        del self._open[link.number]

    def sessions(self) -> list[WebSocketSession]:
        """Return the websockets among them."""
        return [link.session for link in self if link.session is not None]

    def end_stream(self, key: str) -> None:
        """Close the private streams of a listen key that was given up."""
        for session in self.sessions():
            if key in session.subscriptions:
                session.close(1000, "the listenKey was closed")
