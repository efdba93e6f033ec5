"""The virtual network as a whole: its hosts, the lines between them, and every connection and socket."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

import trio

from duenna.testing._net._connection import Connection
from duenna.testing._net._end import End
from duenna.testing._net._faults import Faults
from duenna.testing._net._host import ANY, Host, current_host, is_local
from duenna.testing._net._link import LOOPBACK, Line, Link
from duenna.testing._net._names import Names
from duenna.testing._net._sockets import SimSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from random import Random
    from weakref import ReferenceType

    from duenna.faults import Fault
    from duenna.testing._clock import WorldClock

_DEFAULT_HOST = "bot"
_DNS = "dns"
_DNS_ADDRESS = "10.255.255.53"
_MOST_HOSTS = 65_000
_TYPE_MASK = ~(getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0))


class Record(Protocol):
    """Writes into the trace."""

    def __call__(self, kind: str, path: str, **fields: Any) -> None:
        """Write a record of *kind*."""


class Network:
    """Hosts, addresses, names and TCP in memory.

    What happens is written down: `net_dns`, `net_connect`, `net_refused`, `net_accept`, `net_data`
    when bytes arrive, `net_eof`, `net_reset`, `net_timeout` and `net_close`. Their path says the
    direction: `bot:50001>exchange:80`. Data have a CRC, but not those of TLS: OpenSSL draws its
    own randomness, and they are others in each run.

    Attributes:
        clock: Its time.
        record: Writes into the trace.
        names: Its DNS.
        tampering: The faults that change segments.
        is_installed: Whether trio makes its sockets here now.
    """

    def __init__(self, clock: WorldClock, rng: Random, record: Record, link: Link | None = None) -> None:
        """Make an empty network.

        Args:
            clock: The clock of the `trio.run` that it is used in.
            rng: Draws jitter, losses and changed bytes.
            record: Told of everything.
            link: What lies between two hosts, one way; `Link()` by default.
        """
        self.clock = clock
        self.record = record
        self._random = rng.random
        self._link = Link() if link is None else link
        self._hosts: dict[str, Host] = {}
        self._by_name: dict[str, Host] = {}
        self._by_address: dict[str, Host] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._connections: dict[int, Connection] = {}
        self._sockets: dict[int, ReferenceType[SimSocket]] = {}  # who drops a socket closes it
        self._numbers = itertools.count(1)
        self.is_installed = False
        self._faults = Faults(self, rng)
        self.tampering = self._faults.tampering
        self.tamper = self._faults.tamper
        self.refuses = self._faults.refuses
        self._dns = Host(_DNS, _DNS_ADDRESS)
        self.names = Names(self, self._dns)

    def host(self, name: str, names: Iterable[str] = ()) -> Host:
        """Return the host *name*, made when it is first named.

        Args:
            name: Its name, in DNS too.
            names: Other names in DNS, added to those that it has.

        Raises:
            ValueError: Another host has one of the names, or it is not one.
        """
        found = self._hosts.get(name)
        if found is None:
            _check_name(name)
            number = len(self._hosts) + 1
            if number > _MOST_HOSTS:
                raise ValueError(f"a network has at most {_MOST_HOSTS} hosts")
            found = Host(name, f"10.0.{number >> 8}.{number & 255}")
            self._give_name(found, name)
            self._hosts[name] = self._by_address[found.address] = found
        for other in names:
            if other != name and other not in found.names:
                _check_name(other)
                self._give_name(found, other)
                found.names.append(other)
        return found

    def matching(self, target: str) -> list[str]:
        """Return the names of the hosts that the glob *target* fits, in the order of their making."""
        return [name for name, host in self._hosts.items() if host.matches(target)]

    def can_strike(self, target: str) -> bool:
        """Return whether *target* fits a host, or the server of names."""
        return bool(self.matching(target)) or self._dns.matches(target)

    def connect_link(self, a: str, b: str, link: Link) -> None:
        """Lay *link* between two hosts, both ways, in place of the network's own."""
        for source, target in ((a, b), (b, a)):
            line = self.line(self.host(source), self.host(target))
            line.link = link
        self.refresh_lines()

    @contextmanager
    def install(self) -> Generator[None, None, None]:
        """Have trio make sockets and resolve names here, in the `trio.run` that runs now."""
        sockets = trio.socket.set_custom_socket_factory(_Factory(self))
        names = trio.socket.set_custom_hostname_resolver(self.names)
        self.is_installed = True
        try:
            yield
        finally:
            self.is_installed = False
            trio.socket.set_custom_socket_factory(sockets)
            trio.socket.set_custom_hostname_resolver(names)

    def begin(self, fault: Fault, target: str) -> Callable[[], None]:
        """Begin a fault for the hosts that the glob *target* fits.

        What a host says to itself suffers none. `dns` is a host too: it can be cut off.

        Returns:
            What ends it; it may be called again, and does nothing for what is over at once.

        Raises:
            TypeError: It is a fault that does not strike networks.
        """
        return self._faults.begin(fault, target)

    def open_sockets(self) -> list[str]:
        """Return what the sockets are that nobody has closed, in the order of their making."""
        made = [reference() for reference in self._sockets.values()]
        return [one.describe() for one in made if one is not None]

    def vanish_all_of(self, host: str) -> None:
        """Have all connections of *host* be half-open, as after a sleep of the machine."""
        for connection in self.connections():
            line = connection.forth.line
            if host in {line.source.name, line.target.name} and connection.is_open and not line.is_loopback:
                connection.vanish()

    def here(self) -> Host:
        """Return the host of the running task."""
        host = current_host()
        if host is not None and self._by_address.get(host.address) is host:
            return host
        return self.host(_DEFAULT_HOST)

    def host_at(self, source: Host, address: str) -> Host | None:
        """Return who has *address*, as *source* sees it."""
        if is_local(address) or address == ANY:
            return source
        return self._by_address.get(address)

    def find(self, name: str) -> Host | None:
        """Return what DNS says about *name*, in lower case."""
        host = self._by_name.get(name)
        return None if host is None or self._faults.hides(host) else host

    def line(self, source: Host, target: Host) -> Line:
        """Return the way from *source* to *target*."""
        key = (source.name, target.name)
        line = self._lines.get(key)
        if line is None:
            line = Line(source, target, LOOPBACK if source is target else self._link, self._random)
            self._lines[key] = line
            self._faults.refresh(line)
        return line

    def refresh_lines(self) -> None:
        """Make all lines what the faults make them; what they held sets out again."""
        was = {key: (line.blocked, line.bandwidth) for key, line in self._lines.items()}
        for line in self._lines.values():
            self._faults.refresh(line)
        for connection in self.connections():
            for pipe in connection.pipes:
                line = pipe.line
                was_blocked, bandwidth = was[line.source.name, line.target.name]
                if line.blocked and not was_blocked:
                    pipe.notice_block()
                elif (was_blocked and not line.blocked) or line.bandwidth > bandwidth:
                    pipe.resend()

    def connections(self) -> list[Connection]:
        """Return all connections, those that are being made too, in order."""
        return list(self._connections.values())

    def connect(self, client: End, host: Host, at: tuple[str, int]) -> None:
        """Begin to connect *client* to the port *at* of *host*."""
        number = next(self._numbers)
        connection = self._connections[number] = Connection(self, number, client, host, at)
        connection.begin()

    def forget(self, connection: Connection) -> None:
        """Take a connection off the list that has no ends any more."""
        self._connections.pop(connection.number, None)

    def enter(self, made: SimSocket) -> int:
        """Put a socket on the list, and return its number."""
        number = next(self._numbers)
        self._sockets[number] = ref(made)
        return number

    def leave(self, number: int) -> None:
        """Take a socket off the list."""
        del self._sockets[number]

    def _give_name(self, host: Host, name: str) -> None:
        owner = self._by_name.setdefault(name.lower(), host)
        if owner is not host or name == _DNS:
            raise ValueError(f"name must be of one host only, got {name!r}, which is one of {owner.name!r}")


class _Factory(trio.abc.SocketFactory):
    """Makes the sockets of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def socket(self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0) -> SimSocket:  # noqa: A002  # trio's name
        """Make a socket on the host of the running task.

        Raises:
            OSError: It would not be one of TCP and IPv4.
        """
        if family != socket.AF_INET:
            raise _unsupported(errno.EAFNOSUPPORT, "only IPv4")
        if type & _TYPE_MASK != socket.SOCK_STREAM or proto not in {0, socket.IPPROTO_TCP}:
            raise _unsupported(errno.EPROTONOSUPPORT, "only TCP")
        return SimSocket(self._network, End(self._network.here()))


def _unsupported(number: int, has: str) -> OSError:
    return OSError(number, f"{os.strerror(number)}: a virtual network has {has}")


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"host: name must be a str, got {name!r}")
    if not name or not name.isprintable() or any(sign in name for sign in " :>*?[]/"):
        raise ValueError(f"host: name must not be empty, nor have a space or one of : > * ? [ ] /, got {name!r}")
