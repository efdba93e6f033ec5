"""Ten thousand updates with gaps, duplicates, stale snapshots and reconnects thrown in: never a wrong book.

At every checkpoint each book is the exchange's own, to the last level, or not handed out; at
the end all of them are handed out.
"""

from __future__ import annotations

from functools import cache, partial
from random import Random
from typing import Any

import msgspec
import pytest
import trio

from duenna import Backoff, ChildExited, ErrorReported
from duenna.faults import Service
from duenna.testing import World
from duenna_actors.binance import BinanceBooks, BookChanged, BookDesynced, BookSynced
from duenna_actors.sandbox import (
    Burst,
    CloseSockets,
    Fault,
    GarbledAnswers,
    GarbledFrames,
    HttpFailure,
    LateEvents,
    RepeatedEvents,
    SandboxSettings,
    SequenceGap,
    SlowAnswers,
    StaleSnapshot,
)
from duenna_actors.sandbox.service import SandboxService
from tests.actors.support import Bot, Inbox, Seen

from .books_kit import FAST, Books, api_in, books, tree

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
UPDATES = 10_000


def faults(rng: Random, unit: float) -> list[tuple[Fault, float | None]]:
    """Return one of each fault that a book can meet, and how long it lasts; *unit* is about ten updates, in seconds."""
    symbol = rng.choice(SYMBOLS)
    return [
        (SequenceGap(symbol=symbol, count=rng.randint(1, 3)), None),
        (SequenceGap(symbol=symbol, count=1, probability=0.3), None),
        (RepeatedEvents(symbol=symbol, after=rng.randint(0, 4), count=rng.randint(1, 5)), None),
        (LateEvents(symbol=symbol, after=rng.randint(1, 3), count=1), None),
        (LateEvents(symbol=symbol, after=1, probability=0.5, count=4), None),
        (GarbledFrames(symbol=symbol, mode="truncated", count=1), None),
        (GarbledFrames(symbol=symbol, mode="cut", count=1), None),
        (Burst(symbol=symbol, messages=50), None),
        (CloseSockets(path="/public*", code=rng.choice([1000, 1001, 1006, 1012])), None),
        (StaleSnapshot(symbol=symbol, age=3 * unit), 5 * unit),
        (HttpFailure(path="/fapi/v1/depth", status=503), unit),
        (GarbledAnswers(path="/fapi/v1/depth", mode="html", count=1), None),
        (SlowAnswers(path="/fapi/v1/depth", latency=unit, jitter=unit, count=3), None),
    ]


async def soup(here: Books, rng: Random, unit: float) -> int:
    """Let faults strike until 10,000 updates have come, and look at the books after each.

    Returns:
        How often of a hundred times a book was ready.
    """
    changes = looks = ready = 0
    struck: set[type] = set()
    while changes < UPDATES or len(struck) < 10:
        fault, duration = rng.choice(faults(rng, unit))
        here.inject(fault, duration)
        struck.add(type(fault))
        for _ in range(3):
            await trio.sleep(unit * 2 * rng.random())
            for symbol in SYMBOLS:
                looks += 1
                ready += await here.is_right(symbol)
        changes += sum(isinstance(message, BookChanged) for message in here.inbox.drain())
    here.sandbox.faults.clear()
    await here.ready(*SYMBOLS)
    for symbol in SYMBOLS:
        assert await here.is_right(symbol)
    return ready * 100 // looks


@pytest.mark.slow
async def test_over_real_sockets() -> None:
    async with books(symbols=SYMBOLS, tick=0.004, stream_speed=100.0) as here:
        await here.start(*SYMBOLS)
        await here.ready(*SYMBOLS)

        ready = await soup(here, Random(1), 0.04)  # noqa: S311 - faults need no cryptography

        assert ready > 20
        assert len(here.seen.of(ChildExited)) > 3
        assert len(here.seen.of(BookDesynced)) > 10
        assert here.seen.of(ErrorReported)
        assert here.seen.of(BookSynced)


class InWorld(Books):
    """The same, whose faults the world knows of."""

    world: World

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        params: dict[str, Any] = msgspec.to_builtins(fault)
        name = params.pop("kind")
        self.world.strike(Service(name=name, params=params), "exchange", duration)
        return 0


def in_a_world(seed: int) -> tuple[str, int]:
    """Run the same in a simulated world, over half an hour of it; return the hash of its trace, and the share ready."""
    world = World(seed)
    settings = SandboxSettings(tick=0.1)
    service = SandboxService(SYMBOLS, seed=seed, wall_time=world.true_time, settings=settings)
    service.join(world, "exchange", ["rest.exchange", "streams.exchange"])
    shares: list[int] = []

    async def main() -> None:
        inbox = Inbox()
        options = FAST | {"api": "api", "base_url": "ws://streams.exchange", "wall_time": world.wall_time}
        make = partial(BinanceBooks, SYMBOLS, **options)
        async with world.open_runtime(tree(api_in(world), inbox)) as runtime:
            with runtime.events(capacity=100_000) as stream:
                assert service.sandbox is not None
                here = InWorld(service.sandbox, Bot(runtime, Seen(stream)), inbox)
                here.world = world
                await here.bot.start("books", make, backoff=Backoff.exponential(0.5, maximum=5.0))
                await here.ready(*SYMBOLS)
                shares.append(await soup(here, Random(seed), 1.0))  # noqa: S311 - faults need no cryptography

    world.run(main)
    assert world.violations() == ()
    return world.trace.sha256, shares[0]


once = cache(in_a_world)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_simulated_world(seed: int) -> None:
    assert once(seed)[1] > 50


@pytest.mark.slow
def test_a_simulated_run_is_the_same_again() -> None:
    assert in_a_world(1) == once(1)
