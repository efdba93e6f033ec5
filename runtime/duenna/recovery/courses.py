"""Follows what supervisors and connections do about children that fail, and tells it as attempts.

Nothing is restarted from here. Events come in order from one stream; the report of a crash
comes later, from the classifier, and gives the attempt its number and its action's name. So
what is to be told of a crash waits for its report, though never past the instant of the crash.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorReport, Source
from duenna.events import (
    ChildParked,
    ChildRemoved,
    ChildRestarting,
    ChildStarted,
    ChildStopped,
    Event,
    SupervisorGaveUp,
)
from duenna.machines.link import UP, ConnectionState
from duenna.machines.recovery_course import Course, Status, Step
from duenna.recovery.attempts import CounterState, Journal, Subject

RESTART: Final = "restart"
"""What a supervisor's restart is called where no action claims it."""

REPAIR: Final = "repair"
"""What a connection's own repair is called, after too many failing checks."""

MOST_COURSES: Final = 1000

_ORDERLY: Final = frozenset({"normal", "shutdown"})
"""Exit reasons of which there is no report."""

FOLLOWED: Final[tuple[type[Event], ...]] = (
    ChildParked,
    ChildRemoved,
    ChildRestarting,
    ChildStarted,
    ChildStopped,
    ConnectionChanged,
    SupervisorGaveUp,
)
"""The events that a course depends on."""


@attrs.define(eq=False, repr=False)
class _Followed:
    """One child."""

    course: Course = attrs.field(factory=Course)
    kind: str = "actor"
    action: str | None = None
    report_id: int = 0
    incarnation: int = 0
    failures: int = 0
    allowed: int = 0
    error: str = ""
    has_given_up: bool = False
    claimed: str = RESTART
    untold: list[Step] = attrs.field(factory=list[Step])
    is_unjudged: bool = False
    failed_at: float = 0.0
    changed: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_connection(self) -> bool:
        return self.course.state is not None


