"""How long messages wait and how long they are handled: two histograms of a runtime, in plain numbers.

Both are samples, for the time is not read for every message. Of eight rounds of a dispatcher one is timed: it reads the
clock at its ends and after every few messages, and counts each of those with their mean. Of waiting, the first message
of such a round and one of a backlog are timed. So is each handler that waits for something, and each message behind it.
An ask that is answered at once in its caller's task is in neither. Nothing is timed before somebody wants it.
"""

from bisect import bisect_left
from typing import Final

import attrs

BOUNDS: Final = (0.00001, 0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
"""Upper bounds of the buckets in seconds, inclusive; one more takes what is longer."""


@attrs.define(eq=False)
class Histogram:
    """Durations, counted.

    Attributes:
        counts: How many fell into each bucket of `BOUNDS` and no lower one, and how many were longer.
        total: Their sum, in seconds.
    """

    counts: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS) + 1), init=False)
    total: float = attrs.field(default=0.0, init=False)

    def add(self, seconds: float, count: int = 1) -> None:
        """Count *count* durations that take *seconds* together, each with their mean."""
        self.counts[bisect_left(BOUNDS, seconds / count)] += count
        self.total += seconds


@attrs.define(eq=False)
class Timings:
    """The two histograms.

    Attributes:
        is_on: Whether anything is timed. The console switches it on.
        handled: Seconds that a handler took with a message; a sample.
        waited: Seconds that a message was in its mailbox; a sample.
    """

    is_on: bool = attrs.field(default=False, init=False)
    handled: Histogram = attrs.field(factory=Histogram, init=False)
    waited: Histogram = attrs.field(factory=Histogram, init=False)
