"""What outlives an incarnation of an alerter: what fires, who was told of it, what is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import attrs

from duenna.machines.lasting_alerts import LastingAlerts
from duenna_actors.alerts.rules import Rules

if TYPE_CHECKING:
    from duenna import Runtime

TRUSTED_AFTER: Final = 60.0
"""Seconds that an incarnation must last for its memory to be taken over: what crashes sooner may crash by it."""


@attrs.define(eq=False)
class Memory:
    """The state of one alerter.

    Attributes:
        alerts: What fires, and who was told.
        rules: What the events meant so far.
        since: When the present incarnation took it, in seconds of trio's clock.
    """

    alerts: LastingAlerts
    rules: Rules
    since: float


_MEMORIES: WeakKeyDictionary[Runtime, dict[str, Memory]] = WeakKeyDictionary()


def recall(runtime: Runtime, path: str, now: float) -> Memory | None:
    """Return what the incarnation before this one, of the alerter at *path*, left; None: begin anew."""
    memory = _MEMORIES.get(runtime, {}).pop(path, None)
    if memory is None or now - memory.since < TRUSTED_AFTER:
        return None
    return memory


def keep(runtime: Runtime, path: str, memory: Memory) -> None:
    """Leave *memory* to the next incarnation of the alerter at *path*."""
    _MEMORIES.setdefault(runtime, {})[path] = memory


def suppressed_in(runtime: Runtime) -> dict[str, int]:
    """Return how many alerts nobody was told of, by why: of all alerters of *runtime*, since the beginning."""
    found: dict[str, int] = {}
    for memory in _MEMORIES.get(runtime, {}).values():
        for why, count in memory.alerts.suppressed.items():
            found[why] = found.get(why, 0) + count
    return found
