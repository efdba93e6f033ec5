"""The demo's command line: read, checked, and refused in one line."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    import argparse

LONGEST = 86_400.0
LONGEST_VIRTUAL = 744.0
"""Hours: a month."""

_SECONDS, _WATCHED_SECONDS, _HOURS = "60", "600", "24"
_PORT, _LAST_PORT = "3000", 65_535
_SYMBOL = re.compile(r"[A-Z0-9]{1,16}USDT")
_MOST_SYMBOLS = 20
_STREAMS = {"fapi.binance.com": "fstream.binance.com", "testnet.binancefuture.com": "fstream.binancefuture.com"}


class OptionError(Exception):
    """An option has a value that makes no sense; the text names it, the rule and the value."""


@attrs.frozen
class Options:
    """What was asked for.

    Attributes:
        seconds: How long it runs.
        seed: Of all chance.
        has_faults: Whether the local exchange misbehaves.
        rest: The REST interface of another exchange, or empty.
        streams: Its websockets, or empty.
        symbols: The contracts.
        database: The file; None for one of its own that is thrown away.
        is_quiet: Whether only the end is told.
        is_virtual: Whether time and network are simulated.
        trace: The file for the trace of a virtual run; None for no file.
        state: The folder of what survives the process; None: nothing does.
        console: The port of the console, 0 for any; None: there is none.
    """

    seconds: float
    seed: int
    has_faults: bool
    rest: str
    streams: str
    symbols: tuple[str, ...]
    database: Path | None
    is_quiet: bool
    is_virtual: bool = False
    trace: Path | None = None
    state: Path | None = None
    console: int | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; what they hold is checked by `read_options`, which can say more in one line."""
    add = parser.add_argument
    add("--seconds", metavar="N", help=f"how long to run (default: {_SECONDS}, with --console {_WATCHED_SECONDS})")
    add(
        "--console",
        nargs="?",
        const=_PORT,
        metavar="PORT",
        help=f"watch it on a page, and act on it, at 127.0.0.1:PORT (default: {_PORT}; 0: any)",
    )
    add("--virtual", action="store_true", help="simulate clock and network: a day takes less than a minute")
    add("--hours", metavar="N", help=f"with --virtual: how long to run (default: {_HOURS})")
    add("--trace", metavar="FILE", help="with --virtual: write down all that happens, as JSON lines")
    add("--seed", default="1", metavar="N", help="same seed, same prices and faults (default: %(default)s)")
    add("--no-faults", action="store_true", help="let the local exchange behave")
    add(
        "--url",
        action="append",
        metavar="URL",
        help="another exchange's REST address, such as https://fapi.binance.com or a `duenna sandbox`; given twice, "
        "once with ws:// or wss://, the address of its websockets too",
    )
    add("--symbols", default="BTCUSDT,ETHUSDT", metavar="A,B", help="contracts, by comma (default: %(default)s)")
    add("--database", metavar="FILE", help="SQLite file for the fills (default: a temporary one)")
    add("--state", metavar="DIR", help="folder of what survives, even kill -9: start it again with the same")
    add("--quiet", action="store_true", help="print only the table at the end")


def read_options(given: argparse.Namespace) -> Options:
    """Return the options of the command line.

    Raises:
        OptionError: One makes no sense.
    """
    _refuse_wrong_company(given)
    rest, streams = _addresses(given.url or [])
    return Options(
        seconds=_length(given),
        seed=_seed(given.seed),
        has_faults=not given.no_faults and not rest,
        rest=rest,
        streams=streams,
        symbols=_symbols(given.symbols),
        database=None if given.database is None else _file("--database", given.database),
        is_quiet=given.quiet,
        is_virtual=given.virtual,
        trace=None if given.trace is None else _file("--trace", given.trace),
        state=None if given.state is None else _folder("--state", given.state),
        console=None if given.console is None else _port(given.console),
    )


