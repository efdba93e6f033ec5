"""What is done about errors is told as it happens: begun before it ended, once, and in the log as in the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants.errors import has_crashed
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TELL = frozenset({"/system/classifier", "/system/recovery"})
_OWN = ("/system/", "/system")
_FOLLOWED = frozenset({"network_retry", "restart", "repair", "reconnect"})
_ENDS = frozenset({"success", "failed"})


@attrs.define(eq=False)
class RecoveriesTold:
    """Rule 20: each step of a recovery has one event and one line, ends nothing that has not begun, and keeps count.

    A child that is parked is one whose recovery gave up: that is told in the same instant, unless
    the actors that tell it crashed, or reports were lost, since the run began.
    """

    name = "recoveries_told"
    kinds = frozenset(
        {
            "errors_begin",
            "recovery_logged",
            "recovery_attempted",
            "child_parked",
            "child_exited",
            "events_lost",
            "message_dropped",
            "runtime_stopping",
            "errors_end",
        }
    )
    _has_records: bool = False
    _is_tapped: bool = False
    _is_excused: bool = False
    _line: Record | None = None
    _lines: int = 0
    _open: dict[tuple[str, str], int] = attrs.field(factory=dict[tuple[str, str], int])
    _parked: dict[str, Record] = attrs.field(factory=dict[str, Record])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a step."""
        if record.kind == "errors_begin":
            self._begin(record)
            return NOTHING
        return self._take(record) if self._is_tapped else NOTHING

    def finish(self, end: float) -> Iterable[Violation]:
        """Return the last child that was parked, if it was not told."""
        return self._late(end + 1.0)

    def _begin(self, record: Record) -> None:
        self._has_records, self._is_tapped = bool(record.fields.get("has_records")), True
        self._is_excused, self._line, self._lines = False, None, 0
        self._open.clear()
        self._parked.clear()

    def _take(self, record: Record) -> Iterator[Violation]:
        yield from self._late(record.t)
        match record.kind:
            case "recovery_logged":
                yield from self._unmatched(record)
                self._line = record
                self._lines += 1
            case "recovery_attempted":
                yield from self._compare(record)
                yield from self._step(record)
            case "child_parked":
                if not self._is_excused and not record.path.startswith(_OWN):
                    self._parked[record.path] = record
            case "child_exited":
                if record.path in _TELL and has_crashed(record):
                    self._excuse()
            case "errors_end":
                yield from self._end(record)
            case "message_dropped":
                if record.path in _TELL:
                    self._excuse()
            case _:  # nobody is told any more, or not of everything
                self._excuse()

    def _excuse(self) -> None:
        self._is_excused = True
        self._open.clear()
        self._parked.clear()

    # -- lines and events ------------------------------------------------------

    def _compare(self, record: Record) -> Iterator[Violation]:
        line, self._line = self._line, None
        if not self._has_records:
            return
        if line is None or _said(line) != _said(record):
            there = "there is none" if line is None else f"the line is {_said(line)} {at(line)}"
            yield self._broken(record, f"{_said(record)} is told, and has no line in the recovery log: {there}")

    def _unmatched(self, record: Record) -> Iterator[Violation]:
        if self._line is not None:
            text = f"{_said(self._line)} has a line {at(self._line)}, and no event"
            yield self._broken(record, text)

    # -- steps -----------------------------------------------------------------

    def _step(self, record: Record) -> Iterator[Violation]:
        fields, action = record.fields, record.fields.get("action", "")
        key, status = (record.path, action), fields.get("status")
        attempt, attempts = fields.get("attempt", 0), fields.get("attempts", 0)
        if attempts and attempt > attempts:
            yield self._broken(record, f"{action} is at attempt {attempt}, and may make {attempts}")
        if status == "started":
            self._open[key] = self._open.get(key, 0) + 1
        elif status in _ENDS and action in _FOLLOWED and not self._is_excused:
            left = self._open.get(key, 0) - 1
            self._open[key] = max(0, left)
            if left < 0:
                yield self._broken(record, f"{action} ends in {status}, and had not begun")
        elif status == "gave_up":
            self._parked.pop(record.path, None)

    def _late(self, now: float) -> Iterator[Violation]:
        for path, parked in list(self._parked.items()):
            if parked.t < now:
                del self._parked[path]
                text = f"it was parked {at(parked)}, and nobody said that its recovery gave up"
                yield Violation(self.name, parked.t, parked.seq, path, text)

    def _end(self, record: Record) -> Iterator[Violation]:
        yield from self._unmatched(record)
        self._is_tapped = False
        log = record.fields.get("recovery")
        if log is not None and log["lines"] + log["waiting"] + log["lost"] != self._lines:
            yield self._broken(record, f"{self._lines} steps were to be written, the recovery log has {log}")

    def _broken(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, text)


def _said(record: Record) -> str:
    fields = record.fields
    return f"{record.path}: {fields.get('action')} {fields.get('status')}, attempt {fields.get('attempt')}"
