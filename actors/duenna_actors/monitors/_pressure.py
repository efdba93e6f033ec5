"""What is done about too much memory, step by step, as one machine. Pure: the caller brings the time and the sizes."""

from enum import StrEnum
from math import inf

import attrs


class MemoryLevel(StrEnum):
    """How a process does with its memory.

    NORMAL: within its limits. HIGH: beyond one of them, or not yet well below it again.
    CRITICAL: the same after everything was done about it.
    """

    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class MemoryStep(StrEnum):
    """What is done about too much memory, in this order; what is over by itself needs none of it."""

    NOTICE = "notice"
    SHRINK = "shrink"
    RESTART = "restart"
    SPENT = "spent"
    RELIEF = "relief"


@attrs.define(kw_only=True)
class Pressure:
    """The steps up, one at a time with a wait after each, and the way back to normal.

    Pressure begins when the size or its growth is *greater than* its limit. The next step is
    taken only while that is so: a size between ``relief`` times the limit and the limit is held.
    It is over when both are at most ``relief`` times their limits.

    Attributes:
        limit: The size that is borne.
        max_growth: The growth a minute that is borne, None: any.
        relief: Share of the limits at which pressure is over, greater than 0, at most 1.
        step_wait: Seconds after a step, greater than 0, before it has shown whether it helped.
        restart_cooldown: Seconds between two restarts, at least 0, whatever they are of.
        level: How it does.
        since: When the present pressure began, in monotonic seconds; None if there is none.
    """

    limit: int
    max_growth: float | None = None
    relief: float = 0.9
    step_wait: float = 10.0
    restart_cooldown: float = 300.0
    level: MemoryLevel = attrs.field(default=MemoryLevel.NORMAL, init=False)
    since: float | None = attrs.field(default=None, init=False)
    _last: MemoryStep | None = attrs.field(default=None, init=False)
    _stepped_at: float = attrs.field(default=-inf, init=False)
    _restarted_at: float = attrs.field(default=-inf, init=False)

    def assess(self, now: float, size: int, growth: float | None, *, can_restart: bool) -> MemoryStep | None:
        """Take a measurement at *now* (monotonic seconds); return the step that is due, None if none is.

        Args:
            now: The time.
            size: The size.
            growth: The growth a minute, None if it is not known (yet).
            can_restart: Whether anything is left that may be restarted.
        """
        if self.is_beyond(size, growth):
            return self._climb(now, can_restart=can_restart)
        if self.since is not None and self._is_relieved(size, growth):
            self.level, self.since, self._last, self._stepped_at = MemoryLevel.NORMAL, None, None, -inf
            return MemoryStep.RELIEF
        return None

    def due_at(self) -> float:
        """Return when the next step may be due, in monotonic seconds; inf: no step is waited for."""
        if self.since is None or self._last is MemoryStep.SPENT:
            return inf
        return self._stepped_at + self.step_wait

    def ended(self, now: float) -> None:
        """Note that the step under way has ended at *now*: the wait after it begins."""
        self._stepped_at = now
        if self._last is MemoryStep.RESTART:
            self._restarted_at = now

    def is_beyond(self, size: int, growth: float | None) -> bool:
        """Return whether one of the limits is exceeded."""
        return size > self.limit or (self.max_growth is not None and growth is not None and growth > self.max_growth)

    def _is_relieved(self, size: int, growth: float | None) -> bool:
        if size > self.relief * self.limit:
            return False
        return self.max_growth is None or (growth is not None and growth <= self.relief * self.max_growth)

    def _climb(self, now: float, *, can_restart: bool) -> MemoryStep | None:
        if self._last is MemoryStep.SPENT or now < self._stepped_at + self.step_wait:
            return None
        if self.since is None:
            self.since, self.level = now, MemoryLevel.HIGH
            return self._step(now, MemoryStep.NOTICE)
        if self._last is MemoryStep.NOTICE:
            return self._step(now, MemoryStep.SHRINK)
        if can_restart:
            if now < self._restarted_at + self.restart_cooldown:
                return None
            self._restarted_at = now
            return self._step(now, MemoryStep.RESTART)
        self.level = MemoryLevel.CRITICAL
        return self._step(now, MemoryStep.SPENT)

    def _step(self, now: float, step: MemoryStep) -> MemoryStep:
        self._last, self._stepped_at = step, now
        return step
