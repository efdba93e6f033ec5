"""What a breaker is: its settings, its states and the one table of its moves. `circuit` is one at work."""

import math
from enum import StrEnum
from typing import Self

import attrs

from duenna.machines import checks


class BreakerState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics_only"


class Cause(StrEnum):
    """Why a breaker moves: the calls, the time, a hand, or because an earlier process left it open."""

    FAILURES = "failures"
    SLOW_CALLS = "slow_calls"
    WAITED = "waited"
    PROBE_FAILED = "probe_failed"
    PROBES_PASSED = "probes_passed"
    FORCE_OPEN = "force_open"
    DISABLE = "disable"
    METRICS_ONLY = "metrics_only"
    CLOSE = "close"
    RESET = "reset"
    RESTORED = "restored"


_S = BreakerState

BY_HAND: dict[Cause, BreakerState] = {
    Cause.FORCE_OPEN: _S.FORCED_OPEN,
    Cause.DISABLE: _S.DISABLED,
    Cause.METRICS_ONLY: _S.METRICS_ONLY,
    Cause.CLOSE: _S.CLOSED,
    Cause.RESET: _S.CLOSED,
}
"""Where a hand moves a breaker, whatever state it is in."""

BY_ITSELF: dict[tuple[BreakerState, Cause], BreakerState] = {
    (_S.CLOSED, Cause.FAILURES): _S.OPEN,
    (_S.CLOSED, Cause.SLOW_CALLS): _S.OPEN,
    (_S.CLOSED, Cause.RESTORED): _S.OPEN,
    (_S.OPEN, Cause.WAITED): _S.HALF_OPEN,
    (_S.HALF_OPEN, Cause.PROBE_FAILED): _S.OPEN,
    (_S.HALF_OPEN, Cause.PROBES_PASSED): _S.CLOSED,
}
"""Where its calls, the time, and the past of an earlier process move a breaker."""

TRANSITIONS = BY_ITSELF | {(state, cause): then for state in BreakerState for cause, then in BY_HAND.items()}
"""Every legal move; what is not here is a defect of the machine."""


class Per(StrEnum):
    """What the window of a breaker is measured in."""

    CALLS = "calls"
    SECONDS = "seconds"


MINIMUM_IN_SECONDS = 10
"""The calls that a window over seconds must hold to be judged, unless the settings say another number."""

LONGEST_OPENINGS = 10
"""The longest opening in multiples of ``open_for``, unless the settings say another time."""


