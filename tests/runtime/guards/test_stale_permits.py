"""Who waits for bulkhead or rate limit does not slip through a breaker that opens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from duenna.guards import Breaker, Bulkhead, CircuitOpenError, Guard, RateLimit

if TYPE_CHECKING:
    from trio.testing import MockClock


@attrs.define(eq=False)
class Far:
    """Fails as often as it was told to; takes a second.

    Attributes:
        failures: How often.
        asked: When it was asked.
        ended: How each call of `all` ended, and when.
    """

    failures: int
    asked: list[float] = attrs.field(factory=list[float])
    ended: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    async def ask(self) -> str:
        """Answer."""
        self.asked.append(trio.current_time())
        number = len(self.asked)
        await trio.sleep(1.0)
        if number <= self.failures:
            raise ConnectionError("no")
        return "yes"

    async def call(self, guard: Guard) -> None:
        """Make a call, and see how it ends."""
        try:
            came = await guard.call(self.ask)
        except (ConnectionError, CircuitOpenError) as error:
            came = type(error).__name__
        self.ended.append((trio.current_time(), came))

    async def all(self, guard: Guard, calls: int) -> None:
        """Make calls, all at once."""
        async with trio.open_nursery() as nursery:
            for _ in range(calls):
                nursery.start_soon(self.call, guard)


async def test_who_waits_for_the_bulkhead_is_refused(autojump_clock: MockClock) -> None:
    far = Far(failures=9)
    breaker = Breaker.consecutive(2, open_for=10.0)
    guard = Guard("bulkhead", retry=None, breaker=breaker, bulkhead=Bulkhead(2, max_wait=5.0))

    await far.all(guard, 5)

    assert far.asked == [0.0, 0.0]
    assert far.ended == [(1.0, "ConnectionError")] * 2 + [(1.0, "CircuitOpenError")] * 3
    statistics = guard.statistics()
    assert (statistics.attempts, statistics.rejected, statistics.late, statistics.ignored) == (2, 3, 0, 0)
    assert (statistics.in_flight, statistics.waiting) == (0, 0)


async def test_who_waits_for_the_rate_limit_is_refused(autojump_clock: MockClock) -> None:
    far = Far(failures=9)
    gate = RateLimit(1.0, per=2.0, max_wait=60.0)
    guard = Guard("gate", retry=None, breaker=Breaker.consecutive(1, open_for=10.0), rate_limit=gate)

    await far.all(guard, 3)

    assert far.asked == [0.0]
    assert far.ended == [(1.0, "ConnectionError"), (2.0, "CircuitOpenError"), (4.0, "CircuitOpenError")]
    assert guard.statistics().rejected == 2


async def test_who_has_waited_until_the_breaker_is_half_open_is_a_probe(autojump_clock: MockClock) -> None:
    """And only the first of them: the second is refused, for one probe is under way."""
    far = Far(failures=1)
    gate = RateLimit(4.0, per=1.0, burst=1.0, max_wait=60.0)
    breaker = Breaker.consecutive(1, open_for=0.25, success_threshold=1)
    guard = Guard("probe", retry=None, breaker=breaker, rate_limit=gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.call, guard)
        await trio.sleep(0.9)  # the first fails at 1.0, the others have their turns at 1.4 and 1.9
        gate.block(0.5)
        nursery.start_soon(far.all, guard, 2)

    assert [round(moment, 6) for moment in far.asked] == [0.0, 1.4]
    assert [came for _, came in far.ended] == ["ConnectionError", "CircuitOpenError", "yes"]
    assert guard.state == "closed"


async def test_who_has_waited_until_the_breaker_is_closed_again_counts_as_new(autojump_clock: MockClock) -> None:
    far = Far(failures=2)
    gate = RateLimit(1.0, per=2.0, max_wait=60.0)
    guard = Guard("closed", retry=None, breaker=Breaker.consecutive(2), rate_limit=gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.all, guard, 2)
        await trio.sleep(1.5)
        guard.force_open()
        guard.close()

    assert far.asked == [0.0, 2.0]
    statistics = guard.statistics()
    assert (statistics.late, statistics.attempts) == (0, 2)
    assert statistics.window is not None
    assert statistics.window.failures == 1
