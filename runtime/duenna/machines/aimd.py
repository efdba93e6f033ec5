"""How many calls may be under way at once: one more while it goes well, a part less when it does not.

Source: Netflix, concurrency-limits, ``AIMDLimit``: a dropped call or one that took too long
multiplies the limit, any other adds 1 if at least half of the limit was in use. Two
differences: the least limit is 1 and not 20, below which no bot would ever notice the limit;
and it starts at the most, so that it is a plain bulkhead until the far end complains.

Every drop counts, of calls that were under way together too. Counting one per round, as
TCP does, would only do if growth were one per round as well: with one for each success, half
of all calls could fail and the limit would rise.
"""

import math

import attrs

from duenna.machines import checks

_OWNER = "Aimd"


@attrs.define(eq=False)
class Aimd:
    """A limit on concurrency that finds its own height.

    Guarantee: the limit is always within [minimum, maximum], and at the moment that a call
    is admitted there are at most ``limit`` under way, that one included. A limit that falls
    ends no call that is under way.

    Attributes:
        maximum: The highest limit, at least *minimum*.
        minimum: The lowest limit, at least 1.
        initial: The limit to start from; None: the maximum.
        decrease: What a drop leaves of the limit, rounded down, within (0, 1).
        timeout: A call that took longer counts as dropped, in seconds. `inf`: none does.
        limit: Calls that may be under way now.
        inflight: Calls that are.
        refused: Calls that were not admitted.
        dropped: Calls that lowered the limit or would have, had it not been the lowest.
    """

    maximum: int = 20
    minimum: int = attrs.field(default=1, kw_only=True)
    initial: int | None = attrs.field(default=None, kw_only=True)
    decrease: float = attrs.field(default=0.9, kw_only=True)
    timeout: float = attrs.field(default=5.0, kw_only=True)
    limit: int = attrs.field(init=False)
    inflight: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)
    dropped: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse limits that contradict each other."""
        least = checks.count(_OWNER, "minimum", self.minimum, least=1)
        if checks.count(_OWNER, "maximum", self.maximum, least=1) < least:
            message = f"{_OWNER}: maximum must be >= minimum ({least}), got {self.maximum}"
            raise ValueError(message)
        start = self.maximum if self.initial is None else checks.count(_OWNER, "initial", self.initial, least=least)
        if start > self.maximum:
            message = f"{_OWNER}: initial must be <= maximum ({self.maximum}), got {start}"
            raise ValueError(message)
        if not 0 < checks.number(_OWNER, "decrease", self.decrease) < 1:
            message = f"{_OWNER}: decrease must be > 0 and < 1, got {self.decrease!r}"
            raise ValueError(message)
        checks.duration(_OWNER, "timeout", self.timeout, zero=False)
        self.limit = start

    @property
    def room(self) -> int:
        """How many calls would be admitted now, at least 0."""
        return max(0, self.limit - self.inflight)

    def admit(self) -> bool:
        """Count a call as under way if there is room; return whether there was."""
        if self.inflight >= self.limit:
            self.refused += 1
            return False
        self.inflight += 1
        return True

    def settle(self, ok: bool, duration: float = 0.0) -> None:
        """Count a call as ended and move the limit.

        Args:
            ok: Whether it was not dropped: False for a timeout, a lost connection, an answer
                that says that the far end is overloaded; True for any other answer.
            duration: How long it took, in seconds.

        Raises:
            RuntimeError: No call is under way.
        """
        busy = self.inflight
        self.release()
        if not ok or duration > self.timeout:
            self.dropped += 1
            self.limit = max(self.minimum, math.floor(self.limit * self.decrease))
        elif busy * 2 >= self.limit:
            self.limit = min(self.maximum, self.limit + 1)

    def release(self) -> None:
        """Count a call as ended that was cancelled: it tells nothing.

        Raises:
            RuntimeError: No call is under way.
        """
        if not self.inflight:
            message = f"{_OWNER}: a call ended that was not admitted"
            raise RuntimeError(message)
        self.inflight -= 1
