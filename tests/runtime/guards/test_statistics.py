"""What guards count, and how the numbers hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
    Breaker,
    Bulkhead,
    Fallback,
    Guard,
    GuardStatistics,
    Hedge,
    Retry,
    RetryBudget,
)
from duenna.machines.window import Tally
from duenna.testing import HANGS, fresh_guards, rehearse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


class BoomError(Exception):
    """What the calls fail with."""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():
        yield


def guard(**policies: Any) -> Guard:
    return Guard("api", **({"retry": None, "breaker": None} | policies))


def counted(policies: dict[str, Any], *outcomes: object, **script: Any) -> GuardStatistics:
    return rehearse(guard(**policies), outcomes, **script).statistics


def retry(attempts: int, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(1.0), **settings)


def test_nothing_has_happened() -> None:
    statistics = guard(breaker=Breaker()).statistics()

    assert (statistics.name, statistics.state, statistics.health) == ("api", "closed", "ok")
    assert (statistics.calls, statistics.attempts, statistics.success_rate) == (0, 0, None)
    assert (statistics.window, statistics.failure_rate) == (Tally(0, 0, 0), None)
    assert (statistics.in_flight, statistics.waiting, statistics.last_error) == (None, 0, None)
    assert statistics.budget_left == 10.0


def test_calls_are_split_four_ways() -> None:
    statistics = counted({"retry": retry(2)}, 1, BoomError, 2, BoomError, BoomError, TypeError, 3, calls=5)

    assert (statistics.succeeded_first, statistics.succeeded_retried) == (2, 1)
    assert (statistics.failed_first, statistics.failed_retried) == (1, 1)
    assert (statistics.calls, statistics.successes, statistics.failures) == (5, 3, 2)
    assert (statistics.attempts, statistics.retries) == (7, 2)
    assert statistics.success_rate == 0.6


def test_a_call_that_is_refused_at_once_is_only_rejected() -> None:
    breaker = Breaker.consecutive(1, open_for=10.0)

    statistics = counted({"breaker": breaker}, BoomError, calls=4)

    assert (statistics.calls, statistics.failures, statistics.rejected, statistics.attempts) == (1, 1, 3, 1)
    assert (statistics.state, statistics.opened, statistics.window) == ("open", 1, None)
    assert statistics.last_error == "BoomError"


def test_a_retry_that_is_refused_counts_for_its_call_too() -> None:
    """The second call opens the breaker while the first waits for its second attempt."""
    waits = Retry(2, backoff=Backoff.steps(1.0))

    statistics = counted({"breaker": Breaker.consecutive(2), "retry": waits}, BoomError, calls=2, every=0.5)

    assert (statistics.calls, statistics.failures, statistics.rejected, statistics.attempts) == (2, 2, 1, 2)


def test_a_retry_that_would_be_refused_is_not_waited_for() -> None:
    statistics = counted({"breaker": Breaker.consecutive(1), "retry": retry(3)}, BoomError)

    assert (statistics.calls, statistics.failures, statistics.rejected, statistics.attempts) == (1, 1, 0, 1)
    assert statistics.budget_left == 10.0


def test_the_throttle_and_the_bulkhead_reject_as_well() -> None:
    throttled = counted({"breaker": AdaptiveThrottle(minimum_calls=1)}, BoomError, calls=3, breaker_draws=[0.0])
    full = counted({"bulkhead": Bulkhead(1, queue=0)}, 1, takes=5.0, calls=3, every=1.0)

    assert (throttled.rejected, throttled.calls, throttled.state) == (2, 1, "disabled")
    assert (full.rejected, full.calls, full.in_flight) == (2, 1, 0)


def test_timeouts_and_fallbacks() -> None:
    statistics = counted({"attempt_timeout": 1.0, "fallback": Fallback.value(0)}, HANGS, 5, calls=2)

    assert (statistics.timeouts, statistics.fallbacks, statistics.failures, statistics.successes) == (1, 1, 1, 1)
    assert statistics.health == "ok"
    assert counted({"fallback": Fallback.value(0)}).health == "degraded"


def test_a_hedge_is_an_attempt_but_no_retry() -> None:
    statistics = counted({"hedge": Hedge(after=0.5)}, 1, takes=[2.0, 0.1])

    assert (statistics.attempts, statistics.hedges, statistics.retries) == (2, 1, 0)
    assert (statistics.calls, statistics.successes, statistics.ignored) == (1, 1, 1)


def test_an_ignored_error_is_an_attempt_that_the_breaker_does_not_count() -> None:
    statistics = counted({"breaker": Breaker(ignore=KeyError)}, KeyError, 1, calls=2)

    assert (statistics.attempts, statistics.ignored, statistics.failures, statistics.successes) == (2, 1, 1, 1)
    assert statistics.window == Tally(1, 0, 0)


def test_the_budget() -> None:
    budget = RetryBudget(ratio=0.0, cap=3.0, free=0)

    statistics = counted({"retry": retry(9, budget=budget)}, BoomError)
    shared = counted({"retry": retry(4)}, BoomError)

    assert statistics.budget_denied == 1
    assert (statistics.retries, statistics.attempts) == (3, 4)
    assert shared.budget_left == pytest.approx(7.0, abs=0.2)


def test_slow_calls() -> None:
    statistics = counted({"breaker": Breaker(slow_call=1.0)}, 1, takes=[2.0, 0.5], calls=3)

    assert (statistics.slow, statistics.window) == (1, Tally(3, 0, 1))


async def test_a_bulkhead_in_use(autojump_clock: MockClock) -> None:
    busy = guard(bulkhead=Bulkhead(1, max_wait=10.0))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(busy.call, trio.sleep, 2.0)
        await trio.testing.wait_all_tasks_blocked()

        statistics = busy.statistics()
        assert (statistics.in_flight, statistics.waiting) == (1, 2)


async def test_a_call_that_is_cancelled_is_none(autojump_clock: MockClock) -> None:
    hanging = guard()
    with trio.move_on_after(1.0):
        await hanging.call(trio.sleep_forever)

    statistics = hanging.statistics()
    assert (statistics.calls, statistics.attempts, statistics.ignored) == (0, 1, 1)


def test_late_outcomes() -> None:
    statistics = counted(
        {"breaker": Breaker.consecutive(1, open_for=60.0)}, 1, BoomError, takes=[5.0, 0.5], calls=2, every=1.0
    )

    assert (statistics.late, statistics.calls, statistics.successes, statistics.failures) == (1, 2, 1, 1)


@given(st.lists(st.sampled_from([1, BoomError, TypeError]), min_size=1, max_size=30), st.integers(1, 4))
def test_the_numbers_add_up(outcomes: list[Any], attempts: int) -> None:
    """Of calls that neither overlap nor are refused."""
    plan = rehearse(guard(retry=retry(attempts, budget=None)), [*outcomes, 1], calls=10)
    statistics = plan.statistics

    assert statistics.calls == 10
    assert statistics.successes == sum(end.error is None for end in plan.ends)
    assert statistics.successes == statistics.succeeded_first + statistics.succeeded_retried
    assert statistics.failures == statistics.failed_first + statistics.failed_retried
    assert statistics.attempts == len(plan.attempts) == statistics.calls + statistics.retries
    assert statistics.retries == len(plan.waits)
