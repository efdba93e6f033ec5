"""Children are stopped in reverse start order, each when those after it have ended."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Kin, Tree, parent_of, was_stopped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


_Entry = tuple[int, str, int]
"""In a heap, the last in start order first: the negative rank, the path, and the incarnation."""

_FEW = 64


@attrs.define(eq=False)
class StopOrder:
    """Rule 19: who is stopped ends before those that started before it; a child that is stuck is waited for last.

    It holds for a group as for a whole tree. An operator may stop a single child.
    """

    name = "stop_order"
    kinds = LIFE
    _tree: Tree = attrs.field(factory=Tree)
    _alive: dict[str, list[_Entry]] = attrs.field(factory=dict[str, list[_Entry]])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a start or an end."""
        found: tuple[Violation, ...] = NOTHING
        if record.kind == "child_exited":
            kin = self._tree.get(record.path)
            if kin is not None and was_stopped(record) and not kin.is_stuck and not kin.command:
                found = self._check(kin, record)
        self._tree.apply(record)
        if record.kind == "child_starting":
            self._push(record)
        elif record.kind == "child_removed":
            self._alive.pop(record.path, None)
        return found

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each end was compared when it came."""
        return NOTHING

    def _check(self, kin: Kin, record: Record) -> tuple[Violation, ...]:
        last = self._last(parent_of(record.path))
        if last is None or self._tree.rank(last.path) <= self._tree.rank(kin.path):
            return NOTHING
        text = f"it is stopped while {last.path} {at(last.starting)}, which comes after it in start order, is alive"
        return (Violation(self.name, record.t, record.seq, record.path, f"{text}: the last started stops first"),)

    def _push(self, record: Record) -> None:
        above = parent_of(record.path)
        heap = self._alive.setdefault(above, [])
        heappush(heap, (-self._tree.rank(record.path), record.path, record.incarnation))
        if len(heap) > _FEW + 2 * self._tree.count(above):  # mostly those that have ended
            heap[:] = [entry for entry in heap if self._is_alive(entry)]
            heapify(heap)

    def _is_alive(self, entry: _Entry) -> bool:
        kin = self._tree.get(entry[1])
        return kin is not None and kin.is_alive and kin.incarnation == entry[2]

    def _last(self, above: str) -> Kin | None:
        """Return the child of *above* that is alive, not stuck, and the last of those in start order."""
        heap = self._alive.get(above, [])
        while heap:
            kin = self._tree.get(heap[0][1])
            if kin is not None and not kin.is_stuck and self._is_alive(heap[0]):
                return kin
            heappop(heap)
        return None
