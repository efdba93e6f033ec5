"""Sockets that listen: a Unix socket for its owner alone, and TCP on request."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import trio

from duenna_actors.console.server.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

MOST_BYTES: Final = 107
"""Bytes of the path of a Unix socket: Linux has 108, one of them ends it."""

_BACKLOG = 256  # who connects to a Unix socket that has no room for more is refused at once
_PATIENCE, _AGAIN = 5.0, 0.01  # seconds


class UnixListener(trio.abc.Listener[trio.SocketStream]):
    """A Unix socket that only its owner can open; its file goes with it.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, listening: trio.socket.SocketType, identity: tuple[int, int]) -> None:
        """Accept connections to *listening*."""
        self.path = path
        self._inner = trio.SocketListener(listening)
        self._identity = identity

    async def accept(self) -> trio.SocketStream:
        """Return the next connection."""
        return await self._inner.accept()

    async def aclose(self) -> None:
        """Listen no more, and remove the file if it is still ours; a checkpoint."""
        _unclaim(self.path, self._identity)
        await self._inner.aclose()


async def listen_unix(path: Path) -> UnixListener:
    """Listen at *path*, whose folder is ours alone; the file of a process that is dead is replaced.

    Raises:
        ConsoleError: The path is too long or taken, or there is something that is no socket.
    """
    length = len(os.fsencode(path))
    if length > MOST_BYTES:
        rule = f"the path of a Unix socket has at most {MOST_BYTES} bytes, got {length}: {path}"
        raise ConsoleError(f"console: {rule}; set DUENNA_RUN_DIR to a shorter folder, or give socket=")
    async with _turn(path.parent):
        await _clear(path)
        listening = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            try:
                await listening.bind(os.fspath(path))
            except OSError as exc:
                raise ConsoleError(f"console: cannot listen at {path}: {exc.strerror or exc}") from exc
            identity = _claim(path)
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
    return UnixListener(path, listening, identity)


@asynccontextmanager
async def _turn(folder: Path) -> AsyncGenerator[None]:
    """Wait until no other console begins to listen in *folder*; after 5 s it is not waited for any longer.

    A socket that is bound, but does not listen yet, looks like that of a dead process: two that begin
    at once would else remove each other's.
    """
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is wrong with it is told by what comes next
        yield
        return
    try:
        with trio.move_on_after(_PATIENCE), suppress(OSError):  # there may be no locks on this file system
            while not _locked(file):  # noqa: ASYNC110  # by another process
                await trio.sleep(_AGAIN)
        yield
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _claim(path: Path) -> tuple[int, int]:
    """Keep the socket at *path* for its owner alone, and return what tells it from another one there."""
    path.chmod(0o600)
    found = path.lstat()
    return found.st_dev, found.st_ino


def _unclaim(path: Path, identity: tuple[int, int]) -> None:
    with suppress(OSError):
        found = path.lstat()
        if (found.st_dev, found.st_ino) == identity:
            path.unlink()


async def _clear(path: Path) -> None:
    """Make room at *path*.

    Raises:
        ConsoleError: Somebody listens there, or it is no socket.
    """
    if not _is_socket(path):
        return
    if await _answers(path):
        raise ConsoleError(f"console: {path} is in use: another bot of this name runs, give this one name= or socket=")
    _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _is_socket(path: Path) -> bool:
    """Return whether there is a socket at *path*; False: there is nothing.

    Raises:
        ConsoleError: There is something else.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(found.st_mode):
        raise ConsoleError(f"console: {path} must be a socket or not be there, and is something else")
    return True


async def _answers(path: Path) -> bool:
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            with trio.fail_after(1.0):
                await probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (OSError, trio.TooSlowError):
            return True  # somebody is there, and too busy to answer
    return True


async def listen_tcp(host: str, port: int) -> list[trio.SocketListener]:
    """Listen at *port* of *host*; 0 is any port.

    Raises:
        ConsoleError: It is in use, or cannot be had; the port is named.
    """
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            why = f"port {port} of {host} is in use: give port= another one, or end what has it (ss -tlnp)"
        else:
            why = f"cannot listen at port {port} of {host}: {exc.strerror or exc}"
        raise ConsoleError(f"console: {why}") from exc


def url_of(host: str, listeners: list[trio.SocketListener]) -> str:
    """Return the address of the first of *listeners*."""
    port = listeners[0].socket.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
