"""Slots for calls: what holds whoever comes, holds, gives up, is cancelled, in whatever order."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import attrs
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna.guards import Aimd, Bulkhead, BulkheadFullError
from duenna.guards._timeline import Timeline
from duenna.guards.bulkhead import Slots
from tests.runtime.guards import virtual_asyncio

if TYPE_CHECKING:
    from collections.abc import Sequence

# Few different times, so that things often happen at once; sums of them are exact.
times = st.integers(0, 12).map(lambda n: n / 4)


@attrs.frozen
class Visit:
    """A caller: comes, waits for so long, holds a slot for so long, unless it is cancelled before."""

    comes: float
    hold: float
    left: float
    cancelled_after: float
    ok: bool | None


visits = st.builds(
    Visit,
    comes=times,
    hold=times,
    left=st.one_of(times, st.just(math.inf)),
    cancelled_after=st.one_of(times, st.just(math.inf)),
    ok=st.sampled_from([True, False, None]),
)
fixed = st.builds(
    Bulkhead,
    st.integers(1, 3),
    queue=st.integers(0, 4),
    max_wait=st.one_of(times, st.just(math.inf)),
)
adaptive = st.builds(
    Bulkhead,
    st.builds(Aimd, st.integers(1, 4), decrease=st.just(0.5)),
    queue=st.integers(0, 4),
    max_wait=st.one_of(times, st.just(math.inf)),
)


@attrs.define
class Witness:
    """Looks at the slots whenever somebody takes one or gives one back."""

    settings: Bulkhead
    slots: Slots = attrs.field(init=False)
    inside: int = 0
    queued: list[int] = attrs.field(factory=list)
    served: dict[int, float] = attrs.field(factory=dict)
    outcomes: int = 0

    def __attrs_post_init__(self) -> None:
        self.slots = Slots(self.settings, "api", Timeline())

    def came(self, number: int) -> None:
        if self.slots.in_use >= self.slots.limit or self.slots.waiting:
            self.queued.append(number)

    def entered(self, number: int, now: float) -> None:
        self.inside += 1
        self.served[number] = now
        assert self.inside <= self.slots.in_use  # a slot that was handed over is in use, if not yet entered
        assert isinstance(self.settings.limit, Aimd) or self.slots.in_use <= self.settings.limit
        assert self.slots.waiting <= self.settings.queue

    def left(self, ok: bool | None) -> None:
        self.inside -= 1
        self.slots.release(ok)
        assert not self.slots.waiting or self.slots.in_use >= self.slots.limit  # none idle while somebody waits

    def check_the_end(self, count: int) -> None:
        assert self.outcomes == count
        assert (self.inside, self.slots.in_use, self.slots.waiting) == (0, 0, 0)
        in_turn = [self.served[number] for number in self.queued if number in self.served]
        assert in_turn == sorted(in_turn)
        for _ in range(self.slots.limit):
            assert self.slots.try_acquire()
        assert not self.slots.try_acquire()


def in_trio(settings: Bulkhead, script: Sequence[Visit]) -> Witness:
    witness = Witness(settings)

    async def call(number: int, visit: Visit) -> None:
        await trio.sleep(visit.comes)
        with trio.CancelScope(relative_deadline=visit.cancelled_after):
            witness.came(number)
            try:
                await witness.slots.acquire(visit.left)
            except BulkheadFullError:
                return
            try:
                witness.entered(number, trio.current_time())
                await trio.sleep(visit.hold)
            finally:
                witness.left(visit.ok)

    async def count(number: int, visit: Visit) -> None:
        await call(number, visit)
        witness.outcomes += 1

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number, visit in enumerate(script):
                nursery.start_soon(count, number, visit)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return witness


def in_asyncio(settings: Bulkhead, script: Sequence[Visit]) -> Witness:
    witness = Witness(settings)

    async def call(number: int, visit: Visit) -> None:
        witness.came(number)
        try:
            await witness.slots.acquire(visit.left)
        except BulkheadFullError:
            return
        try:
            witness.entered(number, asyncio.get_running_loop().time())
            await asyncio.sleep(visit.hold)
        finally:
            witness.left(visit.ok)

    async def count(number: int, visit: Visit) -> None:
        await asyncio.sleep(visit.comes)
        task = asyncio.create_task(call(number, visit))
        await asyncio.wait([task], timeout=None if visit.cancelled_after == math.inf else visit.cancelled_after)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None, task.exception()
        witness.outcomes += 1

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number, visit in enumerate(script):
                group.create_task(count(number, visit))

    virtual_asyncio.run(main())
    return witness


@given(st.one_of(fixed, adaptive), st.lists(visits, max_size=12))
def test_no_slot_is_lost_doubled_or_left_idle_under_trio(settings: Bulkhead, script: list[Visit]) -> None:
    in_trio(settings, script).check_the_end(len(script))


@given(st.one_of(fixed, adaptive), st.lists(visits, max_size=12))
def test_no_slot_is_lost_doubled_or_left_idle_under_asyncio(settings: Bulkhead, script: list[Visit]) -> None:
    in_asyncio(settings, script).check_the_end(len(script))
