"""The trouble of one contract is its own: no other book is lost for it again and again."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import trio

from duenna import Backoff, ChildExited, ErrorReported
from duenna.faults import Service
from duenna.testing import World
from duenna_actors.binance import BinanceBooks, BookDesynced, BookLost
from duenna_actors.feed import SubscriptionChanged
from duenna_actors.sandbox import SandboxSettings
from duenna_actors.sandbox.service import SandboxService
from tests.actors.support import Bot, Inbox, Seen

from .books_kit import Books, api_in, tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MANY = tuple(f"{letter}XUSDT" for letter in "ABCDEF")
ONE = MANY[-1]


def in_a_world(body: Callable[[Books, World], Awaitable[None]], symbols: tuple[str, ...] = MANY) -> None:
    """Run *body* a minute after books with all defaults were started in a simulated world."""
    world = World(1)
    service = SandboxService(symbols, seed=1, wall_time=world.true_time, settings=SandboxSettings(tick=5.0))
    service.join(world, "exchange", ["rest.exchange", "streams.exchange"])

    async def main() -> None:
        inbox = Inbox()
        make = partial(BinanceBooks, symbols, api="api", base_url="ws://streams.exchange", wall_time=world.wall_time)
        kinds = (BookDesynced, ChildExited, ErrorReported, SubscriptionChanged)
        async with world.open_runtime(tree(api_in(world), inbox)) as runtime:
            with runtime.events(*kinds, capacity=100_000) as stream:
                assert service.sandbox is not None
                here = Books(service.sandbox, Bot(runtime, Seen(stream)), inbox)
                await here.bot.start("books", make, backoff=Backoff.exponential(0.5, maximum=10.0))
                await trio.sleep(60.0)
                assert await ready(here) == set(symbols)
                inbox.drain()
                await body(here, world)

    world.run(main)
    assert world.violations() == ()


async def ready(here: Books) -> set[str]:
    """Return the contracts whose books are ready; each must be the exchange's."""
    books = (await here.status()).books
    return {symbol for symbol, book in books.items() if book.is_ready and await here.is_right(symbol)}


def lost(here: Books) -> list[str]:
    """Return which books were lost, in order."""
    return [message.symbol for message in here.inbox.drain() if isinstance(message, BookLost)]


def test_a_contract_that_falls_silent_costs_one_new_websocket_and_no_more() -> None:
    """Whether it is the websocket's fault can only be known by another one."""

    async def body(here: Books, world: World) -> None:
        world.strike(Service(name="mute", params={"symbol": ONE}), "exchange")
        await trio.sleep(60.0)
        (exited,) = here.seen.of(ChildExited)
        assert exited.reason.startswith("StaleFeedError: ")
        assert sorted(lost(here)) == sorted(MANY)

        for _ in range(70):
            await trio.sleep(60.0)
            assert await ready(here) == set(MANY) - {ONE}
        assert lost(here) == []
        assert len(here.seen.of(ChildExited)) == 1
        stale = [event.time for event in here.seen.of(SubscriptionChanged) if event.state == "stale"]
        again = [late - early for early, late in pairwise(stale[2:])]  # the first two are of the first websocket
        assert again == [pytest.approx(300.0, abs=0.5)] * 14

    in_a_world(body)


def test_it_comes_back_as_soon_as_it_delivers_again_and_others_that_fall_silent_cost_nothing_within_the_hour() -> None:
    async def body(here: Books, world: World) -> None:
        muted = Service(name="mute", params={"symbol": ONE})
        world.strike(muted, "exchange", 600.0)
        await trio.sleep(550.0)
        assert await ready(here) == set(MANY) - {ONE}
        await trio.sleep(60.0)
        assert await ready(here) == set(MANY)

        lost(here)
        for symbol in (ONE, MANY[0]):
            world.strike(Service(name="mute", params={"symbol": symbol}), "exchange", 300.0)
            await trio.sleep(100.0)
            assert await ready(here) == set(MANY) - {symbol}
            await trio.sleep(210.0)
            assert await ready(here) == set(MANY)
        assert lost(here) == [ONE, MANY[0]]
        assert len(here.seen.of(ChildExited)) == 1

    in_a_world(body)


def test_a_contract_that_has_delivered_since_is_worth_another_websocket_when_the_hour_is_over() -> None:
    async def body(here: Books, world: World) -> None:
        for exits in (1, 2):
            world.strike(Service(name="mute", params={"symbol": ONE}), "exchange", 300.0)
            await trio.sleep(3700.0)
            assert len(here.seen.of(ChildExited)) == exits
            assert await ready(here) == set(MANY)

    in_a_world(body)


def test_when_nothing_comes_any_more_websocket_after_websocket_is_tried() -> None:
    async def body(here: Books, world: World) -> None:
        world.strike(Service(name="mute"), "exchange", 600.0)
        await trio.sleep(600.0)
        assert len(here.seen.of(ChildExited)) > 10
        await trio.sleep(60.0)
        assert await ready(here) == set(MANY)

    in_a_world(body)


def test_a_contract_without_snapshots_costs_no_other_book_anything() -> None:
    """It is tried on by its backoff, reported every ten attempts, and comes back with the first snapshot."""

    async def body(here: Books, world: World) -> None:
        params = {"path": "/fapi/v1/depth", "symbol": ONE, "status": 400, "code": -1121}
        world.strike(Service(name="http_failure", params=params), "exchange", 1200.0)
        world.strike(Service(name="sequence_gap", params={"symbol": ONE}), "exchange")
        for _ in range(19):
            await trio.sleep(60.0)
            assert await ready(here) == set(MANY) - {ONE}
        given_up = [event.error for event in here.seen.of(ErrorReported) if "BookSyncError" in event.error]
        assert f"the book of {ONE} is not in sync after 10 attempts" in given_up[0]
        assert f"the book of {ONE} is not in sync after 20 attempts" in given_up[1]
        assert len(given_up) == pytest.approx(5, abs=1)
        assert here.seen.of(ChildExited) == []

        await trio.sleep(61.0 + 30.0)
        assert await ready(here) == set(MANY)
        assert lost(here) == [ONE]

    in_a_world(body)
