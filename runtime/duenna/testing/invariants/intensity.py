"""A supervisor restarts so often within its period and no oftener; then it gives up, and starts nobody any more."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import LIFE, Tree, parent_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class Intensity:
    """Rule 5: at most ``intensity`` restarts within ``period`` seconds, both ends included; the next one escalates.

    Restarts of a child that follows the settings (`Child.connection`) do not count: it has a budget of its own.
    """

    name = "intensity"
    kinds = LIFE | {"child_restarting", "supervisor_gave_up"}
    _tree: Tree = attrs.field(factory=Tree)
    _restarts: dict[str, deque[Record]] = attrs.field(factory=dict[str, deque[Record]])
    _gave_up: dict[str, Record] = attrs.field(factory=dict[str, Record])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a restart, of giving up, or of who is whose child."""
        match record.kind:
            case "child_restarting":
                return self._count(record)
            case "supervisor_gave_up":
                return self._give_up(record)
            case "child_starting":
                self._tree.apply(record)
                return self._start(record)
            case "child_removed" | "spec":
                self._restarts.pop(record.path, None)
                self._gave_up.pop(record.path, None)
            case _:
                pass
        self._tree.apply(record)
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each restart was counted when it came."""
        return NOTHING

    def _count(self, record: Record) -> Iterable[Violation]:
        above = parent_of(record.path)
        spec = self._tree.spec(above)
        if "intensity" not in spec or self._tree.spec(record.path).get("is_reconnecting"):
            return NOTHING
        window = self._window(above, record)
        window.append(record)
        intensity, period = spec["intensity"], spec["period"]
        if len(window) <= intensity:
            return NOTHING
        numbers = ", ".join(str(one.seq) for one in window)
        text = f"{len(window)} restarts within {period} s (records {numbers}), and {above} allows {intensity}"
        return (self._violation(record, above, f"{text}: it must give up, it restarts {record.path} instead"),)

    def _give_up(self, record: Record) -> Iterable[Violation]:
        self._gave_up[record.path] = record
        spec = self._tree.spec(record.path)
        if "intensity" not in spec:
            return NOTHING
        window = self._window(record.path, record)
        budgets = [kin for kin in self._tree.children(record.path) if kin.spec.get("max_failures") is not None]
        if len(window) >= spec["intensity"] or budgets:
            return NOTHING
        text = (
            f"it gives up after {len(window)} restarts within {spec['period']} s, and {spec['intensity']} are allowed"
        )
        return (self._violation(record, record.path, f"{text}; no child of it has a budget of its own"),)

    def _start(self, record: Record) -> Iterable[Violation]:
        self._restarts.pop(record.path, None)  # a supervisor that begins anew has a fresh budget
        self._gave_up.pop(record.path, None)
        given_up = self._gave_up.get(parent_of(record.path))
        if given_up is None:
            return NOTHING
        text = f"it starts after its supervisor {given_up.path} gave up {at(given_up)}"
        return (self._violation(record, record.path, text),)

    def _window(self, path: str, record: Record) -> deque[Record]:
        """Return the restarts of *path* that count at the time of *record*."""
        window = self._restarts.setdefault(path, deque())
        period = self._tree.spec(path)["period"]
        while window and period is not None and window[0].t < record.t - period:
            window.popleft()
        return window

    def _violation(self, record: Record, path: str, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, path, text)
