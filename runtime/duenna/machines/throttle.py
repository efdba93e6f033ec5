"""Refuse calls by chance, the more the fewer get through: a breaker without states.

Source: Google, "Site Reliability Engineering", chapter "Handling Overload", client-side
throttling. A call is refused with probability ``(requests - k * accepts) / (requests + 1)``
over the window. Requests are counted when they are *attempted*, refused ones included;
counted after the call, as go-zero once did, they would not be. The cap is failsafe-go's:
with 0.9, one call in ten is always made, and finds out when the far end is back.
"""

import math

import attrs

from duenna.machines import checks

_OWNER = "AdaptiveThrottle"


@attrs.define(eq=False)
class AdaptiveThrottle:
    """Count what is attempted and what is accepted, and refuse the difference.

    The window is a ring of ``slots`` slots: what is older than ``window`` seconds never counts,
    what is younger than ``window - window / slots`` seconds always does.

    Attributes:
        k: Requests per accepted one that are let through, at least 1. Smaller refuses more:
            2 lets a far end that accepts half of them be sent all of them.
        window: What counts, in seconds. Greater than 0.
        cap: The highest chance of being refused, within (0, 1]. 1: the plain formula.
        minimum_calls: With fewer requests in the window none is refused, at least 0. 0: the
            plain formula, which refuses every second call after a single failure.
        slots: Parts of the window, at least 1.
        refused: Calls refused in all.
    """

    k: float = 2.0
    window: float = 120.0
    cap: float = attrs.field(default=0.9, kw_only=True)
    minimum_calls: int = attrs.field(default=10, kw_only=True)
    slots: int = attrs.field(default=20, kw_only=True)
    refused: int = attrs.field(default=0, init=False)
    _width: float = attrs.field(init=False)
    _requests: list[int] = attrs.field(init=False)
    _accepts: list[int] = attrs.field(init=False)
    _attempted: int = attrs.field(default=0, init=False)
    _accepted: int = attrs.field(default=0, init=False)
    _slot: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense, and clear the ring."""
        if not 1 <= checks.number(_OWNER, "k", self.k) < math.inf:
            message = f"{_OWNER}: k must be >= 1 and finite, got {self.k!r}"
            raise ValueError(message)
        checks.duration(_OWNER, "window", self.window, zero=False, inf=False)
        if not 0 < checks.number(_OWNER, "cap", self.cap) <= 1:
            message = f"{_OWNER}: cap must be > 0 and <= 1, got {self.cap!r}"
            raise ValueError(message)
        checks.count(_OWNER, "minimum_calls", self.minimum_calls, least=0)
        checks.count(_OWNER, "slots", self.slots, least=1)
        self._width = self.window / self.slots
        self.reset()

    def requests(self, now: float) -> int:
        """Return the calls attempted within the window at *now*, refused ones included."""
        self._roll(now)
        return self._attempted

    def accepts(self, now: float) -> int:
        """Return the calls accepted within the window at *now*."""
        self._roll(now)
        return self._accepted

    def chance(self, now: float) -> float:
        """Return the chance that a call is refused at *now*, within [0, cap]."""
        self._roll(now)
        return self._chance()

    def admit(self, now: float, draw: float) -> bool:
        """Count a call at *now* (monotonic seconds); return whether it may be made.

        Args:
            now: Monotonic seconds.
            draw: A random number in [0, 1).
        """
        slot = self._roll(now)
        allowed = draw >= self._chance()
        self._requests[slot] += 1
        self._attempted += 1
        if not allowed:
            self.refused += 1
        return allowed

    def settle(self, ok: bool, now: float) -> None:
        """Count the outcome, at *now*, of a call that was admitted.

        Args:
            ok: Whether the far end took it; an answer that says no for a reason of its own
                (not found, invalid) is one.
            now: Monotonic seconds.
        """
        if ok:
            self._accepts[self._roll(now)] += 1
            self._accepted += 1

    def release(self, admitted: float, now: float) -> None:
        """Uncount, at *now*, a call admitted at *admitted* that was cancelled: it tells nothing.

        Once for each call; what has left the window is uncounted already.
        """
        self._roll(now)
        number = int(admitted // self._width)
        if self._slot - number < self.slots and self._requests[number % self.slots]:
            self._requests[number % self.slots] -= 1
            self._attempted -= 1

    def reset(self) -> None:
        """Forget all that was counted in the window."""
        self._requests = [0] * self.slots
        self._accepts = [0] * self.slots
        self._attempted = self._accepted = self._slot = 0  # of slots, too: the next clock may begin earlier

    def _chance(self) -> float:
        surplus = self._attempted - self.k * self._accepted
        if surplus <= 0 or self._attempted < self.minimum_calls:
            return 0.0
        return min(self.cap, surplus / (self._attempted + 1))

    def _roll(self, now: float) -> int:
        """Return the place of the present slot, cleared if it is a new one."""
        number = int(now // self._width)
        if number > self._slot:  # a clock read in another thread may be a little behind
            self._clear(number)
        return self._slot % self.slots

    def _clear(self, number: int) -> None:
        for passed in range(self._slot + 1, min(number, self._slot + self.slots) + 1):
            place = passed % self.slots
            self._attempted -= self._requests[place]
            self._accepted -= self._accepts[place]
            self._requests[place] = self._accepts[place] = 0
        self._slot = number
