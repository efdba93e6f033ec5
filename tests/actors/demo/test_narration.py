"""What has a line in the demo's log, and which."""

from __future__ import annotations

import pytest

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.error_events import HealthChanged, RecoveryAttempted
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
    SupervisorGaveUp,
)
from duenna.incidents import Action, Chain, Outcome
from duenna.machines.classification import Category, Severity, Verdict
from duenna_actors.demo.events import FaultEnded, FaultInjected, MessagesCounted
from duenna_actors.demo.narration import FAULT, Line, brief, conclude, narrate
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


def test_an_outage_has_no_lines_of_its_own() -> None:
    """From loss to return it is one incident, and told as such."""
    lines = told(
        moved(0, S.CLOSED, S.CONNECTING),
        moved(1, S.CONNECTING, S.OPERATIONAL),
        moved(8, S.OPERATIONAL, S.COOLDOWN),
        ChildExited(time=9, path=API, incarnation=1, reason="LostError: a", context="child_terminated", uptime=9),
        crashed(),
        RecoveryAttempted(time=9, path=API, report_id=1, action="network_retry", status="started", attempt=1),
        HealthChanged(time=9, path=API, service=API, previous="operational", health="unavailable", why="x"),
        ChildStarted(time=10, path=API, incarnation=2),
        moved(10, S.COOLDOWN, S.CONNECTING),
        moved(11.5, S.CONNECTING, S.OPERATIONAL),
    )

    assert lines == [Line("INFO", "operational")]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (
            Outcome.RECOVERED,
            Line("INFO", "LostError: a -> NETWORK/MEDIUM transient -> network_retry -> ok after 1.3 s"),
        ),
        (
            Outcome.GAVE_UP,
            Line(
                "CRITICAL",
                "LostError: a -> NETWORK/MEDIUM transient -> network_retry -> parked after 1.3 s, a person is needed",
            ),
        ),
    ],
)
def test_an_incident_is_one_line_at_the_level_that_it_deserves(outcome: Outcome, line: Line) -> None:
    verdict = Verdict(category=Category.NETWORK, severity=Severity.MEDIUM, transient=True)
    chain = Chain(
        path=API,
        began=1.0,
        took=1.3,
        error="LostError: a <- OSError: b",
        errors=1,
        ids=(1,),
        verdicts=(verdict,),
        actions=(Action("network_retry", 1, "success"),),
        outcome=outcome,
    )

    assert conclude(chain) == line


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (FaultInjected(time=1, path="/x", what="HTTP 503", duration=4.5), Line(FAULT, ">>> HTTP 503 (for 4.5 s)")),
        (FaultInjected(time=1, path="/x", what="closed"), Line(FAULT, ">>> closed")),
        (FaultEnded(time=1, path="/x", what="HTTP 503"), Line(FAULT, "<<< over: HTTP 503")),
        (moved(1, S.OPERATIONAL, S.DEGRADED, "LostError: a"), None),
        (moved(1, S.DEGRADED, S.RECOVERING, "3 checks"), None),
        (crashed("/bot/strategy"), None),
        (ChildParked(time=1, path=API, failures=3, reason="A: b", unpark_after=None), None),
        (ChildStarted(time=1, path=API, incarnation=1), None),
        (ErrorReported(time=1, path=API, incarnation=1, error="A: b", details={}), None),
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
    event = SupervisorGaveUp(time=1, path="/bot", reason="A: b", restarts=3)

    assert narrate(event, Statistics()) == Line("CRITICAL", event.text())


def test_a_long_error_is_cut() -> None:
    assert brief("a" * 91) == "a" * 87 + "..."
    assert brief("short <- cause") == "short"
