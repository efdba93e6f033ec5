"""What a simulated socket is and keeps, apart from its connection; and what it does not have."""

from __future__ import annotations

import errno
import socket
from socket import AddressFamily, SocketKind
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from duenna.testing._net._end import failure
from duenna.testing._net._options import Options

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from duenna.testing._net._end import End
    from duenna.testing._net._waiters import Listening

_NO_DESCRIPTOR = 1_000_000_000  # no process has so many files: whoever uses the number gets EBADF


class SocketBase(trio.socket.SocketType):
    """The parts of a socket that need no network."""

    __slots__ = ("_backlog", "_end", "_is_closed", "_number", "_options")

    def __init__(self, end: End) -> None:
        super().__init__()
        self._end = end
        self._backlog: Listening | None = None
        self._options = Options()
        self._is_closed = True  # until it is made
        self._number = 0

    @property
    def family(self) -> AddressFamily:
        """`AF_INET`."""
        return AddressFamily.AF_INET

    @property
    def type(self) -> SocketKind:
        """`SOCK_STREAM`."""
        return SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        """0, as for a socket that was made without one."""
        return 0

    def fileno(self) -> int:
        """Return -1 for a socket that is closed, and else a number that is no file's."""
        return -1 if self._is_closed else _NO_DESCRIPTOR + self._number

    def detach(self) -> NoReturn:
        """Refuse: there is nothing to detach."""
        self._lack("detach(): it has no file descriptor")

    def dup(self) -> NoReturn:
        """Refuse: there is nothing to duplicate."""
        self._lack("dup(): it has no file descriptor")

    def get_inheritable(self) -> bool:
        """Return False: no process inherits it."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Accept that no process inherits it."""
        if inheritable:
            self._lack("set_inheritable(True): it has no file descriptor")

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        """Return an option, as a number or, with *buflen*, as bytes."""
        self._check_open()
        state = {
            socket.SO_TYPE: SocketKind.SOCK_STREAM,
            socket.SO_ACCEPTCONN: int(self._backlog is not None),
            getattr(socket, "SO_DOMAIN", -1): AddressFamily.AF_INET,
            getattr(socket, "SO_PROTOCOL", -2): socket.IPPROTO_TCP,
        }
        if (level, optname) == (socket.SOL_SOCKET, socket.SO_ERROR):
            state[socket.SO_ERROR] = self._end.settle_error()
        return self._options.get(level, optname, buflen, state)

    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None) -> None:
        """Keep an option; of them all, `SO_LINGER` has an effect."""
        self._check_open()
        self._options.set(level, optname, value, optlen)

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Return what `recv` does, from nobody in particular, as for all TCP sockets."""
        return await self.recv(bufsize, flags), None

    async def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Do what `recv_into` does, from nobody in particular, as for all TCP sockets."""
        return await self.recv_into(buffer, nbytes, flags), None

    async def recvmsg(self, *_: Any) -> NoReturn:
        """Refuse: no ancillary data exists here."""
        self._lack("recvmsg()")

    async def recvmsg_into(self, *_: Any) -> NoReturn:
        """Refuse: no ancillary data exists here."""
        self._lack("recvmsg_into()")

    async def sendto(self, *_: object) -> NoReturn:
        """Refuse: there is no UDP here."""
        self._lack("sendto()")

    def _check_open(self) -> None:
        if self._is_closed:
            raise failure(errno.EBADF)

    def _lack(self, what: str) -> NoReturn:
        raise NotImplementedError(f"a simulated socket does not have {what}")
