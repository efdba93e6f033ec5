"""How long things took, in a few buckets of plain integers."""

from bisect import bisect_left
from typing import Final

import attrs

RECOVERY_BOUNDS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of recovery times, in seconds, inclusive."""


@attrs.define(eq=False)
class Histogram:
    """Durations, counted by size.

    Attributes:
        bounds: Upper bounds in seconds, inclusive, in ascending order.
        counts: How many fell into each bucket, not into those below it, too; the last is for all above.
        sum: All durations added up.
    """

    bounds: tuple[float, ...] = RECOVERY_BOUNDS
    counts: list[int] = attrs.field(init=False)
    sum: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing."""
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count a duration of so many *seconds*."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds
