"""The world's clock: time stands still while anything can run, and jumps when nothing can."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

import attrs
import trio
from trio._core._run import GLOBAL_RUN_CONTEXT  # nothing public tells who waits for idleness

_REAL_PAUSE = 0.05  # real seconds in which a signal may arrive when nothing else will


@attrs.define(eq=False)
class Timer:
    """A call that is due at some time; made by `WorldClock.call_at`.

    Attributes:
        when: Its time on the world's clock, in seconds.
    """

    when: float
    _call: Callable[..., object] | None
    _arguments: tuple[Any, ...]

    def cancel(self) -> None:
        """Never make the call; does nothing when it was made."""
        self._call, self._arguments = None, ()

    @property
    def is_live(self) -> bool:
        """Whether the call is still to come."""
        return self._call is not None


class WorldClock(trio.abc.Clock):
    """A clock for ``trio.run`` that never waits, and makes the calls that the network has ordered.

    The trio loop asks a clock how long to sleep only when no task can run. This one does not
    sleep: it sets the time to that of the next deadline or call, makes the calls that are
    due, in the order of their times and then of their making, and lets the loop go on.

    Attributes:
        on_deadlock: Called when no task can run and nothing is due, ever.
        sweep_at: When the garbage is collected next, in seconds; no reason for the time to move on.
        on_sweep: Collects it, and sets `sweep_at`.
    """

    def __init__(self, start: float = 0.0) -> None:
        """Begin at *start* seconds."""
        self._now = start
        self._calls: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self.on_deadlock: Callable[[], None] | None = None
        self.sweep_at = float("inf")
        self.on_sweep: Callable[[], None] = self.start_clock

    def start_clock(self) -> None:
        """Do nothing: the time is set already."""

    def current_time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    now = current_time

    def call_at(self, when: float, call: Callable[..., object], *arguments: Any) -> Timer:
        """Have *call* made at *when*, at once if that is past; from the loop, outside of any task.

        Args:
            when: Seconds on this clock.
            call: Must neither block nor raise; it may reschedule tasks.
            arguments: What it is given.
        """
        timer = Timer(when, call, arguments)
        heappush(self._calls, (when, next(self._numbers), timer))
        return timer

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Go to *deadline* or to the next call, whichever is first, and return 0: no real second is slept."""
        if GLOBAL_RUN_CONTEXT.runner.waiting_for_idle:  # their turn comes before time passes
            return _REAL_PAUSE
        calls = self._calls
        while calls and calls[0][2]._call is None:  # noqa: SLF001  # this runs for every segment of the network
            heappop(calls)
        due = min(deadline, calls[0][0]) if calls else deadline
        if due == float("inf"):
            if self.on_deadlock is not None:
                self.on_deadlock()
            return _REAL_PAUSE
        self._now = max(self._now, due)
        if self._now >= self.sweep_at:
            self.on_sweep()
        while calls and calls[0][0] <= self._now:
            timer = heappop(calls)[2]
            call, timer._call = timer._call, None  # noqa: SLF001
            if call is not None:
                call(*timer._arguments)  # noqa: SLF001
        return 0.0
