"""What one sender tells one receiver arrives in the order in which it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENDS = frozenset({"dropped", "dead_letter"})


@attrs.define(eq=False)
class MessageOrder:
    """Rule 3: messages of one sender are received in their order, but for those that were stashed.

    A mailbox that keeps the latest message of each key has an order of its own.
    """

    name = "message_order"
    kinds = _ENDS | {"spec", "received", "redelivered", "child_removed"}
    _newest: dict[str, dict[str, Record]] = attrs.field(factory=dict[str, dict[str, Record]])
    _own_order: dict[str, None] = attrs.field(factory=dict[str, None])
    _put_back: dict[tuple[str, str, int], None] = attrs.field(factory=dict[tuple[str, str, int], None])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Compare a message with the one before it."""
        path, fields = record.path, record.fields
        match record.kind:
            case "received":
                return self._receive(record)
            case "redelivered":
                self._put_back[_identity(record)] = None
            case "spec" | "child_removed":
                self._newest.pop(path, None)
                self._own_order.pop(path, None)
                if fields.get("overflow") == "latest":
                    self._own_order[path] = None
            case "dropped" | "dead_letter" if "number" in fields:
                self._put_back.pop(_identity(record), None)
            case _:
                pass
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each message was compared when it came."""
        return NOTHING

    def _receive(self, record: Record) -> Iterable[Violation]:
        if record.path in self._own_order or self._put_back.pop(_identity(record), self) is None:
            return NOTHING
        sender, number = str(record.fields.get("sender", "")), record.fields.get("number", 0)
        newest = self._newest.setdefault(record.path, {})
        before = newest.get(sender)
        if before is None or before.fields["number"] < number:
            newest[sender] = record
            return NOTHING
        text = f"it receives message {number} from {sender or 'outside'} ({record.fields.get('message')})"
        text = f"{text} after message {before.fields['number']} {at(before)}, which was sent later"
        return (Violation(self.name, record.t, record.seq, record.path, text),)


def _identity(record: Record) -> tuple[str, str, int]:
    return record.path, str(record.fields.get("sender", "")), record.fields.get("number", 0)
