"""The error tracker, `runtime.errors`: what went wrong so far, how often, and whether it becomes more."""

import json
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import attrs
import msgspec
import trio

from duenna._off_loop import off_the_loop
from duenna.error_events import ErrorClassified
from duenna.errors import DuennaError
from duenna.machines import checks
from duenna.machines.classification import Severity
from duenna.machines.error_tracker import SPAN, Counts, ErrorTally, TallyMemory, Trend
from duenna.records.dates import timestamp
from duenna.records.error_log import ErrorRecord, record_of, service_of, type_of
from duenna.records.files import replace
from duenna.wallclock import WallTime, wall_time

KEPT: Final = 1000
"""The latest errors, kept whole."""

_OWNER = "errors"
_SHOWN = 10


class ExportError(DuennaError):
    """The errors could not be written to a file; the system's error is the cause.

    Attributes:
        file: The file. What it held before is still there.
        why: What happened, in words.
    """

    def __init__(self, file: str, why: str) -> None:
        """Say that *file* could not be written."""
        super().__init__(f"cannot export the errors to {file}: {why}")
        self.file = file
        self.why = why


class ErrorSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Errors, counted.

    Attributes:
        total_errors: How many.
        errors_by_service: How many of each service, the most first.
        errors_by_type: How many of each label, or else type, the most first.
        errors_by_category: How many of each category, the most first.
        errors_by_severity: How many of each severity, the most first.
        recent_errors: The latest, the oldest of them first.
        repeated: Reports of errors that had been reported before, and are not counted again.
        rate_per_minute: How many in the last 60 seconds.
        trend: Whether they become more.
        complete: Whether no error is left out; False: some that may belong here are
            no longer kept, so these are the numbers of the latest errors only.
    """

    total_errors: int
    errors_by_service: dict[str, int]
    errors_by_type: dict[str, int]
    errors_by_category: dict[str, int]
    errors_by_severity: dict[str, int]
    recent_errors: tuple[ErrorRecord, ...]
    repeated: int
    rate_per_minute: float
    trend: Trend
    complete: bool

    def text(self) -> str:
        """Return the summary for a person, a few lines."""
        some = "" if self.complete else " among those still kept"
        again, rate = self.repeated, self.rate_per_minute
        lines = [
            f"{self.total_errors} errors{some} ({again} reported again), {rate:.0f} in the last minute, {self.trend}"
        ]
        counted = {
            "by severity": self.errors_by_severity,
            "by category": self.errors_by_category,
            "by service": self.errors_by_service,
            "by type": self.errors_by_type,
        }
        for what, counts in counted.items():
            if counts:
                shown = ", ".join(f"{key} {count}" for key, count in list(counts.items())[:_SHOWN])
                more = f", {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
                lines.append(f"  {what}: {shown}{more}")
        if self.recent_errors:
            lines.append("  latest:")
        for one in self.recent_errors[-_SHOWN:]:
            text, kind = one.error_message, one.error_type
            what = text if text.startswith(kind.rpartition(".")[2]) else f"{kind}: {text}"
            lines.append(f"    {one.timestamp} {one.severity} {one.category} {one.service_name}: {what}")
        return "\n".join(lines)


@attrs.define(eq=False)
class ErrorTracker:
    """Counts errors and keeps the latest `KEPT`. One error costs a microsecond or two, however many there were.

    Of types, of services and so on, the first 1,000 are counted one by one, all others
    together as `(other)`; the totals are exact.

    Attributes:
        now: Gives the time in seconds of the runtime's clock, trio's.
        wall: The wall clock.
        repeated: Reports of errors that had been reported before; they are counted here alone.
    """

    now: Callable[[], float] = trio.current_time
    wall: WallTime = wall_time
    repeated: int = attrs.field(default=0, init=False)
    _tally: ErrorTally = attrs.field(factory=ErrorTally, init=False)
    _recent: deque[ErrorClassified] = attrs.field(factory=lambda: deque[ErrorClassified](maxlen=KEPT), init=False)
    _gone: float = attrs.field(default=-math.inf, init=False)

    def record(self, event: ErrorClassified) -> None:
        """Count *event*, unless it is the repetition of an error that is counted already."""
        report, recent = event.report, self._recent
        if report.repeats is not None:
            self.repeated += 1
            return
        if len(recent) == KEPT:
            self._gone = max(self._gone, recent[0].report.time)
        recent.append(event)
        _count(self._tally, event)

    # -- numbers ---------------------------------------------------------------

    @property
    def total(self) -> int:
        """Errors so far."""
        return self._tally.total

    @property
    def distinct(self) -> int:
        """How many different labels or types came so far; more than 1,000 are 1,001."""
        return len(self._tally.by_type)

    @property
    def recent(self) -> tuple[ErrorClassified, ...]:
        """The latest errors, at most `KEPT`, the oldest of them first."""
        return tuple(self._recent)

    def rate(self, now: float | None = None) -> float:
        """Return the errors of the last 60 seconds: the rate per minute.

        Args:
            now: Seconds of the runtime's clock; None: now.
        """
        return self._tally.rate(self.now() if now is None else now)

    def trend(self, now: float | None = None) -> Trend:
        """Return whether errors become more: the last five minutes against the five before."""
        return self._tally.trend(self.now() if now is None else now)

    def count_since(self, seconds: float, now: float | None = None) -> int:
        """Return how many errors there were in the last *seconds* seconds, to a second.

        Args:
            seconds: Greater than 0, at most 900.
            now: Seconds of the runtime's clock; None: now.

        Raises:
            TypeError: *seconds* is no number.
            ValueError: *seconds* is out of range.
        """
        seconds = checks.duration(_OWNER, "seconds", seconds, zero=False)
        if seconds > SPAN:
            raise ValueError(f"{_OWNER}: seconds must be at most {SPAN}, got {seconds!r}")
        return self._tally.count_since(seconds, self.now() if now is None else now)

    def summary(
        self,
        *,
        since: float | None = None,
        service: str | None = None,
        min_severity: Severity | str | None = None,
        latest: int = KEPT,
    ) -> ErrorSummary:
        """Return all errors, counted, or those that the arguments leave.

        With an argument, only the latest `KEPT` are looked at; ``complete`` says whether that was all.

        Args:
            since: Only those of the last so many seconds, at least 0; the start included.
            service: Only those of this service: the component, the guard or the actor's path.
            min_severity: Only those that are at least this bad, such as `HIGH`.
            latest: How many of them are named in ``recent_errors``, at least 0.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: *since* or *latest* is negative, or there is no such severity.
        """
        checks.count(_OWNER, "latest", latest, least=0)
        now = self.now()
        begin = -math.inf if since is None else now - checks.duration(_OWNER, "since", since)
        if service is not None:
            _check_text("service", service)
        least = 0 if min_severity is None else checks.choice(_OWNER, "min_severity", min_severity, Severity).rank
        if since is None and service is None and not least:
            return self._summary(self._tally, self._recent, now, latest, complete=True)
        found = [
            event
            for event in self._recent
            if event.report.time >= begin
            and event.verdict.severity.rank >= least
            and (service is None or service_of(event) == service)
        ]
        tally = ErrorTally()
        for event in found:
            _count(tally, event)
        return self._summary(tally, found, now, latest, complete=self._gone < begin or self._gone == -math.inf)

    # -- for the next process ---------------------------------------------------

    def dump(self) -> TallyMemory | None:
        """Return the totals, for the next process; None: there was no error. Each error is in the error log."""
        return self._tally.dump(self.repeated) if self.total or self.repeated else None

    def load(self, memory: TallyMemory) -> None:
        """Count the errors of earlier processes, too; none of them is kept, so what is about some is not complete."""
        self._tally.load(memory)
        self.repeated += memory.repeated
        if memory.total:
            self._gone = max(self._gone, self.now())

    # -- for a person ----------------------------------------------------------

    def print_summary(
        self,
        *,
        since: float | None = None,
        service: str | None = None,
        min_severity: Severity | str | None = None,
        file: TextIO | None = None,
    ) -> None:
        """Print the summary of these arguments to *file*; None: to standard output."""
        text = self.summary(since=since, service=service, min_severity=min_severity).text()
        (sys.stdout if file is None else file).write(f"{text}\n")

    def clear(self) -> None:
        """Forget all errors; the counts begin at 0."""
        self._tally = ErrorTally()
        self._recent.clear()
        self._gone = -math.inf
        self.repeated = 0

    async def export(self, path: str | os.PathLike[str]) -> None:
        """Write the whole summary to *path* as JSON, with the time as `exported_at`.

        A file that is there is replaced as a whole: whoever reads it meanwhile sees the old
        one or the new one. Written in a worker thread; cancelled, it may still be written.

        Raises:
            ExportError: It cannot be written; what was there stays.
            TypeError: *path* is no path.
        """
        given: object = path
        if not isinstance(given, str | os.PathLike):
            raise TypeError(f"{_OWNER}: path must be a path, got {path!r}")
        summary, at = self.summary(), timestamp(self.wall())
        try:
            await off_the_loop(partial(_export, Path(path), summary, at))
        except OSError as exc:
            raise ExportError(os.fspath(path), exc.strerror or str(exc)) from exc

    def _summary(
        self, tally: ErrorTally, recent: Sequence[ErrorClassified], now: float, latest: int, *, complete: bool
    ) -> ErrorSummary:
        return ErrorSummary(
            total_errors=tally.total,
            errors_by_service=_ranked(tally.by_service),
            errors_by_type=_ranked(tally.by_type),
            errors_by_category=_ranked(tally.by_category),
            errors_by_severity=_ranked(tally.by_severity),
            recent_errors=tuple(map(record_of, islice(recent, max(0, len(recent) - latest), None))),
            repeated=self.repeated,
            rate_per_minute=tally.rate(now),
            trend=tally.trend(now),
            complete=complete,
        )


def _count(tally: ErrorTally, event: ErrorClassified) -> None:
    report, verdict = event.report, event.verdict
    tally.record(report.time, type_of(event), verdict.category, service_of(event), verdict.severity)


def _ranked(counts: Counts) -> dict[str, int]:
    return {str(key): count for key, count in counts.ranked().items()}


def _export(path: Path, summary: ErrorSummary, at: str) -> None:
    values = {"exported_at": at, **msgspec.to_builtins(summary)}
    text = json.dumps(values, indent=2, ensure_ascii=False)
    replace(path, f"{text}\n".encode("utf-8", "backslashreplace"))  # what is no Unicode becomes an escape of JSON


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{_OWNER}: {what} must be a str, got {value!r}")
