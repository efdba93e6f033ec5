"""Hosts: who has which address, names and ports, and on which of them a task runs."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import attrs

from duenna.testing._net._waiters import Listening

if TYPE_CHECKING:
    from collections.abc import Generator

ANY = "0.0.0.0"  # noqa: S104  # no real socket is bound to it
LOCAL = "127.0.0.1"

_FIRST_EPHEMERAL = 50_001
_LAST_PORT = 65_535

_here: ContextVar[Host | None] = ContextVar("duenna_host", default=None)


@attrs.define(eq=False)
class Host:
    """A machine on the virtual network; `Network.host` makes it.

    Attributes:
        name: Its name, in DNS too.
        address: Its IPv4 address, `10.0.0.1` for the first one.
        names: Its other names in DNS.
    """

    name: str
    address: str
    names: list[str] = attrs.field(factory=list[str])
    bound: dict[tuple[str, int], int] = attrs.field(factory=dict[tuple[str, int], int], init=False, repr=False)
    listening: dict[tuple[str, int], Listening] = attrs.field(
        factory=dict[tuple[str, int], Listening], init=False, repr=False
    )
    _next_port: int = attrs.field(default=_FIRST_EPHEMERAL, init=False, repr=False)

    @contextmanager
    def here(self) -> Generator[None, None, None]:
        """Have the sockets that are made inside belong to this host, also by tasks that are started inside."""
        token = _here.set(self)
        try:
            yield
        finally:
            _here.reset(token)

    def matches(self, target: str) -> bool:
        """Return whether the glob *target* fits any of its names."""
        return fnmatchcase(self.name, target) or any(fnmatchcase(name, target) for name in self.names)

    def owns(self, address: str) -> bool:
        """Return whether *address* is one of its own, the loopback's included."""
        return address == self.address or is_local(address)

    def free_port(self) -> int:
        """Return a port for a socket that asked for none in particular."""
        taken = {port for _, port in self.bound}  # never iterated: its order is nobody's business
        if len(taken) > _LAST_PORT - _FIRST_EPHEMERAL:
            raise RuntimeError(f"host {self.name!r} has no port left")
        while True:
            port = self._next_port
            self._next_port = _FIRST_EPHEMERAL if port == _LAST_PORT else port + 1
            if port not in taken:
                return port

    def is_taken(self, address: str, port: int) -> bool:
        """Return whether a socket is bound to *port* where it would be in the way of one at *address*."""
        if address == ANY:
            return any(port == other for _, other in self.bound)
        return (address, port) in self.bound or (ANY, port) in self.bound

    def listener(self, address: str, port: int) -> Listening | None:
        """Return who listens at *address*, which is one of its own."""
        return self.listening.get((address, port)) or self.listening.get((ANY, port))


def current_host() -> Host | None:
    """Return the host whose `Host.here` surrounds the running task."""
    return _here.get()


def is_local(address: str) -> bool:
    """Return whether *address* is of the loopback network."""
    return address.startswith("127.")
