"""The bot that the demo runs: the one of `examples/trading_bot.py`, which a test keeps the same."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from duenna import Actor, Backoff, Child, Context, DuennaError, Mailbox, Supervisor
from duenna.wallclock import WallTime, wall_time
from duenna_actors.api import ApiRequest
from duenna_actors.balance import Balance, BalanceMonitor, BalanceReading, GetBalances
from duenna_actors.binance import AggTrade
from duenna_actors.binance_api import BinanceApi
from duenna_actors.database import DatabaseConnection, Write
from duenna_actors.feed import WebSocketFeed

if TYPE_CHECKING:
    from collections.abc import Sequence

EDGE = 0.0001  # how far from the mean a price must be, as a share of it
STAKE = 0.1  # share of the available balance that goes into one position
OLDEST_BALANCE = 10.0  # seconds; an older one is not traded on

TABLES = (
    "CREATE TABLE IF NOT EXISTS fills (time_ms INTEGER, symbol TEXT, quantity REAL, price REAL)",
    "CREATE TABLE IF NOT EXISTS means (time_ms INTEGER, symbol TEXT, price REAL)",
)
FILL = "INSERT INTO fills VALUES (?, ?, ?, ?)"
MEAN = "INSERT INTO means VALUES (?, ?, ?)"


class Mean(msgspec.Struct, frozen=True):
    """The mean price of the last candles."""

    symbol: str
    price: float


class Order(msgspec.Struct, frozen=True):
    """An order to hold a position worth ``stake``, or none if that is 0; at ``limit`` or better."""

    symbol: str
    stake: float
    limit: float


async def candles(context: Context, symbols: Sequence[str], every: float = 5.0) -> None:
    """Publish the mean price of each contract's last minutes. A request that fails is no reason to crash."""
    api, database = context.lookup("/bot/api"), context.lookup("/bot/database")
    while True:
        try:
            for symbol in symbols:
                params: dict[str, Any] = {"symbol": symbol, "interval": "1m", "limit": 3}
                request = ApiRequest(path="/fapi/v1/klines", params=params, type=list[list[Any]])
                rows = (await api.ask(request)).data
                mean = fmean(float(row[4]) for row in rows)
                context.publish(Mean(symbol, mean))
                database.tell(Write(MEAN, (rows[-1][6], symbol, mean)))
        except DuennaError as error:
            context.log.warning("the last means stand: {}", error)
        await trio.sleep(every)


def subject(message: AggTrade | Mean) -> tuple[type, str]:
    """Return what *message* is about: the strategy wants only the newest of each."""
    return type(message), message.symbol


@attrs.define
class Strategy(Actor):
    """Holds what is cheaper than its mean, and nothing of what is dearer."""

    means: dict[str, float] = attrs.field(factory=dict[str, float])
    is_blind: bool = False

    def started(self) -> None:
        """Listen to prices."""
        self.context.subscribe(AggTrade, Mean)

    async def receive(self, message: AggTrade | Mean) -> None:
        """Note a mean; act on a price."""
        match message:
            case Mean(symbol, price):
                self.means[symbol] = price
            case AggTrade(symbol=symbol, price=price) if symbol in self.means:
                mean, book = self.means[symbol], self.context.lookup("book")
                if price > mean * (1 + EDGE):
                    book.tell(Order(symbol, 0.0, price))
                elif price < mean * (1 - EDGE):
                    stake = STAKE * await self.available()
                    if stake:
                        book.tell(Order(symbol, stake, price))
            case _:
                pass

    async def available(self) -> float:
        """Return what may be spent; 0 if nobody knows, for an old balance is not traded on."""
        try:
            reading: BalanceReading = await self.context.lookup("/bot/balance").ask(GetBalances(), 1.0, wait=False)
        except DuennaError:
            reading = BalanceReading({}, None)
        was_blind, self.is_blind = self.is_blind, reading.age is None or reading.age > OLDEST_BALANCE
        if self.is_blind and not was_blind:
            self.context.log.warning("buys nothing while the balance is unknown")
        funds = reading.balances.get("USDT")
        return 0.0 if self.is_blind or funds is None else float(funds.available)


