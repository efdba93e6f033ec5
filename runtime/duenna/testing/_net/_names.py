"""DNS on a virtual network, and the numbers of well-known ports."""

from __future__ import annotations

import socket
from socket import AddressFamily, SocketKind, gaierror
from typing import TYPE_CHECKING, Any

import trio

from duenna.testing._net._host import ANY, LOCAL, Host

if TYPE_CHECKING:
    from duenna.testing._net._network import Network

_PORTS = {"ftp": 21, "ssh": 22, "domain": 53, "http": 80, "https": 443, "ws": 80, "wss": 443, "postgresql": 5432}
_PATIENCE = 5.0  # resolv.conf: options timeout:5 attempts:2
_ATTEMPTS = 2
_LAST_PORT = 65_535


def _gaierror(name: str, text: str) -> gaierror:
    return gaierror(getattr(socket, name), text)


def _not_known() -> gaierror:
    return _gaierror("EAI_NONAME", "Name or service not known")


class Names(trio.abc.HostnameResolver):
    """What answers `getaddrinfo`.

    A lookup goes to the host `dns` and back. When that cannot be reached it fails after 10 s,
    as glibc's does. `localhost` and numbers need no lookup.
    """

    def __init__(self, network: Network, server: Host) -> None:
        """Answer from *server*."""
        self._network = network
        self._server = server

    async def getaddrinfo(  # noqa: PLR0917  # trio calls it so
        self,
        host: bytes | str | None,
        port: Any,
        family: int = 0,
        type: int = 0,  # noqa: A002  # trio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Return where *host* is; IPv4 only.

        Raises:
            socket.gaierror: It is nowhere, or the lookup failed.
        """
        number = _port(port)
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if family not in {socket.AF_UNSPEC, socket.AF_INET}:
            raise _gaierror("EAI_ADDRFAMILY", "Address family for hostname not supported")
        if name is None and port is None:
            raise _not_known()
        kind = SocketKind(type) if type else SocketKind.SOCK_STREAM
        protocol = proto or (socket.IPPROTO_UDP if kind is SocketKind.SOCK_DGRAM else socket.IPPROTO_TCP)
        if name is None:
            await trio.lowlevel.checkpoint()
            address = ANY if flags & socket.AI_PASSIVE else LOCAL
        elif flags & socket.AI_NUMERICHOST:
            await trio.lowlevel.checkpoint()
            address = _literal(name)
        else:
            address = await self._find(name)
        canonical = name if name and flags & socket.AI_CANONNAME else ""
        return [(AddressFamily.AF_INET, kind, protocol, canonical, (address, number))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """Return the name of the host at an address, or the address itself if it has none."""
        await trio.lowlevel.checkpoint()
        address, port = str(sockaddr[0]), int(sockaddr[1])
        host = self._network.host_at(self._network.here(), address)
        service = next((name for name, number in _PORTS.items() if number == port), str(port))
        if flags & socket.NI_NUMERICHOST or host is None:
            if flags & socket.NI_NAMEREQD:
                raise _not_known()
            name = address
        else:
            name = host.name
        return name, str(port) if flags & socket.NI_NUMERICSERV else service

    async def numeric(self, host: Any, port: Any, *, local: bool) -> tuple[str, int]:
        """Return an address as `connect` and `bind` take it, with numbers in place of names."""
        if type(port) is int and isinstance(host, str) and _is_literal(host):
            if not 0 <= port <= _LAST_PORT:
                raise OverflowError("port must be 0-65535.")
            return host, port
        infos = await self.getaddrinfo(host or None, port, flags=socket.AI_PASSIVE if local else 0)
        found: tuple[str, int] = infos[0][4]
        return found

    async def _find(self, name: str) -> str:
        if _is_literal(name):
            await trio.lowlevel.checkpoint()
            return name
        asked = name.lower().removesuffix(".")
        if asked == "localhost" or asked.endswith(".localhost"):
            await trio.lowlevel.checkpoint()
            return LOCAL
        here = self._network.here()
        for _ in range(_ATTEMPTS):
            if await self._reach_server(here):
                break
        else:
            self._network.record("net_dns", here.name, name=asked, found=False)
            raise _gaierror("EAI_AGAIN", "Temporary failure in name resolution")
        host = self._network.find(asked)
        self._network.record("net_dns", here.name, name=asked, found=host is not None)
        if host is None:
            raise _not_known()
        return host.address

    async def _reach_server(self, here: Host) -> bool:
        """Ask, and return whether there was an answer before patience ran out."""
        there, back = self._network.line(here, self._server), self._network.line(self._server, here)
        start = trio.current_time()
        until = start + _PATIENCE
        arrives = there.arrival(start, 0)
        answered = back.arrival(arrives, 0)
        if there.blocked or answered > until:
            await trio.sleep_until(until)
            return False
        await trio.sleep_until(answered)
        if back.blocked:
            await trio.sleep_until(until)
            return False
        return True


def _is_literal(name: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, name)
    except (OSError, ValueError):
        return False
    return True


def _literal(name: str) -> str:
    if not _is_literal(name):
        raise _not_known()
    return name


def _port(port: Any) -> int:
    text = port.decode("ascii", "replace") if isinstance(port, bytes) else port
    if text is None or not text:
        return 0
    if isinstance(text, int):
        return text
    if isinstance(text, str) and text.isdecimal():
        return int(text)
    number = _PORTS.get(str(text))
    if number is None:
        raise _gaierror("EAI_SERVICE", "Servname not supported for ai_socktype")
    return number
