"""One connection to a bot: over a Unix socket, TCP or TLS."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket as sockets
import time
from typing import TYPE_CHECKING, Final

from duenna_actors.client.answer import Answer
from duenna_actors.client.errors import UsageError
from duenna_actors.client.text import visible
from duenna_actors.client.urls import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import WriteableBuffer

    from duenna_actors.client.address import Address


_BUFFER: Final = 65_536


class _Incoming(io.RawIOBase):
    """The bytes that come: none for as long as the socket's timeout is the end, and so is a time for all together."""

    def __init__(self, socket: sockets.socket, whole: float) -> None:
        super().__init__()
        self._socket = socket
        self._silence = socket.gettimeout() or whole
        self._end: float | None = time.monotonic() + whole  # noqa: TID251 - a process or a thread without a loop

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        wait = self._silence
        if self._end is not None:
            wait = min(wait, self._end - time.monotonic())  # noqa: TID251 - as above
            if wait <= 0:
                raise TimeoutError
        self._socket.settimeout(wait)
        return self._socket.recv_into(buffer)

    def is_late(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end  # noqa: TID251 - as above

    def listen(self, silence: float) -> None:
        self._silence, self._end = silence, None


class Connection:
    """A connection over whatever the address says, for one request."""

    def __init__(self, address: Address, timeout: float) -> None:
        """Connect to nobody yet; *timeout* is in seconds."""
        self._address = address
        self._timeout = timeout
        self._socket: sockets.socket | None = None
        self._file: _Incoming | None = None

    @property
    def is_connected(self) -> bool:
        """Whether somebody took the connection."""
        return self._socket is not None

    def connect(self) -> None:
        """Connect; a name that has many addresses is tried at each."""
        self._socket = self._to_path(self._address.socket) if self._address.socket else self._to_url()

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send the whole request."""
        host = "localhost"
        if not self._address.socket:
            _, name, port, _ = split(self._address.url)
            host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{key}: {value}" for key, value in headers.items())]
        self._connected().sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def answer(self, whole: float) -> Answer:
        """Wait for the answer, and read its head; give up after *whole* seconds, whatever comes until then."""
        self._file = _Incoming(self._connected(), whole)
        return Answer(io.BufferedReader(self._file, _BUFFER))

    def set_timeout(self, seconds: float) -> None:
        """Give up after so many seconds without a byte."""
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def is_late(self) -> bool:
        """Return whether the answer has come in bits for longer than it may."""
        return self._file is not None and self._file.is_late()

    def listen(self, silence: float) -> None:
        """Wait for ever from now on, if there are not *silence* seconds without a byte."""
        if self._file is not None:
            self._file.listen(silence)

    def cut(self) -> None:
        """Wake whoever waits for a byte; from any thread."""
        with contextlib.suppress(OSError):  # it is gone already
            if self._socket is not None:
                self._socket.shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
        if self._socket is not None:
            self._socket.close()

    def _connected(self) -> sockets.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    def _to_path(self, path: str) -> sockets.socket:
        made = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        made.settimeout(self._timeout)
        try:
            made.connect(path)
        except BlockingIOError:  # the queue of its callers is full
            made.close()
            raise TimeoutError from None
        except BaseException:
            made.close()
            raise
        return made

    def _to_url(self) -> sockets.socket:
        is_secret, host, port, _ = split(self._address.url)
        try:
            plain = sockets.create_connection((host, port), self._timeout)
        except UnicodeError:  # what no name server could be asked for
            raise UsageError(f"a URL must have the name of a host, got {visible(host)!r}") from None
        if not is_secret:
            return plain
        import ssl  # noqa: PLC0415 - who does not need it does not wait for it

        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
