"""The exchange as one machine: the market, the account's desk, the keys and the limits. It reads no clock."""

from collections.abc import Iterable, Iterator
from random import Random

import attrs

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox import _wire as wire
from duenna_actors.sandbox._account import Account
from duenna_actors.sandbox._book import Book, BookSource
from duenna_actors.sandbox._desk import OrderDesk
from duenna_actors.sandbox._keys import Credentials, ListenKeys
from duenna_actors.sandbox._limits import Banned, Limited, Rate, Verdict, WeightLimit
from duenna_actors.sandbox._market import Market
from duenna_actors.sandbox._orders import Order, OrderChanged, OrderRequest
from duenna_actors.sandbox._symbols import Symbol, find_symbols
from duenna_actors.sandbox.settings import SandboxSettings

_MAX_ADDRESSES = 1_000
_MAX_LOOKS = 600
_E8 = 10**8


@attrs.define
class Exchange:
    """Everything that the exchange knows. All times are unix seconds.

    Attributes:
        settings: Its rules.
        symbols: Its contracts, by name.
        books: Their books, by name, each with its market.
        desk: The account's orders.
        credentials: The account's key.
        listen_keys: The key of the private stream.
    """

    settings: SandboxSettings
    symbols: dict[str, Symbol]
    books: dict[str, BookSource]
    desk: OrderDesk
    credentials: Credentials
    listen_keys: ListenKeys
    _order_rates: tuple[Rate, Rate] = attrs.field(alias="order_rates")
    _weights: dict[str, WeightLimit] = attrs.field(factory=dict[str, WeightLimit], init=False)
    _connects: dict[str, Rate] = attrs.field(factory=dict[str, Rate], init=False)
    _exhausted: tuple[float, int, float] | None = attrs.field(default=None, init=False)
    _matched: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    @classmethod
    def build(cls, names: Iterable[str], settings: SandboxSettings, random: Random, now: float) -> "Exchange":
        """Open an exchange for contracts of these names, at *now*.

        Raises:
            ValueError: A name cannot be one, or stands there twice.
        """
        key = random.getrandbits(64)
        symbols = find_symbols(names, key)
        account = Account(settings.balance * _E8, settings.leverage)
        return cls(
            settings=settings,
            symbols=symbols,
            books={
                name: BookSource(
                    Market(symbol, key ^ int.from_bytes(name.encode(), "big"), now, settings.tick),
                    settings.book_levels,
                )
                for name, symbol in symbols.items()
            },
            desk=OrderDesk(
                symbols,
                account,
                settings.maker_fee,
                settings.taker_fee,
                remember_client_ids=settings.remember_client_ids,
            ),
            credentials=Credentials(settings.api_key, settings.api_secret),
            listen_keys=ListenKeys(settings.listen_key_lifetime, random),
            order_rates=(Rate(settings.orders_per_10s, 10.0), Rate(settings.orders_per_minute, 60.0)),
        )

    def market(self, name: str) -> Market:
        """Return the market of a contract."""
        return self.books[name].market

    def tick_at(self, now: float) -> int:
        """Return the tick that *now* falls into; it is the same for all contracts."""
        return next(iter(self.books.values())).market.tick_at(now)

    def time_of(self, tick: int) -> float:
        """Return the time at which a tick begins."""
        return next(iter(self.books.values())).market.time_of(tick)

    def book(self, name: str, now: float) -> Book:
        """Return the book of a contract as it is at *now*."""
        source = self.books[name]
        return source.book(source.market.tick_at(now))

    # Limits

    def weigh(self, address: str, weight: int, now: float) -> Verdict:
        """Count a request of an address."""
        return self._weight(address, now).admit(now, weight)

    def refusal_of(self, verdict: Limited | Banned) -> errors.Refusal:
        """Return what a request is told that does not pass."""
        if isinstance(verdict, Banned):
            return errors.banned(round(verdict.until * 1_000))
        return errors.too_much_weight(self.settings.weight_limit)

    def used_weight(self, address: str, now: float) -> int:
        """Return the weight that an address has used this minute."""
        return self._weight(address, now).used(now)

    def exhaust(self, now: float, retry_after: float, patience: int, ban: float) -> None:
        """Treat every address as if it had used up its weight, one that is first seen in that time included."""
        self._exhausted = (now + retry_after, patience, ban)
        for limit in self._weights.values():
            limit.exhaust(now, retry_after, patience, ban)

    def pardon(self) -> None:
        """End all limitations and bans."""
        self._exhausted = None
        for limit in self._weights.values():
            limit.pardon()

    def may_connect(self, address: str, now: float) -> bool:
        """Count a websocket of an address and return whether it is within the limit."""
        if address not in self._connects:
            _make_room(self._connects)
            self._connects[address] = Rate(self.settings.connects_per_5_minutes, 300.0)
        return self._connects[address].record(now)

    def count_order(self, now: float) -> None:
        """Count an order.

        Raises:
            ApiError: There were too many.
        """
        for rate, span in zip(self._order_rates, ("10 SECOND", "MINUTE"), strict=True):
            if not rate.record(now):
                raise errors.ApiError(errors.too_many_orders(rate.limit, span))

    def order_counts(self, now: float) -> tuple[int, int]:
        """Return the orders of the last 10 seconds and of the last minute."""
        short, long = self._order_rates
        return short.count(now), long.count(now)

    # Orders

    def place(self, request: OrderRequest, now: float) -> tuple[list[OrderChanged], list[OrderChanged]]:
        """Take an order, after whatever the market has done to the others.

        Returns:
            What happened to the others, and what happened to this one.

        Raises:
            ApiError: It is refused.
        """
        earlier = self.match(now)
        source = self.books[request.symbol]
        tick = source.market.tick_at(now)
        self._matched[request.symbol] = tick
        return earlier, self.desk.place(request, source.book(tick), int(now * 1_000))

    def match(self, now: float) -> list[OrderChanged]:
        """Fill the resting orders that the market has crossed since the last call.

        Every tick in between is looked at, or 600 of them spread evenly when there were more.
        """
        changes: list[OrderChanged] = []
        for name, orders in self._resting().items():
            source = self.books[name]
            last = source.market.tick_at(now)
            for tick in _looks(self._matched.get(name, last), last):
                if _may_cross(orders, source, tick):
                    changes += self.desk.match(name, source.book(tick), int(source.market.time_of(tick) * 1_000))
                    if not self.desk.resting(name):
                        break
            self._matched[name] = max(last, self._matched.get(name, last))
        return changes

    def gain(self, name: str, now: float) -> int:
        """Return the unrealised profit of the position in a contract, in 1e-8."""
        position = self.desk.account.position(name)
        mark = round(self.market(name).marks(now).mark)
        return position.gain(self.symbols[name].notional(mark, abs(position.quantity)))

    def balance(self, now: float, stamp: int) -> wire.Json:
        """Return the account's balance as the REST interface writes it."""
        account = self.desk.account
        gain = sum(self.gain(name, now) for name in account.positions)
        return wire.balance(account.wallet, gain, account.wallet + gain - self.desk.used(), stamp)

    def user_events(self, changes: Iterable[OrderChanged], now: float, stamp: int) -> Iterator[wire.Json]:
        """Yield what the private stream says of changes."""
        for changed in changes:
            symbol = self.symbols[changed.order.request.symbol]
            yield wire.order_event(symbol, changed, stamp)
            if changed.fill:
                yield wire.account_event(symbol, changed, self.gain(symbol.name, now), stamp)

    def _weight(self, address: str, now: float) -> WeightLimit:
        limit = self._weights.get(address)
        if limit is None:
            _make_room(self._weights)
            rules = self.settings
            limit = self._weights[address] = WeightLimit(rules.weight_limit, 60.0, rules.patience, rules.ban)
            if self._exhausted is not None and now < self._exhausted[0]:
                until, patience, ban = self._exhausted
                limit.exhaust(now, until - now, patience, ban)
        return limit

    def _resting(self) -> dict[str, list[Order]]:
        resting: dict[str, list[Order]] = {}
        for order in self.desk.open.values():
            resting.setdefault(order.request.symbol, []).append(order)
        return resting


def _make_room(table: dict[str, WeightLimit] | dict[str, Rate]) -> None:
    if len(table) >= _MAX_ADDRESSES:
        del table[next(iter(table))]


def _looks(after: int, until: int) -> range:
    """Return the ticks to look at, the last one always among them."""
    step = -(-(until - after) // _MAX_LOOKS) if until > after else 1
    return range(until - (until - after - 1) // step * step, until + 1, step) if until > after else range(0)


def _may_cross(orders: Iterable[Order], source: BookSource, tick: int) -> bool:
    quote = source.market.quote(tick)
    return any(
        order.request.price >= quote.ask if order.request.side == "BUY" else order.request.price <= quote.bid
        for order in orders
    )
