"""Each watch brings one `Down`, when the incarnation that is watched has ended, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@attrs.define(eq=False)
class _Watch:
    """A watch.

    Attributes:
        record: How it began; it names watcher and target.
        ended: The end of its target, since when it owes a notice; None: not yet.
        told: The notice; None: not yet.
        taken_back: When the watcher took it back; None: it has not.
    """

    record: Record
    ended: Record | None = None
    told: Record | None = None
    taken_back: Record | None = None

    @property
    def number(self) -> int:
        """Its number."""
        number: int = self.record.fields.get("number", 0)
        return number

    @property
    def target(self) -> str:
        """Path of whom it watches."""
        return str(self.record.fields.get("target"))


@attrs.define(eq=False)
class DeathWatch:
    """Rule 8: one `down` for each watch, at the moment at which its target ends; none after ``unwatch``.

    A watch of nobody is answered at once, with `noproc`. What has not been delivered when the
    watcher's incarnation ends is void.
    """

    name = "death_watch"
    kinds = frozenset({"watch", "unwatch", "down", "down_received", "child_exited", "runtime_stopped"})
    _watches: dict[int, _Watch] = attrs.field(factory=dict[int, _Watch])
    _by_target: dict[str, dict[int, None]] = attrs.field(factory=dict[str, dict[int, None]])
    _by_watcher: dict[tuple[str, int], dict[int, None]] = attrs.field(factory=dict[tuple[str, int], dict[int, None]])
    _owed: list[_Watch] = attrs.field(factory=list[_Watch])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a watch, a notice, or an end."""
        found = self._overdue(record.t, record.seq) if self._owed else NOTHING
        match record.kind:
            case "watch":
                self._begin(_Watch(record))
            case "child_exited":
                self._end(record)
            case "runtime_stopped":
                self._watches.clear()
                self._by_target.clear()
                self._by_watcher.clear()
            case "unwatch":
                watch = self._watches.get(record.fields.get("number", 0))
                if watch is not None:
                    watch.taken_back = record
            case "down":
                found = (*found, *self._tell(record))
            case _:
                found = (*found, *self._deliver(record))
        return found

    def finish(self, end: float) -> Iterable[Violation]:
        """Find notices that never came."""
        return self._overdue(float("inf"), 0, now=end)

    def _begin(self, watch: _Watch) -> None:
        record, number = watch.record, watch.number
        self._watches[number] = watch
        self._by_watcher.setdefault((record.path, record.incarnation), {})[number] = None
        if record.fields.get("target_incarnation"):
            self._by_target.setdefault(watch.target, {})[number] = None
        else:
            watch.ended = record
            self._owed.append(watch)

    def _end(self, record: Record) -> None:
        for number in self._by_watcher.pop((record.path, record.incarnation), {}):
            watch = self._watches.pop(number, None)
            if watch is not None:
                self._by_target.get(watch.target, {}).pop(number, None)
                watch.taken_back = record
        for number in self._by_target.pop(record.path, {}):
            watch = self._watches[number]
            if watch.taken_back is None and watch.record.fields.get("target_incarnation") == record.incarnation:
                watch.ended = record
                self._owed.append(watch)

    def _tell(self, record: Record) -> Iterator[Violation]:
        watch = self._watches.get(record.fields.get("number", 0))
        of = f"a Down of {record.fields.get('target')} comes"
        if watch is None:
            yield self._violation(record, f"{of}, and its watch has brought one before, or was never made")
            return
        back, told = watch.taken_back, watch.told
        watch.told = record
        if told is not None:
            yield self._violation(record, f"{of} for the watch {at(watch.record)}, which has brought one {at(told)}")
        elif back is not None:
            yield self._violation(record, f"{of} for the watch {at(watch.record)}, which was taken back {at(back)}")
        elif watch.ended is None:
            self._by_target.get(watch.target, {}).pop(watch.number, None)
            yield self._violation(record, f"{of} for the watch {at(watch.record)}, and its target has not ended")

    def _deliver(self, record: Record) -> Iterator[Violation]:
        number = record.fields.get("number", 0)
        watch = self._watches.pop(number, None)
        of = f"it gets a Down of {record.fields.get('target')}"
        if watch is None or watch.told is None:
            yield self._violation(record, f"{of} that was never put into its mailbox, or that it has had before")
            return
        self._by_watcher.get((watch.record.path, watch.record.incarnation), {}).pop(number, None)
        if watch.taken_back is not None:
            yield self._violation(record, f"{of} although it has taken the watch back {at(watch.taken_back)}")
        elif watch.record.incarnation != record.incarnation:
            yield self._violation(record, f"{of} for which incarnation {watch.record.incarnation} had watched")

    def _overdue(self, before: float, seq: int, *, now: float | None = None) -> tuple[Violation, ...]:
        """Return what is wrong with those that should have been told before *before*."""
        late = [one for one in self._owed if one.ended is not None and one.ended.t < before]
        self._owed = [one for one in self._owed if one.ended is not None and one.ended.t >= before]
        return tuple(
            Violation(self.name, before if now is None else now, seq, one.record.path, _lost(one))
            for one in late
            if one.told is None and one.taken_back is None
        )

    def _violation(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, text)


def _lost(watch: _Watch) -> str:
    who = f"incarnation {watch.record.incarnation} watches {watch.target} {at(watch.record)}"
    return f"{who}, which has ended {at(watch.ended)}, and no Down came"
