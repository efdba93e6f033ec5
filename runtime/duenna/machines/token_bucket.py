"""How fast calls may be sent: so many units of weight per second, and a few at once.

Theory of operation. The bucket holds ``burst`` units and gains ``rate`` of them per second.
A call takes its weight *when it asks*; what is not there yet is borrowed, and the call's
turn comes when the debt is paid. So turns come in the order of asking, a heavy call is not
starved by light ones, and nobody wakes up in vain. A call that would have to wait for longer
than it can is refused and takes nothing.

Two more limits, either of which only delays, so that the bound of the bucket holds with them:

- A block (429, 418, a ban) lets nothing through until it ends. A call that slept through the
  beginning of one must not be sent, hence `confirm`. The bucket is full when a long block
  ends, never fuller.
- What the exchange says that it has counted in its own window (`feed`), which may include
  other processes at the same address. It is kept beside the bucket and is forgotten when
  that window ends; a late or repeated report changes nothing, because the smaller of what
  is left by their count and by ours holds, and ours includes the calls under way.

`_level` is the content at `_as_of`, which lies in the future once somebody was given a turn
after a block: content before the end of the block is of no use to anybody.
"""

import math
from typing import Self

import attrs

from duenna.machines import checks

_OWNER = "TokenBucket"


@attrs.define(eq=False)
class Turn:
    """Leave to make a call, once.

    Attributes:
        at: When, in monotonic seconds.
        wait: How long that is from when it was asked for, in seconds. 0.0: now.
        weight: What it took.
        mark: What had been taken in all, this included.
        is_used: Whether it was confirmed or given back.
    """

    at: float
    wait: float
    weight: float
    mark: float
    is_used: bool = attrs.field(default=False, init=False)


@attrs.frozen
class Refused:
    """No leave, and nothing was taken.

    Attributes:
        retry_after: When the turn would have come, in seconds from now.
    """

    retry_after: float


