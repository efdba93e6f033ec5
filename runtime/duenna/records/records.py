"""The records of a runtime on disk: the error log and the recovery log."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna.error_events import ErrorClassified, RecoveryAttempted
from duenna.machines import checks
from duenna.machines.backoff import Backoff
from duenna.records import error_log, recovery_log
from duenna.records.actor import RecordsActor
from duenna.records.events import RecordsLost
from duenna.records.writer import Log
from duenna.spec import Child
from duenna.wallclock import WallTime, wall_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.events import Event

PATH: Final = "/system/records"
"""The actor's path."""

_OWNER = "records"
_LINE = 200

SLOW_AFTER: Final = 30.0
"""Seconds after which a disk that does not answer counts as failing."""


@attrs.frozen
class RecordsStatistics:
    """How one log does.

    Attributes:
        written: Lines written.
        waiting: Lines that wait to be written.
        lost: Lines dropped, the oldest, since too many waited.
        failures: Tries to write that failed.
        error: Why it cannot be written now; empty if it can.
    """

    written: int
    waiting: int
    lost: int
    failures: int
    error: str


class Records:
    """The logs below one base directory. Nothing is read or written before the actor runs.

    `error` and `recovery` are called on the event loop. They never block and never raise for what
    the disk does: lines wait in memory, at most `MOST_LINES` or `MOST_BYTES` of each log.

    Attributes:
        directory: The base directory; it is made when it is needed.
        logs: The error log, the recovery log.
        wall: The wall clock.
        slow_after: Seconds after which a disk that does not answer counts as failing.
        removed: Old files removed so far.
        retention_changed: Wakes whoever removes them; the actor's.
        sweeper: Lets one thread at a time remove files; the actor's.
        post: Posts an event; the actor's. None until it first ran.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        retention_days: int | None = None,
        wall: WallTime = wall_time,
        slow_after: float = SLOW_AFTER,
    ) -> None:
        """Keep records in *directory*.

        Args:
            directory: The base directory. It need not exist.
            retention_days: Days that a file is kept, by the date in its name, at least 1; None: for ever.
            wall: The wall clock.
            slow_after: Seconds, greater than 0.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: An argument is out of range.
        """
        given: object = directory
        if not isinstance(given, str | os.PathLike):
            raise TypeError(f"{_OWNER}: directory must be a path, got {directory!r}")
        self.directory = Path(directory)
        self.wall = wall
        self.slow_after = checks.duration(_OWNER, "slow_after", slow_after, zero=False)
        self.removed = 0
        self.retention_changed: trio.Event | None = None
        self.sweeper = trio.CapacityLimiter(1)
        self._errors = Log("errors", self.directory / error_log.FOLDER, error_log.PATTERN, error_log.error_lines)
        self._recovery = Log(
            "recovery", self.directory / recovery_log.FOLDER, recovery_log.PATTERN, recovery_log.recovery_lines
        )
        self.logs = (self._errors, self._recovery)
        self._retention_days = _checked(retention_days)
        self.post: Callable[[Event], None] | None = None

    @property
    def retention_days(self) -> int | None:
        """Days that a file is kept, by the date in its name; None: for ever."""
        return self._retention_days

    def keep_for(self, days: int | None) -> None:
        """Keep files for *days* days from now on, None: for ever; what is too old by it goes at once.

        Raises:
            TypeError: *days* is no whole number.
            ValueError: *days* is less than 1.
        """
        days = _checked(days)
        if days != self._retention_days:
            self._retention_days = days
            if self.retention_changed is not None:
                self.retention_changed.set()

    def error(self, event: ErrorClassified) -> None:
        """Write *event* to the error log, in the file of the day on which it happened."""
        held = error_log.held(event)
        self._put(self._errors, held, error_log.size_of(held), event.time)

    def recovery(self, event: RecoveryAttempted, kind: str = "") -> None:
        """Write *event* to the recovery log, in the file of today.

        Args:
            event: What was begun, or has ended.
            kind: The kind of what is recovered, such as `websocket`; empty: it is no actor.
        """
        record = recovery_log.recovery_record(event, kind, self.wall())
        self._put(self._recovery, record, _LINE + len(record.error) + len(record.action_type), event.time)

    def statistics(self) -> dict[str, RecordsStatistics]:
        """Return how each log does, by its name."""
        return {
            log.name: RecordsStatistics(log.written, log.waiting, log.lost, log.failures, log.error)
            for log in self.logs
        }

    def actor(self, *, shutdown: float = 10.0) -> Child:
        """Return the spec of the actor that writes them.

        It is parked rather than let its supervisor give up, and what waits is written while it
        stops: whoever records the last errors must be stopped before it, so it is started first.

        Args:
            shutdown: Seconds that it may take to write what waits when it is stopped.
        """
        return Child(
            "records",
            lambda: RecordsActor(self),
            backoff=Backoff.exponential(1.0, maximum=60.0, jitter="none"),
            max_failures=3,
            on_give_up="park",
            unpark_after=60.0,
            shutdown=shutdown,
        )

    def _put(self, log: Log, line: object, size: int, now: float) -> None:
        before = log.lost
        if log.put(line, size):
            return
        log.begin_failing(now, before)
        is_told = before.bit_length() != log.lost.bit_length()  # at the 1st, 2nd, 4th, 8th, ... lost line
        if is_told and self.post is not None:
            self.post(RecordsLost(time=now, path=PATH, log=log.name, lost=log.lost))


def _checked(days: int | None) -> int | None:
    return None if days is None else checks.count(_OWNER, "retention_days", days, least=1)