@attrs.frozen(kw_only=True, cache_hash=True)
class Breaker:
    """When to stop calling what fails, for how long, and when to trust it again.

    The rate form; `Breaker.consecutive` makes the other.

    Attributes:
        failure_rate: The share of failed calls in the window that opens, inclusive. Within (0, 1].
        window: Length of the window, in calls (the last 20 outcomes) or in seconds. At least 1 call,
            more than 0 seconds.
        per: What ``window`` is measured in, `calls` or `seconds`.
        minimum_calls: Calls the window must hold to be judged, at least 1. None: all of ``window``
            calls, or 10 calls in a window over seconds.
        open_for: How long it stays open, in seconds, before jitter. More than 0.
        open_jitter: The part of ``open_for`` that is drawn: 0.2 is open_for +-20 %. Within [0, 1).
        growth: Growth of ``open_for`` from one opening to the next while no probe passes. At least 1.
        longest_open: Cap of an opening, in seconds, jitter included. None: ten times ``open_for``.
        probes: Most calls that are under way at once in half_open. At least 1.
        probe_timeout: After so many seconds without an outcome a probe's place is given to another.
            inf: never.
        slow_call: A call that takes longer than so many seconds is slow, whether it fails or not.
            None: no call is.
        slow_rate: The share of slow calls in the window that opens, inclusive. Within (0, 1].
        success_threshold: Probes that must pass to close it; the first that fails opens it. At least 1.
    """

    failure_rate: float = 0.5
    window: float = 20
    per: str = Per.CALLS
    minimum_calls: int | None = None
    open_for: float = 5.0
    open_jitter: float = 0.2
    growth: float = 1.0
    longest_open: float | None = None
    probes: int = 1
    probe_timeout: float = 60.0
    slow_call: float | None = None
    slow_rate: float = 1.0
    success_threshold: int = 1

    def __attrs_post_init__(self) -> None:
        """Check everything: a breaker that cannot do what it says is found where it is written."""
        owner = "Breaker"
        _share(owner, "failure_rate", self.failure_rate)
        self._check_window(owner)
        self._check_openings(owner)
        checks.count(owner, "probes", self.probes, least=1)
        checks.count(owner, "success_threshold", self.success_threshold, least=1)
        checks.duration(owner, "probe_timeout", self.probe_timeout, zero=False)
        _share(owner, "slow_rate", self.slow_rate)
        if self.slow_call is not None:
            checks.duration(owner, "slow_call", self.slow_call, zero=False, inf=False)
        elif self.slow_rate != 1:
            message = f"{owner}: slow_rate must come with slow_call, got {self.slow_rate!r} alone"
            raise ValueError(message)

    @classmethod
    def consecutive(
        cls,
        failures: int = 5,
        *,
        open_for: float = 60.0,
        success_threshold: int = 2,
        open_jitter: float = 0.0,
        growth: float = 1.0,
        longest_open: float | None = None,
        probes: int = 1,
        probe_timeout: float = 60.0,
        slow_call: float | None = None,
    ) -> Self:
        """Open after so many *failures* in a row, for exactly *open_for* seconds unless jitter is asked for.

        It is the rate form with a rate of 1 over the last *failures* calls. With *slow_call*, so many
        slow calls in a row open it too.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range.
        """
        return cls(
            failure_rate=1.0,
            window=checks.count("Breaker.consecutive", "failures", failures, least=1),
            open_for=open_for,
            open_jitter=open_jitter,
            growth=growth,
            longest_open=longest_open,
            probes=probes,
            probe_timeout=probe_timeout,
            slow_call=slow_call,
            success_threshold=success_threshold,
        )

    @property
    def least_calls(self) -> int:
        """The calls that the window must hold to be judged."""
        if self.minimum_calls is not None:
            return self.minimum_calls
        return int(self.window) if self.per == Per.CALLS else MINIMUM_IN_SECONDS

    def opening(self, number: int, draw: float) -> float:
        """Return how long the *number*-th opening in a row lasts, in seconds.

        Args:
            number: Counted from 1 since it was last closed.
            draw: A random number in [0, 1); 0.5 is no jitter.
        """
        cap = LONGEST_OPENINGS * self.open_for if self.longest_open is None else self.longest_open
        try:
            grown = min(cap, self.open_for * self.growth ** (number - 1))
        except OverflowError:  # the power leaves the floats
            grown = cap
        return min(cap, grown * (1 + self.open_jitter * (2 * draw - 1)))

    def _check_window(self, owner: str) -> None:
        if checks.choice(owner, "per", self.per, Per) is Per.SECONDS:
            checks.duration(owner, "window", self.window, zero=False, inf=False)
        else:
            checks.count(owner, "window", self.window, least=1)
        if self.minimum_calls is None:
            return
        checks.count(owner, "minimum_calls", self.minimum_calls, least=1)
        if self.per == Per.CALLS and self.minimum_calls > self.window:
            message = f"{owner}: minimum_calls must be <= window ({self.window}), got {self.minimum_calls}"
            raise ValueError(message)

    def _check_openings(self, owner: str) -> None:
        checks.duration(owner, "open_for", self.open_for, zero=False, inf=False)
        if not 0 <= checks.number(owner, "open_jitter", self.open_jitter) < 1:
            message = f"{owner}: open_jitter must be >= 0 and < 1, got {self.open_jitter!r}"
            raise ValueError(message)
        if not 1 <= checks.number(owner, "growth", self.growth) < math.inf:
            message = f"{owner}: growth must be >= 1 and finite, got {self.growth!r}"
            raise ValueError(message)
        if self.longest_open is None:
            return
        if checks.duration(owner, "longest_open", self.longest_open, inf=False) < self.open_for:
            message = f"{owner}: longest_open must be >= open_for ({self.open_for} s), got {self.longest_open!r}"
            raise ValueError(message)


def _share(owner: str, what: str, value: object) -> None:
    if not 0 < checks.number(owner, what, value) <= 1:
        message = f"{owner}: {what} must be > 0 and <= 1, got {value!r}"
        raise ValueError(message)