@attrs.define(eq=False)
class TokenBucket:
    """A limit on weight per second that all who call one host share; it starts full.

    Guarantee: the weight of the turns that fall within any ``window`` seconds, both ends
    included, is at most ``burst + rate * window``.

    Attributes:
        rate: Units gained per second. Greater than 0.
        burst: Units at most, and the weight of the heaviest call. Greater than 0.
        blocked_until: When the block ends, in monotonic seconds; `-inf` if there was none.
        refused: Calls that were refused.
    """

    rate: float
    burst: float
    blocked_until: float = attrs.field(default=-math.inf, init=False)
    refused: int = attrs.field(default=0, init=False)
    _level: float = attrs.field(init=False)
    _as_of: float = attrs.field(default=-math.inf, init=False)
    _taken: float = attrs.field(default=0.0, init=False)
    _left: float = attrs.field(default=0.0, init=False)
    _ends: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what is no limit, and fill the bucket."""
        for what, value in (("rate", self.rate), ("burst", self.burst)):
            if not 0 < checks.number(_OWNER, what, value) < math.inf:
                message = f"{_OWNER}: {what} must be > 0 and finite, got {value!r}"
                raise ValueError(message)
        self._level = self.burst

    @classmethod
    def at_most(cls, limit: float, per: float = 60.0, *, burst: float) -> Self:
        """Return a bucket that lets at most *limit* through in any *per* seconds.

        The burst comes out of the limit: the rate is ``(limit - burst) / per``.

        Args:
            limit: Units in all, more than *burst*.
            per: The period, in seconds.
            burst: Units at once.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range.
        """
        owner = f"{_OWNER}.at_most"
        period = checks.duration(owner, "per", per, zero=False, inf=False)
        if not checks.number(owner, "limit", limit) > checks.number(owner, "burst", burst):
            message = f"{owner}: limit must be > burst ({burst}), got {limit!r}"
            raise ValueError(message)
        return cls((limit - burst) / period, burst)

    def available(self, now: float) -> float:
        """Return the units in the bucket at *now*, negative if calls wait for theirs; blocks set aside."""
        return self._at(now)

    def take(self, weight: float, now: float, max_wait: float = 1.0) -> Turn | Refused:
        """Take *weight* out at *now*; return when the call may be made.

        Whoever is told to wait must `confirm` the turn afterwards, or `give_back` it.

        Args:
            weight: What the call costs, within [0, burst].
            now: Monotonic seconds.
            max_wait: The longest wait that is of use, in seconds, at least 0.

        Raises:
            ValueError: The call is heavier than the bucket can ever hold.
        """
        if not 0 <= weight <= self.burst:
            message = f"{_OWNER}: weight must be within [0, {self.burst}], got {weight!r}"
            raise ValueError(message)
        start, level, at = self._slot(weight, max(now, self.blocked_until))
        if at < self._ends and weight > self._left:
            start, level, at = self._slot(weight, self._ends)
        wait = at - now
        if wait > max_wait:
            self.refused += 1
            return Refused(wait)
        self._as_of, self._level = start, level
        self._taken += weight
        if at < self._ends:
            self._left -= weight
        return Turn(at, wait, weight, self._taken)

    def confirm(self, turn: Turn, now: float, max_wait: float = 1.0) -> Turn | Refused:
        """Return *turn*, with nothing to wait for any more, or another one if a block came first.

        Args:
            turn: What the call waited for.
            now: Monotonic seconds, the turn's own time or later.
            max_wait: What is left of the longest wait, in seconds.

        Raises:
            RuntimeError: The turn was used before.
        """
        _use(turn)
        if now < self.blocked_until:
            return self.take(turn.weight, now, max_wait)
        turn.wait = 0.0
        return turn

    def give_back(self, turn: Turn, now: float) -> None:
        """Put back what a call took whose turn has not come and which will not be made.

        As much as was taken after it is not put back: those calls have been given turns that
        begin where this one ended. Source: Go, x/time/rate, ``Reservation.CancelAt``. The
        exchange's count stays reduced until its window ends: it may have been fed since.

        Raises:
            RuntimeError: The turn was used before.
        """
        _use(turn)
        if now < turn.at:
            self._level += max(0.0, turn.weight - (self._taken - turn.mark))

    def feed(self, used: float, limit: float, now: float, resets_at: float) -> None:
        """Learn what the exchange has counted so far in its window.

        Args:
            used: Its count, others at the same address included.
            limit: The most that it allows.
            now: Monotonic seconds.
            resets_at: When the window to which the count belongs ends, in monotonic seconds.
                A report of a window that is over is passed over: a request that was counted
                at the very end of one is answered in the next.
        """
        if not now < resets_at < math.inf:
            return
        if now >= self._ends:
            self._left, self._ends = limit - used, resets_at
        else:  # never prolonged: a new window that we think is the old one must not inherit what is left
            self._left, self._ends = min(self._left, limit - used), min(self._ends, resets_at)
        if used >= limit:
            self.block_until(self._ends)

    def block_until(self, when: float) -> None:
        """Let nothing through before *when* (monotonic seconds); an earlier end than the present one changes nothing.

        Raises:
            ValueError: *when* is not finite: such a block would never end.
        """
        if not math.isfinite(when):
            message = f"{_OWNER}: the end of a block must be finite, got {when!r}"
            raise ValueError(message)
        self.blocked_until = max(self.blocked_until, when)

    def unblock(self) -> None:
        """End the block by hand, and forget the exchange's count; who was given a turn after its end keeps it."""
        self.blocked_until = self._ends = -math.inf

    def _at(self, when: float) -> float:
        if when <= self._as_of or self._level == self.burst:
            return self._level
        return min(self.burst, self._level + (when - self._as_of) * self.rate)

    def _slot(self, weight: float, earliest: float) -> tuple[float, float, float]:
        """Return as of when, with what level after it, and when a call is made that asks at *earliest*."""
        start = max(earliest, self._as_of)
        level = self._at(start) - weight
        return start, level, start - min(0.0, level) / self.rate


def _use(turn: Turn) -> None:
    if turn.is_used:
        message = f"{_OWNER}: a turn can be confirmed or given back only once"
        raise RuntimeError(message)
    turn.is_used = True
