"""Binance USD-M futures: the market streams' messages, and how they are asked for.

Shapes: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
Numbers come as strings and are decoded to `float`; times are milliseconds since 1970.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from duenna_actors.feed_protocol import Acknowledged, Data, Incoming, Refused, ShuttingDown, Unknown

Price = Annotated[float, msgspec.Meta(gt=0, lt=1e15)]
Quantity = Annotated[float, msgspec.Meta(ge=0, lt=1e15)]
Levels = list[tuple[Price, Quantity]]
"""One side of a book, or what has changed of it: ``(price, quantity)``.

A decimal number of at most 15 digits, which is what the exchange sends, becomes one `float` and
no other does, and `Decimal(repr(price))` gives it back: equal prices are equal, nothing is
rounded, and the decoder needs a third of the time that it takes for `Decimal`.
"""


class StreamEvent(msgspec.Struct, frozen=True, gc=False, tag_field="e"):
    """Base of all stream events.

    Attributes:
        event_time_ms: When the exchange sent it.
    """

    event_time_ms: int = msgspec.field(name="E", default=0)


class AggTrade(StreamEvent, frozen=True, gc=False, kw_only=True, tag="aggTrade"):
    """Trades at one price that one order took, added up."""

    symbol: str = msgspec.field(name="s")
    id: int = msgspec.field(name="a")
    price: float = msgspec.field(name="p")
    quantity: float = msgspec.field(name="q")
    trade_time_ms: int = msgspec.field(name="T")
    is_buyer_maker: bool = msgspec.field(name="m")


class BookTicker(StreamEvent, frozen=True, gc=False, kw_only=True, tag="bookTicker"):
    """Best bid and best ask."""

    symbol: str = msgspec.field(name="s")
    update_id: int = msgspec.field(name="u")
    bid: float = msgspec.field(name="b")
    bid_quantity: float = msgspec.field(name="B")
    ask: float = msgspec.field(name="a")
    ask_quantity: float = msgspec.field(name="A")


class DepthUpdate(StreamEvent, frozen=True, gc=False, kw_only=True, tag="depthUpdate"):
    """Changed levels of the order book: ``(price, quantity)``, a quantity of 0 removes the level.

    The next update's ``previous_id`` is this one's ``last_id``, or there is a gap and the
    book must be fetched anew.

    Attributes:
        symbol: The contract.
        first_id: The number of the first change in it.
        last_id: The number of the last change in it.
        previous_id: The ``last_id`` of the update before it.
        bids: Changed bids.
        asks: Changed asks.
        transaction_time_ms: When the last change was made.
    """

    symbol: str = msgspec.field(name="s")
    first_id: int = msgspec.field(name="U")
    last_id: int = msgspec.field(name="u")
    previous_id: int = msgspec.field(name="pu")
    bids: Levels = msgspec.field(name="b")
    asks: Levels = msgspec.field(name="a")
    transaction_time_ms: int = msgspec.field(name="T", default=0)


class LiquidationOrder(msgspec.Struct, frozen=True, gc=False):
    """The order of a liquidation."""

    symbol: str = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    quantity: float = msgspec.field(name="q")
    price: float = msgspec.field(name="p")
    average_price: float = msgspec.field(name="ap")
    status: str = msgspec.field(name="X")
    trade_time_ms: int = msgspec.field(name="T")


class ForceOrder(StreamEvent, frozen=True, gc=False, kw_only=True, tag="forceOrder"):
    """A liquidation."""

    order: LiquidationOrder = msgspec.field(name="o")


class MarkPrice(StreamEvent, frozen=True, gc=False, kw_only=True, tag="markPriceUpdate"):
    """Mark price and funding rate."""

    symbol: str = msgspec.field(name="s")
    mark_price: float = msgspec.field(name="p")
    index_price: float = msgspec.field(name="i")
    funding_rate: float = msgspec.field(name="r")
    next_funding_ms: int = msgspec.field(name="T")


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One candle; ``is_closed`` when it will not change any more."""

    open_time_ms: int = msgspec.field(name="t")
    interval: str = msgspec.field(name="i")
    open: float = msgspec.field(name="o")
    high: float = msgspec.field(name="h")
    low: float = msgspec.field(name="l")
    close: float = msgspec.field(name="c")
    volume: float = msgspec.field(name="v")
    is_closed: bool = msgspec.field(name="x")


class Kline(StreamEvent, frozen=True, gc=False, kw_only=True, tag="kline"):
    """The present candle of one interval."""

    symbol: str = msgspec.field(name="s")
    candle: Candle = msgspec.field(name="k")