@attrs.define(eq=False, repr=False)
class Courses:
    """The courses of 1,000 children at most.

    Of more, those are forgotten that have been quiet the longest; while an attempt at each of
    them is under way, further ones are not followed. Their supervisors restart them all the same.
    Whatever their number, an event costs the same: ten thousand children may crash at once.
    """

    _journal: Journal
    restarts_allowed: Callable[[str], int] = lambda path: 0  # noqa: ARG005  # a port: the path's own limit
    repairs_allowed: Callable[[], int] = lambda: 0
    has_held: Callable[[str], bool] = lambda path: False  # noqa: ARG005  # a port: up long enough to count as success
    _known: dict[str, _Followed] = attrs.field(factory=dict[str, _Followed], init=False)
    _quiet: OrderedDict[str, None] = attrs.field(factory=OrderedDict[str, None], init=False)

    def __len__(self) -> int:
        """Return how many children are known."""
        return len(self._known)

    # -- what comes in ---------------------------------------------------------

    def heard(self, event: Event) -> None:
        """Take one of the `FOLLOWED` events, in the order in which they were posted."""
        match event:
            case ConnectionChanged():
                self._moved(event)
            case ChildRestarting():
                self._restarting(event)
            case ChildParked():
                self._parked(event)
            case ChildStarted():
                self._started(event)
            case ChildStopped() | ChildRemoved():
                self._dropped(event)
            case SupervisorGaveUp():
                self._gave_up(event)
            case _:
                pass

    def classified(self, report: ErrorReport, *, action: str | None, error: str) -> None:
        """Take the report of an error, and tell what waited for it.

        Args:
            report: The report.
            action: Name of the action that answers it by following the child; None: no such action.
            error: What was wrong, in words.
        """
        is_check = report.source is Source.CHECK
        if report.source is not Source.CRASH and not is_check:
            return
        followed = self._known.get(report.path)
        if followed is None:
            return
        followed.kind = report.kind or followed.kind
        if is_check:
            if followed.is_unjudged or not followed.course.repairs:
                followed.report_id = report.id
            followed.action = action
            followed.error = error
            followed.is_unjudged = False
            self._tell(report.path, followed)
            return
        if followed.incarnation not in {0, report.incarnation}:  # of an earlier one, or its restart was not heard of
            return
        if not followed.report_id or followed.course.attempt <= 1:
            followed.report_id = report.id  # a round is one incident: its first report stands for it
        followed.action = action
        followed.error = error
        followed.is_unjudged = False
        self._tell(report.path, followed)

    def resync(self, now: float, look: Callable[[str], ConnectionState | bool | None]) -> None:
        """Make good for events that were lost.

        A child that was being restarted and is up is so again, though by which attempt is not
        known: that counts for nothing.

        Args:
            now: Monotonic seconds.
            look: Says whether the child at a path runs, of a connection the state of its link; None: there is none.
        """
        for path, followed in list(self._known.items()):
            course, found = followed.course, look(path)
            if found is None:
                self._forget(path)
                continue
            if isinstance(found, ConnectionState):
                is_up, is_news = found in UP, course.is_open or found is not course.state
            else:
                is_up, is_news = found, course.is_open and not followed.is_connection
            if not is_up or not is_news:
                continue
            self._flush(path, followed)
            course.dropped()
            if isinstance(found, ConnectionState):
                course.moved(now, found, "")
            course.up(now)
            self._changed(path, followed)
            self._wake(followed)

    # -- what is asked ---------------------------------------------------------

    def is_connection(self, path: str) -> bool:
        """Return whether a connection at *path* has been heard of."""
        followed = self._known.get(path)
        return followed is not None and followed.is_connection

    async def outcome(self, path: str) -> bool:
        """Wait until it is decided whether the child at *path* can be used again; return that.

        False at once for a child that nothing was heard of. Cancelled, it changes nothing.
        """
        while True:
            followed = self._known.get(path)
            decided = False if followed is None else followed.course.outcome
            if followed is None or decided is not None:
                await trio.lowlevel.checkpoint()
                return bool(decided)
            await followed.changed.wait()

    def counters(self) -> Iterable[CounterState]:
        """Return the attempts at each child: none at one whose next failure will be its first again."""
        for path, followed in self._known.items():
            yield CounterState(
                type=followed.kind,
                path=path,
                context="",
                attempts=0 if self.has_held(path) else followed.failures,
                max_attempts=self.restarts_allowed(path),
                is_open=followed.course.is_open,
                has_given_up=followed.has_given_up,
            )

    def reset(self, kind: str | None, path: str | None) -> list[str]:
        """Set the counters of one kind, one path or all back to 0; return the paths."""
        found: list[str] = []
        for known, followed in self._known.items():
            if kind in {None, followed.kind} and path in {None, known}:
                followed.failures = 0
                followed.has_given_up = False
                found.append(known)
        return found

    # -- the events ------------------------------------------------------------

    def _moved(self, event: ConnectionChanged) -> None:
        followed = self._follow(event.path)
        followed.kind = event.kind
        steps = followed.course.moved(event.time, event.state, event.why, event.attempt)
        if event.state is ConnectionState.RECOVERING and followed.course.repairs == 1:
            self._await_report(followed, event, followed.incarnation)
        self._told(event, followed, steps)

    def _started(self, event: ChildStarted) -> None:
        followed = self._known.get(event.path)
        if followed is None:
            return
        if followed.has_given_up:  # a new round, by a hand or by the end of its time: the supervisor counts anew
            followed.has_given_up = False
            followed.failures = 0
        if not followed.is_connection:  # a connection is ready before it is connected
            self._told(event, followed, followed.course.up(event.time))

    def _restarting(self, event: ChildRestarting) -> None:
        followed = self._follow(event.path)
        self._flush(event.path, followed)
        followed.failures = event.failures
        followed.has_given_up = False
        if event.failures == 1 and not followed.course.is_open:
            followed.report_id = 0
        if event.reason not in _ORDERLY:
            self._await_report(followed, event, event.incarnation)
        steps = followed.course.restarting(event.time, event.failures, event.delay, event.reason)
        self._told(event, followed, steps)

    def _parked(self, event: ChildParked) -> None:
        followed = self._follow(event.path)
        self._flush(event.path, followed)
        followed.failures = max(0, event.failures - 1)
        followed.has_given_up = True
        if event.reason not in _ORDERLY:
            self._await_report(followed, event, 0)  # it does not say which
        self._told(event, followed, followed.course.parked(event.time, event.failures, event.reason))

    def _await_report(self, followed: _Followed, event: Event, incarnation: int) -> None:
        """Tell nothing before the report of *incarnation* came, 0: of whichever; though not past this instant."""
        followed.incarnation = incarnation
        followed.is_unjudged = True
        followed.failed_at = event.time

    def _dropped(self, event: Event) -> None:
        followed = self._known.get(event.path)
        if followed is None:
            return
        self._flush(event.path, followed)
        if isinstance(event, ChildRemoved):
            self._forget(event.path)
        else:
            followed.course.dropped()
            self._changed(event.path, followed)
            self._wake(followed)

    def _gave_up(self, event: SupervisorGaveUp) -> None:
        """Those below have nobody left who starts them again, but for the supervisor's own restart."""
        below = event.path.rstrip("/") + "/"
        for path, followed in list(self._known.items()):
            if path.startswith(below) and followed.course.is_open:
                followed.has_given_up = True
                steps = followed.course.parked(event.time, followed.course.attempt + 1, event.reason)
                self._told(event, followed, steps, path)

    # -- telling ---------------------------------------------------------------

    def _told(self, event: Event, followed: _Followed, steps: list[Step], path: str | None = None) -> None:
        path = path or event.path
        self._changed(path, followed)
        followed.untold += steps
        if not followed.is_unjudged or event.time > followed.failed_at:
            followed.is_unjudged = False
            self._tell(path, followed)
        if followed.course.outcome is not None:
            self._wake(followed)

    def _flush(self, path: str, followed: _Followed) -> None:
        followed.is_unjudged = False
        self._tell(path, followed)

    def _tell(self, path: str, followed: _Followed) -> None:
        steps, followed.untold = followed.untold, []
        for step in steps:
            if step.status is Status.STARTED or not step.attempt:
                followed.claimed = _named(followed.action, is_repair=step.is_repair)
            subject = Subject(
                kind=followed.kind,
                action=followed.claimed,
                path=path,
                report_id=followed.report_id,
                is_reconnection=followed.is_connection,
            )
            allowed = self.repairs_allowed() if step.is_repair else self.restarts_allowed(path)
            if step.status is Status.STARTED:
                followed.allowed = allowed
            elif step.status is not Status.GAVE_UP:
                allowed = followed.allowed  # the settings may say something else by now
            else:  # below their number, that was not the reason: a hand is needed
                allowed = step.attempt if 0 < allowed <= step.attempt else 0
            self._journal.tell(
                step.status,
                subject,
                attempt=step.attempt,
                attempts=allowed,
                wait=step.wait,
                elapsed=step.elapsed,
                error=followed.error if followed.error and followed.error in step.error else step.error,
                time=step.time,
            )

    def _follow(self, path: str) -> _Followed:
        followed = self._known.get(path)
        if followed is None:
            followed = self._known[path] = _Followed()
            self._quiet[path] = None
            if len(self._known) > MOST_COURSES:
                self._forget(next(iter(self._quiet)))  # the one just added at the latest
        elif path in self._quiet:
            self._quiet.move_to_end(path)
        return followed

    def _changed(self, path: str, followed: _Followed) -> None:
        """Note whether *followed* may be forgotten, unless it was."""
        if followed.course.is_open or self._known.get(path) is not followed:
            self._quiet.pop(path, None)
        elif path not in self._quiet:
            self._quiet[path] = None

    def _forget(self, path: str) -> None:
        followed = self._known.pop(path)
        self._quiet.pop(path, None)
        followed.course.dropped()
        self._wake(followed)

    def _wake(self, followed: _Followed) -> None:
        followed.changed.set()
        followed.changed = trio.Event()


def _named(action: str | None, *, is_repair: bool) -> str:
    if action is not None:
        return action
    return REPAIR if is_repair else RESTART
