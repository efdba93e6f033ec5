"""SQLite's own clock and chance, on a connection in a world: ``datetime('now')``, ``randomblob(16)`` and so on."""

import datetime as dt
import time
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Any

import attrs

from duenna.testing._presence import present

_DATES = ("date", "time", "datetime", "julianday", "unixepoch")
_CURRENT = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
_HALF = 1 << 63


@attrs.define(eq=False)
class SqliteFunctions:
    """Answers for one connection; has no reference to it, which would be a cycle that nothing can collect.

    Attributes:
        open_plain: Opens a connection in memory that has SQLite's own functions, to do the work.
    """

    open_plain: Callable[[], Any]
    _plain: Any = attrs.field(default=None, init=False)

    def install(self, connection: Any) -> None:
        """Let the functions of *connection* that ask for the time or for chance ask the world."""
        for name in _DATES:
            connection.create_function(name, -1, partial(self._date, name), deterministic=True)
        for name, meant in _CURRENT.items():
            connection.create_function(name, 0, partial(self._date, meant), deterministic=True)
        connection.create_function("strftime", -1, self._strftime, deterministic=True)
        connection.create_function("random", 0, _random)
        connection.create_function("randomblob", 1, _randomblob)

    def close(self) -> None:
        """Close what was opened."""
        plain, self._plain = self._plain, None
        if plain is not None:
            plain.close()

    def _date(self, name: str, *args: Any) -> Any:
        return self._ask(name, (), args)

    def _strftime(self, *args: Any) -> Any:
        return self._ask("strftime", args[:1], args[1:])

    def _ask(self, name: str, before: tuple[Any, ...], args: tuple[Any, ...]) -> Any:
        if not args or (isinstance(args[0], str) and args[0].lower() == "now"):
            args = (_now(), *args[1:])
        if self._plain is None:
            self._plain = self.open_plain()
        holes = ", ".join("?" * (len(before) + len(args)))
        return self._plain.execute(f"SELECT {name}({holes})", (*before, *args)).fetchone()[0]


def _now() -> str:
    here = present()
    seconds = time.time() if here is None else here.time()  # noqa: TID251  # the connection has outlived its world
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _random() -> int:
    return _bits(64) - _HALF


def _randomblob(size: Any) -> bytes:
    number = max(1, int(size or 0))
    return _bits(8 * number).to_bytes(number, "little")


def _bits(number: int) -> int:
    here = present()
    return (SystemRandom() if here is None else here.entropy).getrandbits(number)
