"""A transient child is not restarted after a normal end, a temporary one never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Kin, Tree, parent_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class RestartTypes:
    """Rule 9: who ends by itself is restarted as its restart type says.

    A group that is restarted, an operator and a supervisor that begins anew may start it all the
    same; and a start that fails is retried whatever the type.
    """

    name = "restart_type"
    kinds = LIFE | {"child_restarting", "group_restarting"}
    _tree: Tree = attrs.field(factory=Tree)
    _ended: dict[str, Record] = attrs.field(factory=dict[str, Record])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of an end, and of what follows it."""
        path = record.path
        found: tuple[Violation, ...] = NOTHING
        match record.kind:
            case "child_exited":
                self._note_end(record)
            case "child_restarting":
                found = self._restarted(record)
                self._ended.pop(path, None)
            case "group_restarting":
                for name in record.fields.get("members", ()):
                    self._ended.pop(f"{path}/{name}", None)
            case "child_starting":
                found = self._started(record)
                self._ended.pop(path, None)
                for kin in self._tree.children(path):
                    self._ended.pop(kin.path, None)
            case "child_removed" | "command" | "spec":
                self._ended.pop(path, None)
            case _:
                pass
        if record.kind in LIFE:
            self._tree.apply(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each end was judged by what followed it."""
        return NOTHING

    def _note_end(self, record: Record) -> None:
        if record.fields.get("context") == "child_terminated" and _is_final(self._tree.get(record.path), record):
            self._ended[record.path] = record

    def _restarted(self, record: Record) -> tuple[Violation, ...]:
        ended = self._ended.get(record.path)
        if ended is None:
            return NOTHING
        restart = self._tree.spec(record.path)["restart"]
        text = f"it is {restart} and ended with {ended.fields.get('reason')!r} {at(ended)}, yet it is to be restarted"
        return (Violation(self.name, record.t, record.seq, record.path, text),)

    def _started(self, record: Record) -> tuple[Violation, ...]:
        ended = self._ended.get(record.path)
        strategy = self._tree.spec(parent_of(record.path)).get("strategy")
        if ended is None or strategy != "one_for_one":  # a group may have taken it along
            return NOTHING
        restart = self._tree.spec(record.path)["restart"]
        text = f"it is {restart} and ended with {ended.fields.get('reason')!r} {at(ended)}, yet it starts again"
        return (Violation(self.name, record.t, record.seq, record.path, f"{text}, and nobody asked for it"),)


def _is_final(kin: Kin | None, record: Record) -> bool:
    restart = None if kin is None else kin.spec.get("restart")
    return restart == "temporary" or (restart == "transient" and record.fields.get("reason") == "normal")
