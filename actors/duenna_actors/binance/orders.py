"""An order: as it is asked for, as the exchange knows it, and its id."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from math import inf, isnan
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from duenna_actors._http import ApiRequest
from duenna_actors.binance.calls import Message
from duenna_actors.binance.spelling import parse_symbol

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

Amount = Decimal | int | str | float
"""A price or a quantity as a bot has it. Of a `float` its shortest decimal is taken: 0.1 is 0.1."""

ORDER_PATH = "/fapi/v1/order"
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_SIDES = ("BUY", "SELL")
_TYPES = ("LIMIT", "MARKET")
_TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX")
_POSITION_SIDES = ("BOTH", "LONG", "SHORT")
_OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHANCE = 12


def make_client_order_id(rng: Random, time: float, prefix: str = "duenna") -> str:
    """Return an id for an order: the time, and 62 bits of chance.

    Two runs of a bot from one seed do not make the same one, for it is not the same time.

    Args:
        rng: Where the chance is from.
        time: The time of day, in seconds since 1970.
        prefix: What it begins with, 15 characters at most.
    """
    chance = "".join(rng.choices(_DIGITS, k=_CHANCE))
    return f"{prefix}-{_base36(int(time * 1_000))}-{chance}"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order, as the exchange knows it.

    Attributes:
        symbol: The contract.
        order_id: The exchange's number.
        client_order_id: The id that its sender gave it.
        status: `NEW`, `PARTIALLY_FILLED`, `FILLED`, `CANCELED`, `EXPIRED`...
        side: `BUY` or `SELL`.
        type: `LIMIT`, `MARKET`...
        quantity: What was ordered, in the base asset.
        filled: What has been bought or sold of it.
        price: The limit; 0 for a market order.
        average_price: What was paid on average; 0 if nothing is filled.
        quote_filled: What the filled part cost or brought, in the quote asset.
        time_in_force: `GTC`, `IOC`, `FOK`, `GTX`...
        reduce_only: Whether it only ever makes the position smaller.
        position_side: `BOTH`, or the side in hedge mode.
        updated_ms: When it last changed, in milliseconds since 1970.
    """

    symbol: str
    order_id: int = msgspec.field(name="orderId")
    client_order_id: str = msgspec.field(name="clientOrderId")
    status: str
    side: Literal["BUY", "SELL"]
    type: str
    quantity: Decimal = msgspec.field(name="origQty")
    filled: Decimal = msgspec.field(name="executedQty")
    price: Decimal = Decimal(0)
    average_price: Decimal = msgspec.field(name="avgPrice", default=Decimal(0))
    quote_filled: Decimal = msgspec.field(name="cumQuote", default=Decimal(0))
    time_in_force: str = msgspec.field(name="timeInForce", default="GTC")
    reduce_only: bool = msgspec.field(name="reduceOnly", default=False)
    position_side: str = msgspec.field(name="positionSide", default="BOTH")
    updated_ms: int = msgspec.field(name="updateTime", default=0)

    def __post_init__(self) -> None:
        """Refuse an order that contradicts itself."""
        numbers = (self.quantity, self.filled, self.price, self.average_price, self.quote_filled)
        if not all(number.is_finite() and number >= 0 for number in numbers) or self.filled > self.quantity:
            shown = ", ".join(str(number) for number in numbers)
            message = f"quantity, filled, price, average price and quote filled cannot be {shown}"
            raise ValueError(message)

    @property
    def is_open(self) -> bool:
        """Whether more of it can still be filled."""
        return self.status in _OPEN

    @property
    def remaining(self) -> Decimal:
        """What is not filled, in the base asset."""
        return self.quantity - self.filled


