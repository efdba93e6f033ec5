"""A gate that guards share: turns in order, bans, what the host has counted. Times are exact."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, assert_no_checkpoints, wait_all_tasks_blocked

from duenna.guards import RateLimit, RateLimitedError, RateLimitStatistics
from tests.runtime.guards import virtual_asyncio


def gate_of(**settings: Any) -> RateLimit:
    """A gate with a burst of 2 and a rate of 2 per second."""
    usual: dict[str, Any] = {"limit": 22, "per": 10, "burst": 2, "max_wait": 10.0, "name": "host"}
    return RateLimit(**(usual | settings))


@attrs.define
class Sender:
    """Sends through a gate, and writes down when."""

    gate: RateLimit
    start: float = attrs.field(factory=trio.current_time)
    sent: list[tuple[str, float]] = attrs.field(factory=list)
    refused: list[tuple[str, float, float]] = attrs.field(factory=list)

    def now(self) -> float:
        return trio.current_time() - self.start

    async def send(self, what: str, weight: float = 1.0, left: float = math.inf) -> None:
        try:
            await self.gate.acquire(weight, left)
        except RateLimitedError as error:
            self.refused.append((what, self.now(), error.retry_after))
        else:
            self.sent.append((what, self.now()))


async def test_what_is_there_is_taken_at_once() -> None:
    gate = gate_of()

    with assert_no_checkpoints():
        await gate.acquire()
        await gate.acquire(1.0, 0.0)


async def test_a_wait_is_a_checkpoint(autojump_clock: MockClock) -> None:
    gate = gate_of()
    await gate.acquire(2)

    with assert_checkpoints():
        await gate.acquire()


async def test_turns_come_in_the_order_of_asking_at_the_rate(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())

    async with trio.open_nursery() as nursery:
        for what, weight in [("a", 1), ("b", 1), ("c", 2), ("d", 0), ("e", 0.5)]:
            nursery.start_soon(sender.send, what, weight)
            await wait_all_tasks_blocked()

    assert sender.sent[:2] == [("a", 0.0), ("b", 0.0)]
    assert sorted(sender.sent[2:]) == [("c", 1.0), ("d", 1.0), ("e", 1.25)]


@pytest.mark.parametrize(
    ("max_wait", "left", "is_sent"),
    [
        (0.5, math.inf, True),
        (0.49, math.inf, False),
        (1.0, 0.5, True),
        (1.0, 0.49, False),
        (1.0, -3.0, False),
        (0, 9, False),
    ],
)
async def test_a_turn_that_comes_too_late_is_refused_at_once_and_takes_nothing(
    autojump_clock: MockClock, max_wait: float, left: float, is_sent: bool
) -> None:
    sender = Sender(gate_of(max_wait=max_wait))
    await sender.gate.acquire(2)

    await sender.send("a", 1.0, left)

    assert sender.sent == ([("a", 0.5)] if is_sent else [])
    assert sender.refused == ([] if is_sent else [("a", 0.0, 0.5)])
    assert sender.gate.statistics().taken == (3.0 if is_sent else 2.0)


async def test_the_error_names_who_asked(autojump_clock: MockClock) -> None:
    gate = gate_of(max_wait=0.0)
    await gate.acquire(2)

    with pytest.raises(RateLimitedError, match=r"^guard 'host' refused the call: its turn would come in 0.5 s only$"):
        await gate.acquire()
    with pytest.raises(RateLimitedError) as caught:
        await gate.acquire(guard="ohlcv")

    assert (caught.value.guard, caught.value.retry_after) == ("ohlcv", 0.5)


async def test_who_is_cancelled_gives_the_turn_back(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.5):
            await sender.gate.acquire(2)
        assert sender.gate.statistics().waiting == 0
        nursery.start_soon(sender.send, "b", 2)

    assert sender.sent == [("b", 1.0)]  # as if nobody had asked before


async def test_turns_given_after_the_one_that_is_given_back_stay_as_they_are(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(sender.send, "a", 1)
                await wait_all_tasks_blocked()
                nursery.start_soon(sender.send, "b", 1)
                await wait_all_tasks_blocked()
                scope.cancel()
        nursery.start_soon(sender.send, "c", 1)

    assert sender.sent == [("b", 1.0), ("c", 1.5)]


async def test_a_block_lets_nothing_through_before_its_end(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    sender.gate.block(3.0)
    sender.gate.block(1.0)  # an earlier end changes nothing
    assert sender.gate.blocked_for == 3.0

    async with trio.open_nursery() as nursery:
        for what in "abc":
            nursery.start_soon(sender.send, what)
            await wait_all_tasks_blocked()
        await trio.sleep(1.0)
        assert sender.gate.blocked_for == 2.0

    assert sorted(sender.sent) == [("a", 3.0), ("b", 3.0), ("c", 3.5)]
    assert sender.gate.blocked_for == 0.0


async def test_a_block_that_is_longer_than_the_wait_refuses_with_its_end(autojump_clock: MockClock) -> None:
    gate = gate_of(max_wait=1.0)
    gate.block(120.0)

    with pytest.raises(RateLimitedError) as caught:
        await gate.acquire()

    assert caught.value.retry_after == 120.0
    assert gate.statistics().taken == 0.0


async def test_a_block_that_comes_during_a_wait_holds_for_who_waits(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.send, "a")
        await trio.sleep(0.25)
        sender.gate.block(2.0)

    assert sender.sent == [("a", 2.25)]
    assert sender.gate.statistics().waiting == 0


async def test_a_second_block_holds_as_well(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.send, "a")
        await trio.sleep(0.25)
        sender.gate.block(2.0)
        await trio.sleep(1.0)
        sender.gate.block(3.0)

    assert sender.sent == [("a", 4.25)]


async def test_who_cannot_wait_for_the_end_of_a_block_is_refused_when_its_turn_comes(
    autojump_clock: MockClock,
) -> None:
    """The patience is that of the whole wait, not of each part."""
    sender = Sender(gate_of(max_wait=1.0))
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender.send, "a")
        await trio.sleep(0.25)
        sender.gate.block(1.0)

    assert sender.refused == [("a", 0.5, 0.75)]
    statistics = sender.gate.statistics()
    assert (statistics.refused, statistics.waiting, statistics.calls) == (1, 0, 1)


async def test_who_is_cancelled_in_the_second_part_of_a_wait_gives_the_second_turn_back(
    autojump_clock: MockClock,
) -> None:
    sender = Sender(gate_of())
    await sender.gate.acquire(2)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1.5):
            nursery.start_soon(block_soon, sender.gate)
            await sender.gate.acquire(2)
        assert sender.gate.statistics().waiting == 0
        nursery.start_soon(sender.send, "b", 2)

    assert sender.sent == [("b", 2.25)]


async def block_soon(gate: RateLimit) -> None:
    await trio.sleep(0.25)
    gate.block(2.0)


async def test_a_hand_ends_a_block(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    sender.gate.block(100.0)
    sender.gate.feed(20, resets_in=50.0)

    sender.gate.unblock()
    await sender.send("a")

    assert sender.sent == [("a", 0.0)]
    assert sender.gate.statistics().used is None


async def test_the_hosts_own_count_holds_calls_back_until_its_window_ends(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    sender.gate.feed(21, resets_in=5.0)

    await sender.send("a")
    assert sender.gate.statistics().used == 21.0
    await sender.send("b")

    assert sender.sent == [("a", 0.0), ("b", 5.0)]
    assert sender.gate.statistics().used is None


async def test_the_hosts_own_limit_may_be_another(autojump_clock: MockClock) -> None:
    sender = Sender(gate_of())
    sender.gate.feed(100, limit=101, resets_in=5.0)

    await sender.send("a")
    await sender.send("b")

    assert sender.sent == [("a", 0.0), ("b", 5.0)]


async def test_a_count_at_the_limit_is_a_block(autojump_clock: MockClock) -> None:
    gate = gate_of()

    gate.feed(22, resets_in=5.0)

    assert gate.blocked_for == 5.0


async def test_a_report_of_a_window_that_is_over_is_passed_over(autojump_clock: MockClock) -> None:
    gate = gate_of()

    gate.feed(22, resets_in=0.0)
    assert (gate.blocked_for, gate.statistics().used) == (0.0, None)

    gate.feed(7, resets_in=10.0)
    gate.feed(22, resets_in=0.0)
    assert (gate.blocked_for, gate.statistics().used) == (0.0, 7.0)


async def test_statistics_say_how_it_stands(autojump_clock: MockClock) -> None:
    gate = gate_of(max_wait=1.0)
    await gate.acquire(2)
    with pytest.raises(RateLimitedError):
        await gate.acquire(0.5, 0.0)
    gate.feed(7, resets_in=10.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(gate.acquire, 1)
        await trio.sleep(0.25)
        statistics = gate.statistics()

    assert statistics == RateLimitStatistics(
        calls=1, taken=2.0, refused=1, waiting=1, level=-0.5, used=7.0, blocked_for=0.0
    )
    assert gate.statistics() == RateLimitStatistics(
        calls=2, taken=3.0, refused=1, waiting=0, level=0.0, used=7.0, blocked_for=0.0
    )


async def test_what_is_shared_is_touched_under_the_lock_only(autojump_clock: MockClock) -> None:
    """A race that a test would have to win by luck."""

    class Watched:
        def __init__(self, it: Any) -> None:
            self.it = it

        def __getattr__(self, name: str) -> Any:
            assert gate._lock._is_owned()  # type: ignore[attr-defined]
            return getattr(self.it, name)

    gate = gate_of(max_wait=1.0)
    gate._gate.bucket = Watched(gate._gate.bucket)  # type: ignore[assignment]
    await gate.acquire(2)
    await gate.acquire()
    with trio.move_on_after(0.25):
        await gate.acquire()
    gate.feed(1, resets_in=1.0)
    gate.block(3.0)
    with pytest.raises(RateLimitedError):
        gate.acquire_sync()
    gate.unblock()

    assert (gate.blocked_for, gate.statistics().calls) == (0.0, 2)


async def test_a_plain_function_in_a_loop_never_waits() -> None:
    gate = gate_of()
    gate.acquire_sync(2, may_wait=False)

    with pytest.raises(RateLimitedError):
        gate.acquire_sync(may_wait=False)

    assert gate.statistics().waiting == 0


def test_turns_under_asyncio_come_at_the_same_times() -> None:
    async def send(gate: RateLimit, weight: float, sent: list[float]) -> None:
        await gate.acquire(weight)
        sent.append(asyncio.get_running_loop().time())

    async def main() -> list[float]:
        gate, sent = gate_of(), list[float]()
        async with asyncio.TaskGroup() as group:
            for weight in [1, 1, 2, 0.5]:
                group.create_task(send(gate, weight, sent))
            await asyncio.sleep(0.25)
            gate.block(3.0)
        return sent

    assert virtual_asyncio.run(main()) == [0.0, 0.0, 3.25, 3.5]


def test_who_is_cancelled_under_asyncio_gives_the_turn_back() -> None:
    async def main() -> float:
        gate = gate_of()
        await gate.acquire(2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.acquire(2), 0.5)
        await gate.acquire(2)
        return asyncio.get_running_loop().time()

    assert virtual_asyncio.run(main()) == 1.0


def test_a_thread_waits_for_its_turn() -> None:
    gate = RateLimit(1, 0.001)

    for _ in range(3):
        gate.acquire_sync()

    statistics = gate.statistics()
    assert (statistics.calls, statistics.taken, statistics.waiting) == (3, 3.0, 0)


def test_a_thread_that_is_interrupted_gives_the_turn_back() -> None:
    gate = gate_of(limit=1, per=1000, burst=None, max_wait=math.inf)
    gate.acquire_sync()

    def interrupt(self: object, seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duenna._thread_clock.ThreadClock.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            gate.acquire_sync()

    statistics = gate.statistics()
    assert statistics.waiting == 0
    assert 0.0 <= statistics.level < 0.1


def test_threads_and_tasks_share_one_bucket() -> None:
    """Twelve of each kind ask for what is left in the burst; as many pass as it holds."""
    gate = RateLimit(1000, 1e6, burst=20, max_wait=0.0)
    passed: list[str] = []

    def ask(kind: str) -> None:
        for _ in range(12):
            try:
                gate.acquire_sync()
            except RateLimitedError:
                continue
            passed.append(kind)

    async def ask_async(kind: str) -> None:
        for _ in range(12):
            try:
                await gate.acquire()
            except RateLimitedError:
                continue
            passed.append(kind)

    threads = [
        threading.Thread(target=ask, args=("thread",)),
        threading.Thread(target=trio.run, args=(ask_async, "trio")),
        threading.Thread(target=lambda: virtual_asyncio.run(ask_async("asyncio"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 20
    statistics = gate.statistics()
    assert (statistics.calls, statistics.refused) == (20, 16)


def test_another_virtual_clock_is_another_world() -> None:
    """A gate of a module begins with a full burst in each test."""
    gate = gate_of()

    async def spend() -> RateLimitStatistics:
        await gate.acquire(2)
        gate.block(5.0)
        return gate.statistics()

    first = trio.run(spend, clock=MockClock(autojump_threshold=0))
    second = trio.run(spend, clock=MockClock(autojump_threshold=0))

    assert first == second
    assert second.calls == 1


def test_what_still_waits_in_the_old_world_does_not_count_in_the_new() -> None:
    gate = gate_of()
    fresh = gate_of().statistics()

    async def leave_waiting() -> None:
        await gate.acquire(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gate.acquire, 1)
            with trio.move_on_after(0.25):
                await gate.acquire(1)
            gate.begin_anew()
            assert gate.statistics() == fresh
        assert gate.statistics() == fresh

    trio.run(leave_waiting, clock=MockClock(autojump_threshold=0))


async def test_a_twin_shares_nothing() -> None:
    for gate in gate_of(), RateLimit(0.5, 3, name="slow"), RateLimit(100, 1):
        twin = gate.twin()
        await gate.acquire()

        assert repr(twin) == repr(gate)
        assert twin.statistics().calls == 0


def test_settings_have_defaults_that_make_sense() -> None:
    assert repr(RateLimit(2400, 60)) == "RateLimit(2400.0, per=60.0, burst=240.0, max_wait=1.0, name='')"
    assert RateLimit(5, 1).burst == 1.0
    assert RateLimit(0.25, 1).burst == 1.0


async def test_a_limit_of_one_is_an_even_pace(autojump_clock: MockClock) -> None:
    sender = Sender(RateLimit(1, 0.5, max_wait=10.0))

    for what in "abc":
        await sender.send(what)

    assert sender.sent == [("a", 0.0), ("b", 0.5), ("c", 1.0)]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"limit": 0}, ValueError, "RateLimit 'host': limit must be > 0 and finite, got 0"),
        ({"limit": math.inf}, ValueError, "RateLimit 'host': limit must be > 0 and finite, got inf"),
        ({"limit": True}, TypeError, "RateLimit 'host': limit must be a number, got True"),
        ({"per": 0}, ValueError, "RateLimit 'host': per must be > 0 seconds, got 0"),
        ({"per": math.inf}, ValueError, "RateLimit 'host': per must be a finite number of seconds, got inf"),
        ({"burst": 0}, ValueError, "RateLimit 'host': burst must be > 0 and finite, got 0"),
        ({"burst": 22}, ValueError, "RateLimit 'host': burst must be < limit (22), got 22"),
        ({"burst": math.nan, "name": ""}, ValueError, "RateLimit: burst must be a number, got nan"),
        ({"max_wait": -1}, ValueError, "RateLimit 'host': max_wait must be >= 0 seconds, got -1"),
        ({"name": None}, TypeError, "RateLimit: name must be a str, got None"),
    ],
)
def test_limits_that_are_none_are_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        gate_of(**settings)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (2.5, ValueError, "RateLimit 'host': weight must be within [0, 2.0], its burst, got 2.5"),
        (-1, ValueError, "RateLimit 'host': weight must be within [0, 2.0], its burst, got -1"),
        (math.nan, ValueError, "RateLimit 'host': weight must be a number, got nan"),
        ("1", TypeError, "RateLimit 'host': weight must be a number, got '1'"),
    ],
)
async def test_weights_that_could_never_pass_are_refused(weight: Any, error: type[Exception], message: str) -> None:
    gate = gate_of()

    with pytest.raises(error) as caught:
        await gate.acquire(weight)
    assert str(caught.value) == message
    with pytest.raises(error):
        gate.acquire_sync(weight)

    assert gate.statistics().level == 2.0


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        ("feed", {"used": -1, "resets_in": 1}, "RateLimit 'host': feed: used must be >= 0 and finite, got -1"),
        ("feed", {"used": math.inf, "resets_in": 1}, "RateLimit 'host': feed: used must be >= 0 and finite, got inf"),
        (
            "feed",
            {"used": 1, "limit": 0, "resets_in": 1},
            "RateLimit 'host': feed: limit must be > 0 and finite, got 0",
        ),
        ("feed", {"used": 1, "resets_in": -1}, "RateLimit 'host': feed: resets_in must be >= 0 seconds, got -1"),
        ("block", {"seconds": -1}, "RateLimit 'host': block: seconds must be >= 0 seconds, got -1"),
        (
            "block",
            {"seconds": math.inf},
            "RateLimit 'host': block: seconds must be a finite number of seconds, got inf",
        ),
    ],
)
def test_reports_that_make_no_sense_are_refused(call: str, arguments: dict[str, Any], message: str) -> None:
    gate = gate_of()

    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        getattr(gate, call)(**arguments)

    assert str(caught.value) == message
    assert gate.blocked_for == 0.0
