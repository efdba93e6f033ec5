"""Rehearsals: what a user's settings do, shown without a call and without a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
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
    ThrottledError,
    UnavailableError,
)
from duenna.machines.breaker import BreakerState, Cause
from duenna.testing import HANGS, fresh_guards, rehearse
from duenna.testing.steps import Attempt, Substitution, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator


class SlowDownError(Exception):
    """An answer with Retry-After."""

    retry_after = 7.0


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():
        yield


def steady(attempts: int = 3, wait: float = 1.0, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(wait), **settings)


def guard(**policies: Any) -> Guard:
    return Guard("api", **({"retry": None, "breaker": None} | policies))


class TestWords:
    def test_the_plan_of_a_retry(self) -> None:
        assert str(rehearse(Guard("api", retry=Retry.api()))) == (
            "attempt 1, wait 2.0, attempt 2, wait 4.0, attempt 3, wait 8.0, attempt 4, wait 16.0, "
            "attempt 5, wait 32.0, attempt 6, gives up at 62 s"
        )

    @pytest.mark.parametrize(
        ("policies", "script", "text"),
        [
            ({}, {}, "attempt 1, gives up at 0 s"),
            ({"retry": steady()}, {"outcomes": [OSError, 5]}, "attempt 1, wait 1.0, attempt 2, succeeds at 1 s"),
            (
                {"retry": steady(), "deadline": 2.5},
                {"takes": 1.0},
                "attempt 1, wait 1.0, attempt 2 is cut off after 0.5 s, gives up at 2.5 s",
            ),
            (
                {"retry": steady(9, 2.0), "deadline": 3.0},
                {},
                "attempt 1, wait 2.0, attempt 2, gives up at 2 s, for the deadline is too near",
            ),
            (
                {"retry": steady(patience=5.0)},
                {"outcomes": [SlowDownError]},
                "attempt 1, gives up at 0 s, asked for more patience than there is",
            ),
            (
                {"retry": steady(9, budget=RetryBudget(ratio=0.0, cap=2.0, free=0))},
                {},
                "attempt 1, wait 1.0, attempt 2, wait 1.0, attempt 3, gives up at 2 s, denied by the budget",
            ),
            (
                {"retry": steady()},
                {"outcomes": [OSError, TypeError]},
                "attempt 1, wait 1.0, attempt 2, gives up at 1 s, for this error is not tried again",
            ),
            (
                {"retry": steady(), "idempotent": False},
                {"outcomes": [ConnectionResetError]},
                "attempt 1, gives up at 0 s, for it may have had an effect",
            ),
            (
                {"attempt_timeout": 2.0, "retry": steady(2)},
                {"outcomes": [HANGS]},
                "attempt 1 is cut off after 2 s, wait 1.0, attempt 2 is cut off after 2 s, gives up at 5 s",
            ),
            ({}, {"outcomes": [HANGS]}, "attempt 1 is cut off after 86400 s, still waits at 86400 s"),
            (
                {"fallback": Fallback.value(None)},
                {},
                "attempt 1, fallback (value), succeeds at 0 s",
            ),
            (
                {"hedge": Hedge(after=0.2)},
                {"takes": [1.0, 0.1], "outcomes": [5]},
                "attempt 1 is cut off after 0.3 s, attempt 2 (hedge), succeeds at 0.3 s",
            ),
        ],
    )
    def test_one_call(self, policies: dict[str, Any], script: dict[str, Any], text: str) -> None:
        assert str(rehearse(guard(**policies), **script)) == text

    def test_several_calls_have_a_line_each(self) -> None:
        tripping = guard(breaker=Breaker.consecutive(2, open_for=10.0, success_threshold=1))

        assert str(rehearse(tripping, [OSError, OSError, 5], calls=5, every=4.0)).splitlines() == [
            "call 1 at 0 s: attempt 1, gives up at 0 s",
            "call 2 at 4 s: attempt 1, breaker closed -> open for 10 s, gives up at 4 s",
            "call 3 at 8 s: rejected by breaker, retry after 6 s, gives up at 8 s",
            "call 4 at 12 s: rejected by breaker, retry after 2 s, gives up at 12 s",
            "call 5 at 16 s: breaker open -> half_open, attempt 1, breaker half_open -> closed, succeeds at 16 s",
        ]


class TestSteps:
    def test_waits_and_attempts_have_exact_times(self) -> None:
        plan = rehearse(guard(retry=Retry.api()), takes=0.5)

        assert plan.waits == (2.0, 4.0, 8.0, 16.0, 32.0)
        assert [(each.number, each.at, each.ended) for each in plan.attempts] == [
            (1, 0.0, 0.5),
            (2, 2.5, 3.0),
            (3, 7.0, 7.5),
            (4, 15.5, 16.0),
            (5, 32.0, 32.5),
            (6, 64.5, 65.0),
        ]
        assert [type(step) for step in plan.steps][:3] == [Attempt, Wait, Attempt]
        end = plan.ends[0]
        assert (end.call, end.at, end.elapsed, end.is_over, end.why) == (1, 65.0, 65.0, True, "attempts")
        assert isinstance(end.error, ConnectionError)

    def test_the_value_and_the_statistics(self) -> None:
        plan = rehearse(guard(retry=steady()), [OSError, 5])

        assert (plan.ends[0].value, plan.ends[0].error) == (5, None)
        assert plan.attempts[1].value == 5
        assert isinstance(plan.attempts[0].error, OSError)
        counted = plan.statistics
        assert (counted.calls, counted.succeeded_retried, counted.attempts, counted.retries) == (1, 1, 2, 1)

    def test_draws_are_the_most_unless_they_are_given(self) -> None:
        full = guard(retry=Retry(4, backoff=Backoff.exponential(1.0, jitter="full")))

        assert rehearse(full).waits == (1.0, 2.0, 4.0)
        assert rehearse(full, draws=[0.5, 0.25]).waits == (0.5, 0.5, 1.0)

    def test_the_breaker_has_draws_of_its_own(self) -> None:
        breaker = Breaker.consecutive(2, open_for=10.0, open_jitter=0.5)
        opening = guard(breaker=breaker, retry=Retry(2, backoff=Backoff.exponential(1.0)))

        plan = rehearse(opening, draws=[0.25], breaker_draws=[0.5])

        assert (plan.waits, plan.moves[0].open_for) == ((0.25,), 10.0)
        assert rehearse(opening).moves[0].open_for == 15.0

    def test_a_long_plan_is_cut_in_the_middle(self) -> None:
        assert str(rehearse(guard(retry=steady(20, budget=None)))) == (
            "attempt 1, wait 1.0, attempt 2, wait 1.0, attempt 3, wait 1.0, attempt 4, wait 1.0, ..., "
            "wait 1.0, attempt 20, gives up at 19 s"
        )

    def test_the_rate_form_of_a_breaker(self) -> None:
        plan = rehearse(guard(breaker=Breaker(window=4, open_for=5.0)), [1, 1, OSError], calls=8, every=1.0)

        assert [(move.at, move.state, move.cause, move.open_for) for move in plan.moves] == [
            (3.0, BreakerState.OPEN, Cause.FAILURES, 6.0)
        ]
        assert [(each.call, each.by, each.retry_after) for each in plan.rejections] == [
            (5, "breaker", 5.0),
            (6, "breaker", 4.0),
            (7, "breaker", 3.0),
            (8, "breaker", 2.0),
        ]
        assert isinstance(plan.ends[7].error, CircuitOpenError)

    def test_a_probe_that_fails(self) -> None:
        plan = rehearse(guard(breaker=Breaker.consecutive(1, open_for=5.0)), calls=2, every=5.0)

        assert [(move.previous, move.state) for move in plan.moves] == [
            ("closed", "open"),
            ("open", "half_open"),
            ("half_open", "open"),
        ]

    def test_calls_one_after_the_other(self) -> None:
        plan = rehearse(guard(retry=steady(2, 3.0)), calls=2, takes=1.0)

        assert [end.at - end.elapsed for end in plan.ends] == [0.0, 5.0]
        assert [end.at for end in plan.ends] == [5.0, 10.0]

    def test_a_timeout_counts_as_a_failure(self) -> None:
        plan = rehearse(guard(attempt_timeout=1.0, breaker=Breaker.consecutive(1)), [HANGS])

        attempt = plan.attempts[0]
        assert (attempt.is_cut_off, attempt.at, attempt.ended, attempt.error) == (True, 0.0, 1.0, None)
        assert isinstance(plan.ends[0].error, AttemptTimeoutError)
        assert plan.moves[0].at == 1.0

    def test_a_deadline(self) -> None:
        plan = rehearse(guard(deadline=4.0), [HANGS])

        assert isinstance(plan.ends[0].error, DeadlineExceededError)
        assert plan.ends[0].at == 4.0

    def test_a_bulkhead(self) -> None:
        plan = rehearse(guard(bulkhead=Bulkhead(1, queue=1, max_wait=0.875)), [5], takes=1.25, calls=4, every=0.5)

        assert [(each.call, each.at) for each in plan.attempts] == [(1, 0.0), (2, 1.25)]
        assert [(each.call, each.at, each.by) for each in plan.rejections] == [
            (3, 1.0, "bulkhead"),
            (4, 2.375, "bulkhead"),
        ]
        queues = [(each.call, each.at, each.seconds) for each in plan.of(Wait) if each.is_queue]
        assert queues == [(2, 0.5, 0.75), (4, 1.5, 0.875)]
        assert plan.waits == ()
        assert isinstance(plan.ends[2].error, BulkheadFullError)
        assert str(plan).splitlines()[1] == "call 2 at 0.5 s: queue 0.75, attempt 1, succeeds at 2.5 s"

    def test_a_rate_limit_is_that_of_the_copy(self) -> None:
        gate = RateLimit(10, 10.0, burst=2, max_wait=1.0)
        limited = guard(rate_limit=gate, weight=lambda units: units)

        plan = rehearse(limited, [5], calls=3, every=0.0, args=[2.0])

        assert [each.call for each in plan.rejections] == [2, 3]
        assert isinstance(plan.ends[2].error, RateLimitedError)
        assert gate.statistics().calls == 0

    def test_a_throttle_by_given_draws(self) -> None:
        throttled = guard(breaker=AdaptiveThrottle(minimum_calls=1))

        plan = rehearse(throttled, calls=3, breaker_draws=[0.0])

        assert [each.by for each in plan.rejections] == ["throttle", "throttle"]
        assert isinstance(plan.ends[1].error, ThrottledError)
        assert rehearse(throttled, calls=3).rejections == ()

    def test_the_last_good_value_is_by_arguments(self) -> None:
        remembering = guard(fallback=Fallback.last_good(10.0))

        plan = rehearse(remembering, [5, OSError], calls=3, every=6.0, args=["SOL"], kwargs={"interval": "5m"})

        assert [(each.call, each.source, each.age) for each in plan.of(Substitution)] == [(2, "last_good", 6.0)]
        assert [end.value for end in plan.ends] == [5, 5, None]
        assert isinstance(plan.ends[2].error, OSError)

    def test_a_fallback_that_fails_too(self) -> None:
        def substitute(symbol: str) -> int:
            raise LookupError(symbol)

        plan = rehearse(guard(fallback=Fallback.call(substitute)), args=["SOL"])

        error = plan.ends[0].error
        assert isinstance(error, UnavailableError)
        assert str(error.fallback) == "SOL"

    def test_a_result_that_is_not_accepted(self) -> None:
        plan = rehearse(guard(retry=steady(2, on_result=lambda value: not value)), [[], {}])

        assert isinstance(plan.ends[0].error, BadResultError)
        assert [attempt.value for attempt in plan.attempts] == [[], {}]
        assert rehearse(guard(retry=steady(2, on_result=lambda value: not value)), [[], 3]).ends[0].value == 3

    def test_retry_after_is_a_floor(self) -> None:
        assert rehearse(guard(retry=steady()), [SlowDownError()]).waits == (7.0, 7.0)
