"""What guards report. ``path`` is the actor that made the call, `/` where no actor did."""

from typing import ClassVar

from duenna.events import Event
from duenna.machines.breaker import BreakerState, Cause

_FOREVER = float("inf")


class GuardEvent(Event, frozen=True):
    """Base of what guards report.

    Attributes:
        guard: Name of the guard, as all guards of one dependency have it.
    """

    guard: str


class BreakerChanged(GuardEvent, frozen=True):
    """A breaker opened, closed, or lets a probe through.

    Attributes:
        previous: The state that was left.
        state: The state that it is in now.
        cause: Why: the calls, the time, or a hand.
        open_for: Seconds for which calls are refused: inf until a hand changes it, 0 where they pass.
        calls: Calls in its window at that moment.
        failures: Those of them that failed.
        error: The last failure as text, empty if there was none.
    """

    level: ClassVar[str] = "WARNING"
    previous: BreakerState
    state: BreakerState
    cause: Cause
    open_for: float
    calls: int
    failures: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        line = f"guard {self.guard}: breaker {self.previous} -> {self.state} ({self.cause})"
        if 0 < self.open_for < _FOREVER:
            line += f" for {self.open_for:.1f} s"
        if self.state is BreakerState.OPEN:
            line += f", {self.failures} of {self.calls} calls failed" if self.calls else ""
            line += f": {self.error}" if self.error else ""
        return line


class CallRetried(GuardEvent, frozen=True):
    """An attempt failed and the call will be tried again.

    Attributes:
        attempt: The attempt that failed, counted from 1.
        delay: Seconds until the next.
        error: What it failed with, as text.
    """

    attempt: int
    delay: float
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"guard {self.guard}: attempt {self.attempt} failed, the next in {self.delay:.1f} s: {self.error}"


class CallGaveUp(GuardEvent, frozen=True):
    """A call failed for good; what it raises, or its fallback, is up to its caller.

    Attributes:
        attempts: Attempts that were made.
        elapsed: Seconds since its first attempt failed.
        why: Why it is not tried again, such as `attempts`, `deadline`, `patience` or `budget`.
        error: What the last attempt failed with, as text.
    """

    level: ClassVar[str] = "WARNING"
    attempts: int
    elapsed: float
    why: str
    error: str

    def text(self) -> str:
        """Return the log line."""
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        since = f"{self.elapsed:.1f} s after the first one failed"
        return f"guard {self.guard}: gave up after {tries}, {since} ({self.why}): {self.error}"


class CallRejected(GuardEvent, frozen=True):
    """A guard refused a call, which was not made.

    Attributes:
        by: What refused it: `breaker`, `throttle`, `bulkhead` or `rate_limit`.
        retry_after: Seconds until one may be let through; 0 if that is not known, inf if only a hand can help.
    """

    level: ClassVar[str] = "WARNING"
    by: str
    retry_after: float

    def text(self) -> str:
        """Return the log line."""
        when = f", retry after {self.retry_after:.1f} s" if 0 < self.retry_after < _FOREVER else ""
        return f"guard {self.guard}: call rejected by its {self.by.replace('_', ' ')}{when}"


class CallHedged(GuardEvent, frozen=True):
    """A call that was slow to be answered was sent once more.

    Attributes:
        attempt: The attempt that took so long, counted from 1; its first answer counts.
    """

    level: ClassVar[str] = "DEBUG"
    attempt: int

    def text(self) -> str:
        """Return the log line."""
        return f"guard {self.guard}: attempt {self.attempt} takes long, sent once more"


class FallbackUsed(GuardEvent, frozen=True):
    """A call failed and was answered by its fallback.

    Attributes:
        source: Where the answer comes from: `value`, `function` or `last_good`.
        age: How old it is, in seconds; 0 unless it is the last good one.
        error: What the call failed with, as text.
    """

    level: ClassVar[str] = "WARNING"
    source: str
    age: float
    error: str

    def text(self) -> str:
        """Return the log line."""
        old = f", {self.age:.1f} s old" if self.age else ""
        return f"guard {self.guard}: answered by fallback ({self.source.replace('_', ' ')}{old}): {self.error}"


class GuardHealthChanged(GuardEvent, frozen=True):
    """A dependency is ok again, degraded (fallbacks stand in) or unavailable (they fail, too).

    Attributes:
        previous: How it was: `ok`, `degraded` or `unavailable`.
        health: How it is now.
        why: What led there, in words.
    """

    level: ClassVar[str] = "WARNING"
    previous: str
    health: str
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"guard {self.guard}: {self.previous} -> {self.health}" + (f": {self.why}" if self.why else "")
