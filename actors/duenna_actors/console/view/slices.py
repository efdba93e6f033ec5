"""Long work in short slices, so that a thousand actors in a tree delay nobody by more than about a millisecond."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs
import trio

Stopwatch = Callable[[], float]
"""Gives seconds of work: the thread's own, so that a machine that is busy elsewhere counts for nothing."""

SLICE: Final = 0.001
"""Seconds of work after which others have their turn."""

stopwatch: Final[Stopwatch] = time.thread_time


@attrs.define(eq=False)
class Slices:
    """Measures work, and lets others have their turn when a slice is full.

    Attributes:
        stopwatch: Measures.
        limit: Seconds of one slice.
        work: Seconds of work so far, the present slice not included.
        on_slice: Called with the seconds of each slice; for measurements.
    """

    stopwatch: Stopwatch = stopwatch
    limit: float = SLICE
    work: float = attrs.field(default=0.0, init=False)
    on_slice: Callable[[float], object] = attrs.field(default=lambda _took: None, init=False)
    _began: float = attrs.field(default=0.0, init=False)

    def begin(self) -> None:
        """Begin a piece of work."""
        self._began = self.stopwatch()

    @property
    def is_full(self) -> bool:
        """Whether others should have their turn."""
        return self.stopwatch() - self._began >= self.limit

    async def pause(self) -> None:
        """Let others have their turn."""
        self.end()
        await trio.lowlevel.checkpoint()
        self.begin()

    def end(self) -> None:
        """End the piece of work."""
        took = self.stopwatch() - self._began
        self.work += took
        self.on_slice(took)
        self._began = self.stopwatch()

    def taken(self) -> float:
        """Return the seconds of work so far, and count from 0 again."""
        work, self.work = self.work, 0.0
        return work
