"""Which events have a line in the demo's log, and which."""

from __future__ import annotations

import pytest

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildRestarting,
    ChildStarted,
    ErrorReported,
    Event,
    LoopBlocked,
    RuntimeStarted,
    RuntimeStopping,
)
from duenna_actors.demo.events import FaultEnded, FaultInjected, MessagesCounted
from duenna_actors.demo.narration import FAULT, Line, brief, narrate
from duenna_actors.demo.report import Statistics

S = ConnectionState
API = "/bot/api"


def moved(time: float, previous: ConnectionState, state: ConnectionState, why: str = "") -> Event:
    return ConnectionChanged(time=time, path=API, kind="api", previous=previous, state=state, why=why)


def crashed(path: str = API) -> Event:
    return ChildRestarting(
        time=9, path=path, incarnation=1, delay=0.51, failures=1, reason="LostError: a <- OSError: b"
    )


def told(*events: Event) -> list[Line]:
    statistics, lines = Statistics(), []
    for event in events:
        line = narrate(event, statistics)
        statistics.apply(event)
        if line is not None:
            lines.append(line)
    return lines


def test_an_outage_is_told_from_loss_to_return() -> None:
    lines = told(
        moved(0, S.CLOSED, S.CONNECTING),
        moved(1, S.CONNECTING, S.OPERATIONAL),
        moved(8, S.OPERATIONAL, S.COOLDOWN),
        ChildExited(time=9, path=API, incarnation=1, reason="LostError: a", context="child_terminated", uptime=9),
        crashed(),
        ChildStarted(time=10, path=API, incarnation=2),
        moved(10, S.COOLDOWN, S.CONNECTING),
        moved(10, S.CONNECTING, S.COOLDOWN),
        crashed(),
        moved(11, S.COOLDOWN, S.CONNECTING),
        moved(11.5, S.CONNECTING, S.OPERATIONAL),
    )

    assert lines == [
        Line("INFO", "operational"),
        Line("WARNING", "lost: LostError: a; restart in 0.5 s"),
        Line("INFO", "restarted, incarnation 2"),
        Line("WARNING", "not back: LostError: a; next try in 0.5 s"),
        Line("INFO", "operational again after 3.5 s"),
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (FaultInjected(time=1, path="/x", what="HTTP 503", duration=4.5), Line(FAULT, ">>> HTTP 503 (for 4.5 s)")),
        (FaultInjected(time=1, path="/x", what="closed"), Line(FAULT, ">>> closed")),
        (FaultEnded(time=1, path="/x", what="HTTP 503"), Line(FAULT, "<<< over: HTTP 503")),
        (moved(1, S.OPERATIONAL, S.DEGRADED, "LostError: a"), Line("WARNING", "degraded: LostError: a")),
        (moved(1, S.DEGRADED, S.RECOVERING, "3 checks"), Line("WARNING", "to be recovered: 3 checks")),
        (crashed("/bot/strategy"), Line("WARNING", "crashed: LostError: a; restart in 0.5 s")),
        (ChildStarted(time=1, path=API, incarnation=1), None),
        (ErrorReported(time=1, path=API, incarnation=1, error="A: b", details={}), Line("WARNING", "reported A: b")),
        (ErrorReported(time=1, path=API, incarnation=1, error="A: b", details={"hook": "check"}), None),
        (MessagesCounted(time=1, path=API, messages=1), None),
        (RuntimeStarted(time=1, path="/"), Line("INFO", "every child has started")),
        (RuntimeStopping(time=1, path="/", reason="stopped"), Line("INFO", "stopping in order")),
        (RuntimeStopping(time=1, path="/", reason="SIGINT"), None),
    ],
)
def test_one_event_is_one_line_or_none(event: Event, line: Line | None) -> None:
    assert narrate(event, Statistics()) == line


def test_a_blocked_loop_is_told_without_its_stack() -> None:
    line = narrate(LoopBlocked(time=1, path="/", seconds=2, actor="/bot/x", stack="a\nb"), Statistics())

    assert line == Line("CRITICAL", "event loop blocked for 2.0 s by /bot/x")


def test_what_has_no_words_of_its_own_is_told_as_the_runtime_does() -> None:
    event = ChildParked(time=1, path=API, failures=3, reason="A: b", unpark_after=None)

    assert narrate(event, Statistics()) == Line("CRITICAL", event.text())


def test_a_long_error_is_cut() -> None:
    assert brief("a" * 91) == "a" * 87 + "..."
    assert brief("short <- cause") == "short"
