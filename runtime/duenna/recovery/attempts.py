"""Every attempt at a recovery: told to whoever listens, logged, counted, and the last 1,000 remembered."""

from collections import deque
from typing import Final

import attrs
import msgspec

from duenna.error_events import RecoveryAttempted
from duenna.machines.recovery_course import Status
from duenna.recovery._lines import LEVELS, Lines, line
from duenna.recovery._ports import EventSink, NoSink, Now, RecordSink
from duenna.wallclock import WallTime, wall_time

MOST_ATTEMPTS: Final = 1000
"""Attempts that are remembered, at most."""

MOST_TYPES: Final = 1000
"""Types and actions that are counted apart, at most."""

OTHERS: Final = "(other)"
CANCELLED: Final = "cancelled"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is over.

    Attributes:
        time: When it ended, in seconds of the clock.
        at: The same in seconds since 1970-01-01T00:00:00Z.
        type: The kind of what it was made for, such as `api`.
        action: Which action made it: `network_retry`, `restart`, `reconnect`...
        path: The actor, `/` where it was none.
        context: The caller's word for it; the path if there is none.
        attempt: Which one it was, counted from 1.
        wait: Seconds that it waited before it acted.
        elapsed: Seconds from the first error to its end.
        outcome: `success`, `failed`, or `cancelled`, which counts as neither.
        error: What it failed with, or the error that it answered.
        report_id: The `ErrorReport` that it answered; 0: none.
    """

    time: float
    at: float
    type: str
    action: str
    path: str
    context: str
    attempt: int
    wait: float
    elapsed: float
    outcome: str
    error: str
    report_id: int


class TypeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts for one type.

    Attributes:
        total: Attempts that are over.
        successful: Those that succeeded.
        failed: Those that failed.
        gave_up: How often the last allowed one had failed.
    """

    total: int = 0
    successful: int = 0
    failed: int = 0
    gave_up: int = 0

    @property
    def success_rate(self) -> float:
        """The share of successful ones, 0 to 1; 0 if there was none."""
        return self.successful / self.total if self.total else 0.0


