"""How many of the latest calls failed or were slow: of so many calls, or of so many seconds.

Calls are numbered from 1 by whoever owns the window, in the order of their outcomes. A window
over calls keeps the numbers of the bad ones only: a call that was neither failed nor slow is
recorded by counting it, ``seq += 1``, and costs no more than that. What the textbook's ring of
the last N outcomes would say follows from the numbers: the failures in it are those that are
> seq - N. A window over seconds must be told of every call.
"""

from collections import deque
from typing import NamedTuple

import attrs

SLICES = 20
"""Into so many parts a window over seconds is cut; time leaves it one part at a time."""


class Tally(NamedTuple):
    """What a window holds.

    Attributes:
        calls: Calls with an outcome.
        failures: Those that failed.
        slow: Those that were slow, failed or not.
    """

    calls: int
    failures: int
    slow: int


@attrs.define(eq=False)
class CountWindow:
    """The last ``size`` calls, exactly.

    Memory: at most ``2 * size`` numbers, and none while all calls are good.

    Attributes:
        size: Length of the window, in calls. At least 1.
        calls: Calls in the window when it was last told or asked, as are the next two.
        failures: Those that failed.
        slow: Those that were slow.
    """

    size: int
    calls: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    slow: int = attrs.field(default=0, init=False)
    _failed: deque[int] = attrs.field(factory=deque[int], init=False)
    _slow: deque[int] = attrs.field(factory=deque[int], init=False)

    def record(self, number: int, now: float, *, failed: bool, slow: bool) -> None:
        """Record call *number*, the latest; one that neither failed nor was slow need not be recorded."""
        if failed:
            self._failed.append(number)
        if slow:
            self._slow.append(number)
        self.forget(number, now)

    def forget(self, number: int, now: float) -> None:  # noqa: ARG002 - one shape with TimeWindow
        """Drop what has left the window when *number* calls have been numbered."""
        gone, failed, slow = number - self.size, self._failed, self._slow
        while failed and failed[0] <= gone:
            failed.popleft()
        while slow and slow[0] <= gone:
            slow.popleft()
        self.calls = number if gone < 0 else self.size
        self.failures = len(failed)
        self.slow = len(slow)


@attrs.define(eq=False)
class _Slice:
    index: float
    calls: int = 0
    failures: int = 0
    slow: int = 0


@attrs.define(eq=False)
class TimeWindow:
    """The calls of the last ``period`` seconds, to a slice of `SLICES`.

    Time is cut into slices of ``period / SLICES`` seconds, beginning at 0; the window is the slice
    of now and the ``SLICES - 1`` before it, so it reaches back 95 to 100 % of the period. A time
    that is earlier than one seen before (threads overtake one another) counts as the later one.
    Source: resilience4j, ``SlidingTimeWindowMetrics`` (slices of 1 s there).

    Memory: at most `SLICES` slices, however many calls.

    Attributes:
        period: Length of the window, in seconds. Greater than 0, finite.
        calls: Calls in the window when it was last told or asked, as are the next two.
        failures: Those that failed.
        slow: Those that were slow.
    """

    period: float
    calls: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    slow: int = attrs.field(default=0, init=False)
    _slices: deque[_Slice] = attrs.field(factory=deque[_Slice], init=False)

    def record(self, number: int, now: float, *, failed: bool, slow: bool) -> None:  # noqa: ARG002 - as above
        """Record a call that ended at *now* (monotonic seconds)."""
        index, slices = now // (self.period / SLICES), self._slices
        if not slices or slices[-1].index < index:
            slices.append(_Slice(index))
            self._drop(index - SLICES)
        latest = slices[-1]
        latest.calls += 1
        self.calls += 1
        if failed:
            latest.failures += 1
            self.failures += 1
        if slow:
            latest.slow += 1
            self.slow += 1

    def forget(self, number: int, now: float) -> None:  # noqa: ARG002 - as above
        """Drop what has left the window at *now* (monotonic seconds)."""
        self._drop(now // (self.period / SLICES) - SLICES)

    def _drop(self, gone: float) -> None:
        slices = self._slices
        while slices and slices[0].index <= gone:
            oldest = slices.popleft()
            self.calls -= oldest.calls
            self.failures -= oldest.failures
            self.slow -= oldest.slow
