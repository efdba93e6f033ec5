"""No message vanishes, and none is handled twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEXT = {
    "sent": frozenset({"received", "dropped", "dead_letter"}),
    "received": frozenset({"handled", "dead_letter"}),
    "handled": frozenset({"redelivered"}),  # only what was stashed stays open
    "redelivered": frozenset({"received", "dropped", "dead_letter"}),
}
_LAST = frozenset({"dropped", "dead_letter"})

Identity = tuple[str, str, int]
"""Receiver, sender, and the number from the one to the other."""


@attrs.define(eq=False)
class MessageLife:
    """Rule 2: each message that is sent comes to one end: it is handled, dropped, or a dead letter.

    What waits in a mailbox, or in a stash, when the runtime has stopped has vanished: it should be a dead letter.
    """

    name = "message_life"
    kinds = frozenset(_NEXT) | _LAST | {"runtime_stopped"}
    _open: dict[Identity, tuple[Record, Record]] = attrs.field(factory=dict[Identity, tuple[Record, Record]])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of where a message is."""
        kind, fields = record.kind, record.fields
        if kind == "runtime_stopped":
            return self._vanished(record)
        if "number" not in fields:  # the event that counts dead letters
            return NOTHING
        who = (record.path, str(fields.get("sender", "")), fields["number"])
        known = self._open.get(who)
        if kind == "sent":
            self._open[who] = (record, record)
            return () if known is None else (self._violation(record, known, "another of the same number is sent"),)
        if known is None:
            text = f"message {_name(record)} is {kind}, but was never sent, or has come to its end before"
            return (Violation(self.name, record.t, record.seq, record.path, text),)
        if kind in _LAST or (kind == "handled" and fields.get("outcome") != "stashed"):
            del self._open[who]
        else:
            self._open[who] = (known[0], record)
        return NOTHING if kind in _NEXT[known[1].kind] else (self._violation(record, known, f"now it is {kind}"),)

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # the end of a trace is not that of a runtime
        """Find nothing: what is in a mailbox may yet be read."""
        return NOTHING

    def _vanished(self, record: Record) -> Iterable[Violation]:
        left, self._open = self._open, {}
        what = "it has vanished: the runtime has stopped, and nobody said what became of it"
        return tuple(self._violation(record, known, what) for known in left.values())

    def _violation(self, record: Record, known: tuple[Record, Record], what: str) -> Violation:
        sent, last = known
        text = f"message {_name(sent)}, sent at {sent.t:.3f} s (record {sent.seq}),"
        text = f"{text} was {last.kind} at {last.t:.3f} s (record {last.seq}): {what}"
        return Violation(self.name, record.t, record.seq, sent.path, text)


def _name(record: Record) -> str:
    fields = record.fields
    return f"{fields.get('number')} from {fields.get('sender') or 'outside'} ({fields.get('message')})"
