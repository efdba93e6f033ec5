"""`duenna console`: the address of the page."""

from __future__ import annotations

import argparse
import os
import pwd
import socket
from typing import TYPE_CHECKING, Final

from duenna_actors.client.address import Address, find
from duenna_actors.client.text import visible
from duenna_actors.client.verbs._verb import add_verb

if TYPE_CHECKING:
    from duenna.cli import Subparsers
    from duenna_actors.client.http import Client
    from duenna_actors.client.terminal import Terminal

_PORT: Final = 3000
_LAST_PORT: Final = 65_535


def register(subparsers: Subparsers) -> None:
    """Add the verb `console`."""
    parser = add_verb(
        subparsers,
        "console",
        "print the address of the bot's web page, and how to reach it from elsewhere",
        console,
        more="The address holds the token: whoever has it can do what you can.",
    )
    parser.add_argument("--port", type=_port, default=_PORT, metavar="N", help="port at the other end of the ssh line")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be a port from 1 to {_LAST_PORT}, got {text!r}")
    return int(text)


def console(client: Client, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print it."""
    who = client.get("/api/v1/whoami")  # an address nobody answers at helps nobody
    address = _with_url(client.address)
    fragment = f"#token={address.token}" if address.token else ""
    local = f"http://127.0.0.1:{arguments.port}/{fragment}"
    page = f"{address.url.rstrip('/')}/{fragment}" if address.url else None
    ssh = _ssh(address, arguments.port)
    if arguments.json:
        terminal.document({"bot": who["bot"], "role": who["role"], "url": page, "ssh": ssh, "url_through_ssh": local})
        return 0
    if page:
        terminal.whole(visible(page))
    else:
        terminal.whole("the console listens on a Unix socket alone: take the ssh line, here, too")
    if ssh:
        terminal.whole(f"from elsewhere: {visible(ssh)}")
        terminal.whole(f"          then: {visible(local)}")
    return 0


def _with_url(address: Address) -> Address:
    """Add the TCP port that the bot has beside its socket."""
    if address.url or not address.socket:
        return address
    folder, name = os.path.split(address.socket)
    try:
        beside = find(name.removesuffix(".sock"), token=address.token, env={"DUENNA_RUN_DIR": folder})
    except Exception:  # noqa: BLE001 - nobody left word of it
        return address
    return address._replace(url=beside.url)


def _ssh(address: Address, port: int) -> str | None:
    """Return the line to type on another machine."""
    host = f"{_user()}@{socket.gethostname()}"
    if address.socket:
        return f"ssh -N -L {port}:{address.socket} {host}"
    authority = (address.url or "").partition("://")[2].partition("/")[0]
    return f"ssh -N -L {port}:{authority} {host}" if authority else None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container that knows no users
        return str(os.getuid())
