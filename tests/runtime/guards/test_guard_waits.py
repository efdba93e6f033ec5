"""Retries of a guard: when the next attempt is made, until when, and who pays for it. On exact times."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Backoff
from duenna.guards import (
    AttemptTimeoutError,
    Bulkhead,
    BulkheadFullError,
    DeadlineExceededError,
    Guard,
    RateLimit,
    RateLimitedError,
    Retry,
    RetryBudget,
)
from tests.runtime.guards.far_end import HANGS, BoomError, Draws, FarEnd, HttpError, caused_by, give, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(attempts: int = 3, wait: float = 1.0, *, deadline: float | None = None, **settings: Any) -> Guard:
    """Return a guard that only retries, each time after the same wait."""
    retry = Retry(attempts, backoff=Backoff.steps(wait), **settings)
    return Guard("api", retry=retry, breaker=None, deadline=deadline)


class TestWaits:
    @pytest.mark.parametrize(
        ("backoff", "draws", "waits"),
        [
            (Backoff.steps(10, 30, 60), [0.3] * 4, [10.0, 30.0, 60.0, 60.0]),
            (Backoff.exponential(1.0, jitter="none"), [0.3] * 4, [1.0, 2.0, 4.0, 8.0]),
            (Backoff.exponential(1.0, maximum=3.0, jitter="full"), [0.5, 1.0, 1.0, 0.25], [0.5, 2.0, 3.0, 0.75]),
            (Backoff.exponential(1.0, maximum=3.0, jitter="equal"), [0.5, 0.0, 1.0, 0.0], [0.75, 1.0, 3.0, 1.5]),
            (Backoff.decorrelated(1.0, maximum=6.0), [0.5, 0.5, 0.0, 1.0], [2.0, 3.5, 1.0, 3.0]),
            (Backoff.none(), [0.5] * 4, [0.0, 0.0, 0.0, 0.0]),
        ],
        ids=["steps", "none", "full", "equal", "decorrelated", "no backoff"],
    )
    async def test_every_jitter(
        self, autojump_clock: MockClock, backoff: Backoff, draws: list[float], waits: list[float]
    ) -> None:
        far = FarEnd()

        with suppress(BoomError):
            await Guard("api", retry=Retry(5, backoff=backoff), breaker=None, rng=Draws(*draws)).call(far.fetch)

        assert [after - before for before, after in zip(far.at, far.at[1:], strict=False)] == waits

    async def test_the_plain_delays_of_the_field(self, autojump_clock: MockClock) -> None:
        far = FarEnd()
        plain = Retry(8, backoff=Backoff.exponential(1.0, factor=2, maximum=60.0, jitter="none"))

        with suppress(BoomError):
            await Guard("api", retry=plain, breaker=None).call(far.fetch)

        assert far.at == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0]

    def test_the_same_seed_gives_the_same_waits(self) -> None:
        def waits(seed: int) -> list[float]:
            far = FarEnd()

            async def main() -> None:
                with suppress(BoomError):
                    await Guard("api", retry=Retry(6), breaker=None, rng=Random(seed)).call(far.fetch)  # noqa: S311

            trio.run(main, clock=MockClock(autojump_threshold=0))
            return far.at

        assert waits(1) == waits(1) != waits(2)

    async def test_each_call_counts_for_itself(self, autojump_clock: MockClock) -> None:
        far = FarEnd()
        growing = Guard("api", retry=Retry(3, backoff=Backoff.exponential(1.0, jitter="none")), breaker=None)

        for _ in range(2):
            with suppress(BoomError):
                await growing.call(far.fetch)

        assert far.at == [0.0, 1.0, 3.0, 3.0, 4.0, 6.0]

    async def test_a_wait_can_be_cancelled(self, autojump_clock: MockClock) -> None:
        far = FarEnd()

        with trio.move_on_after(5.0):
            await guard(3, 60.0).call(far.fetch)

        assert trio.current_time() == 5.0
        assert far.calls == 1

    async def test_a_success_after_a_retry_is_what_the_caller_gets(self, autojump_clock: MockClock) -> None:
        assert await guard(3).call(FarEnd([BoomError, {"a": 1}]).fetch) == {"a": 1}

        assert trio.current_time() == 1.0


class TestRetryAfter:
    async def test_it_is_a_floor(self, autojump_clock: MockClock) -> None:
        far = FarEnd([HttpError(429, 7.0), HttpError(503, 0.5), "up"])

        assert await guard(3).call(far.fetch) == "up"

        assert far.at == [0.0, 7.0, 8.0]

    async def test_it_is_found_in_groups_and_causes(self, autojump_clock: MockClock) -> None:
        far = FarEnd([caused_by(HttpError(429, 7.0)), ExceptionGroup("", [BoomError(), HttpError(503, 9.0)]), "up"])

        assert await guard(3).call(far.fetch) == "up"

        assert far.at == [0.0, 7.0, 16.0]

    async def test_that_of_an_error_being_handled_is_not_that_of_the_call(self, autojump_clock: MockClock) -> None:
        far = FarEnd([BoomError, "up"])

        try:
            give(HttpError(429, 30.0))
        except HttpError:
            await guard(2).call(far.fetch)

        assert trio.current_time() == 1.0

    async def test_more_than_there_is_patience_ends_the_call_at_once(self, autojump_clock: MockClock) -> None:
        error = HttpError(429, 61.0)

        with pytest.raises(HttpError) as caught:
            await guard(3).call(FarEnd([error]).fetch)

        assert caught.value is error
        assert trio.current_time() == 0.0
        (note,) = error.__notes__
        assert note == (
            "duenna: guard 'api' gave up after 1 attempt, 0 s after the first one failed: "
            "the far end asks for too long a wait"
        )

    @pytest.mark.parametrize(("patience", "calls"), [(60.0, 2), (59.9, 1), (0.0, 1)])
    async def test_patience_is_inclusive(self, autojump_clock: MockClock, patience: float, calls: int) -> None:
        far = FarEnd([HttpError(429, 60.0), "up"])

        with suppress(HttpError):
            await guard(2, patience=patience).call(far.fetch)

        assert far.calls == calls

    async def test_it_does_not_count_against_the_breaker(self, autojump_clock: MockClock) -> None:
        tripping = Guard("api", retry=None)

        for error in [HttpError(429), HttpError(503, 1.0), caused_by(HttpError(503, 1.0))] * 10:
            with suppress(HttpError, BoomError):
                await tripping.call(FarEnd([error]).fetch)

        assert tripping.state == "closed"
        assert tripping.statistics().window == (0, 0, 0)

    async def test_it_blocks_the_gate_for_all_guards_of_the_host(self, autojump_clock: MockClock) -> None:
        gate = RateLimit(100, 1.0)
        first, second = (Guard(name, retry=None, rate_limit=gate) for name in ("one", "two"))

        with suppress(HttpError):
            await first.call(FarEnd([HttpError(429, 30.0)]).fetch)

        assert gate.blocked_for == 30.0
        with pytest.raises(RateLimitedError) as caught:
            await second.call(FarEnd(["up"]).fetch)
        assert (caught.value.guard, caught.value.retry_after) == ("two", 30.0)


class TestDeadline:
    async def test_no_wait_goes_past_it(self, autojump_clock: MockClock) -> None:
        error = BoomError()
        far = FarEnd([error])

        with pytest.raises(BoomError):
            await guard(9, 2.0, deadline=5.0).call(far.fetch)

        assert far.at == [0.0, 2.0, 4.0]
        assert trio.current_time() == 4.0
        assert error.__notes__[0].endswith("3 attempts, 4 s after the first one failed: the deadline is too near")

    async def test_a_wait_until_the_very_deadline_is_not_begun(self, autojump_clock: MockClock) -> None:
        far = FarEnd()

        with pytest.raises(BoomError):
            await guard(9, 5.0, deadline=5.0).call(far.fetch)

        assert trio.current_time() == 0.0

    async def test_retry_after_does_not_go_past_it_either(self, autojump_clock: MockClock) -> None:
        with pytest.raises(HttpError):
            await guard(9, deadline=5.0).call(FarEnd([HttpError(503, 6.0)]).fetch)

        assert trio.current_time() == 0.0

    async def test_what_is_cut_off_tells_what_failed_before(self, autojump_clock: MockClock) -> None:
        error = BoomError()

        with pytest.raises(DeadlineExceededError) as caught:
            await guard(9, 1.0, deadline=2.5).call(FarEnd([error, HANGS]).fetch)

        assert trio.current_time() == 2.5
        assert caught.value.__cause__ is error
        assert (caught.value.attempts, caught.value.deadline) == (2, 2.5)

    async def test_an_attempt_that_would_begin_after_it_is_not_made(self, mock_clock: MockClock) -> None:
        """Every sleep in real time ends a little late, this one by a second."""
        far = FarEnd([BoomError, "up"])
        error: list[DeadlineExceededError] = []

        async def call() -> None:
            with pytest.raises(DeadlineExceededError) as caught:
                await guard(2, 1.0, deadline=1.5).call(far.fetch)
            error.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            mock_clock.jump(0.0)
            await wait_all_tasks_blocked()
            mock_clock.jump(2.5)

        assert far.calls == 1
        assert (error[0].attempts, type(error[0].__cause__)) == (1, BoomError)

    def test_of_a_plain_function_it_is_looked_at_between_attempts(self) -> None:
        far = FarEnd([BoomError, "up"])

        with pytest.raises(BoomError) as caught:
            guard(9, 60.0, deadline=30.0).call_sync(far.get)

        assert far.calls == 1
        assert caught.value.__notes__[0].endswith("the deadline is too near")

    async def test_an_attempt_may_last_as_long_as_is_left(self, autojump_clock: MockClock) -> None:
        far = FarEnd([HANGS])
        short = Guard("short", retry=Retry(3, backoff=Backoff.steps(1.0)), attempt_timeout=2.0, deadline=4.0)

        with pytest.raises(DeadlineExceededError):
            await short.call(far.fetch)

        assert far.at == [0.0, 3.0]
        assert trio.current_time() == 4.0
        assert short.statistics().timeouts == 1


class TestBudget:
    async def test_a_lone_caller_is_never_denied(self, autojump_clock: MockClock) -> None:
        far = FarEnd([TimeoutError])
        lone = Guard("api", retry=Retry.api(), breaker=None, rng=Draws(1.0))

        for _ in range(50):
            with suppress(TimeoutError):
                await lone.call(far.fetch)

        assert far.calls == 50 * 6
        assert lone.statistics().budget_denied == 0

    async def test_a_crowd_gets_what_was_saved_and_a_tenth_of_its_calls(self, autojump_clock: MockClock) -> None:
        far = FarEnd()
        crowd = guard(6)
        errors: list[BoomError] = []

        async def call() -> None:
            try:
                await crowd.call(far.fetch)
            except BoomError as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(call)

        # 10 saved and 20 for 200 calls; and one call that is alone in the end retries as it likes.
        assert 200 + 10 <= far.calls <= 200 + 10 + 20 + 5
        assert crowd.statistics().budget_denied >= 170
        denied = [error for error in errors if error.__notes__[0].endswith("the retry budget denies more")]
        assert len(denied) == crowd.statistics().budget_denied

    async def test_retries_do_not_pay_for_retries(self, autojump_clock: MockClock) -> None:
        budget = RetryBudget(ratio=0.5, cap=10.0, free=0)
        paid = guard(100, 1.0, budget=budget)
        far = FarEnd()

        async def call(number: int) -> None:
            await trio.sleep(number / 40)
            with suppress(BoomError):
                await paid.call(far.fetch)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(call, number)

        assert far.calls <= 20 + 10 + 0.5 * 20

    async def test_a_timeout_costs_two(self, autojump_clock: MockClock) -> None:
        budget = RetryBudget(ratio=0.0, cap=10.0)
        slow = Guard("api", retry=Retry(2, budget=budget), breaker=None, attempt_timeout=1.0)

        with suppress(AttemptTimeoutError):
            await slow.call(FarEnd([HANGS]).fetch)

        assert budget.balance == 8.0

    def test_one_of_its_own_is_shared_by_guards(self) -> None:
        budget = RetryBudget(ratio=0.0, cap=3.0, free=0)
        retry = Retry(9, backoff=Backoff.none(), budget=budget)
        far = FarEnd()

        for name in "one", "two":
            with suppress(BoomError):
                Guard(name, retry=retry, breaker=None).call_sync(far.get)

        assert far.calls == 1 + 3 + 1
        assert budget.retrying == 0

    async def test_calls_that_are_never_made_pay_nothing(self, autojump_clock: MockClock) -> None:
        budget = RetryBudget(ratio=0.5, cap=10.0, free=0)
        paid = Guard(
            "api",
            retry=Retry(2, backoff=Backoff.none(), budget=budget),
            breaker=None,
            bulkhead=Bulkhead(1, queue=0),
        )
        with suppress(BoomError):
            await paid.call(FarEnd().fetch)
        budget.withdraw(9.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(paid.call, FarEnd(["up"], takes=1.0).fetch)
            await wait_all_tasks_blocked()
            for _ in range(50):
                with pytest.raises(BulkheadFullError):
                    await paid.call(FarEnd().fetch)
        far = FarEnd()
        with suppress(BoomError):
            await paid.call(far.fetch)

        # The call that succeeded has paid for half a retry, and so has the one that failed.
        assert (far.calls, budget.balance) == (2, 0.0)

    def test_none_denies_nothing(self) -> None:
        far = FarEnd()

        with suppress(BoomError):
            guard(1000, 0.0, budget=None).call_sync(far.get)

        assert far.calls == 1000

    async def test_calls_that_are_cancelled_leave_it(self, autojump_clock: MockClock) -> None:
        waiting = guard(9, 60.0)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(waiting.call, FarEnd().fetch)
            await wait_all_tasks_blocked()
            assert waiting.dependency.budget.retrying == 5
            nursery.cancel_scope.cancel()

        assert waiting.dependency.budget.retrying == 0

    def test_a_new_guard_of_the_name_shares_it(self) -> None:
        assert guard().dependency.budget is guard(5).dependency.budget
