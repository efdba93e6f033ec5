"""The paper matching: the account's orders against somebody else's book, which they never move."""

from collections import deque
from collections.abc import Iterator, Mapping

import attrs

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._account import Account
from duenna_actors.sandbox._book import Book
from duenna_actors.sandbox._orders import ExecutionType, Fill, Order, OrderChanged, OrderRequest, Status
from duenna_actors.sandbox._symbols import Symbol

_HISTORY = 1_000
_MAX_OPEN = 200
_SMALLEST_NOTIONAL = 5 * 10**8
_MILLION = 1_000_000


@attrs.define
class OrderDesk:
    """Takes orders, fills them at the levels of the book it is shown, and keeps the account.

    A market order takes the levels from the best on; what the book cannot give expires. A limit order takes what
    crosses it at once as a taker, and rests; as soon as a later book crosses it, it is filled at its own limit as a
    maker, never beyond what that book offers there. Orders are paper: they do not show up in the book and do not use it
    up.

    Attributes:
        symbols: The contracts.
        account: What the fills are booked to.
        maker_fee: In millionths of the notional.
        taker_fee: In millionths of the notional.
        remember_client_ids: Whether the client order id of a closed order is refused, too.
    """

    symbols: Mapping[str, Symbol]
    account: Account
    maker_fee: int = 200
    taker_fee: int = 500
    remember_client_ids: bool = True
    open: dict[int, Order] = attrs.field(factory=dict[int, Order], init=False)
    _known: dict[int, Order] = attrs.field(factory=dict[int, Order], init=False)
    _by_client_id: dict[str, Order] = attrs.field(factory=dict[str, Order], init=False)
    _closed: deque[Order] = attrs.field(factory=deque[Order], init=False)
    _orders: int = attrs.field(default=0, init=False)
    _fills: int = attrs.field(default=0, init=False)

    def place(self, request: OrderRequest, book: Book, now_ms: int) -> list[OrderChanged]:
        """Take an order.

        Args:
            request: The order.
            book: The contract's book as it is now.
            now_ms: The time, in unix milliseconds.

        Returns:
            What happened to it, first of all that it is new.

        Raises:
            ApiError: It is refused; nothing has changed.
        """
        self._check(request, book)
        self._orders += 1
        number = self._orders
        order = Order(number, request, request.client_id or self._make_client_id(), now_ms, now_ms)
        self.open[number] = self._known[number] = self._by_client_id[order.client_id] = order
        changes = [self._changed(order, "NEW")]
        if request.time_in_force != "FOK" or _available(request, book) >= request.quantity:
            changes += self._take(order, book, now_ms, as_maker=False)
        if order.is_open and (request.type == "MARKET" or request.time_in_force in ("IOC", "FOK")):
            changes.append(self._close(order, "EXPIRED", now_ms))
        return changes

    def cancel(self, symbol: str, number: int | None, client_id: str | None, now_ms: int) -> OrderChanged:
        """Cancel an open order by either of its ids.

        Raises:
            ApiError: There is no such order, or it is not open any more.
        """
        order = self.find(symbol, number, client_id)
        if order is None or not order.is_open:
            raise errors.ApiError(errors.UNKNOWN_ORDER)
        return self._close(order, "CANCELED", now_ms)

    def match(self, symbol: str, book: Book, now_ms: int) -> list[OrderChanged]:
        """Fill the resting orders of a contract that its new book crosses, oldest first."""
        changes: list[OrderChanged] = []
        for order in self.resting(symbol):
            if self._wanted(order) == 0:
                changes.append(self._close(order, "EXPIRED", now_ms))  # reduce-only, and nothing is left to reduce
            else:
                changes += self._take(order, book, now_ms, as_maker=True)
        return changes

    def resting(self, symbol: str | None = None) -> list[Order]:
        """Return the open orders of a contract, or of all (`None`), oldest first."""
        return [order for order in self.open.values() if symbol is None or order.request.symbol == symbol]

    def known(self, symbol: str | None = None) -> list[Order]:
        """Return the orders of a contract, or of all (`None`), that are remembered, oldest first."""
        return [order for order in self._known.values() if symbol is None or order.request.symbol == symbol]

    def find(self, symbol: str, number: int | None, client_id: str | None) -> Order | None:
        """Return an order by its number, or else by its client id; closed ones are remembered up to 1,000."""
        order = self._known.get(number) if number is not None else self._by_client_id.get(client_id or "")
        return order if order is not None and order.request.symbol == symbol else None

    def reserved(self) -> int:
        """Return the margin that open orders tie up, in 1e-8."""
        return (
            sum(
                self.symbols[order.request.symbol].notional(order.request.price, order.remaining)
                for order in self.open.values()
            )
            // self.account.leverage
        )

    def used(self) -> int:
        """Return all margin that is tied up, in 1e-8."""
        return self.reserved() + sum(self.account.margin(symbol) for symbol in self.account.positions)

    def _check(self, request: OrderRequest, book: Book) -> None:
        known = self._by_client_id.get(request.client_id)
        if known is not None and (known.is_open or self.remember_client_ids):
            raise errors.ApiError(errors.DUPLICATE_CLIENT_ID)
        if len(self.resting(request.symbol)) >= _MAX_OPEN:
            raise errors.ApiError(errors.TOO_MANY_OPEN)
        if request.time_in_force == "GTX" and any(_levels(request, book)):
            raise errors.ApiError(errors.NOT_A_MAKER)
        held = self.account.position(request.symbol).quantity
        signed = request.quantity if request.side == "BUY" else -request.quantity
        reduces = held * signed < 0 and abs(signed) <= abs(held)
        if request.reduce_only and not reduces:
            raise errors.ApiError(errors.REDUCE_ONLY_REJECTED)
        price = request.price or next(iter(book.asks if request.side == "BUY" else book.bids))
        notional = self.symbols[request.symbol].notional(price, request.quantity)
        if notional < _SMALLEST_NOTIONAL and not request.reduce_only:
            raise errors.ApiError(errors.TOO_SMALL)
        opened = 0 if reduces else notional
        if opened // self.account.leverage > self.account.wallet - self.used():
            raise errors.ApiError(errors.NO_MARGIN)

    def _make_client_id(self) -> str:
        name = f"sandbox_{self._orders}"
        while name in self._by_client_id:  # a client may have thought of the same name
            name += "_"
        return name

    def _take(self, order: Order, book: Book, now_ms: int, *, as_maker: bool) -> list[OrderChanged]:
        changes: list[OrderChanged] = []
        for price, offered in _levels(order.request, book):
            quantity = min(offered, self._wanted(order))
            if quantity <= 0:
                break
            changes.append(self._fill(order, order.request.price if as_maker else price, quantity, now_ms, as_maker))
        return changes

    def _wanted(self, order: Order) -> int:
        if not order.request.reduce_only:
            return order.remaining
        held = self.account.position(order.request.symbol).quantity
        left = -held if order.request.side == "BUY" else held
        return min(order.remaining, max(0, left))

    def _fill(self, order: Order, price: int, quantity: int, now_ms: int, as_maker: bool) -> OrderChanged:
        request = order.request
        notional = self.symbols[request.symbol].notional(price, quantity)
        rate = self.maker_fee if as_maker else self.taker_fee
        fee = -(-notional * rate // _MILLION)
        sign = 1 if request.side == "BUY" else -1
        realized = self.account.fill(request.symbol, sign * quantity, sign * notional, fee)
        order.filled += quantity
        order.notional += notional
        order.updated_ms = now_ms
        order.status = "PARTIALLY_FILLED"
        if order.remaining == 0:
            order.status = "FILLED"
            self._forget(order)
        self._fills += 1
        return self._changed(order, "TRADE", Fill(self._fills, price, quantity, fee, realized, as_maker))

    def _close(self, order: Order, status: Status, now_ms: int) -> OrderChanged:
        order.status = status
        order.updated_ms = now_ms
        self._forget(order)
        return self._changed(order, "CANCELED" if status == "CANCELED" else "EXPIRED")

    def _forget(self, order: Order) -> None:
        del self.open[order.number]
        self._closed.append(order)
        if len(self._closed) > _HISTORY:
            oldest = self._closed.popleft()
            del self._known[oldest.number]
            if self._by_client_id[oldest.client_id] is oldest:
                del self._by_client_id[oldest.client_id]

    def _changed(self, order: Order, execution: ExecutionType, fill: Fill | None = None) -> OrderChanged:
        position = self.account.position(order.request.symbol)
        return OrderChanged(
            order=attrs.evolve(order),
            execution=execution,
            fill=fill,
            wallet=self.account.wallet,
            position_quantity=position.quantity,
            position_cost=position.cost,
        )


def _levels(request: OrderRequest, book: Book) -> Iterator[tuple[int, int]]:
    """Yield the levels that the order can take, best first."""
    levels = book.asks if request.side == "BUY" else book.bids
    for price, offered in levels.items():
        if request.type == "LIMIT" and (price > request.price if request.side == "BUY" else price < request.price):
            return
        yield price, offered


def _available(request: OrderRequest, book: Book) -> int:
    return sum(offered for _, offered in _levels(request, book))
