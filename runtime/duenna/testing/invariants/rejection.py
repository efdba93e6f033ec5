"""What a guard refuses it neither tries again nor counts as a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._guarded import attempt_of, broken, call_of, guard_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class Rejections:
    """Rule 11: a call that its guard refuses ends, and each failure that is counted is that of an attempt."""

    name = "rejection"
    kinds = frozenset(
        {"attempt_begun", "attempt_ended", "attempt_refused", "failure_counted", "retry_planned", "call_ended"}
    )
    _refused: dict[int, Record] = attrs.field(factory=dict[int, Record])
    _failed: dict[str, Record] = attrs.field(factory=dict[str, Record])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a refusal, or of what must not follow it."""
        guard, call = guard_of(record), call_of(record)
        failed = self._failed.pop(guard, None)  # what is counted, is counted at once
        refused = self._refused.get(call)
        match record.kind:
            case "attempt_refused" if call and not record.fields.get("hedge"):
                self._refused[call] = record
            case "attempt_ended" if record.fields.get("outcome") == "error":
                self._failed[guard] = record
            case "failure_counted" if failed is None:
                return (broken(self.name, record, "a failure is counted, and no attempt has failed just now"),)
            case "retry_planned" if refused is not None:
                return (broken(self.name, record, f"it is to be tried again, but was refused {at(refused)}"),)
            case "attempt_begun" if refused is not None and attempt_of(record)[0] > attempt_of(refused)[0]:
                return (broken(self.name, record, f"it is tried again, but was refused {at(refused)}"),)
            case "call_ended":
                self._refused.pop(call, None)
            case _:
                pass
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each record was judged when it came."""
        return NOTHING