class CounterState(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts at one thing.

    Attributes:
        type: Its kind.
        path: The actor, `/` where it is none.
        context: The caller's word for it; empty for an actor.
        attempts: Attempts of the present round.
        max_attempts: How many there may be; 0: no limit is known.
        is_open: Whether one is under way.
        has_given_up: Whether the round is over without success.
    """

    type: str
    path: str
    context: str
    attempts: int
    max_attempts: int
    is_open: bool
    has_given_up: bool


class RecoveryStatistics(TypeStatistics, frozen=True, kw_only=True):
    """All attempts since the start, or since the history was cleared.

    Attributes:
        by_type: The same by the kind of what was recovered; of more than 1,000 kinds, the rest as `(other)`.
        by_action: The same by the name of the action.
        recent: The last 1,000 attempts that are over, oldest first.
        counters: The attempts at each thing that is being recovered, or was lately.
        refused: Incidents that no action answered, for too many were open.
    """

    by_type: dict[str, TypeStatistics] = {}
    by_action: dict[str, TypeStatistics] = {}
    recent: tuple[Attempt, ...] = ()
    counters: tuple[CounterState, ...] = ()
    refused: int = 0


class RecoveryMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What recovery knows that the next process needs to.

    Attributes:
        whole: All attempts.
        by_type: The same by the kind of what was recovered.
        by_action: The same by the name of the action.
        refused: Incidents that no action answered, for too many were open.
        pauses: Until when sources want to be left alone, in seconds since 1970.
    """

    whole: TypeStatistics
    by_type: dict[str, TypeStatistics] = {}
    by_action: dict[str, TypeStatistics] = {}
    refused: int = 0
    pauses: dict[str, float] = {}


@attrs.frozen(kw_only=True)
class Subject:
    """What an attempt is made for.

    Attributes:
        kind: The kind of it.
        action: Which action makes it.
        path: The actor, `/` where it is none.
        context: The caller's word for it.
        report_id: The `ErrorReport` that it answers; 0: none.
        is_reconnection: Whether its steps have log lines of their own, at levels of their own.
    """

    kind: str
    action: str
    path: str = "/"
    context: str = ""
    report_id: int = 0
    is_reconnection: bool = False


@attrs.define
class _Count:
    successful: int = 0
    failed: int = 0
    gave_up: int = 0

    def frozen(self) -> TypeStatistics:
        total = self.successful + self.failed
        return TypeStatistics(total=total, successful=self.successful, failed=self.failed, gave_up=self.gave_up)

    def add(self, counted: TypeStatistics) -> None:
        self.successful += counted.successful
        self.failed += counted.failed
        self.gave_up += counted.gave_up


@attrs.define(eq=False, repr=False)
class Journal:
    """Tells, logs and counts attempts."""

    _now: Now
    _events: EventSink = attrs.field(factory=NoSink)
    _sink: RecordSink | None = None
    _lines: Lines = attrs.field(factory=lambda: Lines("INFO"))
    _wall: WallTime = wall_time
    refused: int = attrs.field(default=0, init=False)
    _recent: deque[Attempt] = attrs.field(factory=lambda: deque[Attempt](maxlen=MOST_ATTEMPTS), init=False)
    _all: _Count = attrs.field(factory=_Count, init=False)
    _by_type: dict[str, _Count] = attrs.field(factory=dict[str, _Count], init=False)
    _by_action: dict[str, _Count] = attrs.field(factory=dict[str, _Count], init=False)

    def tell(
        self,
        status: Status,
        subject: Subject,
        *,
        attempt: int,
        attempts: int = 0,
        wait: float = 0.0,
        elapsed: float = 0.0,
        error: str = "",
        time: float | None = None,
    ) -> None:
        """Tell one step of an attempt: it has begun, has succeeded or failed, or was the last allowed.

        Args:
            status: Which step.
            subject: What it is made for.
            attempt: Which attempt, counted from 1.
            attempts: How many there may be; 0: no limit.
            wait: Seconds that it waits before it acts, or did.
            elapsed: Seconds since the first error.
            error: As of `RecoveryAttempted`, without secrets.
            time: When, in seconds of the clock; None: now.
        """
        when = self._now() if time is None else time
        if status is not Status.STARTED:
            self._count(status, subject)
        if status in {Status.SUCCESS, Status.FAILED}:
            self._remember(status.value, subject, attempt=attempt, wait=wait, elapsed=elapsed, error=error, time=when)
        event = RecoveryAttempted(
            time=when,
            path=subject.path,
            report_id=subject.report_id,
            action=subject.action,
            status=status.value,
            attempt=attempt,
            attempts=attempts,
            wait=wait,
            elapsed=elapsed,
            error=error,
        )
        if self._sink is not None:
            self._sink(event, subject.kind)
        if not subject.is_reconnection:
            if self._events.wants(RecoveryAttempted):
                self._events.post(event)
            return
        self._events.offer(event)  # its log line is the one below
        where = subject.context or (subject.path if subject.path != "/" else "")
        text = line(
            status,
            subject.kind,
            attempt=attempt,
            attempts=attempts,
            wait=wait,
            elapsed=elapsed,
            error=error,
            context=where,
        )
        self.write(LEVELS[status], text, subject)

    def write(self, level: str, text: str, subject: Subject) -> None:
        """Write a line about *subject*."""
        self._lines.write(level, text, path=subject.path, event="RecoveryAttempted", kind=subject.kind)

    def cancelled(self, subject: Subject, *, attempt: int, wait: float, elapsed: float, error: str) -> None:
        """Remember an attempt that was called off; it counts as neither success nor failure."""
        now = self._now()
        self._remember(CANCELLED, subject, attempt=attempt, wait=wait, elapsed=elapsed, error=error, time=now)

    def statistics(self, counters: tuple[CounterState, ...] = ()) -> RecoveryStatistics:
        """Return everything so far."""
        whole = self._all.frozen()
        return RecoveryStatistics(
            total=whole.total,
            successful=whole.successful,
            failed=whole.failed,
            gave_up=whole.gave_up,
            by_type={name: count.frozen() for name, count in self._by_type.items()},
            by_action={name: count.frozen() for name, count in self._by_action.items()},
            recent=tuple(self._recent),
            counters=counters,
            refused=self.refused,
        )

    def dump(self, pauses: dict[str, float]) -> RecoveryMemory:
        """Return the counts, for the next process; the attempts themselves are in the recovery log."""
        return RecoveryMemory(
            whole=self._all.frozen(),
            by_type={name: count.frozen() for name, count in self._by_type.items()},
            by_action={name: count.frozen() for name, count in self._by_action.items()},
            refused=self.refused,
            pauses=pauses,
        )

    def load(self, memory: RecoveryMemory) -> None:
        """Count the attempts of earlier processes, too."""
        self._all.add(memory.whole)
        for counts, counted in (self._by_type, memory.by_type), (self._by_action, memory.by_action):
            for name, count in counted.items():
                _of(counts, name).add(count)
        self.refused += memory.refused

    def clear(self) -> None:
        """Forget the attempts that are over, and their counts."""
        self._recent.clear()
        self._all = _Count()
        self._by_type.clear()
        self._by_action.clear()
        self.refused = 0

    def _count(self, status: Status, subject: Subject) -> None:
        for count in (self._all, _of(self._by_type, subject.kind), _of(self._by_action, subject.action)):
            if status is Status.SUCCESS:
                count.successful += 1
            elif status is Status.FAILED:
                count.failed += 1
            else:
                count.gave_up += 1

    def _remember(
        self, outcome: str, subject: Subject, *, attempt: int, wait: float, elapsed: float, error: str, time: float
    ) -> None:
        self._recent.append(
            Attempt(
                time=time,
                at=self._wall(),
                type=subject.kind,
                action=subject.action,
                path=subject.path,
                context=subject.context or subject.path,
                attempt=attempt,
                wait=wait,
                elapsed=elapsed,
                outcome=outcome,
                error=error,
                report_id=subject.report_id,
            )
        )


def _of(counts: dict[str, _Count], name: str) -> _Count:
    count = counts.get(name)
    if count is None:
        if len(counts) >= MOST_TYPES:
            name = OTHERS
        count = counts.setdefault(name, _Count())
    return count
