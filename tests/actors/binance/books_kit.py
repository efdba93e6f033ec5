"""A bot that keeps order books of a sandbox, over real sockets or in a simulated world, and the truth about them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from duenna import Backoff, Child, Supervisor
from duenna_actors.binance import (
    BinanceBooks,
    BookChanged,
    BookLost,
    BookNotReadyError,
    BooksStatus,
    BookView,
    GetBook,
    GetBooksStatus,
)
from duenna_actors.binance_api import BinanceApi
from duenna_actors.sandbox import Fault, Sandbox, SandboxSettings, open_sandbox
from duenna_actors.sandbox._book import UPDATES_PER_TICK
from tests.actors.support import Bot, Inbox, bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from duenna.testing import World

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FAST: dict[str, Any] = {
    "first_data_within": 2.0,
    "stale_after": 2.0,
    "disconnect_timeout": 0.3,
    "ack_timeout": 1.0,
    "snapshot_interval": 0.0,
    "backoff": Backoff.exponential(0.05, maximum=0.5, jitter="equal"),
    "max_attempts": 1000,
    "stable_after": 0.2,
}


def truth(sandbox: Sandbox, view: BookView) -> BookView:
    """Return the exchange's own book at the update of *view*."""
    exchange = sandbox._app.exchange
    source = exchange.books[view.symbol]
    tick, rest = divmod(view.update_id, UPDATES_PER_TICK)
    assert rest == 0
    symbol, book = exchange.symbols[view.symbol], source._make(tick)
    sides = [
        tuple((float(symbol.write_price(price)), float(symbol.write_quantity(quantity))) for price, quantity in side)
        for side in (book.bids.items(), book.asks.items())
    ]
    return BookView(
        symbol=view.symbol,
        bids=sides[0],
        asks=sides[1],
        update_id=view.update_id,
        event_time_ms=view.event_time_ms,
        transaction_time_ms=view.transaction_time_ms,
        age=view.age,
    )


class Books:
    """Order books of a sandbox, and a consumer of what they publish."""

    def __init__(self, sandbox: Sandbox, running: Bot, inbox: Inbox) -> None:
        self.sandbox = sandbox
        self.bot = running
        self.seen = running.seen
        self.inbox = inbox
        self.keeper: BinanceBooks | None = None

    @property
    def ref(self) -> Any:
        return self.bot.ref("books")

    async def start(self, *symbols: str, **options: Any) -> None:
        """Start the books; a backoff of the child is ``child_backoff``."""
        child = {"backoff": options.pop("child_backoff")} if "child_backoff" in options else {}
        given = FAST | {"api": "api", "base_url": self.sandbox.ws_url} | options

        def make() -> BinanceBooks:
            self.keeper = BinanceBooks(symbols or SYMBOLS, **given)
            return self.keeper

        await self.bot.start("books", make, **child)

    async def book(self, symbol: str = "BTCUSDT", depth: int | None = None) -> BookView:
        view = await self.ref.ask(GetBook(symbol, depth))
        assert isinstance(view, BookView)
        return view

    async def is_right(self, symbol: str = "BTCUSDT") -> bool:
        """Return whether the book is ready; if it is, it must be the exchange's."""
        try:
            view = await self.book(symbol)
        except BookNotReadyError:
            return False
        assert view == truth(self.sandbox, view)
        return True

    async def status(self) -> BooksStatus:
        status = await self.ref.ask(GetBooksStatus())
        assert isinstance(status, BooksStatus)
        return status

    async def ready(self, *symbols: str) -> None:
        """Wait until each of *symbols* has had a change of a book in sync, from now on."""
        missing = set(symbols or SYMBOLS)
        while missing:
            missing.discard((await self.inbox.next(BookChanged)).symbol)

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        return self.sandbox.faults.inject(fault, duration)


def tree(api: Callable[[], BinanceApi], inbox: Inbox) -> Supervisor:
    """Return a bot with an API connection and a consumer of books."""
    children: Sequence[Child] = [
        Child("api", api, backoff=Backoff.none()),
        inbox.spec("inbox", BookChanged, BookLost),
    ]
    return Supervisor("bot", children, intensity=100_000, period=1.0)


@asynccontextmanager
async def books(symbols: Sequence[str] = SYMBOLS, **settings: Any) -> AsyncIterator[Books]:
    """Open a quick sandbox, and a bot with an API connection and a consumer, over real sockets."""
    rules = {"tick": 0.01, "stream_speed": 10.0, "connects_per_5_minutes": 10_000, "weight_limit": 10**6}
    given = SandboxSettings(**(rules | settings))
    async with open_sandbox(symbols=symbols, seed=1, settings=given) as sandbox, bot() as running:
        inbox = Inbox()
        await running.start("api", partial(BinanceApi, sandbox.url))
        await running.runtime.start_child("/bot", inbox.spec("inbox", BookChanged, BookLost))
        yield Books(sandbox, running, inbox)


def api_in(world: World) -> Callable[[], BinanceApi]:
    """Return what makes an API connection to the exchange of *world*; it is checked at first and then no more."""

    def make() -> BinanceApi:
        api = BinanceApi("http://rest.exchange", wall_time=world.wall_time)
        api.check_every = inf
        return api

    return make
