"""The socket that trio's code gets instead of its own."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any, cast

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled

from duenna.testing._net._end import End, failure
from duenna.testing._net._host import ANY, LOCAL, is_local
from duenna.testing._net._socket_base import SocketBase
from duenna.testing._net._waiters import Listening

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from duenna.testing._net._host import Host
    from duenna.testing._net._network import Network

_EXOTIC = ~sum(int(getattr(socket, name, 0)) for name in ("MSG_NOSIGNAL", "MSG_DONTWAIT", "MSG_MORE"))


class SimSocket(SocketBase):
    """A TCP socket of IPv4 on a virtual network.

    It does what the socket of a trio program does, on Linux: the same exceptions in the same
    states, and the same checkpoints. A call that is cancelled has had no effect, but for `connect`,
    which closes the socket, as trio's does. There is no file descriptor behind it. One that nobody
    has any more closes itself, as CPython's do; the record of that says ``collected``.
    """

    __slots__ = ("_is_bound", "_network")

    def __init__(self, network: Network, end: End) -> None:
        super().__init__(end)
        self._network = network
        self._is_bound: tuple[str, int] | None = None
        self._number = network.enter(self)
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<simulated socket {self.describe()}>"

    def __del__(self) -> None:
        if not self._is_closed and self._network.is_installed and self._end.reader is self._end.writer is None:
            self._close(collected=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def host(self) -> Host:
        """Where it is."""
        return self._end.host

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802  # trio's name
        """Whether it has said that it will send no more."""
        return self._end.is_finished

    def describe(self) -> str:
        """Return what it is, in a few words."""
        end = self._end
        if self._is_closed:
            return f"{end.place} closed"
        if self._backlog is not None:
            return f"{end.place} listening"
        if end.out is None:
            return f"{end.place} unconnected"
        state = "broken" if end.is_broken else "connected" if end.is_connected else "connecting"
        return f"{end.out.path} {state}"

    def getsockname(self) -> tuple[str, int]:
        """Return its address and port, `("0.0.0.0", 0)` when it has none."""
        self._check_open()
        return self._end.address or (ANY, 0)

    def getpeername(self) -> tuple[str, int]:
        """Return the address and port of the other end."""
        self._check_open()
        end = self._end
        if end.out is None or not end.is_connected or end.is_broken or end.out.target.address is None:
            raise failure(errno.ENOTCONN)
        return end.out.target.address

    async def bind(self, address: Any) -> None:
        """Take an address of the host, and a port: the next free one for 0.

        Raises:
            OSError: It is not of this host, the port is taken, or the socket has one.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        name, port = await self._resolve(address, local=True)
        if self._is_bound or self._end.out is not None:
            raise failure(errno.EINVAL)
        if name != ANY and not self.host.owns(name):
            raise failure(errno.EADDRNOTAVAIL)
        if port and self.host.is_taken(name, port):
            raise failure(errno.EADDRINUSE)
        self._bind(name, port)

    def listen(self, backlog: int = 128) -> None:
        """Take connections from now on; at most *backlog* wait to be accepted."""
        self._check_open()
        if self._end.out is not None:
            raise failure(errno.EINVAL)
        at = self._is_bound or self._bind(ANY, 0)
        if self._backlog is None:
            self._backlog = self.host.listening[at] = Listening(backlog)
        else:
            self._backlog.limit = max(backlog, 1)

    async def accept(self) -> tuple[SimSocket, tuple[str, int]]:
        """Return the next connection and the address that it comes from."""
        await checkpoint_if_cancelled()
        if self._is_closed or self._backlog is None:
            await cancel_shielded_checkpoint()
            raise failure(errno.EBADF if self._is_closed else errno.EINVAL)
        backlog = self._backlog
        if backlog.queue:
            end = backlog.queue.popleft()
            await cancel_shielded_checkpoint()
        else:
            while not backlog.queue:
                await backlog.wait_readable()
                self._check_open()
            end = backlog.queue.popleft()
        if end.into is None or end.out is None or end.out.target.address is None:
            raise failure(errno.ECONNABORTED)
        self._network.record("net_accept", end.into.path)
        return SimSocket(self._network, end), end.out.target.address

    async def connect(self, address: Any) -> None:
        """Connect to *address*. When it is cancelled the socket is closed.

        Raises:
            OSError: Nobody can be reached there.
        """
        try:
            await checkpoint_if_cancelled()
            self._check_open()
            at = await self._resolve(address, local=False)
            if self._backlog is not None or self._end.is_connected:
                raise failure(errno.EISCONN)
            if self._end.out is not None and not self._end.is_broken:
                raise failure(errno.EALREADY)
            end = self._begin_to_connect(at)
            while not (end.is_connected or end.is_broken):
                await end.wait_writable()
        except trio.Cancelled:
            self.close()
            raise
        error = end.settle_error()
        if error:
            raise OSError(error, f"Error connecting to {at!r}: {os.strerror(error)}")

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Return what has arrived, up to *buflen* bytes; nothing at the end."""
        await checkpoint_if_cancelled()
        end = self._end
        try:
            if flags and flags & _EXOTIC:
                self._lack(f"recv() with flags {flags}")
            data = end.read(buflen)
        except BaseException:
            await cancel_shielded_checkpoint()
            raise
        if data is not None:
            await cancel_shielded_checkpoint()
            return data
        while data is None:
            await end.wait_readable()
            data = end.read(buflen)
        return data

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Write what has arrived into *buffer* and return how much it was."""
        view = memoryview(buffer).cast("B")
        data = await self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    async def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send as much of *data* as there is room for, and return how much."""
        await checkpoint_if_cancelled()
        end = self._end
        try:
            if flags and flags & _EXOTIC:
                self._lack(f"send() with flags {flags}")
            sent = end.write(data)
        except BaseException:
            await cancel_shielded_checkpoint()
            raise
        if sent is not None:
            await cancel_shielded_checkpoint()
            return sent
        while sent is None:
            await end.wait_writable()
            sent = end.write(data)
        return sent

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """Send as much of all *buffers* as there is room for, and return how much."""
        if list(ancdata) or address is not None:
            self._lack("sendmsg() with ancillary data or an address")
        return await self.send(b"".join(bytes(buffer) for buffer in buffers), flags)

    async def wait_writable(self) -> None:
        """Return when `send` would not have to wait."""
        await checkpoint_if_cancelled()
        self._check_open()
        if self._end.is_writable:
            await cancel_shielded_checkpoint()
        while not self._end.is_writable:
            await self._end.wait_writable()

    def is_readable(self) -> bool:
        """Return whether `recv` or `accept` would not have to wait."""
        self._check_open()
        return bool(self._backlog.queue) if self._backlog is not None else self._end.is_readable

    def shutdown(self, flag: int) -> None:
        """End one direction, or both: nothing more is sent, or nothing more that arrives is waited for.

        Raises:
            OSError: It is not connected.
        """
        self._check_open()
        end = self._end
        if not end.is_connected or end.is_broken:
            raise failure(errno.ENOTCONN)
        if flag in {socket.SHUT_RD, socket.SHUT_RDWR}:
            end.is_deaf = True
            end.wake_reader()
        if flag in {socket.SHUT_WR, socket.SHUT_RDWR}:
            end.finish()
            end.wake_writer()

    def close(self) -> None:
        """Leave the network; tasks that wait for this socket get `trio.ClosedResourceError`."""
        if not self._is_closed:
            self._close()

    def _close(self, **told: object) -> None:
        self._is_closed = True
        if self._is_bound is not None:
            del self.host.bound[self._is_bound]
        if self._backlog is not None and self._is_bound is not None:
            del self.host.listening[self._is_bound]
            self._backlog.turn_away()
            self._backlog.close()
        self._end.close(resets=self._options.resets_at_close, **told)
        self._network.leave(self._number)

    def _bind(self, name: str, port: int) -> tuple[str, int]:
        at = (name, port or self.host.free_port())
        self._is_bound = at
        self.host.bound[at] = self._number
        self._end.locate(at)
        return at

    def _begin_to_connect(self, at: tuple[str, int]) -> End:
        name, port = at
        source = self.host
        target = self._network.host_at(source, name)
        if target is None:
            raise OSError(errno.ENETUNREACH, f"Error connecting to {at!r}: {os.strerror(errno.ENETUNREACH)}")
        if self._end.is_broken:  # an attempt that failed; the next one begins anew
            self._end = End(source)
            if self._is_bound:
                self._end.locate(self._is_bound)
        own_name = LOCAL if is_local(name) or name == ANY else source.address
        own_port = self._is_bound[1] if self._is_bound else source.free_port()
        self._end.locate((own_name, own_port))
        self._network.connect(self._end, target, (LOCAL if name == ANY else name, port))
        return self._end

    async def _resolve(self, address: Any, *, local: bool) -> tuple[str, int]:
        pair = cast("tuple[Any, ...]", address)
        if not isinstance(address, tuple) or len(pair) != 2:  # noqa: PLR2004  # a host and a port
            raise ValueError("address should be a (host, port) tuple")
        return await self._network.names.numeric(*pair, local=local)
