"""Too many of something within so many seconds, for any number of things to count."""

from collections import OrderedDict, deque
from typing import Final

import attrs

MOST_KEYS: Final = 1000
"""Things counted at a time; of more, the one that was met longest ago is forgotten."""


@attrs.define
class Rates:
    """Counts what happens, by key, and says which keys have too many.

    Too many are *more than* ``limit`` within less than ``period`` seconds: one that happened
    exactly ``period`` ago does not count. Memory: ``limit + 1`` times a key, `MOST_KEYS` keys.

    Attributes:
        limit: How many are borne, at least 1.
        period: Seconds, greater than 0.
    """

    limit: int
    period: float
    _times: OrderedDict[str, deque[float]] = attrs.field(factory=OrderedDict[str, deque[float]], init=False)
    _over: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def record(self, key: str, now: float) -> bool:
        """Count one of *key* at *now* (monotonic seconds); return whether there are too many."""
        times = self._times.get(key)
        if times is None:
            if len(self._times) >= MOST_KEYS and not self._forget_one():
                return False
            times = self._times[key] = deque(maxlen=self.limit + 1)
        self._times.move_to_end(key)
        times.append(now)
        if self._ends(times) <= now:
            return False
        self._over[key] = None
        return True

    def _forget_one(self) -> bool:
        """Forget what was met longest ago, but nothing that somebody was told of: that must be seen to end."""
        oldest = next((key for key in self._times if key not in self._over), None)
        return oldest is not None and self._times.pop(oldest) is not None

    def _ends(self, times: deque[float]) -> float:
        return times[0] + self.period if len(times) > self.limit else float("-inf")

    def ended(self, now: float) -> list[str]:
        """Return the keys that had too many and at *now* no longer have; each once."""
        over = [key for key in self._over if self._ends(self._times[key]) <= now]
        for key in over:
            del self._over[key]
        return over

    def next_at(self) -> float:
        """Return when a key may have no longer too many; inf if none has."""
        return min((self._ends(self._times[key]) for key in self._over), default=float("inf"))

    def adjust(self, limit: int, period: float) -> None:
        """Count by another limit and period from now on; what was counted stays, as far as it fits."""
        if limit != self.limit:
            for key, times in self._times.items():
                self._times[key] = deque(times, maxlen=limit + 1)
        self.limit, self.period = limit, period
