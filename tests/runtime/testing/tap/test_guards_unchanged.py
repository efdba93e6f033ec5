"""The tap of guards changes nothing: with it, without it, and on the short way, calls end alike."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import cache
from random import Random
from typing import Any

import attrs
import pytest
import trio

from duenna.guards import GuardStatistics
from duenna.guards._registry import registry
from duenna.testing._clock import WorldClock
from duenna.testing._determinism import deterministic
from duenna.testing._tap import tap_guards
from tests.runtime.testing.determinism.support import WALL
from tests.worlds.guarded_town import CALLERS, FarError, Town

from .support import Book

SECONDS = 60.0


class SystemClock(WorldClock):
    """A virtual clock that guards take for a real one, by its name: calls that succeed at once take the short way."""


@attrs.frozen
class Life:
    """All that can be seen of a run from outside.

    Attributes:
        heard: What came of each call.
        statistics: Of each guard, at the end.
        draw: What the seed's generator gives next.
    """

    heard: list[tuple[float, str, str]]
    statistics: list[GuardStatistics]
    draw: float


async def live(seed: int, *, hands: bool) -> Life:
    """Have many call at the same time."""
    town = Town(Random(seed), hands=hands)  # noqa: S311  # a simulation
    for guard in town.guards:
        with suppress(FarError):  # the first that it sees is the loop, and no thread, which has a clock of its own
            await guard.call(town.ask, 0)

    async def caller() -> None:
        while True:
            await town.call(town.rng.choice(town.guards))
            await trio.sleep(town.rng.expovariate(4.0))

    async def hand() -> None:
        while town.hands:
            await trio.sleep(town.rng.expovariate(0.3))
            await town.move()

    with trio.move_on_after(SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hand)
            for _ in range(CALLERS):
                nursery.start_soon(caller)
    return Life(town.heard, [guard.statistics() for guard in town.guards], registry.rng().random())


def run(seed: int, *, clock: type[WorldClock] = WorldClock, book: Book | None = None, hands: bool = True) -> Life:
    """Run it once, tapped if there is a *book*."""
    time = clock()
    world: Any = deterministic(seed, time, lambda: WALL + time.now(), on_leak=lambda leak: None)
    with ExitStack() as stack:
        stack.enter_context(world)
        stack.enter_context(registry.fresh())
        if book is not None:
            stack.enter_context(tap_guards(book.record))

        async def main() -> Life:
            return await live(seed, hands=hands)

        return trio.run(main, clock=time)


@cache
def tapped(seed: int, *, hands: bool) -> tuple[Life, Book]:
    """Run it once, tapped, whoever compares with it."""
    book = Book()
    return run(seed, book=book, hands=hands), book


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hands", [False, True])
def test_calls_end_alike_with_the_tap_and_without_it(seed: int, hands: bool) -> None:
    untapped = run(seed, hands=hands)

    life, book = tapped(seed, hands=hands)
    assert len(book.of("attempt_begun")) > 500
    assert life == untapped


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hands", [False, True])
def test_calls_end_alike_on_the_short_way_and_on_the_long_one(seed: int, hands: bool) -> None:
    life, _ = tapped(seed, hands=hands)
    assert run(seed, clock=SystemClock, hands=hands) == life
