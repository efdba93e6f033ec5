"""What is asked and done about orders that were placed, and about the account, as messages."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from duenna_actors.balance import Balance
from duenna_actors.binance.calls import Call, History
from duenna_actors.binance.market import get
from duenna_actors.binance.orders import ORDER_PATH, Order
from duenna_actors.binance.spelling import parse_symbol
from duenna_actors.binance.weights import Gate

if TYPE_CHECKING:
    from duenna_actors._http import ApiRequest

R = TypeVar("R")

_WEEK_MS = 7 * 86_400_000


class OrderCall(Call[R], Generic[R], frozen=True, kw_only=True):
    """A request about one order, named by either of its ids.

    Attributes:
        symbol: In any spelling of `parse_symbol`.
        client_order_id: The id that its sender gave it.
        order_id: The exchange's number.
    """

    symbol: str
    client_order_id: str | None = None
    order_id: int | None = None

    def params(self) -> dict[str, Any]:
        """Return the parameters that say which order.

        Raises:
            ValueError: None, or both, of the ids are given.
        """
        if (self.client_order_id is None) == (self.order_id is None):
            message = f"either client_order_id or order_id is needed, got {self.client_order_id!r}, {self.order_id!r}"
            raise ValueError(message)
        ids = {"origClientOrderId": self.client_order_id, "orderId": self.order_id}
        return {"symbol": parse_symbol(self.symbol), **ids}

    def check(self, order: Order) -> Order:
        """Return *order*, or refuse another one than was asked for."""
        if order.symbol != parse_symbol(self.symbol) or (
            order.client_order_id != self.client_order_id if self.order_id is None else order.order_id != self.order_id
        ):
            message = f"order {order.order_id} ({order.client_order_id}) of {order.symbol} is not the one asked for"
            raise ValueError(message)
        return order


class QueryOrder(OrderCall[Order], frozen=True, kw_only=True, tag=True):
    """Ask how an order stands; answered with the `Order`."""

    guard: ClassVar[str] = "account"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return get(ORDER_PATH, Order, self.params(), is_signed=True)

    def read(self, data: Any, asked_ms: int) -> Order:
        """Return the order."""
        del asked_ms
        return self.check(data)


class CancelOrder(OrderCall[Order], frozen=True, kw_only=True, tag=True):
    """Cancel an order; answered with the `Order` as it ended: it may have been filled before."""

    guard: ClassVar[str] = "cancels"
    gate: ClassVar[Gate] = Gate.URGENT

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return msgspec.structs.replace(get(ORDER_PATH, Order, self.params(), is_signed=True), method="DELETE")

    def read(self, data: Any, asked_ms: int) -> Order:
        """Return the order."""
        del asked_ms
        return self.check(data)


class _Code(msgspec.Struct):
    code: int


class CancelAllOrders(Call[None], frozen=True, tag=True):
    """Cancel all open orders of *symbol*, those included that are on their way; answered with None when they are."""

    guard: ClassVar[str] = "cancels"
    gate: ClassVar[Gate] = Gate.URGENT

    symbol: str

    def request(self) -> ApiRequest:
        """Return what is sent."""
        asked = get("/fapi/v1/allOpenOrders", _Code, {"symbol": parse_symbol(self.symbol)}, is_signed=True)
        return msgspec.structs.replace(asked, method="DELETE")

    def read(self, data: Any, asked_ms: int) -> None:
        """Refuse an answer that does not say that they are."""
        del asked_ms
        if data.code != 200:  # noqa: PLR2004  # what the exchange says when it has done so
            message = f"a code of {data.code}, 200 is what says that it was done"
            raise ValueError(message)


class FetchOpenOrders(Call[list[Order]], frozen=True, tag=True):
    """Ask for the open orders of *symbol*, or of all contracts (None)."""

    guard: ClassVar[str] = "account"

    symbol: str | None = None

    def request(self) -> ApiRequest:
        """Return what is sent."""
        symbol = None if self.symbol is None else parse_symbol(self.symbol)
        return get("/fapi/v1/openOrders", list[Order], {"symbol": symbol}, is_signed=True)

    def read(self, data: Any, asked_ms: int) -> list[Order]:
        """Return the orders; there may be none."""
        del asked_ms
        return _of_symbol(self.symbol, data)


class FetchLiquidations(History[list[Order]], frozen=True, tag=True):
    """Ask for the account's own liquidations: 50 unless told otherwise, 100 at most; there may be none.

    Those of everybody are not to be had by request any more: the stream `forceOrder` has them.

    Attributes:
        symbol: In any spelling of `parse_symbol`; None: of all contracts.
    """

    guard: ClassVar[str] = "liquidations"
    default: ClassVar[int] = 50
    most: ClassVar[int] = 100

    symbol: str | None = None

    def request(self) -> ApiRequest:
        """Return what is sent."""
        symbol = None if self.symbol is None else parse_symbol(self.symbol)
        return get("/fapi/v1/forceOrders", list[Order], {"symbol": symbol} | self.span(), is_signed=True)

    def read(self, data: Any, asked_ms: int) -> list[Order]:
        """Return the orders, the oldest first."""
        del asked_ms
        orders = sorted(_of_symbol(self.symbol, data), key=lambda order: order.updated_ms)
        self.check_times([order.updated_ms for order in orders], slack=_WEEK_MS, may_repeat=True)
        return orders


class _Asset(msgspec.Struct):
    asset: str
    balance: Decimal
    available: Decimal = msgspec.field(name="availableBalance")


class FetchBalances(Call[dict[str, Balance]], frozen=True, tag=True):
    """Ask what the account holds; answered with a `Balance` for each asset."""

    guard: ClassVar[str] = "account"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return get("/fapi/v3/balance", list[_Asset], {}, is_signed=True)

    def read(self, data: Any, asked_ms: int) -> dict[str, Balance]:
        """Return the balances."""
        del asked_ms
        assets: list[_Asset] = data
        if not all(each.balance.is_finite() and each.available.is_finite() for each in assets):
            raise ValueError("a balance that is no number")
        return {each.asset: Balance(each.balance, each.available) for each in assets}


def _of_symbol(symbol: str | None, orders: list[Order]) -> list[Order]:
    name = None if symbol is None else parse_symbol(symbol)
    for order in orders:
        if name is not None and order.symbol != name:
            message = f"an order of {order.symbol}, {name} was asked for"
            raise ValueError(message)
    return orders
