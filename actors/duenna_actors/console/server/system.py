"""``console(...)``: the part of `/system` by which a person sees the bot, knows why, and acts on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from duenna import Backoff, Child
from duenna.machines import checks
from duenna.wallclock import WallTime, wall_time
from duenna_actors._extras import need
from duenna_actors.console.server.options import (
    Limits,
    Options,
    check_exposure,
    checked_host,
    checked_names,
    checked_port,
    checked_socket,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

NAME: Final = "console"
EXTRA: Final = "console"

_BACKOFF: Final = Backoff.exponential(1.0, maximum=30.0, jitter="equal")
_FAREWELL: Final = 0.5  # seconds, more than open answers have: for closing what they were sent on
_LIMITS: Final = Limits()


def console(
    *,
    name: str | None = None,
    version: str = "",
    socket: str | os.PathLike[str] | bool | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    hosts: Iterable[str] = (),
    token_file: str | os.PathLike[str] | None = None,
    heartbeat_url: str | None = None,
    heartbeat_every: float = 60.0,
    notify: bool = True,
    limits: Limits = _LIMITS,
    backoff: Backoff = _BACKOFF,
    max_failures: int = 5,
    unpark_after: float | None = 300.0,
    wall_time: WallTime = wall_time,
) -> Child:
    """Return the console, for ``open_runtime(tree, system=[console()])``.

    It is `/system/console`: an HTTP server with a page, an API and metrics. Neither it nor any
    client can end the bot: if it cannot start, as when its port is in use, it is parked after
    *max_failures*, and tried again after *unpark_after*.

    Args:
        name: The bot's name, as it is shown and as its files are called; None: the tree's.
        version: The bot's version, as it is shown.
        socket: The Unix socket; None: `$XDG_RUNTIME_DIR/duenna/<name>.sock`, or `/tmp/duenna-<uid>/`
            without that; False: none. Its folder must be the user's alone (0700), and is made if need be.
        host: Address of the TCP socket. One that others reach needs *token_file* with tokens in it.
        port: Port of the TCP socket; 0: any; None: there is none.
        hosts: More names under which the TCP socket is reached, as browsers and probes say them.
        token_file: Who may come in, a line `NAME ROLE TOKEN` each; None: beside the socket. Made at the
            first start, with a token for each role.
        heartbeat_url: Is called every *heartbeat_every* seconds while the bot does its work; None: nothing is.
        heartbeat_every: Seconds, greater than 0.
        notify: Whether systemd is told that the bot is ready and lives, if it asks for that.
        limits: How much one client may take.
        backoff: The wait before each restart of the console.
        max_failures: Restarts in a row before it is parked.
        unpark_after: Seconds until a parked console is tried again; None: only by hand.
        wall_time: The time of day.

    Raises:
        MissingExtraError: A library is not installed.
        TokenFileError: The console is to be reached from elsewhere, and its token file is wrong.
        TypeError: Something is of the wrong type.
        ValueError: Something is out of range, or the console would be open to others without a token.
    """
    has_socket, place = checked_socket(socket)
    host = checked_host(host)
    options = Options(
        name=None if name is None else checks.name("console", name),
        version=version,
        has_socket=has_socket,
        socket=place,
        host=host,
        port=checked_port(port),
        hosts=checked_names(hosts),
        token_file=None if token_file is None else Path(token_file).absolute(),
        heartbeat_url=heartbeat_url,
        heartbeat_every=checks.duration("console", "heartbeat_every", heartbeat_every, zero=False, inf=False),
        notify=checks.flag("console", "notify", notify),
        limits=limits,
        wall_time=wall_time,
    )
    if not has_socket and port is None:
        raise ValueError("console: socket=False needs a port=: there would be no way in")
    check_exposure(host, options.port, options.token_file)
    return Child(
        NAME,
        _factory(options),
        backoff=backoff,
        max_failures=max_failures,
        on_give_up="park",
        unpark_after=unpark_after,
        drain=limits.farewell + _FAREWELL,
        shutdown=2.0,
    )


def _factory(options: Options) -> partial[Any]:
    """Return what makes the actor. All libraries are imported here, before the loop has work to do."""
    for module in ("starlette", "hypercorn", "prometheus_client"):
        need(module, what="console()", extra=EXTRA)
    from duenna_actors.console.metrics.heartbeat import checked_heartbeat  # noqa: PLC0415  # only when it is wanted
    from duenna_actors.console.server.actor import Console  # noqa: PLC0415
    from duenna_actors.console.server.shared import Shared  # noqa: PLC0415

    checked_heartbeat(options.heartbeat_url)
    return partial(Console, options, Shared())
