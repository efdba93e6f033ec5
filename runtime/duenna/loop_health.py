"""How the event loop does: how late it answers, and who held it. The watchdog fills it in; it asks from its thread."""

from collections import Counter, deque
from typing import Final

import attrs

REMEMBERED: Final = 60.0
"""Seconds for which a lag counts towards ``lag_max``."""

MOST_BLOCKERS: Final = 1000
"""Actors that are counted one by one; all others together as `(other)`."""


@attrs.define(eq=False)
class LoopHealth:
    """The event loop of one runtime, as its watchdog finds it; nothing is known under a virtual clock.

    Attributes:
        lag: Seconds that the loop took to answer when it was asked last; None: it never was. While
            it is blocked, this is the answer before.
        blocked: How often it was found blocked, by the path of the actor that held it; empty: no actor did.
        blocked_at: When it was found blocked last, in seconds of trio's clock; None: never.
        blocked_by: The actor that held it then, empty if none did.
    """

    lag: float | None = attrs.field(default=None, init=False)
    blocked: Counter[str] = attrs.field(factory=Counter[str], init=False)
    blocked_at: float | None = attrs.field(default=None, init=False)
    blocked_by: str = attrs.field(default="", init=False)
    _peaks: deque[tuple[float, float]] = attrs.field(factory=deque[tuple[float, float]], init=False)

    def answered(self, now: float, lag: float) -> None:
        """Note that the loop answered *lag* seconds late at *now* (seconds of trio's clock); on the loop."""
        self.lag = lag
        peaks = self._peaks
        while peaks and peaks[-1][1] <= lag:  # what is older and smaller is never the most again
            peaks.pop()
        peaks.append((now, lag))
        self._forget(now)

    def was_blocked(self, now: float, actor: str) -> None:
        """Note that *actor* was found holding the loop at *now*; on the loop."""
        known = actor in self.blocked or len(self.blocked) < MOST_BLOCKERS
        self.blocked[actor if known else "(other)"] += 1
        self.blocked_at, self.blocked_by = now, actor

    def lag_max(self, now: float) -> float | None:
        """Return the most that the loop was late within the last 60 s; None: it was not asked."""
        self._forget(now)
        return self._peaks[0][1] if self._peaks else None

    def _forget(self, now: float) -> None:
        while self._peaks and self._peaks[0][0] < now - REMEMBERED:
            self._peaks.popleft()
