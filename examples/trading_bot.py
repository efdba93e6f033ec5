"""A trading bot: prices in, orders out, and every connection supervised.

Prices of each contract come over a websocket of its own, candles and the balance over one REST
connection, fills go into a database. The orders are paper: nothing is ever sent to the exchange.

Try it against a local exchange, which `duenna sandbox` runs in another terminal:

    python examples/trading_bot.py --url http://127.0.0.1:8070

Ctrl-C stops it in order; whatever ends it, its positions are there again when it is started anew,
and `duenna state show data/state` shows them meanwhile. `duenna demo` shows the same bot under fire, and

    duenna simulate examples/trading_bot.py --days 30

runs it through a month of faults in the simulated world that `scenario` sets up.
"""

from __future__ import annotations

import argparse
import os
from decimal import Decimal
from functools import partial
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

import duenna
from duenna import Actor, Backoff, Child, Context, DuennaError, Mailbox, Supervisor, persistent
from duenna.storage import NotDurableError
from duenna.wallclock import WallTime, wall_time
from duenna_actors.api import ApiRequest
from duenna_actors.balance import Balance, BalanceMonitor, BalanceReading, GetBalances
from duenna_actors.binance import AggTrade
from duenna_actors.binance_api import BinanceApi
from duenna_actors.database import DatabaseConnection, Write
from duenna_actors.exchange_clock import ExchangeClock
from duenna_actors.feed import WebSocketFeed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.testing import Scenario, World

SYMBOLS = ("BTCUSDT", "ETHUSDT")
EDGE = 0.0001  # how far from the mean a price must be, as a share of it
STAKE = 0.1  # share of the available balance that goes into one position
OLDEST_PRICE = 20.0  # seconds; a feed that has been silent for longer must not call itself operational

TABLES = (
    "CREATE TABLE IF NOT EXISTS fills (time_ms INTEGER, symbol TEXT, quantity REAL, price REAL)",
    "CREATE TABLE IF NOT EXISTS means (time_ms INTEGER, symbol TEXT, price REAL)",
)
FILL = "INSERT INTO fills VALUES (?, ?, ?, ?)"
MEAN = "INSERT INTO means VALUES (?, ?, ?)"


@attrs.frozen(kw_only=True)
class Pace:
    """How often the bot looks, and how long it waits; all in seconds, greater than 0.

    The defaults suit a bot that runs for months. A server that fails is noticed at once by whoever uses
    it; one that nobody asks, after ``check_every`` at most.

    Attributes:
        check_every: From one check of the API, and of the database, to the next.
        balance_every: From one poll of the balance to the next.
        oldest_balance: Age of a balance that is no longer traded on: three polls that failed.
        candles_every: From one look at the candles, which last a minute, to the next.
        request_timeout: For one request to the exchange.
        first_data_within: From a subscription to its first trade.
        stale_after: Silence of a feed after which it is asked for again; it is given up after
            ``first_data_within`` more. A contract that trades less often needs more.
        ack_timeout: For the answer to a subscription.
        connect_timeout: For a websocket's handshake, and the answers to its subscriptions.
        longest_backoff: Between two attempts to connect, at most.
    """

    check_every: float = 30.0
    balance_every: float = 30.0
    oldest_balance: float = 90.0
    candles_every: float = 60.0
    request_timeout: float = 5.0
    first_data_within: float = 15.0
    stale_after: float = 15.0
    ack_timeout: float = 5.0
    connect_timeout: float = 10.0
    longest_backoff: float = 30.0

    def __attrs_post_init__(self) -> None:
        """Refuse a time that is none, and a balance that is too old before the next one can be there."""
        for name, seconds in attrs.asdict(self).items():
            if not 0 < seconds < inf:
                raise ValueError(f"{name} must be > 0 seconds and finite, got {seconds}")
        if self.oldest_balance <= self.balance_every:
            raise ValueError(
                f"oldest_balance must be > balance_every ({self.balance_every}), got {self.oldest_balance}"
            )

    @property
    def detection(self) -> float:
        """Seconds in which a feed is found dead: it is silent, is asked for again, and is silent still."""
        return self.stale_after + self.ack_timeout + self.first_data_within

    @property
    def worst_outage(self) -> float:
        """Seconds in which every connection works again, and every feed has data, once nothing fails any more."""
        close = 3.0  # of a websocket whose far end has vanished
        return self.detection + close + self.longest_backoff + self.connect_timeout + self.first_data_within


class Mean(msgspec.Struct, frozen=True):
    """The mean price of the last candles."""

    symbol: str
    price: float


class Order(msgspec.Struct, frozen=True):
    """An order to hold a position worth ``stake``, or none if that is 0; at ``limit`` or better."""

    symbol: str
    stake: float
    limit: float


async def candles(context: Context, symbols: Sequence[str], every: float) -> None:
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

    oldest_balance: float
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
        was_blind, self.is_blind = self.is_blind, reading.age is None or reading.age > self.oldest_balance
        if self.is_blind and not was_blind:
            self.context.log.warning("buys nothing while the balance is unknown")
        funds = reading.balances.get("USDT")
        return 0.0 if self.is_blind or funds is None else float(funds.available)


