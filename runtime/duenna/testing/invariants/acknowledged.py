"""What an actor was told is durable is there again, whatever ended it."""

from collections.abc import Iterable

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.trace import Record


@attrs.define(eq=False)
class Acknowledged:
    """Rules 1 and 15: an incarnation begins with no older state than was acknowledged, and clean only if that was told.

    What was acknowledged outlives the process if the store does; else the first incarnation of the
    next one owes nothing.
    """

    name = "acknowledged"
    kinds = frozenset(
        {
            "actor_saved",
            "actor_restored",
            "child_starting",
            "child_started",
            "child_removed",
            "state_damaged",
            "state_set_aside",
            "reconcile_began",
        }
    )
    _saved: dict[str, Record] = attrs.field(factory=dict[str, Record])
    _begun: dict[str, Record] = attrs.field(factory=dict[str, Record])
    _lost: Record | None = None

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a save, or compare a start with it."""
        path = record.path
        match record.kind:
            case "actor_saved":
                before = self._saved.get(path)
                if before is None or _version(record) > _version(before):
                    self._saved[path] = record
            case "state_set_aside" | "child_removed":
                self._saved.pop(path, None)
            case "state_damaged" if record.fields.get("loss") == "acknowledged":
                self._lost = record
            case "reconcile_began":
                self._lost = None
                self._saved.clear()
            case "child_starting":
                saved = self._saved.get(path)
                is_next = saved is not None and record.incarnation <= saved.incarnation  # of the next process
                if saved is not None and is_next and not saved.fields.get("is_durable", False):
                    del self._saved[path]
                self._begun[path] = record
            case "actor_restored":
                self._begun.pop(path, None)
                return self._restored(record)
            case "child_started":
                return self._started(record)
            case _:
                pass
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:
        """Find a loss that nobody was told of."""
        if self._lost is None:
            return NOTHING
        text = f"acknowledged state was lost {at(self._lost)}, and trading went on: it should begin to reconcile"
        return (Violation(self.name, end, 0, "", text),)

    def _restored(self, record: Record) -> Iterable[Violation]:
        saved = self._saved.get(record.path)
        if saved is None or _version(record) >= _version(saved):
            return NOTHING
        text = (
            f"incarnation {record.incarnation} begins with version {_version(record)}, "
            f"but version {_version(saved)} was acknowledged {at(saved)}"
        )
        return (Violation(self.name, record.t, record.seq, record.path, text),)

    def _started(self, record: Record) -> Iterable[Violation]:
        begun, saved = self._begun.pop(record.path, None), self._saved.get(record.path)
        if begun is None or saved is None or saved.seq > begun.seq:
            return NOTHING
        text = (
            f"incarnation {record.incarnation} begins clean, but version {_version(saved)} was acknowledged {at(saved)}"
        )
        return (Violation(self.name, record.t, record.seq, record.path, text),)


def _version(record: Record) -> int:
    version: int = record.fields.get("version", 0)
    return version
