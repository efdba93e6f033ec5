"""One connection as the HTTP server sees it: it cannot be held up by a client that takes nothing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

_CREDENTIALS = struct.Struct("3i")


class Line:
    """A stream with an end to every wait.

    Hypercorn shields what it sends from cancellation (0.18, ``TCPServer.protocol_send``), and a
    reader of it may wait for ever for an application that has ended: so a client that is cut off,
    by its own doing or ours, takes all that serves it with it.

    Attributes:
        socket: The socket, for its addresses.
    """

    def __init__(self, stream: trio.SocketStream, *, stall: float, gone: Callable[[], object]) -> None:
        """Carry *stream*; *gone* is called when it is closed from this side."""
        self.socket = stream.socket
        self._stream = stream
        self._stall = stall
        self._gone = gone
        self._has_ended = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*.

        Raises:
            trio.BrokenResourceError: The client is gone, or has taken nothing for too long.
            trio.ClosedResourceError: The connection was closed meanwhile.
        """
        if self._has_ended:
            raise trio.ClosedResourceError("it was closed from this side")
        try:
            with trio.move_on_after(self._stall) as patience:
                await self._stream.send_all(data)
        except trio.BrokenResourceError:
            self.cut()  # what else it has asked for is not worth an answer
            raise
        if patience.cancelled_caught:
            self.cut()
            raise trio.BrokenResourceError("the client takes nothing")

    async def receive_some(self, most: int | None = None) -> bytes | bytearray:
        """Return what came; nothing at the end."""
        return await self._stream.receive_some(most)

    async def send_eof(self) -> None:
        """Say that no more will come; what is sent meanwhile finds it closed, not busy."""
        self._has_ended = True
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it; the error by which that came to be done is not lost to the cancellation that this brings."""
        self._gone()
        with trio.CancelScope(shield=True):
            await self._stream.aclose()

    def cut(self) -> None:
        """Close it now, whatever it is doing: who sends or receives gets an error."""
        self._gone()
        self._stream.socket.close()


def peer_of(stream: trio.SocketStream) -> str:
    """Return who is at the other end: an address, or a process of this machine.

    Raises:
        OSError: Nobody is any more.
    """
    if stream.socket.family != getattr(socket, "AF_UNIX", None):
        host, port = stream.socket.getpeername()[:2]
        return f"{host}:{port}"
    if not hasattr(socket, "SO_PEERCRED"):
        return "unix"
    found = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return f"unix pid {pid} uid {uid}"
