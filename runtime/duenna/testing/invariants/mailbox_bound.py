"""No mailbox holds more than its capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_IN = frozenset({"dropped", "dead_letter"})


@attrs.define(eq=False)
class MailboxBound:
    """Rule 4: a message finds room, waits for it, or something is dropped by the mailbox's rule.

    `Down` notices and what comes back from the stash get in whatever the bound; while a mailbox is
    fuller than that, a new message may take the place of an old one.
    """

    name = "mailbox_bound"
    kinds = _NOT_IN | {"spec", "sent", "received", "child_removed"}
    _capacity: dict[str, int] = attrs.field(factory=dict[str, int])
    _overfull: Record | None = None
    _freed: str = ""

    def apply(self, record: Record) -> Iterable[Violation]:
        """Compare the length of a mailbox with its bound."""
        path, fields = record.path, record.fields
        overfull, self._overfull = self._overfull, None
        freed, self._freed = self._freed, path if record.kind == "dropped" else ""
        match record.kind:
            case "spec" if fields.get("capacity") is not None:
                self._capacity[path] = fields["capacity"]
            case "child_removed":
                self._capacity.pop(path, None)
            case "sent" if fields.get("length", 0) > self._capacity.get(path, float("inf")) and freed != path:
                self._overfull = record  # unless the next record says that it did not get in
            case _:
                pass
        if overfull is None or (record.kind in _NOT_IN and _is_same(overfull, record)):
            return NOTHING
        return (self._violation(overfull),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # it is the last of all
        """Find the message that was the last of all, if it was one too many."""
        return NOTHING if self._overfull is None else (self._violation(self._overfull),)

    def _violation(self, record: Record) -> Violation:
        fields = record.fields
        text = f"message {fields.get('number')} from {fields.get('sender') or 'outside'} ({fields.get('message')})"
        text = f"{text} makes {fields.get('length')} in a mailbox of {self._capacity.get(record.path)}"
        return Violation(self.name, record.t, record.seq, record.path, f"{text}, and nothing is dropped")


def _is_same(one: Record, other: Record) -> bool:
    keys = ("number", "sender")
    return one.path == other.path and all(one.fields.get(key) == other.fields.get(key) for key in keys)
