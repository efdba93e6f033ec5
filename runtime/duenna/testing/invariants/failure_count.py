"""The count of consecutive failures grows by one, until an incarnation stays up long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


@attrs.define(eq=False)
class FailureCount:
    """Rule 24: an uptime below ``reset_after`` forgets no failure, or backoff would never grow; a longer one does."""

    name = "failure_count"
    kinds = LIFE | {"child_restarting", "child_parked", "child_stopped"}
    _tree: Tree = attrs.field(factory=Tree)
    _counts: dict[str, int] = attrs.field(factory=dict[str, int])
    _may_be_forgiven: dict[str, None] = attrs.field(factory=dict[str, None])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a failure, or of what makes it forgotten."""
        path = record.path
        match record.kind:
            case "child_restarting":
                return self._count(record)
            case "child_parked" | "child_stopped" | "child_removed" | "spec":
                self._counts.pop(path, None)
                self._may_be_forgiven.pop(path, None)
            case "child_starting" if "children" in self._tree.spec(path):
                for child in self._tree.children(path):
                    self._counts.pop(child.path, None)
            case "command":
                kin = self._tree.get(path)
                if kin is not None and not kin.is_alive:  # one that had finished is forgiven
                    self._may_be_forgiven[path] = None
            case _:
                pass
        if record.kind in LIFE:
            self._tree.apply(record)
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each failure was counted when it came."""
        return NOTHING

    def _count(self, record: Record) -> Iterable[Violation]:
        path = record.path
        kin = self._tree.get(path)
        count = record.fields.get("failures", 0)
        before = self._counts.get(path, 0)
        self._counts[path] = count
        forgiven = path in self._may_be_forgiven
        self._may_be_forgiven.pop(path, None)
        exited = None if kin is None else kin.exited
        if kin is None or exited is None or kin.spec.get("reset_after") is None:
            return NOTHING
        uptime, reset_after = exited.fields.get("uptime", 0.0), kin.spec["reset_after"]
        expected = 1 if uptime >= reset_after else before + 1
        if count == expected or (forgiven and count == 1):
            return NOTHING
        text = (
            f"failure {count} after failure {before} and {uptime:.3f} s of uptime {at(exited)}: it should be {expected}"
        )
        why = f"only {reset_after} s of uptime make failures forgotten"
        return (Violation(self.name, record.t, record.seq, path, f"{text}, {why}"),)
