"""What needs a hand waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree, parent_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@attrs.define(eq=False)
class ByHand:
    """Rule 26: after an error that only a changed key or setting can end, a child is parked, and starts by hand alone.

    It also starts with its supervisor, when that does.
    """

    name = "by_hand"
    kinds = LIFE | {"error_sent", "child_restarting", "child_parked"}
    _tree: Tree = attrs.field(factory=Tree)
    _crashed: dict[str, Record] = attrs.field(factory=dict[str, Record])
    _parked: dict[str, Record] = attrs.field(factory=dict[str, Record])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of an error, or of what was done about it."""
        found = tuple(self._take(record))
        if record.kind in LIFE:
            self._tree.apply(record)
        return found or NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each start was judged when it came."""
        return NOTHING

    def _take(self, record: Record) -> Iterator[Violation]:
        path, fields = record.path, record.fields
        match record.kind:
            case "error_sent":
                if fields.get("source") == "crash":
                    self._crashed.pop(path, None)
                    if fields.get("needs_a_hand"):
                        self._crashed[path] = record
            case "child_restarting":
                crashed = self._crashed.pop(path, None)
                if crashed is not None and crashed.incarnation == record.incarnation:
                    text = f"it will be started again, and its error {at(crashed)} needs a hand"
                    yield Violation(self.name, record.t, record.seq, path, text)
            case "child_parked":
                yield from self._park(record)
            case "child_starting":
                yield from self._start(record)
            case "child_removed":
                self._crashed.pop(path, None)
                self._parked.pop(path, None)
            case _:
                pass

    def _park(self, record: Record) -> Iterator[Violation]:
        crashed = self._crashed.pop(record.path, None)
        if crashed is None:
            return
        self._parked[record.path] = record
        unpark_after = record.fields.get("unpark_after")
        if unpark_after is not None:
            text = f"it is parked for {unpark_after} s alone, and its error {at(crashed)} needs a hand"
            yield Violation(self.name, record.t, record.seq, record.path, text)

    def _start(self, record: Record) -> Iterator[Violation]:
        parked = self._parked.pop(record.path, None)
        if parked is None:
            return
        kin = self._tree.get(record.path)
        above = self._tree.get(parent_of(record.path))
        began = None if above is None else above.starting
        if (kin is not None and kin.command) or (began is not None and began.seq > parked.seq):
            return
        text = f"it is started, and nobody has done it by hand since it was parked {at(parked)}"
        yield Violation(self.name, record.t, record.seq, record.path, text)
