"""Garbage collection at times that a world repeats.

Python collects when enough objects have been made, and how many are made differs from run
to run: a module is imported in the first only, coverage counts, a cache is full. What is
finalised then acts in the world: trio closes an abandoned async generator in a task of its
own, a socket is closed, a weak reference dies. So Python's own collecting is off while a
world runs, and the clock collects at times of its own. Objects from before are frozen
(`gc.freeze`) and left out, which makes it cheap, too; afterwards all that is frozen is thawed.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duenna.testing._clock import WorldClock
    from duenna.testing._patches import Patches

_PERIOD = 60.0
_FULL = 60
"""Seconds of virtual time between two collections, and which of them are of everything, not of what is new."""


def collect_by(clock: WorldClock, patches: Patches) -> None:
    """Collect by the time of *clock*."""
    was_on = gc.isenabled()
    gc.disable()
    count = 0

    def sweep() -> None:
        nonlocal count
        count += 1
        gc.collect(0 if count % _FULL else 2)
        clock.sweep_at = clock.current_time() + _PERIOD

    def end() -> None:
        gc.collect()
        clock.sweep_at = float("inf")
        gc.unfreeze()
        if was_on:
            gc.enable()

    gc.freeze()
    clock.on_sweep, clock.sweep_at = sweep, clock.current_time() + _PERIOD
    patches.on_undo(end)
