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
    """

    seconds: float
    seed: int
    has_faults: bool
    rest: str
    streams: str
    symbols: tuple[str, ...]
    database: Path | None
    is_quiet: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; what they hold is checked by `read_options`, which can say more in one line."""
    add = parser.add_argument
    add("--seconds", default="60", metavar="N", help="how long to run (default: %(default)s)")
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
    add("--quiet", action="store_true", help="print only the table at the end")


def read_options(given: argparse.Namespace) -> Options:
    """Return the options of the command line.

    Raises:
        OptionError: One makes no sense.
    """
    rest, streams = _addresses(given.url or [])
    return Options(
        seconds=_seconds(given.seconds),
        seed=_seed(given.seed),
        has_faults=not given.no_faults and not rest,
        rest=rest,
        streams=streams,
        symbols=_symbols(given.symbols),
        database=None if given.database is None else _database(given.database),
        is_quiet=given.quiet,
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (isfinite(seconds) and 0.0 < seconds <= LONGEST):
        raise OptionError(f"--seconds must be a number > 0 and <= {LONGEST:.0f}, got {text!r}")
    return seconds


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


def _database(text: str) -> Path:
    path = Path(text)
    if not text or path.is_dir():
        raise OptionError(f"--database must be a file, got {text!r}" + (", which is a folder" if text else ""))
    if not path.parent.is_dir():
        raise OptionError(f"--database must be in a folder that exists, got {text!r}")
    return path
