"""Slots for calls under asyncio: the same order, the same times, the same care."""

from __future__ import annotations

import asyncio
import gc
import math

import attrs
import pytest

from duenna.guards import Bulkhead, BulkheadFullError
from duenna.guards._timeline import Timeline
from duenna.guards.bulkhead import Slots
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.virtual_asyncio import VirtualLoop


def slots_of(settings: int | Bulkhead) -> Slots:
    return Slots(settings, "api", Timeline())


def now() -> float:
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@attrs.define
class Diary:
    """What callers of one bulkhead lived to see, and when."""

    slots: Slots
    lines: list[tuple[float, str, str]] = attrs.field(factory=list)

    async def visit(self, who: str, hold: float, left: float = math.inf) -> None:
        """Take a slot, hold it for a while, and write down how that went."""
        try:
            await self.slots.acquire(left)
        except BulkheadFullError:
            self.lines.append((now(), who, "refused"))
            return
        except asyncio.CancelledError:
            self.lines.append((now(), who, "cancelled"))
            raise
        self.lines.append((now(), who, "in"))
        try:
            await asyncio.sleep(hold)
        finally:
            self.slots.release()


def test_waiters_get_their_turns_in_the_order_of_coming() -> None:
    async def main() -> Diary:
        diary = Diary(slots_of(Bulkhead(2, max_wait=math.inf)))
        async with asyncio.TaskGroup() as group:
            for number, hold in enumerate([1.0, 1.5, 1.0, 0.25, 1.0]):
                group.create_task(diary.visit(f"{number}", hold))
        return diary

    diary = virtual_asyncio.run(main())

    assert diary.lines == [
        (0.0, "0", "in"),
        (0.0, "1", "in"),
        (1.0, "2", "in"),
        (1.5, "3", "in"),
        (1.75, "4", "in"),
    ]
    assert (diary.slots.in_use, diary.slots.waiting) == (0, 0)


@pytest.mark.parametrize(("left", "gives_up"), [(math.inf, 1.0), (0.375, 0.375), (0.0, 0.0)])
def test_a_wait_ends_with_the_patience_or_the_deadline(left: float, gives_up: float) -> None:
    async def main() -> tuple[float, int, int]:
        slots = slots_of(1)
        await slots.acquire()
        with pytest.raises(BulkheadFullError):
            await slots.acquire(left)
        return now(), slots.in_use, slots.waiting

    assert virtual_asyncio.run(main()) == (gives_up, 1, 0)


def test_who_is_cancelled_in_the_queue_is_passed_over() -> None:
    async def main() -> Diary:
        diary = Diary(slots_of(1))
        async with asyncio.TaskGroup() as group:
            group.create_task(diary.visit("a", 0.5))
            doomed = group.create_task(diary.visit("b", 0.5))
            group.create_task(diary.visit("c", 0.5))
            await settle()
            doomed.cancel()
        return diary

    diary = virtual_asyncio.run(main())

    assert diary.lines == [(0.0, "a", "in"), (0.0, "b", "cancelled"), (0.5, "c", "in")]
    assert (diary.slots.in_use, diary.slots.waiting) == (0, 0)


@pytest.mark.parametrize("is_handed_first", [False, True])
def test_who_is_cancelled_as_the_slot_arrives_leaves_it_to_the_next(is_handed_first: bool) -> None:
    """Here a cancellation is thrown into a wait that has ended well, too."""

    async def main() -> Diary:
        diary = Diary(slots_of(1))
        await diary.slots.acquire()
        async with asyncio.TaskGroup() as group:
            doomed = group.create_task(diary.visit("b", 0.5))
            group.create_task(diary.visit("c", 0.5))
            await settle()
            if is_handed_first:
                diary.slots.release()
            doomed.cancel()
            if not is_handed_first:
                diary.slots.release()
        return diary

    diary = virtual_asyncio.run(main())

    assert diary.lines == [(0.0, "b", "cancelled"), (0.0, "c", "in")]
    assert (diary.slots.in_use, diary.slots.waiting) == (0, 0)


def test_who_runs_out_of_patience_as_the_slot_arrives_takes_it() -> None:
    """The timer has gone off, the task has not run yet, and now the slot comes."""

    async def main() -> Diary:
        diary = Diary(slots_of(Bulkhead(1, max_wait=1.0)))
        await diary.slots.acquire()
        async with asyncio.TaskGroup() as group:
            group.create_task(diary.visit("b", 0.5))
            await settle()
            asyncio.get_running_loop().call_at(1.0, diary.slots.release)
        return diary

    diary = virtual_asyncio.run(main())

    assert diary.lines == [(1.0, "b", "in")]
    assert (diary.slots.in_use, diary.slots.waiting) == (0, 0)


def test_what_a_dead_loop_left_in_the_queue_is_passed_over() -> None:
    slots = slots_of(1)
    loop = VirtualLoop()
    loop.run_until_complete(slots.acquire())
    task = loop.create_task(slots.acquire(math.inf))
    loop.run_until_complete(settle())
    assert (slots.in_use, slots.waiting) == (1, 1)
    loop.close()

    async def main() -> None:
        waiting = asyncio.create_task(slots.acquire())
        await settle()
        slots.release()
        await waiting

    virtual_asyncio.run(main())
    assert (slots.in_use, slots.waiting) == (1, 0)

    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio complains of what is tested here
    del task
    gc.collect()
    assert (slots.in_use, slots.waiting) == (1, 0)


def test_a_slot_that_a_dead_loop_never_took_comes_back_when_its_task_is_collected() -> None:
    slots = slots_of(1)
    slots.acquire_sync()
    loop = VirtualLoop()
    task = loop.create_task(slots.acquire())
    loop.run_until_complete(settle())
    slots.release()
    assert (slots.in_use, slots.waiting) == (1, 0)

    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio complains of what is tested here
    del task, loop
    gc.collect()

    assert (slots.in_use, slots.waiting) == (0, 0)
