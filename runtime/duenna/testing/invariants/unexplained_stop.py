"""Nobody is stopped for nothing: a stop has a group, an operator, or the end of the supervisor behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree, parent_of, was_stopped
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class UnexplainedStops:
    """Rule 23: siblings that do not belong to a restart are left alone.

    A child that was stopped without a reason in sight belongs to the end of its supervisor; if
    the supervisor starts another child after that, it does not end, and the stop was wrong.
    """

    name = "unexplained_stop"
    kinds = LIFE | {"group_restarting", "child_stopped"}
    _tree: Tree = attrs.field(factory=Tree)
    _grouped: dict[str, None] = attrs.field(factory=dict[str, None])
    _stopped: dict[str, dict[str, Record]] = attrs.field(factory=dict[str, dict[str, Record]])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a stop, and of what explains it or shows that nothing does."""
        path, above = record.path, parent_of(record.path)
        found: tuple[Violation, ...] = NOTHING
        match record.kind:
            case "group_restarting":
                self._grouped.update({f"{path}/{name}": None for name in record.fields.get("members", ())})
            case "child_exited":
                self._end(record)
            case "child_stopped" | "child_removed" | "spec":
                self._stopped.get(above, {}).pop(path, None)
                self._stopped.pop(path, None)
                self._grouped.pop(path, None)
            case "child_starting":
                self._stopped.pop(path, None)
                self._grouped.pop(path, None)
                self._stopped.get(above, {}).pop(path, None)
                found = self._others(record, above)
            case _:
                pass
        if record.kind in LIFE:
            self._tree.apply(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: the end explains every stop."""
        return NOTHING

    def _end(self, record: Record) -> None:
        path = record.path
        self._stopped.pop(path, None)
        kin = self._tree.get(path)
        commanded = kin is not None and kin.command
        if was_stopped(record) and not commanded and path not in self._grouped:
            self._stopped.setdefault(parent_of(path), {})[path] = record

    def _others(self, record: Record, above: str) -> tuple[Violation, ...]:
        stopped = self._stopped.pop(above, {})
        return tuple(
            Violation(self.name, record.t, record.seq, path, _text(path, exited, record))
            for path, exited in stopped.items()
        )


def _text(path: str, exited: Record, record: Record) -> str:
    above = parent_of(path)
    return (
        f"it was stopped {at(exited)} by no operator and with no group, and its supervisor {above} goes on: "
        f"it starts {record.path}"
    )
