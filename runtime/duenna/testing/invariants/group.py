"""A group that is restarted has the right members; none starts before all have ended; they start in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree, parent_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_OVER = frozenset({"spec", "child_starting", "child_exited", "child_removed"})
"""What is the end of a supervisor's restart of a group, if it befalls the supervisor."""

_EARLY = 1e-6  # seconds by which a sum of floats may be off


@attrs.define(eq=False)
class _Group:
    """A restart that is under way.

    Attributes:
        record: How it began.
        ending: Members that have to end before the first starts.
        due: Members that are still to start, in start order.
        newest: The member that started last.
        is_hurried: Whether an operator may have cut the wait short.
    """

    record: Record
    ending: dict[str, None]
    due: dict[str, None]
    newest: str = ""
    is_hurried: bool = False


def _note(group: _Group, record: Record) -> None:
    """Take note of what a member of *group* does, or an operator with it."""
    match record.kind:
        case "child_exited":
            group.ending.pop(record.path, None)
        case "child_stopped" | "child_parked" | "child_removed":
            group.due.pop(record.path, None)
        case "command":
            group.is_hurried = True
        case _:
            pass


@attrs.define(eq=False)
class GroupRestarts:
    """Rule 6: `one_for_all` and `rest_for_one` stop the right siblings before they start any, the first first."""

    name = "group_restart"
    kinds = LIFE | {"group_restarting", "child_stopped", "child_parked"}
    _tree: Tree = attrs.field(factory=Tree)
    _groups: dict[str, _Group] = attrs.field(factory=dict[str, _Group])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of the beginning of a group's restart, and of what its members do."""
        path = record.path
        found: tuple[Violation, ...] = NOTHING
        group = self._groups.get(parent_of(path))
        if record.kind in _OVER:
            self._groups.pop(path, None)
        if record.kind == "group_restarting":
            found = self._begin(record)
        elif record.kind == "child_starting" and group is not None:
            found = tuple(self._start(group, record))
        elif group is not None:
            _note(group, record)
        if record.kind in LIFE:
            self._tree.apply(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: a run may end in the middle of a restart."""
        return NOTHING

    def _begin(self, record: Record) -> tuple[Violation, ...]:
        above = record.path
        members = [str(name) for name in record.fields.get("members", ())]
        old = self._groups.get(above)
        waiting = old.due if old is not None else {}
        trigger = f"{above}/{record.fields.get('trigger')}"
        paths = [f"{above}/{name}" for name in members]
        ending = {path: None for path in paths if self._is_up(path)}
        due = {path: None for path in paths if path in ending or path in waiting or path == trigger}
        self._groups[above] = _Group(record, ending, due)
        return self._check_members(record, members)

    def _check_members(self, record: Record, members: list[str]) -> tuple[Violation, ...]:
        names = self._tree.names(record.path)
        trigger, strategy = record.fields.get("trigger"), record.fields.get("strategy")
        if "strategy" not in self._tree.spec(record.path) or trigger not in names:
            return NOTHING
        expected = names if strategy == "one_for_all" else names[names.index(trigger) :]
        if members == expected:
            return NOTHING
        text = f"{strategy} because of {trigger} restarts {_listed(members)}: it should be {_listed(expected)}"
        return (Violation(self.name, record.t, record.seq, record.path, text),)

    def _start(self, group: _Group, record: Record) -> Iterator[Violation]:
        path, begun = record.path, at(group.record)
        if path not in group.due:
            return
        del group.due[path]
        newest = self._tree.get(group.newest)
        group.newest = path
        kin = self._tree.get(path)
        if kin is not None and kin.command:  # an operator may have it start out of turn
            return
        if group.ending:
            others = _listed([one for one in group.ending if one != path] or [path])
            yield self._violation(record, f"it starts before {others} has ended: the group {begun} stops first")
        delay = group.record.fields.get("delay") or 0.0
        if not group.is_hurried and record.t < group.record.t + delay - _EARLY:
            waited = record.t - group.record.t
            yield self._violation(record, f"it starts after {waited:.3f} s: the group {begun} waits {delay:.3f} s")
        turn = next(iter(group.due), path)
        if self._tree.rank(turn) < self._tree.rank(path):
            yield self._violation(record, f"it starts before {turn}: the group {begun} starts in start order")
        elif newest is not None and newest.is_alive and not newest.is_ready:
            yield self._violation(record, f"it starts before {newest.path} {at(newest.starting)} is ready")

    def _is_up(self, path: str) -> bool:
        kin = self._tree.get(path)
        return kin is not None and kin.is_alive

    def _violation(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, text)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"
