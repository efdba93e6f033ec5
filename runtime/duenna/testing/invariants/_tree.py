"""The tree of a run as its records tell it: who is whose child, in which order, and who is up.

Several checkers need it, and each has one of its own. It believes every record; what is wrong
with them is for the checkers to say, which look at the tree before they let it take note.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterator


LIFE = frozenset({"spec", "command", "child_starting", "child_started", "child_exited", "child_stuck", "child_removed"})
"""The kinds of records that a tree takes note of."""

_MOVES = frozenset({"stop_child", "restart_child", "delete_child"})

STOPPED = frozenset({"shutdown", "shutdown_error"})
"""Contexts of the exit of a child that was told to end; in all others it ended by itself."""


@attrs.define(eq=False)
class Kin:
    """A child.

    Attributes:
        path: Whole path.
        spec: Fields of its spec; empty if there was none.
        incarnation: The present one, or the last; 0: none yet.
        is_alive: Whether the incarnation has not ended.
        is_ready: Whether it is alive and ready.
        is_stuck: Whether it was told to end, and has not in its time.
        starting: The record with which the incarnation began.
        exited: The record with which the last one ended.
        command: What an operator has ordered since the last incarnation began; empty: nothing.
    """

    path: str
    spec: dict[str, Any]
    incarnation: int = 0
    is_alive: bool = False
    is_ready: bool = False
    is_stuck: bool = False
    starting: Record | None = None
    exited: Record | None = None
    command: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def parent_of(path: str) -> str:
    """Return the path of the supervisor of *path*; empty for a root."""
    return path.rpartition("/")[0]


def was_stopped(record: Record) -> bool:
    """Return whether *record*, a `child_exited`, is the end of a child that was told to end."""
    return record.fields.get("context") in STOPPED


@attrs.define(eq=False)
class Tree:
    """All children that are known, by path."""

    _kin: dict[str, Kin] = attrs.field(factory=dict[str, Kin])
    _ranks: dict[str, dict[str, int]] = attrs.field(factory=dict[str, dict[str, int]])
    _numbers: count[int] = attrs.field(factory=count)

    # -- questions -------------------------------------------------------------

    def get(self, path: str) -> Kin | None:
        """Return the child at *path*, None if nothing is known of it."""
        return self._kin.get(path)

    def spec(self, path: str) -> dict[str, Any]:
        """Return the fields of the spec of *path*, empty if there was none."""
        kin = self._kin.get(path)
        return kin.spec if kin is not None else {}

    def names(self, path: str) -> list[str]:
        """Return the names of the children of *path*, in start order."""
        return list(self._ranks.get(path, ()))

    def count(self, path: str) -> int:
        """Return the number of children of *path*."""
        return len(self._ranks.get(path, ()))

    def children(self, path: str) -> Iterator[Kin]:
        """Yield the children of *path* that are known, in start order."""
        for name in self.names(path):
            kin = self._kin.get(f"{path}/{name}")
            if kin is not None:
                yield kin

    def rank(self, path: str) -> int:
        """Return a number that is greater for those that come later in the start order of their supervisor."""
        above, _, name = path.rpartition("/")
        return self._ranks.get(above, {}).get(name, -1)

    def is_up(self, path: str) -> bool:
        """Return whether a supervisor is alive; roots are, for there are no records of their starts."""
        kin = self._kin.get(path)
        return kin is None or kin.is_alive or path.count("/") <= 1

    def all(self) -> Iterator[Kin]:
        """Yield every child."""
        yield from self._kin.values()

    # -- taking note -----------------------------------------------------------

    def apply(self, record: Record) -> Kin:
        """Take note of *record*, which is of one of the kinds in `LIFE`; return whom it is about."""
        path = record.path
        kin = self._kin.get(path)
        if record.kind == "command":  # it may be refused, so it makes nobody known
            verb = record.fields.get("verb")
            if kin is not None and verb in _MOVES:
                kin.command = verb
            return kin or Kin(path, {})
        if kin is None:
            kin = self._add(path)
        match record.kind:
            case "spec":
                self._describe(kin, record)
            case "child_starting":
                self._start(kin, record)
            case "child_started":
                kin.is_ready = True
            case "child_exited":
                kin.is_alive = kin.is_ready = kin.is_stuck = False
                kin.exited = record
            case "child_stuck":
                kin.is_stuck = True
            case _:
                self._forget(path)
        return kin

    def _add(self, path: str) -> Kin:
        kin = self._kin[path] = Kin(path, {})
        ranks = self._ranks.setdefault(parent_of(path), {})
        if kin.name not in ranks:
            ranks[kin.name] = next(self._numbers)
        return kin

    def _describe(self, kin: Kin, record: Record) -> None:
        kin.spec = record.fields
        if not kin.is_alive:  # another runtime may have had the same path
            kin.incarnation, kin.starting, kin.exited, kin.command = 0, None, None, ""
        if "children" in record.fields:
            self._put_in_order(kin.path, record.fields["children"])

    def _start(self, kin: Kin, record: Record) -> None:
        if kin.incarnation and "children" in kin.spec:  # a supervisor begins anew with its static children
            self._put_in_order(kin.path, kin.spec["children"])
        kin.incarnation = record.incarnation
        kin.is_alive, kin.is_ready, kin.is_stuck = True, False, False
        kin.starting = record
        kin.command = ""

    def _put_in_order(self, path: str, names: list[str]) -> None:
        self._ranks[path] = {name: next(self._numbers) for name in names}

    def _forget(self, path: str) -> None:
        self._kin.pop(path, None)
        above, _, name = path.rpartition("/")
        self._ranks.get(above, {}).pop(name, None)
        for child in self._ranks.pop(path, {}):
            self._forget(f"{path}/{child}")
