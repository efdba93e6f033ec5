"""A bot with the three monitors that every bot needs: for its memory, its positions, and whether to trade at all.

The exchange is made up, so that the bot runs anywhere; it is away for a while now and then. The
coordinator pauses trading meanwhile, the position monitor closes what has become too large, and
the memory monitor has the strategy restarted when the process has grown too much.

    python examples/monitored_bot.py

Ctrl-C stops it in order.
"""

from decimal import Decimal
from functools import partial

import attrs
import trio

import duenna
from duenna import Actor, Child, Connection, ConnectionLostError, Context, Supervisor
from duenna_actors.monitors import (
    MemoryMonitor,
    Position,
    PositionMonitor,
    ShrinkCache,
    Threshold,
    TradeEngineCoordinator,
    may_trade,
)

LARGEST = Threshold(quantity=5, notional=1_000)
LOT = Decimal(1)


@attrs.define(eq=False)
class Exchange:
    """A made-up exchange: a price, an account, and outages. It is the source that the position monitor asks for."""

    is_up: bool = True
    price: Decimal = Decimal(100)
    held: Decimal = Decimal(0)
    closes: set[str] = attrs.field(factory=set[str])

    def buy(self, quantity: Decimal) -> None:
        """Fill an order."""
        self._answer()
        self.held += quantity

    async def positions(self) -> list[Position]:
        """Return the one position there is, if there is one."""
        await trio.sleep(0.05)
        self._answer()
        return [Position(symbol="BTCUSDT", quantity=self.held, price=self.price)] if self.held else []

    async def close(self, position: Position, order_id: str, *, may_exist: bool) -> None:
        """Close a position; an order id that was carried out is not carried out again."""
        del may_exist  # this exchange knows every id for ever: it need not be asked first
        await trio.sleep(0.05)
        self._answer()
        if order_id not in self.closes:
            self.closes.add(order_id)
            self.held -= position.quantity

    def _answer(self) -> None:
        if not self.is_up:
            raise ConnectionLostError("the exchange does not answer")


async def outages(context: Context, exchange: Exchange) -> None:
    """Take the exchange away for half a minute, every few minutes."""
    while True:
        await trio.sleep(context.rng.uniform(60, 300))
        exchange.is_up = False
        await trio.sleep(30)
        exchange.is_up = True


class Api(Connection):
    """The connection to the exchange."""

    kind = "api"
    check_every = 5.0

    def __init__(self, exchange: Exchange) -> None:
        """Connect to *exchange*."""
        self.exchange = exchange

    async def check(self) -> None:
        """Ask whether it is there."""
        await self.exchange.positions()


@attrs.define
class Strategy(Actor):
    """Buys a lot every second, while it may; remembers prices that it could have again."""

    exchange: Exchange
    prices: list[Decimal] = attrs.field(factory=list[Decimal])

    def started(self) -> None:
        """Be told when memory is short."""
        self.context.subscribe(ShrinkCache)

    async def run(self) -> None:
        """Ask before each order: who gets no answer must not trade."""
        coordinator = self.context.lookup("coordinator")
        while True:
            await trio.sleep(1)
            self.prices.append(self.exchange.price)
            if (await may_trade(coordinator)).is_allowed:
                self.exchange.buy(LOT)

    def receive(self, message: ShrinkCache) -> None:
        """Let go of what can be had again."""
        del message
        self.prices.clear()


def monitored_bot(exchange: Exchange) -> Supervisor:
    """Return the bot's tree. The monitors start first and stop last."""
    return Supervisor(
        "bot",
        [
            Child("memory", partial(MemoryMonitor, restarts=["/bot/strategy"], max_growth_bytes_per_minute=50 << 20)),
            Child("positions", partial(PositionMonitor, exchange, LARGEST, check_every=2.0)),
            Child.connection("api", partial(Api, exchange)),
            Child("coordinator", partial(TradeEngineCoordinator, ["/bot/api"], settings={"lot": LOT})),
            Child("strategy", partial(Strategy, exchange)),
            Child("outages", partial(outages, exchange=exchange)),
        ],
        intensity=100,
        period=60.0,
    )


if __name__ == "__main__":
    duenna.run(monitored_bot(Exchange()))
