"""Books and private stream in simulated worlds with faults by chance: whatever comes, no best price is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff, Child, Mailbox, Supervisor
from duenna.testing import Scenario, World
from duenna_actors.binance import BinanceBooks, BinanceClient, BinanceUserStream, BookChanged
from duenna_actors.sandbox import SandboxSettings
from duenna_actors.sandbox._book import UPDATES_PER_TICK
from duenna_actors.sandbox.service import SandboxService

from .books_kit import SYMBOLS

if TYPE_CHECKING:
    from duenna import Context

BACKOFF = Backoff.exponential(1.0, maximum=30.0)


@pytest.mark.parametrize("seed", range(3))
def test_an_hour_of_faults_by_chance(seed: int) -> None:
    seen: list[BookChanged] = []
    wrong: list[BookChanged] = []

    def scenario(world: World) -> Scenario:
        settings = SandboxSettings(tick=5.0)
        service = SandboxService(SYMBOLS, seed=world.seed, wall_time=world.true_time, settings=settings)
        service.join(world, "exchange", ["rest.exchange", "streams.exchange"])

        async def judge(context: Context) -> None:
            context.subscribe(BookChanged)
            async for change in context.messages():
                assert service.sandbox is not None
                exchange = service.sandbox._app.exchange
                symbol = exchange.symbols[change.symbol]
                top = exchange.books[change.symbol].top(change.update_id // UPDATES_PER_TICK)
                told = (change.bid, change.bid_quantity, change.ask, change.ask_quantity)
                prices = (float(symbol.write_price(top.bid)), float(symbol.write_price(top.ask)))
                sizes = (symbol.write_quantity(top.bid_quantity), symbol.write_quantity(top.ask_quantity))
                seen.append(change)
                if told != (prices[0], float(sizes[0]), prices[1], float(sizes[1])):
                    wrong.append(change)

        streams: dict[str, Any] = {"api": "api", "base_url": "ws://streams.exchange", "wall_time": world.wall_time}
        client = partial(
            BinanceClient,
            "http://rest.exchange",
            api_key=settings.api_key,
            api_secret=settings.api_secret,
            wall_time=world.wall_time,
        )
        children = [
            Child("judge", judge, mailbox=Mailbox(10_000)),
            Child("api", client, backoff=BACKOFF),
            Child("books", partial(BinanceBooks, SYMBOLS, **streams), backoff=BACKOFF),
            Child("user", partial(BinanceUserStream, **streams), backoff=BACKOFF),
        ]
        return Scenario(tree=Supervisor("bot", children, intensity=100, period=60.0), bound=180.0)

    outcome = World(seed, faults="default").simulate(scenario, 3600.0)

    assert outcome.ok, (outcome.error, outcome.violations)
    assert outcome.strikes > 2
    assert len(seen) > 500
    assert wrong == []
