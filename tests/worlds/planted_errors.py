"""Bugs planted in what deals with errors, each for the time of a ``with`` block: the checkers must find them."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from duenna import tracker
from duenna._reports import Reports
from duenna._restarts import Restarts
from duenna.error_events import ErrorClassified
from duenna.machines.alert_cooldown import Cooldown
from duenna.machines.alerts import Alerts, Ended
from duenna.machines.recovery_course import Course, Status, Step
from duenna.records import Records
from duenna.records.writer import Log
from duenna.tracker import ErrorTracker

_SOME = 7


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Generator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def dropped_report() -> AbstractContextManager[None]:
    """Send every seventh report to nobody."""
    send: Any = Reports.send

    def drop(reports: Reports, report: Any) -> None:
        if report.id % _SOME:
            send(reports, report)

    return _patched(Reports, "send", drop)


def doubled_report() -> AbstractContextManager[None]:
    """Report a crash of a strategy twice."""
    crash: Any = Reports.crash

    def double(reports: Reports, cell: Any, error: BaseException) -> Any:
        verdict = crash(reports, cell, error)
        return crash(reports, cell, error) if cell.more.kind == "strategy" else verdict

    return _patched(Reports, "crash", double)


def silent_crash() -> AbstractContextManager[None]:
    """Judge a crash of a database on the spot, and forget to report it."""
    crash: Any = Reports.crash

    def judge(reports: Reports, cell: Any, error: BaseException) -> Any:
        if cell.path.endswith("/store"):
            with _patched(type(reports), "send", lambda _reports, _report: None):
                return crash(reports, cell, error)
        return crash(reports, cell, error)

    return _patched(Reports, "crash", judge)


def doubled_count() -> AbstractContextManager[None]:
    """Count an error twice now and then."""
    count: Any = tracker._count

    def twice(tally: Any, event: ErrorClassified) -> None:
        count(tally, event)
        if event.report.id % _SOME == 0:
            count(tally, event)

    return _patched(tracker, "_count", twice)


def counted_again() -> AbstractContextManager[None]:
    """Take the second report of an error for another error."""
    record: Any = ErrorTracker.record

    def again(errors: ErrorTracker, event: ErrorClassified) -> None:
        record(errors, event)
        if event.report.repeats is not None:
            errors.repeated -= 1
            tracker._count(errors._tally, event)

    return _patched(ErrorTracker, "record", again)


def lost_line() -> AbstractContextManager[None]:
    """Leave every seventh line of the error log out, and say nothing of it."""
    put: Any = Log.put
    numbers = iter(range(1, 1_000_000))

    def lose(log: Log, line: object, size: int) -> bool:
        return True if log.name == "errors" and next(numbers) % _SOME == 0 else put(log, line, size)

    return _patched(Log, "put", lose)


def lost_step() -> AbstractContextManager[None]:
    """Write no line when a recovery has failed."""
    recovery: Any = Records.recovery

    def lose(records: Records, event: Any, kind: str = "") -> None:
        if event.status != "failed":
            recovery(records, event, kind)

    return _patched(Records, "recovery", lose)


def success_of_nothing() -> AbstractContextManager[None]:
    """Tell that a recovery succeeded whenever a connection is up."""

    def up(course: Course, now: float) -> list[Step]:
        course.is_open = False
        return [course._step(Status.SUCCESS, now, "")]

    return _patched(Course, "up", up)


def silent_park() -> AbstractContextManager[None]:
    """Give up, and tell nobody."""
    parked: Any = Course.parked

    def park(course: Course, now: float, failures: int, error: str) -> list[Step]:
        return [step for step in parked(course, now, failures, error) if step.status is not Status.GAVE_UP]

    return _patched(Course, "parked", park)


def no_cooldown() -> AbstractContextManager[None]:
    """Alert as often as something happens."""
    return _patched(Cooldown, "is_quiet", lambda _cooldown, _key, _period, _now: False)


def endless_alert() -> AbstractContextManager[None]:
    """Forget to say that a child that was parked runs again."""
    end: Any = Alerts._end

    def forget(alerts: Alerts, key: Any, now: float, outcomes: list[Any]) -> None:
        end(alerts, key, now, outcomes)
        if key[0] == "child_parked":
            outcomes[:] = [each for each in outcomes if not isinstance(each, Ended)]

    return _patched(Alerts, "_end", forget)


def ended_twice() -> AbstractContextManager[None]:
    """Say it twice."""
    end: Any = Alerts._end

    def twice(alerts: Alerts, key: Any, now: float, outcomes: list[Any]) -> None:
        end(alerts, key, now, outcomes)
        outcomes.extend([each for each in outcomes if isinstance(each, Ended)])

    return _patched(Alerts, "_end", twice)


def stubborn_restart() -> AbstractContextManager[None]:
    """Try a wrong key again and again."""
    return _patched(Restarts, "_needs_a_hand", lambda _restarts, _cell, _reason, _verdict: False)


def impatient_park() -> AbstractContextManager[None]:
    """Try a wrong key again after a minute."""
    park: Any = Restarts.park

    def wake(restarts: Restarts, cell: Any, reason: Any, unpark_after: float | None) -> None:
        park(restarts, cell, reason, 60.0 if unpark_after is None else unpark_after)

    return _patched(Restarts, "park", wake)


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    plant.__name__: plant
    for plant in (
        dropped_report,
        doubled_report,
        silent_crash,
        doubled_count,
        counted_again,
        lost_line,
        lost_step,
        success_of_nothing,
        silent_park,
        no_cooldown,
        endless_alert,
        ended_twice,
        stubborn_restart,
        impatient_park,
    )
}
"""Every planted bug, by name."""
