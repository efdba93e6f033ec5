"""Bulkhead, rate limit and hedge in a simulated world: the same seed, the same story, in worker threads too."""

from __future__ import annotations

import trio

from duenna.guards import Bulkhead, BulkheadFullError, Hedge, RateLimit, RateLimitedError
from duenna.guards._timeline import Timeline
from duenna.guards.bulkhead import Slots
from duenna.guards.hedge import race
from tests.runtime.testing.determinism.support import Bare

Story = list[tuple[float, str]]


async def town() -> Story:
    """Many do the same at the same time, so that only the seed says who is first."""
    slots = Slots(Bulkhead(2, queue=6, max_wait=1.0), "api", Timeline())
    gate = RateLimit(12, 1.0, burst=4, max_wait=1.0)
    story: Story = []

    async def call(name: str) -> None:
        try:
            await slots.acquire()
        except BulkheadFullError:
            story.append((trio.current_time(), f"{name} found no slot"))
            return
        try:
            await gate.acquire()
            story.append((trio.current_time(), f"{name} sends"))
            await trio.sleep(0.25)
        except RateLimitedError:
            story.append((trio.current_time(), f"{name} came too late"))
        finally:
            slots.release()

    async def hedged(name: str) -> None:
        await race("trio", lambda: call(name), Hedge(0.25), lambda: True)
        story.append((trio.current_time(), f"{name} has its answer"))

    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(hedged if number % 3 else call, f"{number}")
        await trio.sleep(0.5)
        nursery.start_soon(hedged, "late")
    return story


def test_a_seed_tells_one_story_and_another_seed_another() -> None:
    stories = [Bare(seed).run(town) for seed in (1, 1, 2)]

    assert stories[0] == stories[1]
    assert stories[0] != stories[2]
    assert len(stories[0]) > 12


def test_a_worker_thread_waits_in_the_worlds_time() -> None:
    """It goes ahead for itself alone, so a slot that a task would give back meanwhile does not reach it."""

    async def main() -> tuple[float, float]:
        slots = Slots(Bulkhead(1, max_wait=2.0), "api", Timeline())
        gate = RateLimit(1, 4.0, max_wait=10.0)
        gate.acquire_sync()
        await slots.acquire()
        refused: list[BulkheadFullError] = []

        def crowd() -> None:
            try:
                slots.acquire_sync()
            except BulkheadFullError as error:
                refused.append(error)

        started = trio.current_time()
        await trio.to_thread.run_sync(crowd)
        without_slot = trio.current_time() - started
        assert len(refused) == 1
        assert slots.waiting == 0
        started = trio.current_time()
        await trio.to_thread.run_sync(gate.acquire_sync)
        return without_slot, trio.current_time() - started

    world = Bare(7)
    without_slot, in_turn = world.run(main)

    assert 2.0 < without_slot < 2.1
    assert 4.0 - without_slot <= in_turn < 4.1 - without_slot
    assert world.leaks == []
