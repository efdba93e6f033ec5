"""What `console(...)` was told, checked."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from duenna.wallclock import WallTime, wall_time
from duenna_actors.console.server.errors import TokenFileError
from duenna_actors.console.server.listen import MOST_BYTES
from duenna_actors.console.server.tokens import read_tokens

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_HIGHEST_PORT: Final = 65535


@attrs.frozen(kw_only=True)
class Limits:
    """How much one client may take; all greater than 0.

    Attributes:
        head: Seconds for the head of a request, and for which an idle connection is kept.
        body: Seconds for the body of a request.
        most_body: Bytes of a body.
        stall: Seconds after which a client that takes nothing of its answer is cut off.
        connections: Connections at a time, for each of the two sockets; one more is closed at once.
        ping: Seconds of silence after which a stream sends a comment.
        farewell: Seconds that open answers have to end when the console stops.
    """

    head: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    body: float = attrs.field(default=10.0, validator=attrs.validators.gt(0))
    most_body: int = attrs.field(default=65_536, validator=attrs.validators.gt(0))
    stall: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))
    connections: int = attrs.field(default=256, validator=attrs.validators.gt(0))
    ping: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    farewell: float = attrs.field(default=0.5, validator=attrs.validators.gt(0))


@attrs.frozen(kw_only=True)
class Options:
    """Everything that the actor is made of.

    Attributes:
        name: The bot's name; None: the tree's.
        version: The bot's version.
        has_socket: Whether there is a Unix socket.
        socket: Where; None: the default place.
        host: Address of the TCP socket.
        port: Its port; 0 is any; None: there is no TCP socket.
        hosts: More names under which the TCP socket is reached.
        token_file: None: beside the socket.
        heartbeat_url: Dead man's switch; None: none.
        heartbeat_every: Seconds.
        notify: Whether systemd is told, if it started the process.
        limits: What a client may take.
        wall_time: The time of day.
    """

    name: str | None = None
    version: str = ""
    has_socket: bool = True
    socket: Path | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    heartbeat_url: str | None = None
    heartbeat_every: float = 60.0
    notify: bool = True
    limits: Limits = Limits()
    wall_time: WallTime = wall_time


def checked_socket(given: str | os.PathLike[str] | bool | None) -> tuple[bool, Path | None]:
    """Return whether there is a Unix socket, and where.

    Raises:
        TypeError: It is no path.
        ValueError: The path is longer than the system takes.
    """
    if given is False or given is None:
        return given is None, None
    if given is True or isinstance(given, bytes):
        raise TypeError(f"console: socket must be a path, None or False, got {given!r}")
    path = Path(given).absolute()
    check_length(path)
    return True, path


def check_length(path: Path) -> None:
    """Refuse a path that no socket can have.

    Raises:
        ValueError: It is too long.
    """
    length = len(bytes(path))
    if length > MOST_BYTES:
        raise ValueError(f"console: the path of a Unix socket has at most {MOST_BYTES} bytes, got {length}: {path}")


def checked_host(host: object) -> str:
    """Return *host*; an IPv6 address without the brackets that it has in a URL.

    Raises:
        TypeError: It is no text.
    """
    if not isinstance(host, str):
        raise TypeError(f"console: host must be a name or an address, got {host!r}")
    return host.strip("[]") if _is_address(host) else host


def checked_port(port: object) -> int | None:
    """Return *port*.

    Raises:
        TypeError: It is no number.
        ValueError: It is out of range.
    """
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int):
        raise TypeError(f"console: port must be a whole number or None, got {port!r}")
    if not 0 <= port <= _HIGHEST_PORT:
        raise ValueError(f"console: port must be 0 (any) to {_HIGHEST_PORT}, got {port}")
    return port


def checked_names(hosts: Iterable[str]) -> tuple[str, ...]:
    """Return *hosts*.

    Raises:
        TypeError: One is no text, or all are one.
        ValueError: One is empty, or has a port.
    """
    given: object = hosts
    if isinstance(given, str):
        raise TypeError(f"console: hosts must be a list of names, got {given!r}")
    listed = tuple(hosts)
    for each in listed:
        one: object = each
        if not isinstance(one, str):
            raise TypeError(f"console: each of hosts must be a name, got {one!r}")
        if not each or any(letter in each for letter in "/@ ,") or (":" in each and not _is_address(each)):
            raise ValueError(f"console: each of hosts must be a name or an address without a port, got {each!r}")
    return listed


def check_exposure(host: str, port: int | None, token_file: Path | None) -> None:
    """Refuse an address that others reach, unless there are tokens to give to them.

    Raises:
        TokenFileError: The token file is wrong.
        ValueError: There is none, or none is in it.
    """
    if port is None or is_loopback(host):
        return
    rule = f"console: host={host!r} is reached from elsewhere and needs token_file= with tokens in it"
    if token_file is None:
        raise ValueError(f"{rule}, got no token_file")
    try:
        read_tokens(token_file)
    except TokenFileError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            raise ValueError(f"{rule}, got {token_file}, which does not exist") from None  # noqa: TRY004
        raise


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches *host*."""
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
