"""Garbage is collected at times of the world's clock, and what is finalised then acts the same in every run."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import trio

from .support import Bare, run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Cycle:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


async def pass_time(seconds: int) -> None:
    for _ in range(seconds // 10):
        await trio.sleep(10.0)


def test_garbage_dies_at_the_same_times_however_much_else_is_made() -> None:
    """As much more is made in the first run of a process than in the second."""

    def died(junk: int) -> list[float]:
        died: list[float] = []
        bare = Bare()

        async def main() -> None:
            kept: list[Any] = []
            for _ in range(100):
                weakref.finalize(Cycle(), lambda: died.append(bare.clock.now()))
                kept.extend([number] for number in range(junk))
                await trio.sleep(1.0)

        bare.run(main)
        return died

    seen = [died(junk) for junk in (0, 100, 999)]

    assert seen[0] == seen[1] == seen[2] == [60.0] * 60 + [100.0] * 40


def test_an_abandoned_async_generator_is_closed_at_the_same_time() -> None:
    """Trio closes it in a task of its own, which takes part in the scheduler's chance."""

    async def main(junk: int) -> list[float]:
        closed: list[float] = []

        async def values() -> AsyncGenerator[int]:
            try:
                yield 1
            finally:
                closed.append(trio.current_time())

        async def abandon() -> None:
            generator = values()
            holder: list[Any] = [generator]
            holder.append(holder)
            await anext(generator)

        await abandon()
        _ = [[] for _ in range(junk)]
        await pass_time(100)
        return closed

    with pytest.warns(ResourceWarning, match="garbage collected before it"):
        assert [run(main, junk) for junk in (0, 10_000)] == [[60.0], [60.0]]


def test_old_garbage_is_found_by_the_hour() -> None:
    bare = Bare()
    died: list[float] = []

    async def main() -> None:
        cycle = Cycle()
        weakref.finalize(cycle, lambda: died.append(bare.clock.now()))
        await pass_time(100)  # it survives a collection, and is not new any more
        del cycle
        await pass_time(4000)

    bare.run(main)

    assert died == [3600.0]


def test_what_the_world_leaves_is_collected_before_it_ends() -> None:
    """Its destructors run in the world, and their complaints belong to its test."""
    bare = Bare()
    died: list[float] = []

    async def main() -> None:
        weakref.finalize(Cycle(), lambda: died.append(bare.clock.now()))
        await trio.sleep(1.0)

    bare.run(main)

    assert died == [1.0]


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_as_it_was_found(is_on: bool) -> None:
    was_on = gc.isenabled()
    try:
        (gc.enable if is_on else gc.disable)()
        seen = Bare().call(lambda: (gc.isenabled(), gc.get_freeze_count() > 0))
        assert (seen, gc.isenabled(), gc.get_freeze_count()) == ((False, True), is_on, 0)
    finally:
        (gc.enable if was_on else gc.disable)()


def test_waiting_for_the_next_collection_is_no_reason_to_go_on() -> None:
    """A world in which nothing can happen is noticed."""
    bare = Bare()

    async def main() -> bool:
        with trio.CancelScope() as scope:
            bare.clock.on_deadlock = scope.cancel
            await trio.sleep_forever()
        return scope.cancelled_caught

    assert bare.run(main)
    assert bare.clock.now() == 0.0