def _refuse_wrong_company(given: argparse.Namespace) -> None:
    """Refuse options that mean nothing beside, or without, the others."""
    if given.virtual:
        for name, value, why in (
            ("--url", given.url, "reaches no real exchange"),
            ("--database", given.database, "throws its disk away"),
            ("--state", given.state, "throws its disk away"),
            ("--console", given.console, "is over before one could look"),
        ):
            if value is not None:
                raise OptionError(f"{name} must be left out with --virtual, which {why}")
        if given.hours is not None and given.seconds is not None:
            raise OptionError("--hours must be left out with --seconds, got both")
    else:
        for name in ("hours", "trace"):
            if getattr(given, name) is not None:
                raise OptionError(f"--{name} must come with --virtual, got it alone")


def _length(given: argparse.Namespace) -> float:
    if given.virtual and given.seconds is None:
        return 3600.0 * _number("--hours", _HOURS if given.hours is None else given.hours, LONGEST_VIRTUAL)
    most = 3600.0 * LONGEST_VIRTUAL if given.virtual else LONGEST
    usual = _SECONDS if given.console is None else _WATCHED_SECONDS
    return _number("--seconds", usual if given.seconds is None else given.seconds, most)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= _LAST_PORT):
        raise OptionError(f"--console must be a port from 0 to {_LAST_PORT}, got {text!r}")
    return int(text)


def _number(name: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (isfinite(number) and 0.0 < number <= most):
        raise OptionError(f"{name} must be a number > 0 and <= {most:.0f}, got {text!r}")
    return number


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"--seed must be a whole number, got {text!r}") from None


def _symbols(text: str) -> tuple[str, ...]:
    symbols = tuple(name.strip().upper() for name in text.split(","))
    for name in symbols:
        if not _SYMBOL.fullmatch(name):
            raise OptionError(f"--symbols must be contracts that end in USDT, by comma, got {name!r} in {text!r}")
    if len(set(symbols)) < len(symbols):
        raise OptionError(f"--symbols must differ, got {text!r}")
    if len(symbols) > _MOST_SYMBOLS:
        raise OptionError(f"--symbols must be {_MOST_SYMBOLS} at most, got {len(symbols)}")
    return symbols


def _addresses(urls: list[str]) -> tuple[str, str]:
    found: dict[str, str] = {}
    for url in urls:
        kind, address = _address(url)
        if kind in found:
            raise OptionError(f"--url must be given once for REST and once for websockets, got {' and '.join(urls)}")
        found[kind] = address
    if "streams" in found and "rest" not in found:
        raise OptionError(f"--url must be given with http:// or https:// too, got only {found['streams']!r}")
    rest = found.get("rest", "")
    return rest, found.get("streams", "") or _streams_of(rest)


def _address(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # no port, no IPv6 address
        parts, host = urlsplit(""), None
    kind = {"http": "rest", "https": "rest", "ws": "streams", "wss": "streams"}.get(parts.scheme)
    if kind is None or not host or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise OptionError(f"--url must be http://HOST, https://HOST, ws://HOST or wss://HOST, got {url!r}")
    return kind, url.rstrip("/")


def _streams_of(rest: str) -> str:
    """Return where an exchange has its websockets that has its REST interface at *rest*."""
    if not rest:
        return ""
    parts = urlsplit(rest)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{_STREAMS.get(parts.hostname or '', parts.netloc)}"


def _file(name: str, text: str) -> Path:
    path = Path(text)
    if not text or path.is_dir():
        raise OptionError(f"{name} must be a file, got {text!r}" + (", which is a folder" if text else ""))
    if not path.parent.is_dir():
        raise OptionError(f"{name} must be in a folder that exists, got {text!r}")
    return path


def _folder(name: str, text: str) -> Path:
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise OptionError(f"{name} must be a folder, got {text!r}" + (", which is a file" if text else ""))
    if not path.parent.is_dir():
        raise OptionError(f"{name} must be in a folder that exists, got {text!r}")
    return path
