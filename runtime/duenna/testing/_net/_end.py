"""The end of a connection at one host, as the kernel there sees it: what has arrived, what has failed, who waits.

What a call answers in which state is what Linux answers: what has arrived can be read even after
a reset, an error is told once, then there is the end of file, and writing is a broken pipe.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING

from trio.lowlevel import reschedule

from duenna.testing._net._pipe import WINDOW
from duenna.testing._net._waiters import Waiters

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from duenna.testing._net._connection import Connection
    from duenna.testing._net._host import Host
    from duenna.testing._net._pipe import Pipe


def failure(number: int) -> OSError:
    """Return the exception that Python makes of an errno."""
    return OSError(number, os.strerror(number))


class End(Waiters):
    """One end of a connection; before there is one, just the state of a socket.

    Attributes:
        host: Where it is.
        address: Its address and port there.
        place: `bot:50001`.
        connection: What it is an end of.
        out: What it sends to.
        into: What it receives from.
        inbox: What has arrived and was not read, in order.
        error: The errno that the next call will raise, or 0.
        is_client: Whether this end has asked for the connection.
        is_connected: Whether the connection has been made.
        has_eof: Whether the other end has sent all that it will.
        is_broken: Whether the connection is over, reset or given up, for this end.
        is_finished: Whether this end has said that it will send no more.
        is_deaf: Whether this end has said that it will read no more.
        is_closed: Whether no socket is there any more, or not yet.
    """

    __slots__ = (
        "_offset",
        "address",
        "connection",
        "error",
        "has_eof",
        "host",
        "inbox",
        "into",
        "is_broken",
        "is_client",
        "is_closed",
        "is_connected",
        "is_deaf",
        "is_finished",
        "out",
        "place",
    )

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.address: tuple[str, int] | None = None
        self.place = host.name
        self.connection: Connection | None = None
        self.out: Pipe | None = None
        self.into: Pipe | None = None
        self.inbox: deque[bytes] = deque()
        self._offset = 0  # bytes of the first chunk that have been read
        self.error = 0
        self.is_client = False
        self.is_connected = False
        self.has_eof = False
        self.is_broken = False
        self.is_finished = False
        self.is_deaf = False
        self.is_closed = False

    def locate(self, address: tuple[str, int]) -> None:
        """Be at *address* of the host."""
        self.address = address
        self.place = f"{self.host.name}:{address[1]}"

    def settle_error(self) -> int:
        """Return the errno that is to be told, for the only time; 0 if there is none."""
        error, self.error = self.error, 0
        return error

    def read(self, size: int) -> bytes | None:
        """Return up to *size* bytes, none of them at the end, or `None` when one has to wait.

        Raises:
            OSError: The connection has failed.
        """
        inbox = self.inbox
        if size < 0:
            raise ValueError("negative buffersize in recv")
        if inbox:
            data = inbox[0]
            if len(inbox) == 1 and not self._offset and len(data) <= size:
                inbox.popleft()
            else:
                data = self._collect(size)
            pipe = self.into
            assert pipe is not None  # noqa: S101  # bytes came out of it
            pipe.used -= len(data)
            if pipe.source.writer is not None:
                pipe.open_window()
            return data
        if self.is_closed:
            raise failure(errno.EBADF)
        if self.has_eof:
            return b""
        if self.error:
            raise failure(self.settle_error())
        if self.is_broken or self.is_deaf or (size == 0 and self.is_connected):
            return b""
        if not self.is_connected:
            raise failure(errno.ENOTCONN)
        return None

    def write(self, data: Buffer) -> int | None:
        """Send as much of *data* as there is room for; return how much, or `None` when one has to wait.

        Raises:
            OSError: The connection has failed, or was ended by this end.
        """
        pipe = self.out
        if self.is_closed or self.is_broken or self.is_finished or self.error or pipe is None or not self.is_connected:
            raise failure(errno.EBADF if self.is_closed else self.settle_error() or errno.EPIPE)
        payload = data if type(data) is bytes else memoryview(data)
        if type(payload) is memoryview and payload.format != "B":
            payload = payload.cast("B")
        size = len(payload)
        room = WINDOW - pipe.used
        if size > room:
            if room <= 0:
                return None
            payload, size = payload[:room], room
        if size:
            pipe.used += size
            pipe.push(bytes(payload))
        return size

    @property
    def is_readable(self) -> bool:
        """Whether `read` would return at once, or raise."""
        return bool(self.inbox) or self.has_eof or self.is_broken or self.is_deaf or bool(self.error)

    @property
    def is_writable(self) -> bool:
        """Whether `write` would return at once, or raise."""
        pipe = self.out
        return self.is_broken or self.is_finished or bool(self.error) or pipe is None or pipe.used < WINDOW

    def take(self, payload: bytes) -> None:
        """Have bytes that arrive; when nobody is there, their sender is told so."""
        if self.is_closed or self.is_broken:
            self._refuse()
            return
        self.inbox.append(payload)
        task = self.reader
        if task is not None:
            self.reader = None
            reschedule(task)

    def take_eof(self) -> None:
        """Learn that the other end will send no more."""
        if self.into is not None and self.connection is not None and not (self.is_closed or self.is_broken):
            self.has_eof = True
            self.connection.record("net_eof", self.into.path)
            self.wake_reader()

    def take_reset(self) -> None:
        """Learn that the connection is gone at the other end, or on the way."""
        if self.into is not None and self.connection is not None and not (self.is_closed or self.is_broken):
            self.connection.record("net_reset", self.into.path)
            self.break_off(errno.EPIPE if self.has_eof else errno.ECONNRESET)

    def time_out(self) -> None:
        """Give up: nothing has come back for too long."""
        if self.out is not None and self.connection is not None and not (self.is_closed or self.is_broken):
            self.connection.record("net_timeout", self.out.path)
            self.break_off(errno.ETIMEDOUT)

    def break_off(self, error: int) -> None:
        """End with *error*, which is told once."""
        self.is_broken = True
        self.error = error
        if self.out is not None:
            self.out.drop()
        self.wake_reader()
        self.wake_writer()

    def finish(self) -> None:
        """Say that no more will be sent."""
        if self.out is not None and not self.is_finished and not self.is_broken:
            self.out.push(b"", self.out.target.take_eof)
        self.is_finished = True

    def close(self, *, resets: bool = False, **told: object) -> None:
        """Leave the connection; it is reset if *resets* or if something is unread.

        Whoever waits is told, and whatever arrives later is refused. *told* is for the record.
        """
        if self.is_closed:
            return
        self.turn_away()
        self.is_closed = True
        if self.out is None or self.connection is None:
            return
        self.connection.record("net_close", self.out.path, **told)
        if self.is_connected and not self.is_broken:
            if resets or self.inbox:
                self.is_broken = True
                self._refuse()
            else:
                self.finish()
        self.inbox.clear()
        self.connection.end_left()

    def _refuse(self) -> None:
        if self.out is not None:
            self.out.push(b"", self.out.target.take_reset)

    def _collect(self, size: int) -> bytes:
        inbox, parts = self.inbox, list[bytes]()
        while inbox and size > 0:
            chunk, start = inbox[0], self._offset
            part = chunk[start : start + size] if start or len(chunk) > size else chunk
            parts.append(part)
            size -= len(part)
            if start + len(part) == len(chunk):
                inbox.popleft()
                self._offset = 0
            else:
                self._offset = start + len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
