"""What a world has none of: threads, real sockets, other processes. Each is refused where it is asked for."""

from __future__ import annotations

import _posixsubprocess
import _thread
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import TYPE_CHECKING, Any

import trio

from duenna.testing._leaks import refuse
from duenna.testing._presence import outside, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.testing._patches import Patches

FORCE = "duenna force"
"""The thread that logs the last words of `duenna.run` before it ends the process."""

_THREAD = "real thread started", "use trio.to_thread.run_sync, which the world runs on its own clock"
_SOCKET = (
    "real socket used",
    "use trio's sockets (trio.open_tcp_stream, trio.socket), which the world connects in memory",
)
_LOOK_UP = "real look-up of a name", _SOCKET[1]
_PROCESS = (
    "real process started",
    "keep it out of the code that is simulated: the world cannot slow down or stop another process",
)
_POSTGRES = (
    "real connection to PostgreSQL made",
    "give the bot a SQLite file in the world: libpq talks to a real server, past trio's sockets",
)


def patch_forbidden(patches: Patches) -> None:
    """Refuse threads, sockets, processes and libpq."""
    for module, name, stand_in in _FUNCTIONS:
        patches.function(module, name, stand_in)
    for cls, name, stand_in in _METHODS:
        patches.attribute(cls, name, stand_in)
    patch_psycopg(patches)


def patch_psycopg(patches: Patches) -> None:
    """Refuse PostgreSQL, if psycopg is loaded."""
    module = sys.modules.get("psycopg.connection")
    cls: Any = getattr(module, "Connection", None)
    if cls is not None and not hasattr(cls.connect, "__wrapped__"):
        what, instead = _POSTGRES
        real = cls.connect
        patches.attribute(cls, "connect", classmethod(_refused(real.__func__, what, "psycopg.connect", instead)))
        patches.copy(real, cls.connect)


def _refused(
    real: Callable[..., Any],
    what: str,
    by: str,
    instead: str,
    *,
    spared: Callable[..., bool] | None = None,
) -> Callable[..., Any]:
    """Stand in for *real*, which a world refuses, except for calls that are *spared*."""

    @wraps(real)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        here = present()
        if here is None:
            return real(*args, **kwargs)
        if spared is not None and spared(*args, **kwargs):
            with outside(here):
                return real(*args, **kwargs)
        return refuse(here, what, by, instead)

    return stand_in


def _is_ours(work: Any, *_: Any, **__: Any) -> bool:
    """Whether a thread, given itself or its first function, is the one that forces the end."""
    thread = work if isinstance(work, threading.Thread) else getattr(work, "__self__", None)
    return isinstance(thread, threading.Thread) and thread.name == FORCE


def _is_numeric(*args: Any, **kwargs: Any) -> bool:
    """Whether an address is only read, not looked up: trio does that itself before it asks the world's resolver."""
    flags = kwargs.get("flags", args[5] if len(args) > 5 else 0)  # noqa: PLR2004  # its place in getaddrinfo
    return bool(flags & socket.AI_NUMERICHOST)


def _found(module: Any, names: str, kind: tuple[str, str], spared: Any = None) -> list[tuple[Any, str, Any]]:
    (what, instead), shown = kind, module.__name__.lstrip("_")
    return [
        (module, name, _refused(getattr(module, name), what, f"{shown}.{name}", instead, spared=spared))
        for name in names.split()
        if hasattr(module, name)
    ]


# The real functions are kept in closures only: a name of this module would be found, and replaced, as a copy.
_FUNCTIONS = [
    *_found(_thread, "start_new_thread start_new start_joinable_thread", _THREAD, _is_ours),
    *_found(trio.lowlevel, "start_thread_soon", _THREAD),
    *_found(socket, "getaddrinfo", _LOOK_UP, _is_numeric),
    *_found(socket, "gethostbyname gethostbyname_ex gethostbyaddr getnameinfo", _LOOK_UP),
    *_found(_posixsubprocess, "fork_exec", _PROCESS),
    *_found(os, "fork forkpty posix_spawn posix_spawnp system", _PROCESS),
]


def _of_class(cls: type, names: str, by: str, kind: tuple[str, str], spared: Any = None) -> list[tuple[Any, str, Any]]:
    what, instead = kind
    return [
        (cls, name, _refused(getattr(cls, name), what, by.format(name), instead, spared=spared))
        for name in names.split()
    ]


_METHODS = [
    *_of_class(threading.Thread, "start", "threading.Thread", _THREAD, _is_ours),
    *_of_class(ThreadPoolExecutor, "submit", "ThreadPoolExecutor.{}", _THREAD),
    *_of_class(socket.socket, "connect connect_ex bind listen sendto sendmsg", "socket.socket.{}", _SOCKET),
    *_of_class(subprocess.Popen, "__init__", "subprocess.Popen", _PROCESS),
]
