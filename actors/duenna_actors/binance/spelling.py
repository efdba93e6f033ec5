"""The field's spellings of contracts, intervals and times, and Binance's one of each."""

import re
from collections.abc import Sequence
from datetime import datetime

_PAIR = re.compile(
    r"(?P<base>[^\W_]+)[/_-](?P<quote>[A-Z][A-Z0-9]{2,9})(?::(?P<settle>[A-Z0-9]+)(?:-(?P<expiry>\d{6}))?)?"
)
_JOINED = re.compile(r"[^\W_]{5,30}(?:_\d{6})?")
_PERPETUAL = re.compile(r"(?:-PERP|-SWAP|\.P)$")
_INTERVAL = re.compile(r"(?P<number>\d{1,6}) ?(?P<unit>[A-Za-z]{1,7})")

_LENGTHS = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
}
_MONTH = "1M"
_WEEK_OFFSET = 345_600  # a week opens on Monday; 1970-01-01 was a Thursday
_NAMES = {seconds: name for name, seconds in _LENGTHS.items()}
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "t"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 604_800),
}
_MONTHS = frozenset({"M", "mo", "mon", "month"})
_EARLIEST_MS = 10**11
"""In 1973. A smaller number is one of seconds."""

KLINE_INTERVALS = (*_LENGTHS, _MONTH)
"""What candles there are."""

PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
"""What the statistics under ``/futures/data`` are taken over."""


def parse_symbol(text: str) -> str:
    """Return Binance's name of a USD-M contract: `SOLUSDT`, with its expiry `SOLUSDT_260925`.

    Args:
        text: `SOL/USDT`, `SOL/USDT:USDT`, `SOL/USDT:USDT-260925`, `SOL-USDT`, `sol_usdt`, `SOLUSDT`,
            each with `-PERP` or `.P` behind it or not. Case means nothing.

    Raises:
        ValueError: It is none of these, or settles in another asset than its quote.
    """
    if isinstance(text, str):
        name = _PERPETUAL.sub("", text.strip().upper())
        pair = _PAIR.fullmatch(name)
        if pair is not None and pair["settle"] in {None, pair["quote"]}:
            return pair["base"] + pair["quote"] + (f"_{pair['expiry']}" if pair["expiry"] else "")
        if _JOINED.fullmatch(name):
            return name
    message = (
        "symbol must be a contract of USD-M futures, such as 'SOL/USDT', 'SOL/USDT:USDT', 'SOL-USDT' or 'SOLUSDT', "
        f"got {text!r}"
    )
    raise ValueError(message)


def parse_interval(text: str, allowed: Sequence[str] = KLINE_INTERVALS, what: str = "interval") -> str:
    """Return Binance's spelling of an interval: `5m` for `5min`, `1h` for `60m`, `1M` for `1 month`.

    `m` is minutes and `M` is months; apart from that, case means nothing.

    Args:
        text: A number and a unit: seconds to months.
        allowed: What there is, in Binance's spelling.
        what: What to call it in the error.

    Raises:
        ValueError: It is none of *allowed*, however it is spelt.
    """
    found = _INTERVAL.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is not None:
        number, unit = int(found["number"]), found["unit"]
        if unit in _MONTHS or unit.lower() in _MONTHS:
            name = _MONTH if number == 1 else ""
        else:
            name = _NAMES.get(number * _UNITS.get(unit.lower(), 0), "")
        if name in allowed:
            return name
    message = f"{what} must be one of {', '.join(allowed)}, or another spelling of one such as '60min', got {text!r}"
    raise ValueError(message)


def interval_ms(name: str) -> int | None:
    """Return the length of an interval in Binance's spelling, in milliseconds; None for `1M`."""
    return None if name == _MONTH else _LENGTHS[name] * 1_000


def opening_ms(name: str, at_ms: int) -> int | None:
    """Return when the interval that *at_ms* falls into began, both in milliseconds since 1970; None for `1M`."""
    length = interval_ms(name)
    if length is None:
        return None
    offset = _WEEK_OFFSET * 1_000 if name == "1w" else 0
    return (at_ms - offset) // length * length + offset


def parse_time(what: str, given: datetime | int | None) -> int | None:
    """Return a time in milliseconds since 1970.

    Args:
        what: What to call it in the error.
        given: Such milliseconds, or a `datetime` with a timezone; None is no time.

    Raises:
        ValueError: It is neither, or a number so small that it must be one of seconds.
    """
    if given is None:
        return None
    if isinstance(given, datetime) and given.tzinfo is not None:
        return round(given.timestamp() * 1_000)
    if isinstance(given, int) and not isinstance(given, bool) and given >= _EARLIEST_MS:
        return given
    message = f"{what} must be milliseconds since 1970 or a datetime with a timezone, got {given!r}"
    raise ValueError(message)
