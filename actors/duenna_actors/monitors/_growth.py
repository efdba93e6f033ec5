"""How fast something grows, from samples of its size. Pure: the caller brings the time."""

from collections import deque
from math import fsum

import attrs

MOST_SAMPLES = 1000
_LEAST_SAMPLES = 3


@attrs.define
class Growth:
    """The slope of the last samples of a size, by least squares, so that one peak does not count for much.

    Keeps the samples of the last ``window`` seconds, at most 1,000 of them.

    Attributes:
        window: Seconds that the samples must span before there is a slope. Greater than 0.
    """

    window: float
    _samples: deque[tuple[float, int]] = attrs.field(factory=lambda: deque[tuple[float, int]](maxlen=MOST_SAMPLES))

    def add(self, now: float, size: int) -> None:
        """Note that the size was *size* at *now* (monotonic seconds); what is too old for the window goes."""
        samples = self._samples
        samples.append((now, size))
        while len(samples) > _LEAST_SAMPLES and samples[1][0] <= now - self.window:
            samples.popleft()

    def forget(self) -> None:
        """Begin anew: what came before has been changed by a hand."""
        self._samples.clear()

    def per_minute(self) -> float | None:
        """Return the growth in units a minute, negative if it shrinks; None: the window is not full yet."""
        samples = self._samples
        if len(samples) < _LEAST_SAMPLES or samples[-1][0] - samples[0][0] < self.window:
            return None
        count, began = len(samples), samples[0][0]
        mean_time = fsum(time - began for time, _ in samples) / count
        mean_size = fsum(size for _, size in samples) / count
        spread = fsum((time - began - mean_time) ** 2 for time, _ in samples)
        shared = fsum((time - began - mean_time) * (size - mean_size) for time, size in samples)
        return 60.0 * shared / spread
