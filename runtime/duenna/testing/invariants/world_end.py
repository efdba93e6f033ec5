"""Nothing is left when the world ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record

_LEFT = {
    "open_sockets": "socket {} was never closed",
    "tasks": "task {} still runs: nobody owns it",
    "leaks": "something real was touched: {}",
}


@attrs.define(eq=False)
class WorldEnd:
    """Rule 19: no socket is open or was forgotten, no task is left, and nothing real was touched.

    A socket is forgotten if nobody closed it, nobody has it any more, and its far end did not hang up: one
    that libraries leave to the garbage collector after the far end has gone costs nothing.
    """

    name = "world_end"
    kinds = frozenset({"world_end", "net_eof", "net_reset", "net_close"})
    _gone: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def apply(self, record: Record) -> Iterable[Violation]:
        """Look at what is left, and at what was forgotten."""
        if record.kind != "world_end":
            return self._hang_up(record)
        return tuple(
            Violation(self.name, record.t, record.seq, "", text.format(one))
            for field, text in _LEFT.items()
            for one in record.fields.get(field, ())
        )

    def _hang_up(self, record: Record) -> Iterable[Violation]:
        path = record.path
        if record.kind != "net_close":
            here, _, there = path.partition(">")
            self._gone[f"{there}>{here}"] = None
            return NOTHING
        had_gone = path in self._gone
        self._gone.pop(path, None)
        if had_gone or not record.fields.get("collected"):
            return NOTHING
        return (Violation(self.name, record.t, record.seq, "", f"socket {path} was forgotten: nobody closed it"),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: a trace that was cut off has no end to look at."""
        return NOTHING
