"""Counts by slices of time, the last few of them: a pure machine."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import attrs

MINUTES: Final = 60
"""Minutes that errors are counted over."""

MOST_ACTORS: Final = 1000
"""Actors whose errors are counted one by one; of more, the one without errors for the longest is forgotten."""

MINUTE: Final = 60.0
TEN_SECONDS: Final = 10.0
SPARKS: Final = 30


@attrs.define(eq=False)
class Ring:
    """How often something happened in each of the last ``length`` slices of ``period`` seconds.

    Attributes:
        period: Seconds of one slice, greater than 0.
        length: Slices that are kept, at least 1.
    """

    period: float
    length: int
    _newest: int = attrs.field(default=0, init=False)
    _counts: dict[int, int] = attrs.field(factory=dict[int, int], init=False)

    def add(self, now: float, count: int = 1) -> None:
        """Count *count* at *now*, in monotonic seconds; what is older than all slices is not counted."""
        number = int(now // self.period)
        if number > self._newest or not self._counts:
            self._newest = number
            self._forget(number)
        if number > self._newest - self.length:
            self._counts[number] = self._counts.get(number, 0) + count

    def values(self, now: float) -> tuple[int, ...]:
        """Return the counts of all slices up to the one that *now* lies in, oldest first."""
        last = int(now // self.period)
        return tuple(self._counts.get(number, 0) for number in range(last - self.length + 1, last + 1))

    def _forget(self, newest: int) -> None:
        if len(self._counts) >= self.length:
            self._counts = {number: n for number, n in self._counts.items() if number > newest - self.length}


@attrs.define(eq=False)
class ErrorRings:
    """Errors by time: of all, by severity, and by actor. Bounded whatever comes."""

    all: Ring = attrs.field(factory=lambda: Ring(MINUTE, MINUTES), init=False)
    sparks: Ring = attrs.field(factory=lambda: Ring(TEN_SECONDS, SPARKS), init=False)
    _by_severity: dict[str, Ring] = attrs.field(factory=dict[str, Ring], init=False)
    _by_actor: OrderedDict[str, Ring] = attrs.field(factory=OrderedDict[str, Ring], init=False)

    def add(self, now: float, severity: str, path: str) -> None:
        """Count an error of *severity* of the actor at *path*."""
        self.all.add(now)
        self.sparks.add(now)
        ring = self._by_severity.get(severity)
        if ring is None:
            ring = self._by_severity[severity] = Ring(MINUTE, MINUTES)
        ring.add(now)
        ring = self._by_actor.get(path)
        if ring is None:
            if len(self._by_actor) >= MOST_ACTORS:
                self._by_actor.popitem(last=False)
            ring = self._by_actor[path] = Ring(MINUTE, MINUTES)
        else:
            self._by_actor.move_to_end(path)
        ring.add(now)

    def by_severity(self, now: float) -> dict[str, tuple[int, ...]]:
        """Return the errors of each of the last 60 minutes, oldest first, of each severity that came."""
        return {severity: ring.values(now) for severity, ring in self._by_severity.items()}

    def of(self, path: str, now: float) -> tuple[int, ...]:
        """Return the errors of the actor at *path* in each of the last 60 minutes, oldest first."""
        ring = self._by_actor.get(path)
        return (0,) * MINUTES if ring is None else ring.values(now)
