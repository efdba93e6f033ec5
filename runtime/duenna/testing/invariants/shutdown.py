"""The ordered stop ends in time, and leaves nobody behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_LATE = 1e-6  # seconds by which a sum of floats may be off


@attrs.define(eq=False)
class Shutdown:
    """Rule 19: the stop takes no longer than all drain and shutdown times together; then all have ended."""

    name = "shutdown"
    kinds = LIFE | {"runtime_stopping", "runtime_stopped", "stop_overdue", "world_end"}
    _tree: Tree = attrs.field(factory=Tree)
    _stopping: Record | None = None
    _stuck: dict[str, None] = attrs.field(factory=dict[str, None])
    _limit: float | None = None
    _has_ended: bool = False

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of the stop, and of who ends."""
        match record.kind:
            case "runtime_stopping":
                self._stopping, self._limit = record, 0.0
                for kin in self._tree.all():
                    self._count(kin.spec)
            case "runtime_stopped":
                found = tuple(self._stopped(record))
                self._stopping = None
                return found
            case "stop_overdue":
                return self._overdue(record)
            case "world_end":
                self._has_ended = True
            case _:
                self._tree.apply(record)
                if self._stopping is not None:
                    self._note(record)
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:
        """Find a stop that has not ended although the world has."""
        if self._stopping is None or not self._has_ended:
            return NOTHING
        alive = _listed(kin.path for kin in self._tree.all() if kin.is_alive)
        text = f"the stop that began {at(self._stopping)} has not ended; still alive: {alive}"
        return (Violation(self.name, end, 0, "", text),)

    def _stopped(self, record: Record) -> Iterator[Violation]:
        for kin in self._tree.all():
            if kin.is_alive:
                text = f"the runtime has stopped, and incarnation {kin.incarnation} {at(kin.starting)} is still alive"
                yield self._violation(record, kin.path, text)
        limit, began = self._limit, self._stopping
        if began is not None and limit is not None and record.t - began.t > limit + _LATE:
            text = f"the stop that began {at(began)} took {record.t - began.t:.3f} s, its children have {limit:.3f} s"
            yield self._violation(record, "", f"{text} together; stuck: {_listed(self._stuck)}")

    def _note(self, record: Record) -> None:
        if record.kind == "child_stuck":
            self._stuck[record.path] = None
        elif record.kind == "spec":  # a part of the tree that is not stopping yet may still grow
            self._count(record.fields)

    def _overdue(self, record: Record) -> tuple[Violation, ...]:
        alive = _listed(kin.path for kin in self._tree.all() if kin.is_alive)
        text = f"the stop that began {at(self._stopping)} takes so long that it was cut; still alive: {alive}"
        return (self._violation(record, "", text),)

    def _count(self, spec: dict[str, Any]) -> None:
        """Add what a worker may take to the limit; None: there is no limit."""
        if "children" not in spec and self._limit is not None:
            drain, shutdown = spec.get("drain"), spec.get("shutdown")
            self._limit = None if drain is None or shutdown is None else self._limit + drain + shutdown

    def _violation(self, record: Record, path: str, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, path, text)


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(paths) or "nobody"
