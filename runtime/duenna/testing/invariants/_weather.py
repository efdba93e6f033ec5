"""Whether faults are at work, and since when none is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from duenna.faults import INSTANT

if TYPE_CHECKING:
    from duenna.testing.trace import Record

FAULTS = frozenset({"fault_begin", "fault_end"})
"""The kinds of records that the weather is made of."""

_INSTANT = frozenset(str(kind.__struct_config__.tag) for kind in INSTANT)


@attrs.define(eq=False)
class Weather:
    """The faults of a run, as its records tell them.

    Attributes:
        calm_since: When the last fault was over, in seconds; -inf: there was none.
    """

    calm_since: float = -float("inf")
    _active: dict[Any, None] = attrs.field(factory=dict[Any, None])

    @property
    def is_calm(self) -> bool:
        """Whether no fault is at work."""
        return not self._active

    def apply(self, record: Record) -> None:
        """Take note of *record*, which is of one of the kinds in `FAULTS`."""
        number = record.fields.get("number")
        if record.kind == "fault_end":
            self._active.pop(number, None)
        elif not is_instant(record):
            self._active[number] = None
        if not self._active:
            self.calm_since = record.t


def is_instant(record: Record) -> bool:
    """Return whether *record*, a `fault_begin`, is over at once: it has no duration, or none is known to its kind."""
    duration = record.fields.get("duration")
    if duration is not None:
        return not duration > 0
    fault: dict[str, Any] = record.fields.get("fault") or {}
    return fault.get("kind") in _INSTANT
