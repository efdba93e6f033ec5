"""Whoever is to run for ever runs again within a bound after the last fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._excuses import EXCUSES, Excuses
from duenna.testing.invariants._tree import LIFE, Kin, Tree, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duenna.testing.trace import Record

_ALL = frozenset({"fault_begin", "fault_end", "runtime_stopping"})
_ONE = frozenset({"child_started", "child_stopped", "child_parked", "child_exited"})


@attrs.define(eq=False)
class Liveness:
    """Rule 17: while no fault is at work nobody is down for more than ``bound`` seconds.

    It is for permanent children, and for transient ones that crashed. A child whose supervisor is
    down is not to blame. Excused are those whom an operator has stopped, who are parked, and who
    were told to come back later than their own backoff would have.

    Attributes:
        bound: Seconds from the end of the last fault, or from the end of an incarnation if that is later.
    """

    name = "liveness"
    kinds = LIFE | EXCUSES | {"runtime_stopping"}
    bound: float
    _tree: Tree = attrs.field(factory=Tree, init=False)
    _excuses: Excuses = attrs.field(factory=Excuses, init=False)
    _down: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _told: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of *record*; judge those whose wait it ends."""
        found: tuple[Violation, ...] = NOTHING
        if record.kind in _ALL:
            found = tuple(self._judge_all(record.t, record.seq))
        elif record.kind in _ONE:
            found = tuple(self._judge_below(record))
        if record.kind in EXCUSES:
            self._excuses.apply(record)
        if record.kind in LIFE:
            self._tree.apply(record)
        self._note(record)
        return found

    def finish(self, end: float) -> Iterable[Violation]:
        """Judge everybody, if the run was not stopped before *end*."""
        return tuple(self._judge_all(end, 0))

    def _note(self, record: Record) -> None:
        path = record.path
        match record.kind:
            case "runtime_started" | "runtime_stopping":
                self._is_over = record.kind == "runtime_stopping"
                if self._is_over:
                    self._down.clear()
            case _ if self._is_over:
                pass
            case "child_started" | "child_stopped":
                self._down.pop(path, None)
            case "child_starting" | "child_exited":
                kin = self._tree.get(path)
                if kin is None or not _must_run(kin):
                    self._down.pop(path, None)
                elif path not in self._down:
                    self._down[path] = record.t
            case "child_removed":
                self._told.pop(path, None)
                for one in [one for one in self._down if one == path or one.startswith(f"{path}/")]:
                    del self._down[one]
            case _:
                pass

    def _judge_all(self, now: float, seq: int) -> Iterator[Violation]:
        for path in self._down:
            yield from self._judge(path, now, seq)

    def _judge_below(self, record: Record) -> Iterator[Violation]:
        yield from self._judge(record.path, record.t, record.seq)
        if record.kind == "child_exited":
            for kin in self._tree.children(record.path):
                yield from self._judge(kin.path, record.t, record.seq)

    def _judge(self, path: str, now: float, seq: int) -> Iterator[Violation]:
        down = self._down.get(path)
        above = parent_of(path)
        if down is None or self._told.get(path) == down or not self._excuses.is_calm or not self._tree.is_up(above):
            return
        parent = self._tree.get(above)
        begun = parent.starting.t if parent is not None and parent.starting is not None else 0.0
        since = max(down, begun, self._excuses.since(path))
        if now - since > self.bound:
            self._told[path] = down  # once for each outage
            kin = self._tree.get(path)
            text = f"it is down since {down:.3f} s {at(None if kin is None else kin.exited)}"
            text = f"{text}, with no fault for {now - since:.3f} s: it should run again within {self.bound} s"
            yield Violation(self.name, now, seq, path, text)


def _must_run(kin: Kin) -> bool:
    """Return whether *kin*, when it is down, is to come back."""
    restart = kin.spec.get("restart")
    if restart != "transient" or kin.exited is None or kin.is_alive:
        return restart == "permanent"
    return kin.exited.fields.get("reason") != "normal"
