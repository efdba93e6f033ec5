"""One guarded call that did not succeed at once: what it has tried, and whether it tries again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from duenna.guard_events import CallGaveUp, CallHedged, CallRejected, CallRetried
from duenna.guards._hints import is_outcome_known, is_rate_limit, is_timeout, matches, retry_after
from duenna.guards._lessons import Lessons
from duenna.guards._notes import note_attempts, note_broken_rule
from duenna.guards._registry import registry
from duenna.guards.errors import (
    AttemptTimeoutError,
    BadResultError,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    RejectedError,
    ThrottledError,
)
from duenna.guards.retry import ByVerdict
from duenna.machines.adaptive_retry import stretched
from duenna.machines.breaker import BreakerState
from duenna.machines.budget import RetryBudget
from duenna.machines.retry import Stop, StopReason

if TYPE_CHECKING:
    from duenna.guards.bulkhead import Slots
    from duenna.machines.permit import Permit

_BUDGETS = threading.RLock()
_SHUT = frozenset({BreakerState.OPEN, BreakerState.FORCED_OPEN})
_PASSING = frozenset({BreakerState.CLOSED, BreakerState.DISABLED, BreakerState.METRICS_ONLY})
_WHOLE = (
    0.9  # of the deadline: an attempt that had as much and was cut off tells of the far end, not of the waits before
)
_ADAPTED, _AMBIGUOUS, _BLOCKING, _ERROR, _REJECTED = "adapted", "ambiguous", "blocking", "error", "rejected"
_WORDS = {
    "attempts": "no attempts are left",
    "deadline": "the deadline is too near",
    "patience": "the far end asks for too long a wait",
    "budget": "the retry budget denies more",
    _ADAPTED: "retries of this kind keep failing",
    _AMBIGUOUS: "it may have had an effect and must not have two",
    _BLOCKING: "a wait would block the event loop",
    _ERROR: "this error is not tried again",
    _REJECTED: "the guard refuses more",
}
"""Why a call gives up, as events say it and in words."""


@attrs.define(eq=False)
class Call(Lessons):
    """One call on its way through the attempts. All times are of the dependency's timeline.

    Attributes:
        function: What is called of it.
        args: With which arguments.
        kwargs: With which arguments.
        deadline_at: When the call must be over.
        number: Attempts begun.
        ended: Attempts that were made and have ended.
        last: The error of the attempt before, for whoever comes after it.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    deadline_at: float = attrs.field(init=False)
    number: int = 1
    ended: int = 0
    last: Exception | None = None
    _failed_at: float | None = None
    _delay: float = 0.0
    _budget: RetryBudget | None = None
    _answers: int = 0
    _refusals: list[RejectedError] = attrs.field(factory=list[RejectedError], init=False)  # by this guard itself
    _why: str = ""

    def __attrs_post_init__(self) -> None:
        """Read the clock, if there is a deadline."""
        deadline = self.policy.deadline
        self.deadline_at = inf if deadline is None else self.dependency.timeline.now() + deadline

    # -- one attempt -----------------------------------------------------------

    def admit(self) -> Permit:
        """Return a permit for an attempt.

        Raises:
            RejectedError: The breaker refuses, or the throttle.
        """
        try:
            return self.dependency.admit()
        except RejectedError as error:
            self._refusals.append(error)
            raise

    def renew(self, permit: Permit, admitted: float) -> tuple[Permit, float]:
        """Return a permit that holds now, after a wait since *admitted*, and when it was given.

        Raises:
            RejectedError: The breaker has opened meanwhile.
        """
        return self.dependency.renew(permit, admitted)

    def sends(self, *, is_hedge: bool = False) -> tuple[float, float]:
        """Return the time, at which an attempt is made, and for how many seconds it may last.

        Raises:
            DeadlineExceededError: What the attempt waited for came too late.
        """
        now, timeout = self.dependency.timeline.now(), self.policy.attempt_timeout
        left = self.deadline_at - now
        if left <= 0:
            if not is_hedge:
                self._take_back()
            raise self.expired(left)
        return now, left if timeout is None or left < timeout else timeout

    def expired(self, limit: float) -> Exception:
        """Return the error of an attempt that was cut off after *limit* seconds."""
        name, timeout = self.dependency.name, self.policy.attempt_timeout
        if timeout is not None and limit == timeout:
            self.dependency.counts.timeouts += 1
            return AttemptTimeoutError(name, timeout)
        error = DeadlineExceededError(name, self.policy.deadline or limit, self.number)
        error.__cause__ = self.last
        return error

    def weight(self) -> float:
        """Return what the call takes of the rate limit."""
        weight = self.policy.weight
        return weight(*self.args, **self.kwargs) if callable(weight) else weight

    def accept(self, value: Any) -> None:
        """Look at a result.

        Raises:
            BadResultError: It is to be tried again.
        """
        is_bad = self.policy.retry.on_result
        if is_bad is not None and is_bad(value):
            raise BadResultError(self.dependency.name, value)

    def failed(self, permit: Permit, slots: Slots | None, error: Exception, began: float) -> None:
        """Record the error of an attempt."""
        dependency, policy = self.dependency, self.policy
        self._end()
        duration = dependency.timeline.now() - began
        if self._is_cut_short(error, duration):
            dependency.release(permit, began)
            if slots is not None:
                slots.release()
            return
        counted = dependency.failed(permit, error, duration)
        limited = is_rate_limit(error)
        if slots is not None:
            slots.release(not (counted or limited), duration)
        if limited and policy.rate_limit is not None and (wait := retry_after(error)):
            policy.rate_limit.block(wait)

    def succeeded(self, permit: Permit, slots: Slots | None, began: float) -> None:
        """Record the success of an attempt."""
        dependency = self.dependency
        self._end()
        duration = dependency.timeline.now() - began
        dependency.succeeded(permit, duration)
        if slots is not None:
            slots.release(True, duration)
        self._answers += 1
        if self._answers > 1:
            dependency.counts.surplus += 1

    def released(self, permit: Permit, slots: Slots | None, began: float, *, is_sent: bool = False) -> None:
        """Give back what an attempt held that was cancelled or never made."""
        if is_sent:
            self._end()
        else:
            self.dependency.counts.unsent += 1
        self.dependency.release(permit, began)
        if slots is not None:
            slots.release()

    def refused(self, error: RejectedError) -> None:
        """Note that an attempt was refused that the breaker had admitted: by bulkhead or rate limit, or by itself."""
        self._refusals.append(error)
        if isinstance(error, CircuitOpenError | ThrottledError):
            return  # it has said so
        self.dependency.counts.rejected += 1
        by = "bulkhead" if isinstance(error, BulkheadFullError) else "rate_limit"
        registry.emit(self.dependency, CallRejected, by=by, retry_after=error.retry_after)

    # -- between two attempts --------------------------------------------------

    def wait_after(self, error: Exception, *, may_wait: bool = True) -> float | None:
        """Return how long to wait before the next attempt, in seconds; None: there is none."""
        dependency = self.dependency
        if self.policy.retry.attempts == 1:
            return None
        if error not in self._refusals:
            self.learn(self.last, error)
        if self._is_final(error):
            return None
        now = dependency.timeline.now()
        if self._failed_at is None:
            self._failed_at = now
        draw = (self.policy.rng or registry.rng()).random()
        delay = self._planned(error, now, draw)
        if delay is None or self._is_hindered(delay, now, may_wait=may_wait):
            return None
        if not self._is_paid(error):
            self._why = StopReason.BUDGET
            return None
        self._delay = delay
        registry.emit(dependency, CallRetried, attempt=self.number, delay=delay, error=error)
        return delay

    def again(self) -> None:
        """Begin the next attempt."""
        self.number += 1
        self.dependency.counts.repeats += 1

    def may_hedge(self) -> bool:
        """Return whether the budget pays for a try beside the one under way."""
        dependency, budget = self.dependency, self.policy.budget(self.dependency)
        if dependency.state not in _PASSING:  # it would be refused, and have been paid for
            return False
        if budget is not None:
            with _BUDGETS:
                dependency.pay_in(budget)
                if not budget.withdraw(1.0, may_spare=False):
                    return False
        dependency.counts.hedges += 1
        dependency.counts.repeats += 1
        registry.emit(dependency, CallHedged, attempt=self.number)
        return True

    def answered(self) -> None:
        """Count a call that succeeded."""
        self._answers = 0
        if self.number > 1:
            self.dependency.counts.succeeded_retried += 1
            self.learn(self.last, None)

    def final(self, error: Exception) -> Exception:
        """Count a call that failed, and return the error that its caller gets, with a note on what was tried."""
        dependency, counts = self.dependency, self.dependency.counts
        if error in self._refusals:
            if self.last is None:
                return error
            self._why = _REJECTED
            error = self.last
            self._take_back()
        if self.number > 1:
            counts.failed_retried += 1
        else:
            counts.failed_first += 1
        if registry.is_heard or dependency.reporter is not None:
            dependency.report(error, self.number)
        if self.number == 1 and not self._why:
            return error
        now = dependency.timeline.now()
        elapsed = 0.0 if self._failed_at is None else now - self._failed_at
        why = str(self._why or _ERROR)
        note_attempts(error, dependency.name, self.number, elapsed, _WORDS[why])
        registry.emit(dependency, CallGaveUp, attempts=self.number, elapsed=elapsed, why=why, error=error)
        return error

    def close(self) -> None:
        """Come to the end, whatever it was."""
        self.last = None
        self.forget()
        self._refusals.clear()
        if self._answers:  # cancelled at the very moment of its answer
            self.dependency.counts.surplus += 1
        budget, self._budget = self._budget, None
        if budget is not None:
            with _BUDGETS:
                budget.leave()

    def _is_cut_short(self, error: Exception, duration: float) -> bool:
        """Return whether the deadline of the call left its last attempt so little that this tells nothing."""
        if not isinstance(error, DeadlineExceededError) or error.guard != self.dependency.name:
            return False
        return duration < _WHOLE * error.deadline

    def _end(self) -> None:
        """Note the end of an attempt that was made."""
        self.dependency.counts.repeated += self.ended > 0
        self.ended += 1

    def _take_back(self) -> None:
        """Uncount an attempt that was begun and never made."""
        self.number -= 1
        counts = self.dependency.counts
        counts.repeats = max(0, counts.repeats - (self.number > 0))  # they may have been cleared meanwhile

    def _is_final(self, error: Exception) -> bool:
        """Return whether *error* is one that is never tried again."""
        if isinstance(error, DeadlineExceededError) and error.guard == self.dependency.name:
            self._why = StopReason.DEADLINE
            return True
        if error in self._refusals:
            self._why = _REJECTED
            return True
        is_bad_result = isinstance(error, BadResultError) and error.guard == self.dependency.name
        if not is_bad_result and not self._is_meant(error):
            return True
        if self.policy.idempotent or is_outcome_known(error):
            return False
        self._why = _AMBIGUOUS
        return True

    def _planned(self, error: Exception, now: float, draw: float) -> float | None:
        """Return how long to wait by the policy and by what became of other retries; None: there is no attempt."""
        retry, left = self.policy.retry, self.deadline_at - now
        limit, self.stretch = self.adapted(error, now)
        if limit <= self.number < retry.attempts:
            self._why = _ADAPTED
            self.dependency.counts.adapted += 1
            return None
        elapsed, previous = now - (now if self._failed_at is None else self._failed_at), self._delay
        verdict = retry.next(self.number, elapsed, left, self.asked_wait(error), draw=draw, previous_delay=previous)
        if isinstance(verdict, Stop):
            self._why = verdict.why
            return None
        if self.stretch == 1:
            return verdict.delay
        own = retry.backoff.delay(self.number, draw, previous)
        delay = max(verdict.delay, stretched(own, self.stretch, retry.backoff.maximum))
        if delay >= left:
            self._why = StopReason.DEADLINE
            return None
        return delay

    def _is_hindered(self, delay: float, now: float, *, may_wait: bool) -> bool:
        """Return whether an attempt would be refused after a wait of *delay* seconds, or the wait is not allowed."""
        circuit = self.dependency.circuit
        if circuit.state in _SHUT and circuit.retry_after(now) > delay:
            self._why = _REJECTED
        elif not may_wait and delay > 0:
            self._why = _BLOCKING
        else:
            return False
        return True

    def _is_meant(self, error: Exception) -> bool:
        """Return whether *error* is one that is tried again."""
        rule = self.policy.retry.on
        if isinstance(rule, ByVerdict):
            return rule(error)
        try:
            return matches(error, rule)
        except Exception as broken:  # noqa: BLE001  # the caller gets the error that it is about
            note_broken_rule(error, self.dependency.name, "Retry.on", broken)
            return False

    def _is_paid(self, error: Exception) -> bool:
        budget = self.policy.budget(self.dependency)
        if budget is None:
            return True
        with _BUDGETS:
            self.dependency.pay_in(budget)
            if self._budget is None:
                self._budget = budget
                budget.enter()
            if budget.withdraw(budget.timeout_cost if is_timeout(error) else 1.0):
                return True
        self.dependency.counts.denied += 1
        return False
