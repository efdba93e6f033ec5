"""Slots for calls: so many at once, in order, for so long; whoever leaves, leaves nothing behind. Under trio."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import assert_checkpoints, assert_no_checkpoints, wait_all_tasks_blocked

from duenna.guards import Aimd, Bulkhead, BulkheadFullError
from duenna.guards._timeline import Timeline
from duenna.guards.bulkhead import Slots

if TYPE_CHECKING:
    from trio.testing import MockClock


def slots_of(settings: int | Bulkhead | Aimd) -> Slots:
    return Slots(settings, "api", Timeline())


@attrs.define
class Diary:
    """What callers of one bulkhead lived to see, and when."""

    slots: Slots
    start: float = attrs.field(factory=trio.current_time)
    lines: list[tuple[float, str, str]] = attrs.field(factory=list)

    def note(self, who: str, what: str) -> None:
        self.lines.append((trio.current_time() - self.start, who, what))

    async def visit(self, who: str, hold: float, left: float = math.inf) -> None:
        """Take a slot, hold it for a while, and write down how that went."""
        try:
            await self.slots.acquire(left)
        except BulkheadFullError:
            self.note(who, "refused")
            return
        except trio.Cancelled:
            self.note(who, "cancelled")
            raise
        self.note(who, "in")
        try:
            await trio.sleep(hold)
        finally:
            self.slots.release()


def idle(slots: Slots) -> bool:
    return (slots.in_use, slots.waiting) == (0, 0)


async def test_a_free_slot_costs_no_checkpoint() -> None:
    slots = slots_of(2)

    with assert_no_checkpoints():
        await slots.acquire()
        await slots.acquire(0.0)

    assert (slots.in_use, slots.limit, slots.waiting) == (2, 2, 0)


async def test_a_wait_is_a_checkpoint() -> None:
    slots = slots_of(1)
    await slots.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(release_when_idle, slots)
        with assert_checkpoints():
            await slots.acquire()


async def release_when_idle(slots: Slots) -> None:
    await wait_all_tasks_blocked()
    slots.release()


async def test_waiters_get_their_turns_in_the_order_of_coming(autojump_clock: MockClock) -> None:
    diary = Diary(slots_of(Bulkhead(2, max_wait=math.inf)))

    async with trio.open_nursery() as nursery:
        for number, hold in enumerate([1.0, 1.5, 1.0, 0.25, 1.0]):
            nursery.start_soon(diary.visit, f"{number}", hold)
            await wait_all_tasks_blocked()

    assert diary.lines == [
        (0.0, "0", "in"),
        (0.0, "1", "in"),
        (1.0, "2", "in"),
        (1.5, "3", "in"),
        (1.75, "4", "in"),
    ]
    assert idle(diary.slots)


async def test_nobody_overtakes_who_waits(autojump_clock: MockClock) -> None:
    """Between the hand-over and the moment that the waiter runs, the slot is not free."""
    slots = slots_of(1)
    await slots.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.acquire)
        await wait_all_tasks_blocked()
        slots.release()
        assert not slots.try_acquire()
        with pytest.raises(BulkheadFullError):
            slots.acquire_sync(may_wait=False)

    assert (slots.in_use, slots.waiting) == (1, 0)
    slots.release()
    assert slots.try_acquire()


async def test_the_queue_is_bounded(autojump_clock: MockClock) -> None:
    diary = Diary(slots_of(Bulkhead(1, queue=2)))

    async with trio.open_nursery() as nursery:
        for name in "abcd":
            nursery.start_soon(diary.visit, name, 0.25)
            await wait_all_tasks_blocked()
        assert diary.slots.waiting == 2
        with pytest.raises(
            BulkheadFullError,
            match=r"^guard 'api' refused the call: 1 calls are under way, no more may be \(2 wait already\)$",
        ) as caught:
            await diary.slots.acquire()

    assert (caught.value.guard, caught.value.limit) == ("api", 1)
    assert diary.lines == [(0.0, "a", "in"), (0.0, "d", "refused"), (0.25, "b", "in"), (0.5, "c", "in")]
    assert diary.slots.refused == 2
    assert idle(diary.slots)


async def test_without_a_queue_the_next_is_refused_at_once() -> None:
    slots = slots_of(Bulkhead(1, queue=0))
    await slots.acquire()

    with assert_no_checkpoints(), pytest.raises(BulkheadFullError, match=r"^[^(]*$"):
        await slots.acquire()


async def test_who_cannot_wait_is_refused_at_once() -> None:
    slots = slots_of(1)
    await slots.acquire()

    with assert_no_checkpoints(), pytest.raises(BulkheadFullError):
        await slots.acquire(0.0)


async def test_nobody_overtakes_between_a_release_and_the_hand_over(autojump_clock: MockClock) -> None:
    class Gapped(Slots):
        def _hand_over(self) -> None:
            overtakes.append(self.try_acquire())
            super()._hand_over()

    overtakes: list[bool] = []
    slots = Gapped(1, "api", Timeline())
    await slots.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.acquire)
        await wait_all_tasks_blocked()
        slots.release()

    assert overtakes == [False]


async def test_a_slot_that_comes_free_in_the_last_moment_is_taken() -> None:
    """Between the look for one and the place in the queue."""

    class Late(Timeline):
        def now(self) -> float:
            slots.release()
            return 0.0

    slots = Slots(Bulkhead(1, queue=0), "api", Late())
    await slots.acquire()

    await slots.acquire()

    assert (slots.in_use, slots.refused) == (1, 0)


async def test_what_is_shared_is_touched_under_the_lock_only(autojump_clock: MockClock) -> None:
    """A race that a test would have to win by luck."""

    class Watched:
        def __init__(self, it: Any) -> None:
            self.it = it

        def __getattr__(self, name: str) -> Any:
            assert slots._lock._is_owned()  # type: ignore[attr-defined]
            return getattr(self.it, name)

    diary = Diary(slots_of(Bulkhead(1, queue=1, max_wait=1.0)))
    slots = diary.slots
    slots._machine = Watched(slots._machine)  # type: ignore[assignment]
    async with trio.open_nursery() as nursery:
        for name, hold in [("a", 0.5), ("b", 2.0), ("c", 0.5)]:
            nursery.start_soon(diary.visit, name, hold)
            await wait_all_tasks_blocked()
        await trio.sleep(0.75)
        nursery.start_soon(diary.visit, "d", 0.5)

    assert [what for _, _, what in diary.lines] == ["in", "refused", "in", "refused"]


@pytest.mark.parametrize(
    ("max_wait", "left", "gives_up"),
    [
        (1.0, math.inf, 1.0),
        (1.0, 0.375, 0.375),
        (0.25, 0.375, 0.25),
        (1.0, 0.0, 0.0),
        (0.0, math.inf, 0.0),
        (1, -1, 0.0),
    ],
)
async def test_a_wait_ends_with_the_patience_or_the_deadline(
    autojump_clock: MockClock, max_wait: float, left: float, gives_up: float
) -> None:
    slots = slots_of(Bulkhead(1, max_wait=max_wait))
    await slots.acquire()
    start = trio.current_time()

    with pytest.raises(BulkheadFullError):
        await slots.acquire(left)

    assert trio.current_time() - start == gives_up
    assert (slots.in_use, slots.waiting, slots.refused) == (1, 0, 1)


async def test_who_gives_up_says_for_how_long_there_was_no_slot(autojump_clock: MockClock) -> None:
    slots = slots_of(Bulkhead(3, max_wait=0.5))
    for _ in range(3):
        await slots.acquire()

    with pytest.raises(BulkheadFullError, match=r"3 calls are under way, no more may be \(none ended within 0.5 s\)$"):
        await slots.acquire()


async def test_who_is_cancelled_in_the_queue_is_passed_over(autojump_clock: MockClock) -> None:
    diary = Diary(slots_of(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(diary.visit, "a", 0.5)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(diary.visit, "b", 0.5)
                await wait_all_tasks_blocked()
                nursery.start_soon(diary.visit, "c", 0.5)
                await wait_all_tasks_blocked()
                scope.cancel()

    assert diary.lines == [(0.0, "a", "in"), (0.0, "b", "cancelled"), (0.5, "c", "in")]
    assert idle(diary.slots)


async def test_who_is_cancelled_as_the_slot_arrives_leaves_it_to_the_next(autojump_clock: MockClock) -> None:
    """Cancelled first, handed the slot second, before the task could run: only then is it thrown away."""
    diary = Diary(slots_of(1))
    await diary.slots.acquire()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(diary.visit, "b", 0.5)
                await wait_all_tasks_blocked()
                nursery.start_soon(diary.visit, "c", 0.5)
                await wait_all_tasks_blocked()
                scope.cancel()
                diary.slots.release()

    assert diary.lines == [(0.0, "b", "cancelled"), (0.0, "c", "in")]
    assert idle(diary.slots)


async def test_who_has_the_slot_as_it_is_cancelled_gives_it_back_itself(autojump_clock: MockClock) -> None:
    """Handed the slot first: the wait has ended well, and the cancellation comes at the next checkpoint."""
    diary = Diary(slots_of(1))
    await diary.slots.acquire()

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(diary.visit, "b", 0.5)
            await wait_all_tasks_blocked()
            diary.slots.release()
            scope.cancel()

    assert diary.lines == [(0.0, "b", "in")]
    assert idle(diary.slots)


async def test_who_runs_out_of_patience_as_the_slot_arrives_takes_it(autojump_clock: MockClock) -> None:
    """Both at one moment, in whatever order trio runs them: nothing is lost, and nobody is refused needlessly."""
    for _ in range(20):
        diary = Diary(slots_of(Bulkhead(1, max_wait=1.0)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(diary.visit, "a", 1.0)
            await wait_all_tasks_blocked()
            nursery.start_soon(diary.visit, "b", 1.0)
            await wait_all_tasks_blocked()
            await trio.sleep(0.5)
            nursery.start_soon(diary.visit, "c", 1.0)

        if diary.lines[1] == (1.0, "b", "refused"):
            assert diary.lines[2:] == [(1.0, "c", "in")]
        else:
            assert diary.lines[1:] == [(1.0, "b", "in"), (1.5, "c", "refused")]
        assert idle(diary.slots)


async def test_a_slot_that_comes_after_the_end_of_patience_but_before_its_news_is_taken(
    autojump_clock: MockClock,
) -> None:
    slots = slots_of(Bulkhead(1, max_wait=1.0))
    await slots.acquire()
    waiting = slots._enter(LateWaiter, 1.0)
    assert waiting is not None

    slots.release()

    slots._claim(waiting, 1.0)
    assert (slots.in_use, slots.refused) == (1, 0)


class LateWaiter:
    """One whose patience has ended, although nobody knows it yet."""

    def wake(self) -> bool:
        return True


async def test_a_slot_for_a_loop_that_is_gone_goes_to_the_next(autojump_clock: MockClock) -> None:
    """Also when very many of them are gone; and their late goodbyes change nothing."""
    slots = slots_of(Bulkhead(1, queue=5000))
    await slots.acquire()
    gone = [slots._enter(GoneWaiter, 1.0) for _ in range(4000)]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.acquire)
        await wait_all_tasks_blocked()
        slots.release()

    assert (slots.in_use, slots.waiting) == (1, 0)
    for place in gone:
        assert place is not None
        slots._leave(place)
    assert (slots.in_use, slots.waiting) == (1, 0)


class GoneWaiter:
    """One whose loop has ended."""

    def wake(self) -> bool:
        return False


async def test_more_releases_than_slots_are_a_bug() -> None:
    slots = slots_of(1)
    await slots.acquire()
    slots.release()

    with pytest.raises(RuntimeError):
        slots.release()

    assert idle(slots)


async def test_a_fixed_limit_stays_whatever_the_far_end_says() -> None:
    slots = slots_of(3)

    for ok, duration in [(False, 0.0), (True, 1e9), (None, 0.0)]:
        await slots.acquire()
        slots.release(ok, duration)
        assert slots.limit == 3


async def test_an_adaptive_limit_falls_when_calls_are_dropped_and_rises_again(autojump_clock: MockClock) -> None:
    pattern = Aimd(4, decrease=0.5, timeout=5.0)
    slots = slots_of(pattern)
    for _ in range(4):
        await slots.acquire()

    slots.release(False)
    assert (slots.limit, slots.in_use) == (2, 3)
    slots.release(True, 6.0)  # too slow is dropped
    assert (slots.limit, slots.in_use) == (1, 2)
    slots.release()  # cancelled tells nothing
    assert (slots.limit, slots.in_use) == (1, 1)
    assert not slots.try_acquire()
    slots.release(True, 0.1)
    assert (slots.limit, slots.in_use) == (2, 0)

    assert (pattern.limit, pattern.inflight) == (4, 0)


async def test_a_limit_that_falls_hands_over_nothing_and_one_that_rises_hands_over_two(
    autojump_clock: MockClock,
) -> None:
    diary = Diary(slots_of(Bulkhead(Aimd(2, initial=2, decrease=0.5), max_wait=10.0)))
    for _ in range(2):
        await diary.slots.acquire()

    async with trio.open_nursery() as nursery:
        for name in "ab":
            nursery.start_soon(diary.visit, name, 1.0)
            await wait_all_tasks_blocked()
        diary.slots.release(False)  # limit 1, one still in use
        await wait_all_tasks_blocked()
        assert diary.lines == []
        await trio.sleep(2.0)
        diary.slots.release(True)  # limit 2, none in use
        await wait_all_tasks_blocked()
        assert sorted(diary.lines) == [(2.0, "a", "in"), (2.0, "b", "in")]

    assert idle(diary.slots)


async def test_an_operator_sees_who_waits_and_for_how_long(autojump_clock: MockClock) -> None:
    slots = slots_of(1)
    assert slots.waiting_for == 0.0
    await slots.acquire()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.acquire)
        await trio.sleep(0.25)
        assert repr(slots) == "<Slots 'api': 1 of 1 in use, 1 waiting>"
        assert slots.waiting_for == 0.25
        slots.release()

    assert slots.waiting_for == 0.0


async def test_a_plain_function_in_a_loop_never_waits() -> None:
    slots = slots_of(Bulkhead(1, max_wait=math.inf))
    slots.acquire_sync(may_wait=False)

    with pytest.raises(BulkheadFullError):
        slots.acquire_sync(may_wait=False)

    assert (slots.in_use, slots.waiting) == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"limit": 0}, ValueError, "Bulkhead: limit must be >= 1, got 0"),
        ({"limit": True}, TypeError, "Bulkhead: limit must be a whole number, got True"),
        ({"limit": 1.5}, TypeError, "Bulkhead: limit must be a whole number, got 1.5"),
        ({"limit": None}, TypeError, "Bulkhead: limit must be a whole number, got None"),
        ({"limit": 1, "queue": -1}, ValueError, "Bulkhead: queue must be >= 0, got -1"),
        ({"limit": 1, "queue": math.inf}, TypeError, "Bulkhead: queue must be a whole number, got inf"),
        ({"limit": 1, "max_wait": -0.5}, ValueError, "Bulkhead: max_wait must be >= 0 seconds, got -0.5"),
        ({"limit": 1, "max_wait": math.nan}, ValueError, "Bulkhead: max_wait must be a number, got nan"),
        ({"limit": 1, "max_wait": "1"}, TypeError, "Bulkhead: max_wait must be a number, got '1'"),
    ],
)
def test_limits_that_are_none_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Bulkhead(**arguments)

    assert str(caught.value) == message


def test_equal_settings_are_equal_an_adaptive_limit_by_its_settings() -> None:
    assert Bulkhead.of(3) == Bulkhead(3) == Bulkhead.of(Bulkhead(3))
    assert Bulkhead(3) != Bulkhead(3, queue=1)
    assert Bulkhead.of(Aimd(3)) == Bulkhead(Aimd(3))
    assert hash(Bulkhead.of(Aimd(3))) == hash(Bulkhead(Aimd(3)))
    assert Bulkhead(Aimd(3)) != Bulkhead(Aimd(3, timeout=1.0))
    assert Bulkhead(Aimd(3)) != Bulkhead(3)