class PlaceOrder(Message[Order], frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """Place an order; answered with the `Order` as the exchange knows it.

    Attributes:
        symbol: In any spelling of `parse_symbol`.
        side: `BUY` or `SELL`, in any case.
        quantity: In the base asset, greater than 0. Also an `int`, a `str` or a `float`.
        price: The limit; None is a market order. The same.
        type: `LIMIT` or `MARKET`; None: as the price says.
        time_in_force: `GTC`, `IOC`, `FOK` or `GTX`, for limit orders; None is `GTC`.
        reduce_only: Whether it may only make the position smaller.
        position_side: `LONG` or `SHORT` in hedge mode.
        client_order_id: At most 36 letters, digits and `.:/_-`, never used before; empty to
            have one made. Make one yourself and save it first, if the bot must find the order
            again after a crash.
        send_within: Seconds after which it is not sent any more, nor again: from when it was
            asked for through `Binance`, else from when the client takes it in.
        may_exist: Whether it may have been sent before, by a process that has ended: it is
            looked for before it is sent, and the seconds that this takes do not count.
        send_until: The same by the runtime's clock: `Binance` sets it.
    """

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None = None
    type: str | None = None
    time_in_force: str | None = None
    reduce_only: bool = False
    position_side: str | None = None
    client_order_id: str = ""
    send_within: float = 10.0
    may_exist: bool = False
    send_until: float = inf

    def __post_init__(self) -> None:
        """Bring it into the exchange's spelling, and refuse what makes no sense."""
        put = msgspec.structs.force_setattr
        put(self, "symbol", parse_symbol(self.symbol))
        put(self, "side", _one_of("side", self.side, _SIDES))
        put(self, "quantity", to_decimal("quantity", self.quantity))
        if self.price is not None:
            put(self, "price", to_decimal("price", self.price))
        kind = ("MARKET" if self.price is None else "LIMIT") if self.type is None else self.type
        put(self, "type", _one_of("type", kind, _TYPES))
        if (self.type == "LIMIT") != (self.price is not None):
            message = f"a LIMIT order has a price and a MARKET order has none, got type {kind!r}, price {self.price}"
            raise ValueError(message)
        if self.type == "LIMIT":
            put(self, "time_in_force", _one_of("time_in_force", self.time_in_force or "GTC", _TIMES_IN_FORCE))
        elif self.time_in_force is not None:
            message = f"a MARKET order has no time_in_force, got {self.time_in_force!r}"
            raise ValueError(message)
        if self.position_side is not None:
            put(self, "position_side", _one_of("position_side", self.position_side, _POSITION_SIDES))
        if self.client_order_id and not CLIENT_ID.fullmatch(self.client_order_id):
            message = f"client_order_id must match ^{CLIENT_ID.pattern}$, got {self.client_order_id!r}"
            raise ValueError(message)
        if not self.send_within > 0:
            message = f"send_within must be > 0 seconds, got {self.send_within!r}"
            raise ValueError(message)
        if isnan(self.send_until):
            message = f"send_until must be a time of the runtime's clock, got {self.send_until!r}"
            raise ValueError(message)

    def request(self) -> ApiRequest:
        """Return what is sent."""
        params: dict[str, Any] = {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "quantity": format(self.quantity, "f"),
            "price": None if self.price is None else format(self.price, "f"),
            "timeInForce": self.time_in_force,
            "reduceOnly": "true" if self.reduce_only else None,
            "positionSide": self.position_side,
            "newClientOrderId": self.client_order_id,
            "newOrderRespType": "RESULT",
        }
        given = {name: value for name, value in params.items() if value is not None}
        return ApiRequest(method="POST", path=ORDER_PATH, params=given, type=Order, is_strict=False, is_signed=True)

    def is_same(self, order: Order) -> bool:
        """Return whether *order* is what became of this one."""
        return (
            order.client_order_id == self.client_order_id
            and (order.symbol, order.side, order.type) == (self.symbol, self.side, self.type)
            and order.quantity == self.quantity
            and (self.price is None or order.price == self.price)
        )


class MakeOrderId(Message[str], frozen=True, tag=True):
    """Ask for a client order id that was never used; answered at once, whether the exchange is there or not."""


class OrderFound(msgspec.Struct, frozen=True, tag=True):
    """What became of an order is known, and its sender does not wait for it any more; published.

    Attributes:
        client_order_id: Its id.
        order: As the exchange knows it; None if it was not placed and never will be.
    """

    client_order_id: str
    order: Order | None


def to_decimal(what: str, given: Amount) -> Decimal:
    """Return a price or a quantity exactly.

    Raises:
        ValueError: It is no number greater than 0.
    """
    try:
        number = Decimal(float.__repr__(given) if isinstance(given, float) else given)
    except (InvalidOperation, TypeError, ValueError):
        number = Decimal(0)
    if isinstance(given, bool) or not number.is_finite() or number <= 0:
        message = f"{what} must be a number > 0, got {given!r}"
        raise ValueError(message)
    return number


def _one_of(what: str, given: str, allowed: Collection[str]) -> str:
    name = given.upper() if isinstance(given, str) else ""
    if name not in allowed:
        message = f"{what} must be one of {', '.join(allowed)}, got {given!r}"
        raise ValueError(message)
    return name


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
