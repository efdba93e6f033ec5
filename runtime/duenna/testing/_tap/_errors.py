"""A tap on what is known of errors: each report, each count, each line, and what they come to in the end.

| kind | when | fields |
|---|---|---|
| `errors_begin` | a runtime begins | `has_records`, `cooldown` and `group_wait` of alerts |
| `error_sent` | a report goes to the classifier | `number`, `source`, `repeats`, `needs_a_hand` |
| `error_counted` | the tracker has taken it | `number`, `total`, `repeated` |
| `errors_cleared` | the tracker has forgotten all | |
| `error_logged`, `recovery_logged` | a line waits to be written | `number`; `action`, `status`, `attempt` |
| `alert_settings` | the settings of alerts changed | `cooldown`, `group_wait` |
| `errors_end` | the runtime has ended | `total`, `categories`; of each log its lines in the files, waiting, lost |
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from duenna._reports import Reports
from duenna.records import Records
from duenna.testing._tap._specs import finite
from duenna.tracker import ErrorTracker

if TYPE_CHECKING:
    from collections.abc import Generator

    from duenna._runtime import Runtime
    from duenna.error_events import ErrorClassified, ErrorReport, RecoveryAttempted
    from duenna.settings import Settings
    from duenna.testing._tap._log import Log

_LOGS: WeakKeyDictionary[Any, Log] = WeakKeyDictionary()


class TracedReports(Reports):
    """Sends reports."""

    def send(self, report: ErrorReport) -> None:
        """Record that *report* is sent, before the classifier may have it."""
        verdict = report.verdict
        _LOGS[self].record(
            "error_sent",
            report.path,
            report.incarnation,
            number=report.id,
            source=str(report.source),
            repeats=report.repeats,
            needs_a_hand=verdict is not None and verdict.needs_a_hand,
        )
        super().send(report)


class TracedTracker(ErrorTracker):
    """Counts errors."""

    __slots__ = ()

    def record(self, event: ErrorClassified) -> None:
        """Record what the count has come to."""
        super().record(event)
        _LOGS[self].record(
            "error_counted", event.path, number=event.report.id, total=self.total, repeated=self.repeated
        )

    def clear(self) -> None:
        """Record that counts begin at 0."""
        super().clear()
        _LOGS[self].record("errors_cleared")


class TracedRecords(Records):
    """Takes lines."""

    def error(self, event: ErrorClassified) -> None:
        """Record which error has a line."""
        super().error(event)
        _LOGS[self].record("error_logged", event.path, number=event.report.id)

    def recovery(self, event: RecoveryAttempted, kind: str = "") -> None:
        """Record which step has a line."""
        super().recovery(event, kind)
        fields = {"action": event.action, "status": event.status, "attempt": event.attempt}
        _LOGS[self].record("recovery_logged", event.path, **fields)


@contextmanager
def tap_errors(runtime: Runtime, log: Log) -> Generator[None]:
    """Record what *runtime*, which has not begun, makes of errors; *log* must still be open at the end."""
    records = runtime.records
    tapped: list[tuple[Any, type]] = [(runtime.reports, TracedReports), (runtime.errors, TracedTracker)]
    if records is not None:
        tapped.append((records, TracedRecords))
    for each, kind in tapped:
        _LOGS[each] = log
        each.__class__ = kind

    def follow(before: Settings, now: Settings) -> None:
        if before.alerts != now.alerts:
            log.record("alert_settings", **_alerts(now))

    there = _lines(records)
    log.record("errors_begin", has_records=records is not None, **_alerts(runtime.settings))
    unfollow = runtime.on_settings(follow)
    try:
        yield
    finally:
        unfollow()
        log.record("errors_end", **_end(runtime, there))
        for each, kind in tapped:
            each.__class__ = kind.__base__
            del _LOGS[each]


def _alerts(settings: Settings) -> dict[str, Any]:
    return {"cooldown": finite(settings.alerts.cooldown), "group_wait": finite(settings.alerts.group_wait)}


def _end(runtime: Runtime, there: dict[str, int]) -> dict[str, Any]:
    """Return what it all came to; lines that were *there* before are not of this run."""
    whole = runtime.errors.summary()
    fields: dict[str, Any] = {"total": whole.total_errors, "categories": whole.errors_by_category}
    records = runtime.records
    if records is not None:
        now, kept = _lines(records), records.statistics()
        for name, log in kept.items():
            fields[name] = {"lines": now[name] - there[name], "waiting": log.waiting, "lost": log.lost}
    return fields


def _lines(records: Records | None) -> dict[str, int]:
    """Return how many lines the files of each log have."""
    if records is None:
        return {}
    counts: dict[str, int] = {}
    for log in records.logs:
        files = log.folder.iterdir() if log.folder.is_dir() else ()
        counts[log.name] = sum(file.read_bytes().count(b"\n") for file in files if log.pattern.fullmatch(file.name))
    return counts
