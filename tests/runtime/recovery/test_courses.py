"""Courses alone: what is told when reports come late, never, or for somebody else, and what stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.connection_events import ConnectionChanged
from duenna.error_events import Source
from duenna.events import ChildParked, ChildRestarting, ChildStarted, ChildStopped, SupervisorGaveUp
from duenna.machines.link import ConnectionState
from duenna.recovery.attempts import Journal
from duenna.recovery.courses import MOST_COURSES, Courses

from .kit import Recorder, classified

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna.events import Event

PATH = "/bot/api"


@pytest.fixture
def courses(recorder: Recorder) -> Courses:
    """Courses whose steps the recorder hears."""
    return Courses(Journal(trio.current_time, recorder), lambda _: 3, lambda: 2)


def restarting(time: float = 0.0, failures: int = 1, incarnation: int = 1, path: str = PATH) -> Event:
    return ChildRestarting(
        time=time, path=path, incarnation=incarnation, delay=10.0, failures=failures, reason="OSError: x"
    )


def moved(time: float, previous: ConnectionState, state: ConnectionState) -> Event:
    return ConnectionChanged(time=time, path=PATH, kind="api", previous=previous, state=state, why="")


def judge(courses: Courses, incarnation: int = 1, source: Source = Source.CRASH) -> int:
    """Hand in a report; return its number."""
    report = classified(path=PATH, source=source, incarnation=incarnation).report
    courses.classified(report, action="network_retry", error="x")
    return report.id


async def test_what_happened_waits_for_its_report(courses: Courses, recorder: Recorder) -> None:
    courses.heard(restarting())
    courses.heard(ChildStarted(time=0.0, path=PATH, incarnation=2))
    assert recorder.attempts == []

    number = judge(courses)

    assert [(of.status, of.report_id, of.action) for of in recorder.attempts] == [
        ("started", number, "network_retry"),
        ("success", number, "network_retry"),
    ]


async def test_though_not_past_the_instant(courses: Courses, recorder: Recorder) -> None:
    """The classifier is down: what the supervisor does is told all the same."""
    courses.heard(restarting())
    courses.heard(ChildStarted(time=10.0, path=PATH, incarnation=2))

    assert [(of.time, of.status, of.report_id, of.action) for of in recorder.attempts] == [
        (0.0, "started", 0, "restart"),
        (10.0, "success", 0, "restart"),
    ]


async def test_nor_past_the_next_failure(courses: Courses, recorder: Recorder) -> None:
    courses.heard(restarting())
    courses.heard(restarting(failures=2, incarnation=2))

    assert [(of.status, of.attempt) for of in recorder.attempts] == [("started", 1)]


@pytest.mark.parametrize(
    ("incarnation", "source"), [(7, Source.CRASH), (1, Source.REPORT), (1, Source.GUARD), (1, Source.HANDLER)]
)
async def test_a_report_of_something_else_tells_nothing(
    incarnation: int, source: Source, courses: Courses, recorder: Recorder
) -> None:
    courses.heard(restarting())

    judge(courses, incarnation, source)

    assert recorder.attempts == []


async def test_a_report_of_a_child_that_nothing_was_heard_of_is_let_go(courses: Courses, recorder: Recorder) -> None:
    judge(courses)
    courses.heard(ChildStarted(time=0.0, path=PATH, incarnation=1))
    courses.heard(ChildStopped(time=0.0, path=PATH))

    assert (len(courses), recorder.attempts) == (0, [])
    assert not await courses.outcome(PATH)


async def test_the_supervisor_of_one_that_waits_gives_up(courses: Courses, recorder: Recorder) -> None:
    courses.heard(restarting())
    judge(courses)
    courses.heard(restarting(path="/bots/api"))
    courses.heard(SupervisorGaveUp(time=1.0, path="/bot", reason="too many", restarts=3))

    assert [(of.path, of.status) for of in recorder.attempts] == [
        (PATH, "started"),
        (PATH, "failed"),
        (PATH, "gave_up"),
    ]
    assert [of.has_given_up for of in courses.counters()] == [True, False]


async def test_the_last_attempt_shows_the_number_only_if_it_was_the_reason(
    courses: Courses, recorder: Recorder
) -> None:
    courses.heard(ChildParked(time=0.0, path=PATH, failures=1, reason="bad key", unpark_after=None))
    judge(courses)
    courses.heard(ChildParked(time=9.0, path="/bot/b", failures=4, reason="lost", unpark_after=None))
    courses.heard(ChildStopped(time=10.0, path="/bot/b"))

    assert [(of.path, of.attempt, of.attempts) for of in recorder.attempts] == [(PATH, 0, 0), ("/bot/b", 3, 3)]


async def test_a_child_that_ended_in_order_waits_for_no_report(courses: Courses, recorder: Recorder) -> None:
    """There is none: what is done about it is told at once, and that it is parked is told at all."""
    courses.heard(
        ChildRestarting(time=0.0, path=PATH, incarnation=1, delay=1.0, failures=1, reason="normal"),
    )
    courses.heard(ChildParked(time=9.0, path="/bot/b", failures=4, reason="normal", unpark_after=None))

    assert [(of.time, of.path, of.status) for of in recorder.attempts] == [
        (0.0, PATH, "started"),
        (9.0, "/bot/b", "gave_up"),
    ]


async def test_an_attempt_ends_by_the_number_by_which_it_began(recorder: Recorder) -> None:
    """The settings may allow fewer by then."""
    allowed = [3, 2, 2]
    courses = Courses(Journal(trio.current_time, recorder), lambda _: allowed.pop(0), lambda: 2)
    courses.heard(restarting(failures=3))
    judge(courses)
    courses.heard(ChildParked(time=9.0, path=PATH, failures=4, reason="OSError: x", unpark_after=None))
    courses.heard(ChildStopped(time=10.0, path=PATH))

    assert [(of.status, of.attempt, of.attempts) for of in recorder.attempts] == [
        ("started", 3, 3),
        ("failed", 3, 3),
        ("gave_up", 3, 3),
    ]


async def test_who_waits_for_a_child_is_told_when_it_is_decided(courses: Courses, autojump_clock: MockClock) -> None:
    results: list[tuple[str, bool]] = []

    async def wait(name: str) -> None:
        results.append((name, await courses.outcome(PATH)))

    courses.heard(moved(0.0, ConnectionState.CLOSED, ConnectionState.CONNECTING))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "first")
        await wait_all_tasks_blocked()
        courses.heard(moved(1.0, ConnectionState.CONNECTING, ConnectionState.DEGRADED))
        await wait_all_tasks_blocked()
        assert results == []
        courses.heard(moved(2.0, ConnectionState.DEGRADED, ConnectionState.OPERATIONAL))
        await wait_all_tasks_blocked()
        courses.heard(moved(3.0, ConnectionState.OPERATIONAL, ConnectionState.CLOSED))
        nursery.start_soon(wait, "second")

    assert results == [("first", True), ("second", False)]


async def test_to_wait_is_a_checkpoint(courses: Courses) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await courses.outcome(PATH)

    assert scope.cancelled_caught


async def test_those_that_are_quiet_are_forgotten_first(courses: Courses, recorder: Recorder) -> None:
    courses.heard(restarting())
    for number in range(MOST_COURSES + 10):
        courses.heard(moved(0.0, ConnectionState.CLOSED, ConnectionState.CONNECTING))
        courses.heard(ChildParked(time=0.0, path=f"/bot/{number}", failures=1, reason="x", unpark_after=None))

    assert len(courses) == MOST_COURSES
    assert next(iter(courses.counters())).path != "/bot/0"
    assert courses.is_connection(PATH)


async def test_while_all_are_under_way_no_more_are_followed(courses: Courses) -> None:
    for number in range(MOST_COURSES + 10):
        courses.heard(restarting(path=f"/bot/{number}"))

    assert len(courses) == MOST_COURSES
    assert next(iter(courses.counters())).path == "/bot/0"


async def test_a_report_whose_text_is_not_in_the_reason_leaves_the_reason(courses: Courses, recorder: Recorder) -> None:
    courses.heard(restarting())
    report = classified(path=PATH, source=Source.CRASH).report

    courses.classified(report, action=None, error="something else")

    assert [(of.error, of.action) for of in recorder.attempts] == [("OSError: x", "restart")]
