"""What a guard did in a rehearsal: its steps, and the same in words."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from duenna.guards.errors import DeadlineExceededError
from duenna.guards.statistics import GuardStatistics
from duenna.machines.breaker import BreakerState, Cause

_LONGEST = 12
_LAST = 3
_BECAUSE = {
    "deadline": ", for the deadline is too near",
    "patience": ", asked for more patience than there is",
    "budget": ", denied by the budget",
    "error": ", for this error is not tried again",
    "ambiguous": ", for it may have had an effect",
}

S = TypeVar("S", bound="Step")


@attrs.frozen(kw_only=True)
class Step:
    """Something that happened.

    Attributes:
        call: In which call, counted from 1.
        at: When, in seconds since the rehearsal began.
    """

    call: int
    at: float


@attrs.frozen(kw_only=True)
class Attempt(Step):
    """The function was called.

    Attributes:
        number: Which attempt of the call, counted from 1.
        ended: When it returned, raised or was cut off; None: it had not when the rehearsal ended.
        value: What it returned.
        error: What it raised, None if it did not.
        is_cut_off: Whether it was cancelled: by a timeout, the deadline, or a hedge that was faster.
        is_hedge: Whether it was started beside another.
    """

    number: int
    ended: float | None = None
    value: Any = None
    error: Exception | None = None
    is_cut_off: bool = False
    is_hedge: bool = False

    def __str__(self) -> str:
        words = f"attempt {self.number}" + (" (hedge)" if self.is_hedge else "")
        return f"{words} is cut off after {plain((self.ended or 0.0) - self.at)} s" if self.is_cut_off else words


@attrs.frozen(kw_only=True)
class Wait(Step):
    """The call waited.

    Attributes:
        seconds: How long.
        is_queue: Whether it was for bulkhead or rate limit, and not between two attempts.
    """

    seconds: float
    is_queue: bool = False

    def __str__(self) -> str:
        return f"{'queue' if self.is_queue else 'wait'} {round(float(self.seconds), 3)}"


@attrs.frozen(kw_only=True)
class Move(Step):
    """The breaker moved.

    Attributes:
        previous: The state that it left.
        state: The state that it entered.
        cause: Why.
        open_for: Seconds until a probe is let through, 0 where calls pass.
    """

    previous: BreakerState
    state: BreakerState
    cause: Cause
    open_for: float

    def __str__(self) -> str:
        how_long = f" for {plain(self.open_for)} s" if self.open_for else ""
        return f"breaker {self.previous} -> {self.state}{how_long}"


@attrs.frozen(kw_only=True)
class Rejection(Step):
    """The guard refused an attempt.

    Attributes:
        by: `breaker`, `throttle`, `bulkhead` or `rate_limit`.
        retry_after: Seconds until one may be let through; 0 if that is not known.
    """

    by: str
    retry_after: float

    def __str__(self) -> str:
        when = f", retry after {plain(self.retry_after)} s" if self.retry_after else ""
        return f"rejected by {self.by}{when}"


@attrs.frozen(kw_only=True)
class Substitution(Step):
    """A fallback answered the call.

    Attributes:
        source: `value`, `function` or `last_good`.
        age: How old the answer is, in seconds.
    """

    source: str
    age: float

    def __str__(self) -> str:
        return f"fallback ({self.source})"


@attrs.frozen(kw_only=True)
class End(Step):
    """The call came to its end.

    Attributes:
        elapsed: How long it took, in seconds.
        value: What its caller got.
        error: What its caller got instead, None if it got a value.
        is_over: False if it still waited when the rehearsal ended.
        why: Why it was not tried again, as `CallGaveUp` says it; empty after a single attempt.
    """

    elapsed: float
    value: Any = None
    error: Exception | None = None
    is_over: bool = True
    why: str = ""

    def __str__(self) -> str:
        when = f"at {plain(self.at)} s"
        if not self.is_over:
            return f"still waits {when}"
        if self.error is None:
            return f"succeeds {when}"
        is_cut_off = isinstance(self.error, DeadlineExceededError)  # by the deadline, which is reason enough
        return f"gives up {when}" + ("" if is_cut_off else _BECAUSE.get(self.why, ""))


@attrs.frozen(kw_only=True)
class Plan:
    """What a guard did; its text is the plan in words, a line for each call if there are several.

    Attributes:
        steps: What happened, in the order of time.
        statistics: What the guard had counted at the end.
    """

    steps: tuple[Step, ...]
    statistics: GuardStatistics

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts, of all calls."""
        return self.of(Attempt)

    @property
    def waits(self) -> tuple[float, ...]:
        """The waits between attempts, in seconds, of all calls."""
        return tuple(step.seconds for step in self.of(Wait) if not step.is_queue)

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves of the breaker."""
        return self.of(Move)

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """What the guard refused, of all calls."""
        return self.of(Rejection)

    @property
    def ends(self) -> tuple[End, ...]:
        """How each call ended, in the order of the calls."""
        return tuple(sorted(self.of(End), key=lambda end: end.call))

    def of(self, kind: type[S]) -> tuple[S, ...]:
        """Return the steps of one *kind*."""
        return tuple(step for step in self.steps if isinstance(step, kind))

    def __str__(self) -> str:
        """Return `attempt 1, wait 2.0, attempt 2, ..., gives up at 31 s`."""
        ends = self.ends
        if len(ends) == 1:
            return self._line(1)
        return "\n".join(f"call {end.call} at {plain(end.at - end.elapsed)} s: {self._line(end.call)}" for end in ends)

    def _line(self, call: int) -> str:
        words = [str(step) for step in self.steps if step.call == call]
        if len(words) > _LONGEST:
            words[_LONGEST - _LAST - 1 : -_LAST] = ["..."]
        return ", ".join(words)


def plain(seconds: float) -> str:
    """Return *seconds* without a fraction that is zero."""
    return f"{round(seconds, 3):.15g}"
