"""Stands between a store and its server, and does to the connection what networks do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class Trouble(Enum):
    """What happens to a connection."""

    NONE = auto()
    CUT_BEFORE_COMMIT = auto()
    """It is cut when `COMMIT` is sent, which never arrives."""
    CUT_AFTER_COMMIT = auto()
    """`COMMIT` arrives and is answered; the answer does not."""
    VANISH = auto()
    """The client's side is cut at the next statement, and the server is not told."""
    SILENT_COMMIT = auto()
    """`COMMIT` arrives and is answered; the answer does not, and nothing is cut."""


class Proxy:
    """Listens at a port of its own, and passes on to another one."""

    def __init__(self, port: int) -> None:
        self.trouble = Trouble.NONE
        self._target = port
        self._is_shut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            _cut(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def forget(self) -> None:
        """Pass nothing on any more over the connections that there are."""
        self._forgotten.update(self._sockets)

    def shut(self) -> None:
        """Cut all connections, and every new one, until ``let_through``."""
        self._is_shut = True
        for each in self._sockets:
            _cut(each)

    def let_through(self) -> None:
        """Take connections again."""
        self._is_shut = False

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_shut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                self._start(self._up, client, server)
                self._start(self._down, client, server)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                is_commit = b"COMMIT" in data
                if self.trouble is Trouble.CUT_BEFORE_COMMIT and is_commit:
                    break
                if self.trouble is Trouble.VANISH:
                    _cut(client)
                    return
                if client not in self._forgotten:
                    server.sendall(data)
        _cut(server)
        _cut(client)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.trouble is Trouble.CUT_AFTER_COMMIT and b"COMMIT" in data:
                    break
                if self.trouble is Trouble.SILENT_COMMIT and b"COMMIT" in data:
                    self._forgotten.add(client)
                if client not in self._forgotten:
                    client.sendall(data)
        _cut(client)
        _cut(server)


def _cut(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
