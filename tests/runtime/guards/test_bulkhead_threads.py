"""Slots that trio, asyncio and plain threads share, all at the same time."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna._random import generator
from duenna.guards import Bulkhead, BulkheadFullError
from duenna.guards._timeline import Timeline
from duenna.guards.bulkhead import Slots
from tests.runtime.guards import virtual_asyncio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOR_EVER = Bulkhead(1, max_wait=math.inf)


def slots_of(settings: Bulkhead) -> Slots:
    return Slots(settings, "api", Timeline())


async def until_somebody_waits(slots: Slots) -> None:
    while not slots.waiting:
        await trio.lowlevel.checkpoint()


async def test_a_task_hands_its_slot_to_a_thread_and_gets_it_back() -> None:
    slots = slots_of(FOR_EVER)
    await slots.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, lambda: slots.acquire_sync())  # noqa: PLW0108  # mypy
        await until_somebody_waits(slots)
        slots.release()
    assert (slots.in_use, slots.waiting) == (1, 0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.acquire)
        await wait_all_tasks_blocked()
        await trio.to_thread.run_sync(slots.release)
    assert (slots.in_use, slots.waiting) == (1, 0)


async def test_a_task_of_asyncio_hands_its_slot_to_one_of_trio() -> None:
    slots = slots_of(FOR_EVER)
    taken = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def main() -> None:
        await slots.acquire()
        token.run_sync_soon(taken.set)
        while not slots.waiting:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)
        slots.release()
        await slots.acquire()
        slots.release()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, lambda: virtual_asyncio.run(main()))
        await taken.wait()
        await slots.acquire()
        await until_somebody_waits(slots)
        slots.release()

    assert (slots.in_use, slots.waiting) == (0, 0)


def test_a_thread_waits_no_longer_than_it_can() -> None:
    slots = slots_of(Bulkhead(1, max_wait=0.001))
    slots.acquire_sync()

    with pytest.raises(BulkheadFullError):
        slots.acquire_sync()
    with pytest.raises(BulkheadFullError):
        slots.acquire_sync(0.0)

    assert (slots.in_use, slots.waiting, slots.refused) == (1, 0, 2)


def test_a_thread_that_is_interrupted_leaves_the_queue() -> None:
    slots = slots_of(FOR_EVER)
    slots.acquire_sync()

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            slots.acquire_sync()

    assert (slots.in_use, slots.waiting) == (1, 0)


@attrs.define
class Crowd:
    """Callers of all kinds, each of whom checks that there are never too many."""

    slots: Slots
    rounds: int
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    inside: int = 0
    visits: int = 0
    refusals: int = 0

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.visits += 1
            assert self.inside <= self.slots.limit

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
        self.slots.release()

    def refused(self) -> None:
        with self.lock:
            self.refusals += 1

    def in_threads(self, seed: int) -> None:
        draw = generator(seed)
        for _ in range(self.rounds):
            try:
                self.slots.acquire_sync(draw.choice([0.0, 1e-5, math.inf]))
            except BulkheadFullError:
                self.refused()
                continue
            self.enter()
            self.leave()

    def in_trio(self, seed: int) -> None:
        draw = generator(seed)

        async def visit() -> None:
            with trio.CancelScope() as scope:
                if draw.random() < 0.5:
                    scope.deadline = trio.current_time() + draw.choice([0.0, 1e-5, 1e-4])
                try:
                    await self.slots.acquire(draw.choice([0.0, 1e-5, math.inf]))
                except BulkheadFullError:
                    self.refused()
                    return
                self.enter()
                try:
                    await trio.lowlevel.checkpoint()
                finally:
                    self.leave()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(self.rounds):
                    nursery.start_soon(visit)
                    await trio.lowlevel.checkpoint()

        trio.run(main)

    def in_asyncio(self, seed: int) -> None:
        draw = generator(seed)

        async def visit() -> None:
            try:
                await self.slots.acquire(draw.choice([0.0, 1e-5, math.inf]))
            except BulkheadFullError:
                self.refused()
                return
            self.enter()
            try:
                await asyncio.sleep(0)
            finally:
                self.leave()

        async def main() -> None:
            tasks = []
            for _ in range(self.rounds):
                tasks.append(asyncio.create_task(visit()))
                await asyncio.sleep(0)
                if draw.random() < 0.5:
                    draw.choice(tasks).cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if result is not None and not isinstance(result, asyncio.CancelledError):
                    raise result

        virtual_asyncio.run(main())


@pytest.fixture
def _hectic() -> Iterator[None]:
    """Have threads take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hectic")
@pytest.mark.parametrize("limit", [1, 3])
def test_a_crowd_of_all_kinds_never_exceeds_the_limit_and_loses_nothing(limit: int) -> None:
    crowd = Crowd(slots_of(Bulkhead(limit, queue=10_000, max_wait=math.inf)), rounds=150)
    kinds: list[Callable[[int], None]] = [crowd.in_threads, crowd.in_trio, crowd.in_asyncio]
    together = threading.Barrier(6)

    def run(kind: Callable[[int], None], seed: int) -> None:
        together.wait()
        kind(seed)

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(run, kind, seed) for seed in (0, 1) for kind in kinds]:
            future.result()

    assert (crowd.slots.in_use, crowd.slots.waiting, crowd.inside) == (0, 0, 0)
    assert crowd.visits > 0
    assert crowd.refusals == crowd.slots.refused
