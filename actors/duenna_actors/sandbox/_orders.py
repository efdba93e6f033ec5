"""Orders and what happens to them."""

from typing import Literal

import attrs

Side = Literal["BUY", "SELL"]
OrderType = Literal["LIMIT", "MARKET"]
TimeInForce = Literal["GTC", "IOC", "FOK", "GTX"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]
ExecutionType = Literal["NEW", "TRADE", "CANCELED", "EXPIRED"]


@attrs.frozen
class OrderRequest:
    """An order as it is asked for, checked as far as it can be without an account.

    Attributes:
        symbol: The contract's name.
        side: Which way.
        type: Limit or market.
        quantity: In quantity units, greater than 0.
        price: The limit in price units; 0 for a market order.
        time_in_force: `GTC` for a market order.
        client_id: The idempotency key; empty to have one made.
        reduce_only: Only ever makes the position smaller.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: int
    price: int = 0
    time_in_force: TimeInForce = "GTC"
    client_id: str = ""
    reduce_only: bool = False


@attrs.define
class Order:
    """An order on the exchange.

    Attributes:
        number: The exchange's own id.
        request: What was asked for.
        client_id: The client's id, made by the exchange if the client sent none.
        created_ms: When it came in, in unix milliseconds.
        updated_ms: When it last changed.
        filled: In quantity units.
        notional: What the filled part cost or brought, in 1e-8.
        status: Where it stands.
    """

    number: int
    request: OrderRequest
    client_id: str
    created_ms: int
    updated_ms: int
    filled: int = 0
    notional: int = 0
    status: Status = "NEW"

    @property
    def remaining(self) -> int:
        """What is not filled, in quantity units."""
        return self.request.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled."""
        return self.status in ("NEW", "PARTIALLY_FILLED")


@attrs.frozen
class Fill:
    """One trade of an order, its price in price units, its amounts in 1e-8 of the quote asset."""

    number: int
    price: int
    quantity: int
    fee: int
    realized: int
    is_maker: bool


@attrs.frozen
class OrderChanged:
    """Something happened to an order.

    Attributes:
        order: A copy, as the order stood then.
        execution: What happened.
        fill: The trade, if there was one.
        wallet: The balance after it, in 1e-8.
        position_quantity: The position after it, in quantity units.
        position_cost: Its cost, in 1e-8.
    """

    order: Order
    execution: ExecutionType
    fill: Fill | None
    wallet: int
    position_quantity: int
    position_cost: int
