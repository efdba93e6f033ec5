"""The sockets of one console, open for as long as a block runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna_actors.console.server.listen import listen_tcp, listen_unix, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from duenna_actors.console.server.options import Options
    from duenna_actors.console.server.places import Places


@attrs.define
class Doors:
    """What listens.

    Attributes:
        groups: Listeners, by the socket as it was asked for.
        socket: The path of the Unix socket; None: there is none.
        url: Of the TCP socket; None: there is none.
    """

    groups: list[list[Any]] = attrs.field(factory=list[list[Any]])
    socket: str | None = None
    url: str | None = None


@asynccontextmanager
async def open_doors(options: Options, places: Places) -> AsyncGenerator[Doors]:
    """Listen while the block runs; the Unix socket's folder is ours alone.

    Raises:
        ConsoleError: A socket is in use, or cannot be had.
    """
    doors = Doors()
    try:
        if places.socket is not None:
            doors.groups.append([await listen_unix(places.socket)])
            doors.socket = str(places.socket)
        if options.port is not None:
            listeners = await listen_tcp(options.host, options.port)
            doors.groups.append([*listeners])
            doors.url = url_of(options.host, listeners)
        yield doors
    finally:
        with trio.CancelScope(shield=True):
            for listener in (each for group in doors.groups for each in group):
                await listener.aclose()
