"""Every error is reported once, judged once, counted once and written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._tree import was_stopped
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CLASSIFIER = "/system/classifier"
_ORDERLY = frozenset({"normal", "shutdown"})


def field_of(value: Any, name: str) -> Any:
    """Return a field of a struct, which in a trace that was read is a mapping."""
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else getattr(value, name, None)


def has_crashed(record: Record) -> bool:
    """Return whether *record*, a `child_exited`, is the end of a child that crashed, and was not told to end."""
    return not was_stopped(record) and record.fields.get("reason") not in _ORDERLY


@attrs.define(eq=False)
class _Way:
    """How far a report is.

    Attributes:
        sent: The record with which it was sent.
        is_judged: Whether it has its verdict.
        is_counted: Whether the tracker has it.
        is_written: Whether it has a line.
    """

    sent: Record
    is_judged: bool = False
    is_counted: bool = False
    is_written: bool = False

    @property
    def is_new(self) -> bool:
        """Whether it is no repetition of an error that was reported before."""
        return self.sent.fields.get("repeats") is None

    @property
    def is_over(self) -> bool:
        """Whether all that must come has come."""
        return self.is_judged and self.is_counted


@attrs.define(eq=False)
class ErrorsOnce:
    """Rule 20: a crash has one report; each report is judged once and counted once, and each new error has one line.

    What the classifier's mailbox dropped, what became a dead letter, and what it crashed on is
    excused. In the end the tracker's categories add up to what was counted, and so do the lines
    in the files with those that wait or were lost.
    """

    name = "errors_once"
    kinds = frozenset(
        {
            "errors_begin",
            "error_sent",
            "child_exited",
            "error_classified",
            "error_counted",
            "errors_cleared",
            "error_logged",
            "message_dropped",
            "dead_letter",
            "errors_end",
        }
    )
    _ways: dict[int, _Way] = attrs.field(factory=dict[int, _Way])
    _reported: dict[tuple[str, int], Record] = attrs.field(factory=dict[tuple[str, int], Record])
    _last: int = 0
    _total: int = 0
    _repeated: int = 0
    _lines: int = 0
    _excused: int = 0
    _has_records: bool = False
    _is_tapped: bool = False

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of where a report is."""
        if record.kind == "errors_begin":
            self._begin(record)
            return NOTHING
        return self._take(record) if self._is_tapped else NOTHING

    def finish(self, end: float) -> Iterable[Violation]:
        """Return the crashes, and the reports, of which nothing came: of a runtime whose end was not seen, too."""
        yield from self._unanswered(end, 0)

    def _begin(self, record: Record) -> None:
        self._ways.clear()
        self._reported.clear()
        self._last = self._total = self._repeated = self._lines = self._excused = 0
        self._has_records, self._is_tapped = bool(record.fields.get("has_records")), True

    def _take(self, record: Record) -> Iterable[Violation]:
        found: Iterable[Violation] = NOTHING
        match record.kind:
            case "error_sent":
                found = self._send(record)
            case "child_exited":
                found = self._exit(record)
            case "error_classified":
                found = self._judge(record)
            case "error_counted":
                found = self._count(record)
            case "errors_cleared":
                self._total = self._repeated = 0
            case "error_logged":
                found = self._write(record)
            case "errors_end":
                found = self._end(record)
            case _:
                self._excuse(record)
        return found

    # -- from the crash to the report ------------------------------------------

    def _send(self, record: Record) -> Iterator[Violation]:
        number = record.fields.get("number", 0)
        if number <= self._last:
            yield self._broken(record, f"report {number} comes after report {self._last}: one number for two reports")
        self._last = max(number, self._last)
        self._ways[number] = _Way(record)
        if record.fields.get("source") != "crash":
            return
        whom = (record.path, record.incarnation)
        earlier = self._reported.get(whom)
        if earlier is not None:
            yield self._broken(record, f"the crash of incarnation {record.incarnation} is reported again {at(earlier)}")
        self._reported[whom] = record

    def _exit(self, record: Record) -> Iterator[Violation]:
        sent = self._reported.pop((record.path, record.incarnation), None)
        if has_crashed(record):
            if record.path == CLASSIFIER:
                self._excused += 1
            if sent is None:
                yield self._broken(record, f"it ended with {record.fields.get('reason')}, and nobody has reported it")
        elif sent is not None:
            yield self._broken(record, f"a crash was reported {at(sent)}, and it ended in order")

    # -- from the report to the numbers ----------------------------------------

    def _judge(self, record: Record) -> Iterator[Violation]:
        number = field_of(record.fields.get("report"), "id")
        way = self._ways.get(number)
        if way is None:
            yield self._broken(record, f"report {number} is judged, and was never sent, or is done with")
        elif way.is_judged:
            yield self._broken(record, f"report {number} is judged a second time {at(way.sent)}")
        else:
            way.is_judged = True
            yield from self._settle(number, way, record)

    def _count(self, record: Record) -> Iterator[Violation]:
        fields = record.fields
        number, told = fields.get("number", 0), (fields.get("total", 0), fields.get("repeated", 0))
        way = self._ways.get(number)
        if way is None or way.is_counted:
            yield self._broken(record, f"report {number} is counted, and was never sent, or is counted already")
            self._total, self._repeated = told
            return
        way.is_counted = True
        self._total += way.is_new
        self._repeated += not way.is_new
        if told != (self._total, self._repeated):
            what = f"{told[0]} errors and {told[1]} repetitions"
            yield self._broken(record, f"{what} are counted, there were {self._total} and {self._repeated}")
            self._total, self._repeated = told
        yield from self._settle(number, way, record)

    def _write(self, record: Record) -> Iterator[Violation]:
        number = record.fields.get("number", 0)
        self._lines += 1
        way = self._ways.get(number)
        if way is None or way.is_written:
            yield self._broken(record, f"report {number} gets a line, and was never sent, or has one")
            return
        way.is_written = True
        if not way.is_new:
            yield self._broken(
                record, f"report {number} repeats report {way.sent.fields.get('repeats')} and gets a line"
            )

    def _settle(self, number: int, way: _Way, record: Record) -> Iterator[Violation]:
        """Be done with a report that is counted and told: its line came before."""
        if not way.is_over:
            return
        del self._ways[number]
        if self._has_records and way.is_new and not way.is_written:
            yield self._broken(record, f"report {number} has no line in the error log {at(way.sent)}")

    def _excuse(self, record: Record) -> None:
        fields = record.fields
        if record.path != CLASSIFIER or fields.get("message_type") != "ErrorReport":
            return
        if record.kind == "dead_letter":
            self._excused += fields.get("count", 1)
        else:
            self._excused += 1

    # -- the end ---------------------------------------------------------------

    def _end(self, record: Record) -> Iterator[Violation]:
        yield from self._unanswered(record.t, record.seq)
        fields = record.fields
        total, by_category = fields.get("total", 0), sum(fields.get("categories", {}).values())
        if not total == by_category == self._total:
            text = f"{self._total} errors were counted, the tracker has {total}, its categories {by_category}"
            yield self._broken(record, text)
        log = fields.get("errors")
        if log is not None and log["lines"] + log["waiting"] + log["lost"] != self._lines:
            yield self._broken(record, f"{self._lines} errors were to be written, the error log has {log}")

    def _unanswered(self, end: float, seq: int) -> Iterator[Violation]:
        if not self._is_tapped:
            return
        self._is_tapped = False
        for sent in self._reported.values():
            yield Violation(self.name, end, seq, sent.path, f"a crash was reported {at(sent)}, and it has not ended")
        lost = [way for way in self._ways.values() if not way.is_over]
        if len(lost) > self._excused:
            first = lost[0]
            what = "never judged" if not first.is_judged else "never counted"
            text = f"{len(lost)} reports got lost, and {self._excused} are excused"
            yield Violation(self.name, end, seq, first.sent.path, f"{text}; the first was {what} {at(first.sent)}")

    def _broken(self, record: Record, text: str) -> Violation:
        return Violation(self.name, record.t, record.seq, record.path, text)