@attrs.define
class PaperBook(Actor):
    """Fills orders against the trades that really happen, and writes each fill down. One order per contract.

    A position is saved before anybody hears of it: after a crash, or a power cut, it is there again.
    """

    orders: dict[str, Order] = persistent(factory=dict[str, Order], money=True)
    held: dict[str, float] = persistent(factory=dict[str, float], money=True)
    cost: dict[str, float] = persistent(factory=dict[str, float], money=True)
    fills: int = persistent(default=0)

    def started(self) -> None:
        """Listen to trades."""
        self.context.subscribe(AggTrade)

    async def receive(self, message: AggTrade | Order) -> None:
        """Take an order that changes something; fill it when a trade reaches its limit."""
        symbol = message.symbol
        match message:
            case Order(stake=stake):
                if bool(stake) != bool(self.held.get(symbol)):
                    self.orders[symbol] = message
            case AggTrade(price=price):
                order = self.orders.get(symbol)
                if order is not None and (price <= order.limit if order.stake else price >= order.limit):
                    await self.fill(self.orders.pop(symbol), message)

    async def fill(self, order: Order, trade: AggTrade) -> None:
        """Buy or sell at the price of *trade*."""
        symbol, price, log = trade.symbol, trade.price, self.context.log
        held, self.held[symbol] = self.held.get(symbol, 0.0), round(order.stake / price, 3)
        bought, cost = self.held[symbol] - held, self.cost.get(symbol, price)
        if bought > 0:
            self.cost[symbol] = price
        self.fills += 1
        try:
            await self.context.save()
        except NotDurableError as error:  # it is in memory, and is tried again
            log.warning("{}", error)
        if bought > 0:
            log.info("bought {:g} {} at {:,.2f}", bought, symbol, price)
        elif bought < 0:
            log.info("sold {:g} {} at {:,.2f}, gain {:+.2f}", held, symbol, price, (price - cost) * held)
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


def trading_bot(
    exchange: Exchange, symbols: Sequence[str], database: str, *, pace: Pace | None = None, now: WallTime = wall_time
) -> Supervisor:
    """Return the bot's tree. What starts first stops last."""
    pace = Pace() if pace is None else pace
    clock = ExchangeClock(now)

    def api() -> BinanceApi:
        key, secret, timeout = exchange.key, exchange.secret, pace.request_timeout
        made = BinanceApi(exchange.rest, api_key=key, api_secret=secret, timeout=timeout, clock=clock)
        made.check_every = pace.check_every
        return made

    def balance() -> Actor:
        every, timeout = pace.balance_every, pace.request_timeout
        return BalanceMonitor("api", every=every, timeout=timeout) if exchange.key else PaperBalance()

    def records() -> DatabaseConnection:
        made = DatabaseConnection(database, tables=TABLES)
        made.check_every = pace.check_every
        return made

    def feed(symbol: str) -> WebSocketFeed:
        return WebSocketFeed(
            f"{exchange.streams}/market/stream",
            [f"{symbol.lower()}@aggTrade"],
            first_data_within=pace.first_data_within,
            stale_after=pace.stale_after,
            connect_timeout=pace.connect_timeout,
            ack_timeout=pace.ack_timeout,
            wall_time=clock,
        )

    def connection(name: str, start: Any) -> Child:
        backoff = Backoff.exponential(0.5, maximum=pace.longest_backoff, jitter="equal")
        return Child(name, start, backoff=backoff, mailbox=Mailbox(10_000))

    feeds = [connection(symbol.lower(), partial(feed, symbol)) for symbol in symbols]
    trading = [
        Child("book", PaperBook),
        Child("candles", partial(candles, symbols=symbols, every=pace.candles_every)),
        Child("strategy", partial(Strategy, pace.oldest_balance), mailbox=Mailbox.latest(key=subject)),
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


def scenario(world: World, symbols: Sequence[str] = SYMBOLS) -> Scenario:
    """Return the bot in a simulated *world* that has an exchange: what `duenna simulate` and tests run."""
    from duenna.testing import Scenario, data_probe  # noqa: PLC0415  # the bot itself needs no simulator
    from duenna_actors.sandbox import SandboxSettings  # noqa: PLC0415
    from duenna_actors.sandbox.service import LONGEST_WAIT, SandboxService  # noqa: PLC0415

    settings, pace = SandboxSettings(tick=5.0), Pace()  # a trade per contract every 5 s: days are simulated in no time
    sandbox = SandboxService(symbols, seed=world.seed, wall_time=world.true_time, settings=settings)
    sandbox.join(world, "exchange", ["rest.exchange", "streams.exchange"])

    exchange = Exchange("http://rest.exchange", "ws://streams.exchange", settings.api_key, settings.api_secret)
    feeds = {symbol: f"/bot/feeds/{symbol.lower()}" for symbol in symbols}
    probe = data_probe(world.record, lambda trade: feeds.get(trade.symbol), AggTrade, max_age=OLDEST_PRICE)
    return Scenario(
        tree=trading_bot(exchange, symbols, str(world.folder / "fills.db"), pace=pace, now=world.wall_time),
        system=(probe,),
        files=("fills.db",),
        feeds=tuple(feeds.values()),
        bound=pace.worst_outage + LONGEST_WAIT,
    )


def main() -> None:
    """Run the bot until it is stopped."""
    parser = argparse.ArgumentParser(description="A trading bot with paper orders.")
    parser.add_argument("--url", default="https://fapi.binance.com", help="REST interface (default: %(default)s)")
    parser.add_argument("--streams", help="websockets (default: those of Binance, or the same host as --url)")
    parser.add_argument("--symbols", default=",".join(SYMBOLS), help="contracts, by comma (default: %(default)s)")
    parser.add_argument("--database", default="trading_bot.sqlite3", help="SQLite file (default: %(default)s)")
    parser.add_argument("--state", default="data/state", help="folder of what must survive (default: %(default)s)")
    given = parser.parse_args()
    is_binance = given.url == "https://fapi.binance.com"
    streams = given.streams or ("wss://fstream.binance.com" if is_binance else given.url.replace("http", "ws", 1))
    exchange = Exchange(given.url, streams, os.environ.get("API_KEY", ""), os.environ.get("API_SECRET", ""))
    duenna.run(trading_bot(exchange, given.symbols.split(","), given.database), state=given.state)


if __name__ == "__main__":
    main()
