"""What a TCP connection can suffer."""

import contextlib
import struct

import trio

_NO_LINGER = struct.pack("ii", 1, 0)


def reset(stream: trio.SocketStream) -> None:
    """Make the coming close of a connection a reset instead of an orderly end."""
    with contextlib.suppress(OSError, NotImplementedError):  # a simulated socket may have no such option
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, _NO_LINGER)


async def vanish(stream: trio.SocketStream) -> None:
    """Keep a connection open and deaf until the other side ends it.

    What still arrives is thrown away: the other side sees the same as with a peer that is gone, and the end is noticed.
    """
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while await stream.receive_some(65_536):
            pass


def address_of(stream: trio.SocketStream) -> str:
    """Return the address of the other side, or `unknown`."""
    try:
        return str(stream.socket.getpeername()[0])
    except (OSError, IndexError, TypeError):
        return "unknown"


async def linger(stream: trio.SocketStream, patience: float = 1.0) -> None:
    """Say that nothing more will come, and wait a little for the other side to end.

    A socket that is closed over unread bytes is reset, and the reset overtakes the last answer.
    """
    with trio.move_on_after(patience), contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_eof()
        while await stream.receive_some(65_536):
            pass