class ShutdownNotice(StreamEvent, frozen=True, gc=False, tag="serverShutdown"):
    """The server is about to close the websocket."""


StreamEvents = AggTrade | BookTicker | DepthUpdate | ForceOrder | MarkPrice | Kline | ShutdownNotice


class _Error(msgspec.Struct):
    code: int | str | None = None
    msg: str = ""


class _Frame(msgspec.Struct):
    stream: str | None = None
    data: StreamEvents | None = None
    id: int | None = None
    error: _Error | None = None
    code: int | str | None = None
    msg: str = ""
    e: str | None = None


class _Outline(msgspec.Struct):
    stream: str | None = None
    data: dict[str, Any] | None = None
    e: str | None = None


class BinanceStreams:
    """The protocol of `WebSocketFeed` for Binance's market streams; keys are stream names, `btcusdt@aggTrade`.

    Understands combined frames (``{"stream": ..., "data": ...}``), for which one pass of the
    decoder is enough, and raw ones.
    """

    def __init__(self) -> None:
        self._frame = msgspec.json.Decoder(_Frame, strict=False)  # not strict: numbers are sent as strings
        self._event = msgspec.json.Decoder(StreamEvents, strict=False)
        self._outline = msgspec.json.Decoder(_Outline)

    def subscribe(self, keys: Sequence[str], request: int) -> str:
        """Return the frame that asks for *keys*."""
        return _request("SUBSCRIBE", keys, request)

    def unsubscribe(self, keys: Sequence[str], request: int) -> str:
        """Return the frame that takes *keys* back."""
        return _request("UNSUBSCRIBE", keys, request)

    def decode(self, frame: str | bytes) -> Sequence[Incoming]:
        """Return what *frame* says.

        Raises:
            ValueError: It is not what Binance sends.
        """
        try:
            found = self._frame.decode(frame)
        except msgspec.ValidationError:
            return (self._unknown(frame),)
        if found.data is not None:
            if isinstance(found.data, ShutdownNotice):
                return (ShuttingDown(),)
            return (_data(found.stream or _stream_of(found.data), found.data),)
        if found.e is not None:
            return (self._raw(frame),)
        if found.error is not None or found.code is not None:
            error = found.error or _Error(found.code, found.msg)
            return (Refused(found.id, error.code, error.msg),)
        if found.id is not None:
            return (Acknowledged(found.id),)
        raise ValueError("neither an event nor an answer to a request")

    def _raw(self, frame: str | bytes) -> Incoming:
        try:
            event = self._event.decode(frame)
        except msgspec.ValidationError:
            return self._unknown(frame)
        return ShuttingDown() if isinstance(event, ShutdownNotice) else _data(_stream_of(event), event)

    def _unknown(self, frame: str | bytes) -> Unknown:
        """Say which event type is new; raise if it is a known one that does not fit its shape."""
        outline = self._outline.decode(frame)
        kind = outline.e if outline.data is None else outline.data.get("e")
        if kind is None or kind in _KNOWN:
            self._event.decode(frame) if outline.data is None else msgspec.convert(
                outline.data, StreamEvents, strict=False
            )
            raise ValueError("neither an event nor an answer to a request")
        return Unknown(str(kind))


_KNOWN = frozenset(
    {"aggTrade", "bookTicker", "depthUpdate", "forceOrder", "markPriceUpdate", "kline", "serverShutdown"}
)


def _request(method: str, keys: Sequence[str], request: int) -> str:
    return msgspec.json.encode({"method": method, "params": list(keys), "id": request}).decode()


def _data(key: str, event: StreamEvents) -> Data:
    return Data(key, event, event.event_time_ms / 1000 or None, _order(event))


def _order(event: StreamEvents) -> int:
    match event:
        case AggTrade():
            return event.id
        case BookTicker():
            return event.update_id
        case DepthUpdate():
            return event.last_id
        case _:
            return event.event_time_ms


def _stream_of(event: StreamEvents) -> str:  # noqa: PLR0911  # one for each kind of event
    match event:
        case AggTrade():
            return f"{event.symbol.lower()}@aggTrade"
        case BookTicker():
            return f"{event.symbol.lower()}@bookTicker"
        case DepthUpdate():
            return f"{event.symbol.lower()}@depth"
        case ForceOrder():
            return f"{event.order.symbol.lower()}@forceOrder"
        case MarkPrice():
            return f"{event.symbol.lower()}@markPrice"
        case Kline():
            return f"{event.symbol.lower()}@kline_{event.candle.interval}"
        case ShutdownNotice():
            return "!serverShutdown"
