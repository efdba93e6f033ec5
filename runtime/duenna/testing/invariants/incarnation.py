"""Never two incarnations of one child, each with a greater number, all within the life of their supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Kin, Tree, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duenna.testing.trace import Record


@attrs.define(eq=False)
class OneIncarnation:
    """Rule 7: a new incarnation begins only when the one before it has ended, and its number is greater."""

    name = "one_incarnation"
    kinds = LIFE
    _tree: Tree = attrs.field(factory=Tree)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a start or an end."""
        kin = self._tree.get(record.path)
        found: tuple[Violation, ...] = NOTHING
        if record.kind == "child_starting":
            found = tuple(self._starts(kin, record))
        elif record.kind in {"child_started", "child_exited"}:
            found = tuple(self._goes_on(kin, record))
        self._tree.apply(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: whoever is alive may be."""
        return NOTHING

    def _starts(self, kin: Kin | None, record: Record) -> Iterator[Violation]:
        new = record.incarnation
        if kin is not None and kin.is_alive:
            text = f"incarnation {new} starts while incarnation {kin.incarnation} {at(kin.starting)} has not ended"
            yield self._violation(record, f"{text}: two would run at a time")
        elif kin is not None and new <= kin.incarnation:
            text = f"incarnation {new} starts after incarnation {kin.incarnation} {at(kin.exited)}"
            yield self._violation(record, f"{text}: the number must grow")
        above = parent_of(record.path)
        if not self._tree.is_up(above):
            parent = self._tree.get(above)
            ended = at(parent.exited) if parent is not None else ""
            yield self._violation(record, f"it starts while its supervisor {above} is down {ended}")

    def _goes_on(self, kin: Kin | None, record: Record) -> Iterator[Violation]:
        verb = "is ready" if record.kind == "child_started" else "ends"
        if kin is None or not kin.is_alive:
            ended = "" if kin is None or kin.exited is None else f": it has ended {at(kin.exited)}"
            yield self._violation(record, f"incarnation {record.incarnation} {verb}, but is not alive{ended}")
        elif record.incarnation != kin.incarnation:
            text = f"incarnation {record.incarnation} {verb}, but incarnation {kin.incarnation} {at(kin.starting)}"
            yield self._violation(record, f"{text} is the one that is alive")
        elif record.kind == "child_exited":
            for child in self._tree.children(record.path):
                if child.is_alive:
                    text = f"it ends while its child {child.path} {at(child.starting)} is alive"
                    yield self._violation(record, f"{text}: an orphan is left")

    def _violation(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, text)
