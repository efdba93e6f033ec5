"""What the private stream says: orders, balances, positions, and how the stream itself does.

Shapes: https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams
Amounts are `Decimal`, for they are somebody's money; times are milliseconds since 1970.
"""

from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from duenna.events import Event
from duenna_actors.binance_streams import StreamEvent

_NOTHING = Decimal(0)


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """An order after something has happened to it.

    Attributes:
        symbol: The contract.
        client_order_id: The id that its sender gave it; `autoclose-...` is a liquidation, `adl_autoclose` an ADL.
        order_id: The exchange's own id.
        side: `BUY` or `SELL`.
        type: `LIMIT`, `MARKET`...
        time_in_force: `GTC`, `IOC`, `FOK`, `GTX`...
        quantity: What was asked for.
        price: The limit; 0 for a market order.
        average_price: Of the filled part.
        stop_price: 0 if it has none.
        execution: What happened: `NEW`, `TRADE`, `CANCELED`, `EXPIRED`, `AMENDMENT`, `CALCULATED`.
        status: Where it stands: `NEW`, `PARTIALLY_FILLED`, `FILLED`, `CANCELED`, `EXPIRED`...
        last_quantity: What was filled just now.
        last_price: At which price.
        filled_quantity: What is filled in all.
        fee: Of the fill.
        fee_asset: What it is paid in; None without a fill.
        trade_id: Of the fill; 0 without one.
        trade_time_ms: When it happened.
        is_maker: Whether the fill was that of a maker.
        is_reduce_only: Whether it only ever makes the position smaller.
        position_side: `BOTH`, `LONG` or `SHORT`.
        realized_profit: Of the fill.
    """

    symbol: str = msgspec.field(name="s")
    client_order_id: str = msgspec.field(name="c")
    order_id: int = msgspec.field(name="i")
    side: str = msgspec.field(name="S")
    type: str = msgspec.field(name="o")
    time_in_force: str = msgspec.field(name="f", default="GTC")
    quantity: Decimal = msgspec.field(name="q")
    price: Decimal = msgspec.field(name="p", default=_NOTHING)
    average_price: Decimal = msgspec.field(name="ap", default=_NOTHING)
    stop_price: Decimal = msgspec.field(name="sp", default=_NOTHING)
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    last_quantity: Decimal = msgspec.field(name="l", default=_NOTHING)
    last_price: Decimal = msgspec.field(name="L", default=_NOTHING)
    filled_quantity: Decimal = msgspec.field(name="z", default=_NOTHING)
    fee: Decimal = msgspec.field(name="n", default=_NOTHING)
    fee_asset: str | None = msgspec.field(name="N", default=None)
    trade_id: int = msgspec.field(name="t", default=0)
    trade_time_ms: int = msgspec.field(name="T", default=0)
    is_maker: bool = msgspec.field(name="m", default=False)
    is_reduce_only: bool = msgspec.field(name="R", default=False)
    position_side: str = msgspec.field(name="ps", default="BOTH")
    realized_profit: Decimal = msgspec.field(name="rp", default=_NOTHING)


class OrderTradeUpdate(StreamEvent, frozen=True, kw_only=True, tag="ORDER_TRADE_UPDATE"):
    """Something has happened to an order."""

    transaction_time_ms: int = msgspec.field(name="T", default=0)
    order: OrderReport = msgspec.field(name="o")


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds of one asset.

    Attributes:
        asset: Which.
        wallet: The balance.
        cross_wallet: The part of it that is not bound to an isolated position.
        change: What came or went, profits and fees left out.
    """

    asset: str = msgspec.field(name="a")
    wallet: Decimal = msgspec.field(name="wb")
    cross_wallet: Decimal = msgspec.field(name="cw")
    change: Decimal = msgspec.field(name="bc", default=_NOTHING)


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    """A position.

    Attributes:
        symbol: The contract.
        quantity: Negative when short.
        entry_price: What it cost on average.
        break_even_price: The same with fees.
        realized_profit: All of it so far, fees left out.
        unrealized_profit: At the mark price.
        margin_type: `cross` or `isolated`.
        isolated_wallet: Of an isolated position.
        position_side: `BOTH`, `LONG` or `SHORT`.
    """

    symbol: str = msgspec.field(name="s")
    quantity: Decimal = msgspec.field(name="pa")
    entry_price: Decimal = msgspec.field(name="ep", default=_NOTHING)
    break_even_price: Decimal = msgspec.field(name="bep", default=_NOTHING)
    realized_profit: Decimal = msgspec.field(name="cr", default=_NOTHING)
    unrealized_profit: Decimal = msgspec.field(name="up", default=_NOTHING)
    margin_type: str = msgspec.field(name="mt", default="")
    isolated_wallet: Decimal = msgspec.field(name="iw", default=_NOTHING)
    position_side: str = msgspec.field(name="ps", default="BOTH")


class AccountReport(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed of an account, and why.

    Attributes:
        reason: `ORDER`, `FUNDING_FEE`, `DEPOSIT`...
        balances: Those that changed.
        positions: Those that changed.
    """

    reason: str = msgspec.field(name="m")
    balances: tuple[BalanceReport, ...] = msgspec.field(name="B", default=())
    positions: tuple[PositionReport, ...] = msgspec.field(name="P", default=())


class AccountUpdate(StreamEvent, frozen=True, kw_only=True, tag="ACCOUNT_UPDATE"):
    """Balances or positions have changed."""

    transaction_time_ms: int = msgspec.field(name="T", default=0)
    account: AccountReport = msgspec.field(name="a")


class ListenKeyExpired(StreamEvent, frozen=True, kw_only=True, tag="listenKeyExpired"):
    """The listen key is dead, and nothing more will come on this websocket."""

    listen_key: str = msgspec.field(name="listenKey", default="")


class OtherUserEvent(msgspec.Struct, frozen=True, tag=True):
    """An event of the private stream that has no type of its own here, such as `MARGIN_CALL`.

    Attributes:
        kind: Its name.
        event_time_ms: When the exchange sent it; 0 if it does not say.
        payload: It, as JSON.
    """

    kind: str
    event_time_ms: int
    payload: bytes

    @property
    def data(self) -> dict[str, Any]:
        """The fields of the event."""
        return msgspec.json.decode(self.payload, type=dict[str, Any])


class UserStreamRestored(msgspec.Struct, frozen=True, tag=True):
    """The private stream delivers from now on, and what happened before may be unknown; published.

    Ask the REST interface for open orders, positions and balances, and for the trades since then. It
    comes after every connect, the first included, and before the first event of the new websocket; and
    after events that could not be read, or that the consumer did not take.

    Attributes:
        since_ms: When all was still well, in milliseconds since 1970, a few seconds early to be
            sure; None at the first connect: everything before is unknown.
        why: What had happened, in words.
    """

    since_ms: int | None
    why: str


class UserStreamLost(msgspec.Struct, frozen=True, tag=True):
    """The private stream delivers nothing, until the next `UserStreamRestored`; published.

    Poll orders meanwhile, and open no positions.

    Attributes:
        why: What happened, in words.
    """

    why: str


class ListenKeyRenewed(Event, frozen=True):
    """The listen key was kept alive."""

    level: ClassVar[str] = "DEBUG"

    def text(self) -> str:
        """Return the log line."""
        return "listen key kept alive"


class ListenKeyLost(Event, frozen=True):
    """The listen key is dead; a new one is asked for.

    Attributes:
        why: How that is known, in words.
    """

    level: ClassVar[str] = "WARNING"
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"listen key lost: {self.why}"
