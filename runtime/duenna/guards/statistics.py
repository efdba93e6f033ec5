"""The counters of a guard, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs

from duenna.machines.adaptive_retry import Strained
from duenna.machines.breaker import BreakerState
from duenna.machines.window import Tally

if TYPE_CHECKING:
    from duenna.guards._counts import Counts
    from duenna.machines.budget import RetryBudget
    from duenna.machines.permit import CircuitStatistics


@attrs.frozen(kw_only=True)
class GuardStatistics:
    """What the guards of one name have counted since the first was made, or since ``reset``.

    A *call* is one use of a guard that got as far as an attempt, which is one try of the function
    that it guards. A call that is refused at once is in ``rejected`` only, one that is cancelled
    in none.

    Attributes:
        name: Of the guards.
        state: Whether calls pass; `disabled` where there is no breaker.
        health: `ok`; `degraded`: fallbacks stand in; `unavailable`: they fail, too.
        calls: Calls that came to an end: ``successes`` and ``failures``.
        successes: Those that got a result from the function itself.
        failures: Those that got none, whether a fallback answered them or not.
        succeeded_first: Successes at the first attempt.
        succeeded_retried: Successes after at least one retry.
        failed_first: Failures without any retry.
        failed_retried: Failures after at least one retry.
        rejected: Attempts that breaker, throttle, bulkhead or rate limit refused. Each is final for its call.
        attempts: Attempts that were made.
        retries: Those that were tried again after a failure.
        hedges: Those that were started beside another.
        timeouts: Those that were cut off by ``attempt_timeout``.
        ignored: Those that count neither as a success nor as a failure of the far end: cancelled, or
            ended by an error that the breaker does not record.
        late: Those whose outcome came after the breaker had moved on.
        slow: Those that took longer than ``slow_call``.
        fallbacks: Calls that were answered by a fallback.
        budget_left: Retries that the budget of the dependency can pay for now; guards may have others of their own.
        budget_denied: Retries that it denied.
        adapted: Retries that were not made because others after errors of their category keep failing.
        strained: The categories of which that is so at present, and how far it has gone.
        window: What the window of the breaker holds, None if it has none at present.
        in_flight: Calls within the bulkhead now, None without one.
        waiting: Calls that wait for it.
        since: When ``state`` was entered, in seconds of the clock that was used first.
        opened: How often the calls opened the breaker.
        last_error: The last failure as text.
    """

    name: str
    state: BreakerState
    health: str
    calls: int
    successes: int
    failures: int
    succeeded_first: int
    succeeded_retried: int
    failed_first: int
    failed_retried: int
    rejected: int
    attempts: int
    retries: int
    hedges: int
    timeouts: int
    ignored: int
    late: int
    slow: int
    fallbacks: int
    budget_left: float
    budget_denied: int
    adapted: int
    strained: tuple[Strained, ...]
    window: Tally | None
    in_flight: int | None
    waiting: int
    since: float
    opened: int
    last_error: str | None

    @property
    def success_rate(self) -> float | None:
        """The share of calls that succeeded, within [0, 1]; None without calls."""
        return self.successes / self.calls if self.calls else None

    @property
    def failure_rate(self) -> float | None:
        """The share of failures in the window of the breaker, None if it holds no call."""
        return self.window.failures / self.window.calls if self.window and self.window.calls else None

    @classmethod
    def of(
        cls,
        name: str,
        circuit: CircuitStatistics,
        counts: Counts,
        *,
        health: str,
        budget: RetryBudget,
        in_flight: int | None,
        waiting: int,
        strained: tuple[Strained, ...],
        last_error: str | None,
    ) -> Self:
        """Put the counters of the parts together.

        The success path counts nothing but the outcomes of its breaker's generation, so what
        succeeded at once is what is left of these: they were not all read at the same
        instant, and another thread may be ahead of them.
        """
        successes = max(counts.succeeded_retried, circuit.successes - counts.surplus)
        failures = counts.failed_first + counts.failed_retried
        return cls(
            name=name,
            state=circuit.state,
            health=health,
            calls=successes + failures,
            successes=successes,
            failures=failures,
            succeeded_first=successes - counts.succeeded_retried,
            succeeded_retried=counts.succeeded_retried,
            failed_first=counts.failed_first,
            failed_retried=counts.failed_retried,
            rejected=circuit.rejected + counts.rejected,
            attempts=circuit.calls + circuit.released - counts.unsent,
            retries=max(0, counts.repeats - counts.hedges),
            hedges=counts.hedges,
            timeouts=counts.timeouts,
            ignored=circuit.released - counts.unsent,
            late=circuit.late,
            slow=circuit.slow,
            fallbacks=counts.fallbacks,
            budget_left=budget.balance,
            budget_denied=counts.denied,
            adapted=counts.adapted,
            strained=strained,
            window=circuit.window,
            in_flight=in_flight,
            waiting=waiting,
            since=circuit.since,
            opened=circuit.opened,
            last_error=last_error,
        )
