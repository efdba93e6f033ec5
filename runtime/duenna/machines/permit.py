"""What a breaker at work hands out: permits, rejections, the moves that it made and its counters."""

import attrs

from duenna.machines.breaker import BreakerState, Cause
from duenna.machines.window import Tally


@attrs.frozen
class Change:
    """A move from one state to another.

    Attributes:
        previous: The state that was left.
        state: The state that was entered.
        cause: Why.
        lasted: How long the previous state was held, in seconds.
        open_for: How long calls will be refused, in seconds: inf until a hand changes it, 0 where they pass.
        tally: What the window held at the end, None where there was no window.
    """

    previous: BreakerState
    state: BreakerState
    cause: Cause
    lasted: float
    open_for: float = 0.0
    tally: Tally | None = None


@attrs.define(eq=False)
class Permit:
    """Leave to make calls, for all calls of one generation.

    It may be settled or released once for each call that was admitted with it.

    Attributes:
        gated: Whether calls must take the long way.
        seq: Outcomes of the generation so far.
        change: The move that the admission made, to be told to whoever watches.
    """

    gated: bool = True
    seq: int = 0
    change: Change | None = None


@attrs.define(eq=False, kw_only=True)
class Probe(Permit):
    """Leave to make one call in half_open; what it is told after its first outcome or release is ignored.

    Attributes:
        generation: The generation it belongs to.
        expires: When its place may be given to another (monotonic seconds).
        is_over: Whether it was settled or released.
    """

    generation: int
    expires: float
    is_over: bool = False


@attrs.define
class Rejected:
    """No leave to call.

    Attributes:
        retry_after: Seconds until a call is let through, if no other comes first. Exact while open; in
            half_open the longest it can take until a probe's place is free; inf if only a hand or the
            outcome of a probe that never expires can help.
        state: The state that refused.
    """

    retry_after: float
    state: BreakerState


@attrs.frozen(kw_only=True)
class CircuitStatistics:
    """The counters of a circuit since it was made or reset.

    A call that is admitted ends as one of ``calls`` or of ``released``.

    Attributes:
        state: The state.
        since: When it was entered (monotonic seconds).
        calls: Outcomes: successes and failures.
        successes: Calls that succeeded.
        failures: Calls that failed.
        late: Those of the calls whose outcome came too late to matter.
        slow: Those of the calls that took longer than ``slow_call``; not counted while disabled.
        released: Calls that were cancelled or ignored.
        rejected: Calls that were refused.
        expired: Probes whose place was given to another.
        opened: How often the calls opened it.
        window: What the window holds; None where there is none (open, half_open, by hand).
    """

    state: BreakerState
    since: float
    calls: int
    successes: int
    failures: int
    late: int
    slow: int
    released: int
    rejected: int
    expired: int
    opened: int
    window: Tally | None

    @property
    def failure_rate(self) -> float | None:
        """The share of failures in the window, None if it holds no call."""
        return self.window.failures / self.window.calls if self.window and self.window.calls else None


@attrs.define
class Counters:
    """The counters behind `CircuitStatistics`; the calls of the current generation are counted by its permit."""

    calls: int = 0
    failures: int = 0
    late: int = 0
    slow: int = 0
    released: int = 0
    rejected: int = 0
    expired: int = 0
    opened: int = 0

    def statistics(self, state: BreakerState, since: float, seq: int, window: Tally | None) -> CircuitStatistics:
        """Return them all, *seq* calls of the current generation included."""
        calls = self.calls + seq
        return CircuitStatistics(
            state=state,
            since=since,
            calls=calls,
            successes=calls - self.failures,
            failures=self.failures,
            late=self.late,
            slow=self.slow,
            released=self.released,
            rejected=self.rejected,
            expired=self.expired,
            opened=self.opened,
            window=window,
        )
