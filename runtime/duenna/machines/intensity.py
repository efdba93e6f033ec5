"""The restart budget of a supervisor: so many restarts within so many seconds."""

from collections import deque

import attrs


@attrs.define
class IntensityWindow:
    """Count the restarts of all children of one supervisor.

    The budget is spent when *more than* ``max_restarts`` restarts fall within
    ``period`` seconds, both ends included: a restart exactly ``period`` ago still
    counts. Source: OTP, supervisor.erl, ``add_restart/3``; unlike there, time is
    not floored to whole seconds.

    Attributes:
        max_restarts: Restarts allowed in one period. 0 gives up at the first.
        period: Length of the window, in seconds. Greater than 0.
    """

    max_restarts: int
    period: float
    _times: deque[float] = attrs.field(factory=deque[float], init=False)

    def record(self, now: float) -> bool:
        """Count a restart at *now* (monotonic seconds); return whether it is allowed."""
        self._forget(now)
        self._times.append(now)
        return len(self._times) <= self.max_restarts

    def left(self, now: float) -> int:
        """Return how many restarts are still allowed at *now*."""
        self._forget(now)
        return max(0, self.max_restarts - len(self._times))

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] < now - self.period:
            self._times.popleft()
