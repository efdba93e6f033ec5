"""How many incident files are taken by themselves: a bot that fails again and again must not fill its disk."""

from collections import deque

import attrs

_SECOND = 1.0


@attrs.define(eq=False)
class IncidentStorm:
    """Lets through one incident per path within ``apart`` seconds, and few of all: to take one holds the loop.

    Attributes:
        apart: Seconds after an incident of a path in which no other of that path is let through;
            one exactly that much later is.
        most: Incidents of all paths within ``within`` seconds, at least 1.
        within: Seconds, greater than 0; an incident exactly that long ago does not count any more.
        burst: Incidents of all paths within one second, at least 1; one exactly that much later counts anew.
        skipped: Incidents that were not let through since the last that was.
    """

    apart: float = 60.0
    most: int = 20
    within: float = 3600.0
    burst: int = 3
    skipped: int = attrs.field(default=0, init=False)
    _taken: deque[tuple[float, str]] = attrs.field(factory=deque[tuple[float, str]], init=False)

    def admits(self, now: float, path: str) -> bool:
        """Return whether an incident of *path* at *now* (monotonic seconds) is let through, and count it."""
        while self._taken and self._taken[0][0] <= now - self.within:
            self._taken.popleft()
        is_known = any(each == path and now - at < self.apart for at, each in self._taken)
        is_burst = len(self._taken) >= self.burst and now - self._taken[-self.burst][0] < _SECOND
        if is_known or is_burst or len(self._taken) >= self.most:
            self.skipped += 1
            return False
        self._taken.append((now, path))
        return True

    def told(self) -> int:
        """Return how many were not let through since this was last asked."""
        skipped, self.skipped = self.skipped, 0
        return skipped
