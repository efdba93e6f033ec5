"""Without a fault there is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.invariants._tree import was_stopped
from duenna.testing.invariants._weather import FAULTS, Weather

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record

_ERRORS = frozenset(
    {"child_exited", "child_stuck", "cleanup_failed", "error_reported", "loop_blocked", "supervisor_gave_up"}
)
_ORDERLY = frozenset({"normal", "shutdown"})


@attrs.define(eq=False)
class Explained:
    """Rule 20: an error comes while a fault is at work, or within ``bound`` seconds after one.

    Attributes:
        bound: Seconds in which the bot may still suffer from a fault that is over.
    """

    name = "explained"
    kinds = FAULTS | _ERRORS
    bound: float
    _weather: Weather = attrs.field(factory=Weather, init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a fault, or look for the one that explains an error."""
        if record.kind in FAULTS:
            self._weather.apply(record)
            return NOTHING
        weather = self._weather
        if not weather.is_calm or record.t <= weather.calm_since + self.bound:
            return NOTHING
        what = _error(record)
        if not what:
            return NOTHING
        since = f"the last was over at {weather.calm_since:.3f} s" if weather.calm_since >= 0 else "there was none"
        text = f"{what}, and no fault explains it: {since}"
        return (Violation(self.name, record.t, record.seq, record.path, text),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each error was judged when it came."""
        return NOTHING


def _error(record: Record) -> str:
    """Say what went wrong; empty if nothing did."""
    fields = record.fields
    match record.kind:
        case "child_exited":
            reason = fields.get("reason")
            return "" if was_stopped(record) or reason in _ORDERLY else f"it ended with {reason}"
        case "child_stuck":
            return f"it has not ended {fields.get('after')} s after it was told to"
        case "cleanup_failed":
            return f"its cleanup failed: {fields.get('error')}"
        case "error_reported":
            return f"it reported {fields.get('error')}"
        case "supervisor_gave_up":
            return f"it gave up: {fields.get('reason')}"
        case _:
            return f"the event loop was blocked by {fields.get('actor') or 'code outside any actor'}"
