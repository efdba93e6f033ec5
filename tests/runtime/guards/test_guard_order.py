"""The one order of the policies: each test would fail if the two neighbours that it names changed places."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Backoff
from duenna.guards import (
    AttemptTimeoutError,
    BadResultError,
    Breaker,
    Bulkhead,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    Fallback,
    Guard,
    Hedge,
    RateLimit,
    RateLimitedError,
    Retry,
    RetryBudget,
)
from tests.runtime.guards.far_end import HANGS, BoomError, FarEnd, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(**policies: Any) -> Guard:
    """Return a guard with these policies and no other."""
    return Guard("api", **({"retry": None, "breaker": None} | policies))


def steady(attempts: int, wait: float = 1.0, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(wait), **settings)


class TestFallbackOverDeadline:
    async def test_the_fallback_stands_in_when_the_deadline_is_over(self, autojump_clock: MockClock) -> None:
        guarded = guard(deadline=1.0, fallback=Fallback.value("old"))

        assert await guarded.call(FarEnd([HANGS]).fetch) == "old"

        assert trio.current_time() == 1.0

    async def test_the_deadline_does_not_cut_the_fallback_off(self, autojump_clock: MockClock) -> None:
        async def replica(*_: object) -> str:
            await trio.sleep(5.0)
            return "replica"

        assert await guard(deadline=1.0, fallback=Fallback.call(replica)).call(FarEnd([HANGS]).fetch) == "replica"

        assert trio.current_time() == 6.0


class TestFallbackOverRetry:
    async def test_it_stands_in_after_the_last_attempt_only(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(3), fallback=Fallback.value("old"))
        far = FarEnd([BoomError, BoomError, "new"])

        assert await guarded.call(far.fetch) == "new"
        assert await guarded.call(FarEnd().fetch) == "old"

        assert trio.current_time() == 4.0

    async def test_what_the_fallback_gives_is_not_judged(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(2, on_result=lambda value: value is None), fallback=Fallback.value(None))

        assert await guarded.call(FarEnd([None]).fetch) is None

        outcome = await guarded.outcome(FarEnd([None]).fetch)
        assert outcome.is_degraded
        assert isinstance(outcome.error, BadResultError)


class TestDeadlineOverRetry:
    async def test_it_is_for_all_attempts_and_waits_together(self, autojump_clock: MockClock) -> None:
        far = FarEnd(takes=1.0)

        with pytest.raises(DeadlineExceededError):
            await guard(retry=steady(9), deadline=4.5).call(far.fetch)

        assert far.at == [0.0, 2.0, 4.0]
        assert trio.current_time() == 4.5

    async def test_it_is_never_tried_again(self, autojump_clock: MockClock) -> None:
        with pytest.raises(DeadlineExceededError):
            await guard(retry=steady(9, on=Exception), deadline=1.0).call(FarEnd([HANGS]).fetch)

        assert trio.current_time() == 1.0


class TestRetryOverHedge:
    async def test_each_attempt_is_hedged_anew(self, autojump_clock: MockClock) -> None:
        far = FarEnd(takes=2.0)

        with pytest.raises(BoomError):
            await guard(retry=steady(2), hedge=Hedge(after=0.5)).call(far.fetch)

        assert far.at == [0.0, 0.5, 3.5, 4.0]

    async def test_a_failing_hedge_begins_no_retries_of_its_own(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(3, 0.0), hedge=Hedge(after=1.0))
        far = FarEnd([HANGS, BoomError, BoomError])

        with trio.move_on_after(10.0):
            await guarded.call(far.fetch)

        assert far.at == [0.0, 1.0]

    async def test_hedges_are_paid_from_the_retry_budget(self, autojump_clock: MockClock) -> None:
        budget = RetryBudget(ratio=0.0, cap=2.0, free=0)
        far = FarEnd(["up"], takes=1.0)
        guarded = guard(retry=Retry(1, budget=budget), hedge=Hedge(after=0.5))

        for _ in range(4):
            assert await guarded.call(far.fetch) == "up"

        assert far.calls == 4 + 2
        assert guarded.statistics().hedges == 2


class TestRetryOverBreaker:
    async def test_the_breaker_sees_each_attempt(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(3), breaker=Breaker())

        with suppress(BoomError):
            await guarded.call(FarEnd().fetch)

        assert guarded.statistics().window == (3, 3, 0)

    async def test_a_rejection_is_final(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(9, on=Exception), breaker=Breaker.consecutive(1, open_for=0.5))
        guarded.force_open()
        far = FarEnd()

        with pytest.raises(CircuitOpenError) as caught:
            await guarded.call(far.fetch)

        assert (far.calls, trio.current_time()) == (0, 0.0)
        assert not hasattr(caught.value, "__notes__")

    async def test_a_rejection_by_bulkhead_or_rate_limit_is_final_too(self, autojump_clock: MockClock) -> None:
        gate = RateLimit(10, 10.0, burst=1, max_wait=0.0)
        guarded = guard(retry=steady(9, on=Exception), rate_limit=gate)

        await guarded.call(FarEnd([1]).fetch)
        with pytest.raises(RateLimitedError):
            await guarded.call(FarEnd([1]).fetch)

        assert trio.current_time() == 0.0

    async def test_a_rejection_by_another_guard_is_not(self, autojump_clock: MockClock) -> None:
        inner = Guard("inner", retry=None, breaker=Breaker.consecutive(1, open_for=2.0, success_threshold=1))
        far = FarEnd([BoomError, "up"])

        value = await guard(retry=steady(3, on=Exception)).call(inner.call, far.fetch)

        assert (value, trio.current_time()) == ("up", 1.0 + 1.0)


class TestRetryOverBulkhead:
    async def test_no_slot_is_held_during_a_wait(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=steady(2, 10.0), bulkhead=Bulkhead(1, queue=0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([BoomError, 1]).fetch)
            await wait_all_tasks_blocked()
            assert guarded.statistics().in_flight == 0
            assert await guarded.call(FarEnd(["in between"]).fetch) == "in between"


class TestHedgeOverBreaker:
    async def test_the_breaker_sees_each_try(self, autojump_clock: MockClock) -> None:
        guarded = guard(hedge=Hedge(after=0.5), breaker=Breaker())

        with pytest.raises(BoomError):
            await guarded.call(FarEnd(takes=1.0).fetch)

        assert guarded.statistics().window == (2, 2, 0)

    async def test_a_half_open_breaker_lets_no_second_try_through(self, autojump_clock: MockClock) -> None:
        guarded = guard(hedge=Hedge(after=0.5), breaker=Breaker.consecutive(1, open_for=5.0, success_threshold=1))
        with suppress(BoomError):
            await guarded.call(FarEnd().fetch)
        await trio.sleep(5.0)
        far = FarEnd(["up"], takes=2.0)

        assert await guarded.call(far.fetch) == "up"

        assert far.calls == 1
        assert guarded.state == "closed"

    async def test_each_try_has_a_slot_and_a_time_of_its_own(self, autojump_clock: MockClock) -> None:
        guarded = guard(hedge=Hedge(after=0.5), bulkhead=2, attempt_timeout=2.0)
        far = FarEnd([HANGS])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.times_out, guarded, far)
            await trio.sleep(1.0)
            assert guarded.statistics().in_flight == 2
            await trio.sleep(1.25)
            assert guarded.statistics().in_flight == 1

        assert (trio.current_time(), far.cancelled) == (2.5, 2)

    @staticmethod
    async def times_out(guarded: Guard, far: FarEnd) -> None:
        with pytest.raises(AttemptTimeoutError):
            await guarded.call(far.fetch)


class TestBreakerOverBulkhead:
    async def test_an_open_breaker_refuses_without_a_wait_for_a_slot(self, autojump_clock: MockClock) -> None:
        guarded = guard(breaker=Breaker(), bulkhead=Bulkhead(1, max_wait=5.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([HANGS]).fetch)
            await wait_all_tasks_blocked()
            guarded.force_open()
            with pytest.raises(CircuitOpenError):
                await guarded.call(FarEnd().fetch)
            nursery.cancel_scope.cancel()

        assert trio.current_time() == 0.0

    async def test_a_full_bulkhead_is_no_outcome_and_keeps_no_permit(self, autojump_clock: MockClock) -> None:
        breaker = Breaker.consecutive(1, open_for=1.0, probes=2, success_threshold=1)
        guarded = guard(breaker=breaker, bulkhead=Bulkhead(1, queue=0))
        with suppress(BoomError):
            await guarded.call(FarEnd().fetch)
        await trio.sleep(1.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd(["up"], takes=1.0).fetch)
            await wait_all_tasks_blocked()
            for _ in range(5):
                with pytest.raises(BulkheadFullError):
                    await guarded.call(FarEnd().fetch)

        assert guarded.state == "closed"

    async def test_who_waits_for_a_slot_when_it_opens_is_not_sent(self, autojump_clock: MockClock) -> None:
        guarded = guard(breaker=Breaker(), bulkhead=Bulkhead(1, max_wait=5.0))
        far = FarEnd(["up"])

        async def refused() -> None:
            with pytest.raises(CircuitOpenError):
                await guarded.call(far.fetch)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, trio.sleep, 1.0)
            await wait_all_tasks_blocked()
            nursery.start_soon(refused)
            await wait_all_tasks_blocked()
            guarded.force_open()

        assert (far.calls, trio.current_time()) == (0, 1.0)
        counted = guarded.statistics()
        assert (counted.in_flight, counted.attempts, counted.rejected) == (0, 1, 1)

    async def test_who_waits_when_it_closes_is_admitted_anew(self, autojump_clock: MockClock) -> None:
        guarded = guard(breaker=Breaker(), bulkhead=Bulkhead(1, max_wait=5.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, trio.sleep, 1.0)
            await wait_all_tasks_blocked()
            nursery.start_soon(guarded.call, FarEnd(["up"]).fetch)
            await wait_all_tasks_blocked()
            guarded.force_open()
            guarded.close()

        counted = guarded.statistics()
        assert (counted.attempts, counted.successes, counted.late, counted.ignored) == (2, 2, 1, 0)
        assert counted.window == (1, 0, 0)

    def test_nor_is_a_thread(self) -> None:
        guarded = guard(breaker=Breaker(), bulkhead=Bulkhead(1, max_wait=30.0))
        inside, go = threading.Event(), threading.Event()
        refused: list[CircuitOpenError] = []

        def hold() -> None:
            inside.set()
            go.wait(30.0)

        def wait() -> None:
            try:
                guarded.call_sync(int)
            except CircuitOpenError as error:
                refused.append(error)

        threads = [threading.Thread(target=each) for each in (lambda: guarded.call_sync(hold), wait)]
        threads[0].start()
        inside.wait(30.0)
        threads[1].start()
        while not guarded.statistics().waiting:
            threads[1].join(0.001)
        guarded.force_open()
        go.set()
        for thread in threads:
            thread.join(30.0)

        assert len(refused) == 1
        assert guarded.statistics().attempts == 1


class TestBulkheadOverRateLimit:
    async def test_a_full_bulkhead_takes_no_weight(self, autojump_clock: MockClock) -> None:
        gate = RateLimit(100, 10.0)
        guarded = guard(bulkhead=Bulkhead(1, queue=0), rate_limit=gate, weight=3.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([HANGS]).fetch)
            await wait_all_tasks_blocked()
            with pytest.raises(BulkheadFullError):
                await guarded.call(FarEnd().fetch)
            nursery.cancel_scope.cancel()

        assert gate.statistics().taken == 3.0

    async def test_who_waits_for_a_turn_holds_a_slot(self, autojump_clock: MockClock) -> None:
        gate = RateLimit(1, 10.0, max_wait=60.0)
        guarded = guard(bulkhead=Bulkhead(1, queue=0), rate_limit=gate)
        await guarded.call(FarEnd([1]).fetch)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([1]).fetch)
            await wait_all_tasks_blocked()
            with pytest.raises(BulkheadFullError):
                await guarded.call(FarEnd([1]).fetch)

        assert trio.current_time() == 10.0
        assert guarded.statistics().in_flight == 0

    async def test_who_is_refused_a_turn_gives_the_slot_back(self, autojump_clock: MockClock) -> None:
        gate = RateLimit(1, 10.0, max_wait=0.0)
        guarded = guard(bulkhead=1, rate_limit=gate)
        await guarded.call(FarEnd([1]).fetch)

        with pytest.raises(RateLimitedError):
            await guarded.call(FarEnd([1]).fetch)

        assert guarded.statistics().in_flight == 0


class TestWaitsOverAttemptTimeout:
    async def test_a_wait_for_a_slot_is_not_part_of_the_attempt(self, autojump_clock: MockClock) -> None:
        guarded = guard(bulkhead=Bulkhead(1, max_wait=5.0), attempt_timeout=1.0)
        far = FarEnd(["up"], takes=0.75)

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(guarded.call, far.fetch)

        assert far.at == [0.0, 0.75, 1.5, 2.25]

    async def test_nor_is_a_wait_for_a_turn(self, autojump_clock: MockClock) -> None:
        guarded = guard(rate_limit=RateLimit(1, 5.0, max_wait=60.0), attempt_timeout=1.0)
        far = FarEnd(["up"], takes=0.75)

        for _ in range(3):
            assert await guarded.call(far.fetch) == "up"

        assert far.at == [0.0, 5.0, 10.0]

    async def test_but_of_the_deadline_they_are(self, autojump_clock: MockClock) -> None:
        guarded = guard(bulkhead=Bulkhead(1, max_wait=60.0), deadline=1.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.with_(deadline=None).call, FarEnd([1], takes=5.0).fetch)
            await wait_all_tasks_blocked()
            with pytest.raises(BulkheadFullError, match="none ended within 1 s"):
                await guarded.call(FarEnd().fetch)
            assert trio.current_time() == 1.0
            assert guarded.statistics().rejected == 1

    async def test_a_turn_that_would_come_after_the_deadline_is_refused_at_once(
        self, autojump_clock: MockClock
    ) -> None:
        guarded = guard(rate_limit=RateLimit(1, 10.0, max_wait=60.0), deadline=5.0)
        await guarded.call(FarEnd([1]).fetch)

        with pytest.raises(RateLimitedError):
            await guarded.call(FarEnd([1]).fetch)
        with pytest.raises(RateLimitedError):
            await guarded(FarEnd([1]).fetch)()

        assert trio.current_time() == 0.0
        assert guarded.statistics().rejected == 2

    async def test_a_turn_that_comes_at_the_very_deadline_is_too_late(self, autojump_clock: MockClock) -> None:
        guarded = guard(rate_limit=RateLimit(1, 5.0, max_wait=60.0), deadline=5.0)
        await guarded.call(FarEnd([1]).fetch)
        far = FarEnd([1])

        with pytest.raises(DeadlineExceededError) as caught:
            await guarded.call(far.fetch)

        assert (far.calls, trio.current_time(), caught.value.attempts) == (0, 5.0, 0)
        assert guarded.statistics().attempts == 1

    def test_of_a_plain_call_too(self) -> None:
        guarded = guard(rate_limit=RateLimit(1, 10.0, max_wait=60.0), deadline=5.0)
        guarded.call_sync(int)

        with pytest.raises(RateLimitedError):
            guarded.call_sync(int)

        assert guarded.statistics().rejected == 1

    async def test_a_plain_call_waits_for_a_slot_until_its_deadline(self) -> None:
        guarded = guard(bulkhead=Bulkhead(1, max_wait=60.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, trio.sleep_forever)
            await wait_all_tasks_blocked()
            with pytest.raises(BulkheadFullError, match=r"none ended within 0\.0"):
                await trio.to_thread.run_sync(guarded.with_(deadline=0.001).call_sync, int)
            nursery.cancel_scope.cancel()

        assert guarded.statistics().rejected == 1


class TestBreakerOverAttemptTimeout:
    async def test_a_hang_counts_as_a_failure(self, autojump_clock: MockClock) -> None:
        guarded = guard(breaker=Breaker.consecutive(2), attempt_timeout=1.0)

        for _ in range(2):
            with pytest.raises(AttemptTimeoutError):
                await guarded.call(FarEnd([HANGS]).fetch)

        assert guarded.state == "open"
        assert guarded.last_error == "AttemptTimeoutError: guard 'api': the attempt took longer than 1 s"

    @pytest.mark.parametrize(("waited", "state"), [(0.0, "open"), (0.0625, "open"), (0.5, "closed")])
    async def test_a_deadline_is_a_failure_unless_our_own_waits_took_it(
        self, autojump_clock: MockClock, waited: float, state: str
    ) -> None:
        guarded = guard(breaker=Breaker.consecutive(1), bulkhead=1, deadline=1.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.with_(deadline=None).call, trio.sleep, waited)
            await wait_all_tasks_blocked()
            with pytest.raises(DeadlineExceededError):
                await guarded.call(FarEnd([HANGS]).fetch)

        assert (guarded.state, trio.current_time()) == (state, 1.0)

    async def test_a_timeout_of_the_caller_is_not(self, autojump_clock: MockClock) -> None:
        guarded = guard(breaker=Breaker.consecutive(2), attempt_timeout=10.0)

        for _ in range(5):
            with trio.move_on_after(1.0):
                await guarded.call(FarEnd([HANGS]).fetch)

        assert guarded.state == "closed"


class TestRetryOverAttemptTimeout:
    async def test_an_attempt_that_was_cut_off_is_tried_again(self, autojump_clock: MockClock) -> None:
        far = FarEnd([HANGS, HANGS, "up"])

        assert await guard(retry=steady(3), attempt_timeout=2.0).call(far.fetch) == "up"

        assert far.at == [0.0, 3.0, 6.0]
