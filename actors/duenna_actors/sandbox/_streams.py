"""Stream names, and the part of the exchange that each belongs to."""

import re
from collections.abc import Mapping
from typing import Literal

import attrs

from duenna_actors.sandbox._params import INTERVALS
from duenna_actors.sandbox._symbols import Symbol

Section = Literal["public", "market", "private"]
"""The three parts that the base address is split into."""

Kind = Literal["aggTrade", "bookTicker", "depth", "markPrice", "kline", "forceOrder"]

_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]{1,20})@(?:"
    r"(?P<plain>aggTrade|bookTicker|forceOrder)"
    r"|depth(?:@(?P<speed>100|250|500)ms)?"
    r"|markPrice(?:@(?P<mark>1|3)s)?"
    r"|kline_(?P<interval>[0-9]{1,2}[mhdw]))"
)
_ALL_LIQUIDATIONS = "!forceOrder@arr"
_SECTIONS: dict[Kind, Section] = {
    "aggTrade": "market",
    "bookTicker": "public",
    "depth": "public",
    "markPrice": "market",
    "kline": "market",
    "forceOrder": "market",
}


@attrs.frozen
class Stream:
    """A market data stream.

    Attributes:
        name: As the client writes it.
        kind: What it carries.
        symbol: The contract's name, such as `BTCUSDT`; empty for a stream of all contracts.
        period: Time between two events, in seconds; 0 for one per tick.
        interval: The kline's interval, or empty.
    """

    name: str
    kind: Kind
    symbol: str
    period: float = 0.0
    interval: str = ""

    @property
    def section(self) -> Section:
        """The part of the exchange that serves it."""
        return _SECTIONS[self.kind]


def parse_stream(name: str, symbols: Mapping[str, Symbol]) -> Stream | None:
    """Return the stream of that name, or `None` if there is no such stream or contract."""
    if name == _ALL_LIQUIDATIONS:
        return Stream(name, "forceOrder", "")
    match = _NAME.fullmatch(name)
    if match is None or match["symbol"].upper() not in symbols:
        return None
    symbol = match["symbol"].upper()
    if match["interval"]:
        return Stream(name, "kline", symbol, 0.25, match["interval"]) if match["interval"] in INTERVALS else None
    if match["plain"]:
        return Stream(name, _PLAIN[match["plain"]], symbol)
    if "@depth" in name:
        return Stream(name, "depth", symbol, int(match["speed"] or 250) / 1_000)
    return Stream(name, "markPrice", symbol, float(match["mark"] or 3))


_PLAIN: dict[str, Kind] = {"aggTrade": "aggTrade", "bookTicker": "bookTicker", "forceOrder": "forceOrder"}
