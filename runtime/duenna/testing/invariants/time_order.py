"""Time never runs backwards, and no record is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


@attrs.define(eq=False)
class TimeOrder:
    """Rule 16: no record is older than the one before it, and their numbers are 1, 2, 3 and so on."""

    name = "time_order"
    kinds = frozenset[str]()
    _t: float = -float("inf")
    _seq: int = 0

    def apply(self, record: Record) -> Iterable[Violation]:
        """Compare *record* with the one before it."""
        t, seq = self._t, self._seq
        self._t, self._seq = record.t, record.seq
        if record.t >= t and (record.seq == seq + 1 or not seq):
            return NOTHING
        if record.t < t:
            text = f"time runs backwards: this {record.kind} is at {record.t} s, record {seq} before it at {t} s"
        else:
            text = f"record {record.seq} follows record {seq}: some are missing, or two traces are mixed"
        return (Violation(self.name, record.t, record.seq, record.path, text),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each record was compared when it came."""
        return NOTHING