@attrs.define
class PaperBook(Actor):
    """Fills orders against the trades that really happen, and writes each fill down. One order per contract."""

    orders: dict[str, Order] = attrs.field(factory=dict[str, Order])
    held: dict[str, float] = attrs.field(factory=dict[str, float])
    cost: dict[str, float] = attrs.field(factory=dict[str, float])

    def started(self) -> None:
        """Listen to trades."""
        self.context.subscribe(AggTrade)

    def receive(self, message: AggTrade | Order) -> None:
        """Take an order that changes something; fill it when a trade reaches its limit."""
        symbol = message.symbol
        match message:
            case Order(stake=stake):
                if bool(stake) != bool(self.held.get(symbol)):
                    self.orders[symbol] = message
            case AggTrade(price=price):
                order = self.orders.get(symbol)
                if order is not None and (price <= order.limit if order.stake else price >= order.limit):
                    self.fill(self.orders.pop(symbol), message)

    def fill(self, order: Order, trade: AggTrade) -> None:
        """Buy or sell at the price of *trade*."""
        symbol, price, log = trade.symbol, trade.price, self.context.log
        held, self.held[symbol] = self.held.get(symbol, 0.0), round(order.stake / price, 3)
        bought = self.held[symbol] - held
        if bought > 0:
            self.cost[symbol] = price
            log.info("bought {:g} {} at {:,.2f}", bought, symbol, price)
        elif bought < 0:
            log.info("sold {:g} {} at {:,.2f}, gain {:+.2f}", held, symbol, price, (price - self.cost[symbol]) * held)
        if bought:
            self.context.lookup("/bot/database").tell(Write(FILL, (trade.trade_time_ms, symbol, bought, price)))


class PaperBalance(Actor):
    """Says that there is money, where there is no account."""

    def receive(self, message: GetBalances) -> BalanceReading:
        """Answer like a `BalanceMonitor`."""
        del message  # there is but one question
        return BalanceReading({"USDT": Balance(Decimal(10_000), Decimal(10_000))}, age=0.0)


@attrs.define
class Exchange:
    """Where the exchange is, and who we are there: nobody, without a key. Read whenever a connection is made."""

    rest: str
    streams: str
    key: str = ""
    secret: str = ""


def trading_bot(exchange: Exchange, symbols: Sequence[str], database: str, *, now: WallTime = wall_time) -> Supervisor:
    """Return the bot's tree. What starts first stops last."""

    def api() -> BinanceApi:
        made = BinanceApi(exchange.rest, api_key=exchange.key, api_secret=exchange.secret, timeout=2.0, wall_time=now)
        made.check_every = 1.0
        return made

    def balance() -> Actor:
        return BalanceMonitor("api", every=2.0, timeout=1.5) if exchange.key else PaperBalance()

    def records() -> DatabaseConnection:
        made = DatabaseConnection(database, tables=TABLES)
        made.check_every = 1.0
        return made

    def feed(symbol: str) -> WebSocketFeed:
        return WebSocketFeed(
            f"{exchange.streams}/market/stream",
            [f"{symbol.lower()}@aggTrade"],
            first_data_within=3.0,
            stale_after=3.0,
            connect_timeout=5.0,
            ack_timeout=3.0,
            wall_time=now,
        )

    def connection(name: str, start: Any) -> Child:
        backoff = Backoff.exponential(0.5, maximum=3.0, jitter="equal")
        return Child(name, start, backoff=backoff, mailbox=Mailbox(10_000))

    feeds = [connection(symbol.lower(), partial(feed, symbol)) for symbol in symbols]
    trading = [
        Child("book", PaperBook),
        Child("candles", partial(candles, symbols=symbols)),
        Child("strategy", Strategy, mailbox=Mailbox.latest(key=subject)),
    ]
    return Supervisor(
        "bot",
        [
            connection("database", records),
            connection("api", api),
            connection("balance", balance),
            Supervisor("feeds", feeds, intensity=100, period=60.0),
            Supervisor("trading", trading, strategy="rest_for_one"),
        ],
        intensity=100,
        period=60.0,
    )
