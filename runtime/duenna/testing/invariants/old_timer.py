"""A timer ends with the incarnation that armed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


@attrs.define(eq=False)
class OldTimers:
    """Rule 22: no timer of an incarnation that has ended fires, and none of its ticks is delivered to the next."""

    name = "old_timer"
    kinds = frozenset({"timer", "timer_received", "child_starting", "child_exited", "child_removed"})
    _alive: dict[str, int] = attrs.field(factory=dict[str, int])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Compare who armed the timer with who is alive, and with who gets it."""
        path, armed = record.path, record.incarnation
        match record.kind:
            case "child_starting":
                self._alive[path] = armed
            case "child_exited":
                self._alive[path] = 0
            case "child_removed":
                self._alive.pop(path, None)
            case "timer":
                live = self._alive.get(path, armed)
                if live != armed:
                    now = f"incarnation {live} is alive" if live else "none is alive"
                    what = f"a timer that incarnation {armed} armed fires, and tells {record.fields.get('to')}"
                    return (self._violation(record, f"{what}, but {now}"),)
            case _:
                receiver = record.fields.get("receiver_incarnation", armed)
                if receiver != armed:
                    what = f"incarnation {receiver} gets the tick of a timer that incarnation {armed} armed"
                    return (self._violation(record, what),)
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each tick was judged when it came."""
        return NOTHING

    def _violation(self, record: Record, what: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, f"{what}: timers end with their incarnation")
