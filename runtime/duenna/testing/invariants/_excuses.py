"""Since when nothing excuses an actor any more from being up and well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._tree import parent_of
from duenna.testing.invariants._weather import FAULTS, Weather

if TYPE_CHECKING:
    from duenna.testing.trace import Record

EXCUSES = FAULTS | {
    "spec",
    "runtime_started",
    "child_starting",
    "child_restarting",
    "child_parked",
    "child_stopped",
    "child_suspended",
    "child_resumed",
    "child_removed",
}
"""The kinds of records that excuses are made of."""

_EVER = float("inf")


@attrs.define(eq=False)
class Excuses:
    """Who is excused, and until when.

    A fault excuses everybody while it is at work; a stop or a suspension by an operator the child
    and all below it; parking until ``unpark_after``; and a wait that is longer than the child's own
    backoff, for which it was told when to come back, until that is over.
    """

    _weather: Weather = attrs.field(factory=Weather)
    _began: float = 0.0
    _until: dict[str, float] = attrs.field(factory=dict[str, float])
    _suspended: dict[str, float] = attrs.field(factory=dict[str, float])
    _backoffs: dict[str, float] = attrs.field(factory=dict[str, float])

    @property
    def is_calm(self) -> bool:
        """Whether no fault is at work."""
        return self._weather.is_calm

    def since(self, path: str) -> float:
        """Return since when nothing excuses *path*, in seconds; it may be in the future, or inf."""
        since = max(self._began, self._weather.calm_since)
        while path:
            since = max(since, self._until.get(path, since), self._suspended.get(path, since))
            path = parent_of(path)
        return since

    def apply(self, record: Record) -> None:
        """Take note of *record*, which is of one of the kinds in `EXCUSES`."""
        path, now = record.path, record.t
        match record.kind:
            case "fault_begin" | "fault_end":
                self._weather.apply(record)
            case "runtime_started":
                self._began = now
            case "child_starting" if path in self._until:
                self._until[path] = now
            case "child_stopped":
                self._until[path] = _EVER
            case "child_suspended":
                self._suspended[path] = _EVER
            case "child_resumed":
                self._suspended[path] = now
            case _:
                self._apply_rare(path, now, record)

    def _apply_rare(self, path: str, now: float, record: Record) -> None:
        fields = record.fields
        match record.kind:
            case "spec" if fields.get("max_backoff") is not None:
                self._backoffs[path] = fields["max_backoff"]
            case "child_restarting":
                delay = fields.get("delay") or 0.0
                if delay > self._backoffs.get(path, _EVER):
                    self._until[path] = now + delay
            case "child_parked":
                wait = fields.get("unpark_after")
                self._until[path] = now + (_EVER if wait is None else wait)
            case "child_removed":
                for known in self._until, self._suspended, self._backoffs:
                    for one in [one for one in known if one == path or one.startswith(f"{path}/")]:
                        del known[one]
            case _:
                pass
