"""What the table at the end says, from literal events."""

from __future__ import annotations

import pytest

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildStarted,
    ErrorReported,
    Event,
    EventsLost,
    RuntimeStopping,
)
from duenna_actors.demo.events import FaultInjected, MessagesCounted
from duenna_actors.demo.report import Statistics, kind_of, table, verdict

S = ConnectionState
API = "/bot/api"


def moved(time: float, state: ConnectionState, previous: ConnectionState = S.CONNECTING, path: str = API) -> Event:
    return ConnectionChanged(time=time, path=path, kind="api", previous=previous, state=state, why="")


def after(*events: Event) -> Statistics:
    statistics = Statistics()
    for event in events:
        statistics.apply(event)
    return statistics


def test_time_that_is_not_operational_is_an_outage() -> None:
    """Connecting, degraded and cooldown alike; the table tells the longest."""
    statistics = after(
        moved(10, S.CONNECTING, S.CLOSED),
        moved(12, S.OPERATIONAL),
        moved(14, S.DEGRADED, S.OPERATIONAL),
        moved(15, S.COOLDOWN, S.DEGRADED),
        moved(16, S.CONNECTING, S.COOLDOWN),
        moved(17, S.OPERATIONAL),
        RuntimeStopping(time=20, path="/", reason="stopped"),
    )

    record = statistics.connections[API]

    assert record.share_up(20) == 0.5
    assert record.longest_at(20) == 3
    assert statistics.duration == 10


def test_an_outage_that_lasts_to_the_end_counts() -> None:
    statistics = after(moved(0, S.CONNECTING, S.CLOSED), moved(1, S.OPERATIONAL), moved(2, S.COOLDOWN, S.OPERATIONAL))

    record = statistics.connections[API]

    assert record.longest_at(10) == 8
    assert record.share_up(10) == 0.1
    assert verdict(statistics) == "not operational: /bot/api (cooldown)"


def test_crashes_and_reports_are_counted_by_kind() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL),
        ChildExited(time=1, path=API, incarnation=1, reason="LostError: gone", context="child_terminated", uptime=1),
        ErrorReported(time=1, path=API, incarnation=1, error="LostError", details={}),
        ErrorReported(time=1, path=API, incarnation=1, error="OtherError: no", details={}),
        ChildExited(time=2, path=API, incarnation=2, reason="shutdown", context="shutdown", uptime=1),
        ChildExited(time=2, path=API, incarnation=2, reason="normal", context="child_terminated", uptime=1),
        ErrorReported(time=2, path="/bot/strategy", incarnation=1, error="OtherError: no", details={}),
    )

    assert statistics.connections[API].errors == {"LostError": 2, "OtherError": 1}


def test_restarts_are_the_incarnations_after_the_first() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL),
        ChildStarted(time=1, path=API, incarnation=1),
        ChildStarted(time=2, path=API, incarnation=2),
        ChildStarted(time=3, path=API, incarnation=3),
    )

    assert statistics.connections[API].restarts == 2


def test_a_parked_connection_has_failed() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL), ChildParked(time=1, path=API, failures=3, reason="LostError", unpark_after=None)
    )

    assert statistics.not_operational() == {API: S.FAILED}


def test_the_stop_itself_is_not_counted_but_for_the_last_messages() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL),
        RuntimeStopping(time=10, path="/", reason="stopped"),
        moved(11, S.CLOSED, S.OPERATIONAL),
        MessagesCounted(time=11, path=API, messages=7),
        MessagesCounted(time=11, path="/bot/unknown", messages=9),
    )

    assert verdict(statistics) == "every connection operational"
    assert statistics.connections[API].messages == 7
    assert statistics.now == 10


def test_faults_and_lost_events_are_counted() -> None:
    statistics = after(
        FaultInjected(time=0, path="/system/exchange", what="garbage"), EventsLost(time=1, path="/", count=5)
    )

    assert (statistics.faults, statistics.lost) == (1, 5)


def test_no_connection_is_no_good_verdict() -> None:
    assert verdict(Statistics()) == "no connection was made"
    assert Statistics().duration == 0


def test_the_table_has_a_line_per_connection() -> None:
    statistics = after(
        moved(0, S.CONNECTING, S.CLOSED),
        moved(1, S.OPERATIONAL),
        ErrorReported(time=2, path=API, incarnation=1, error="B: x", details={}),
        ErrorReported(time=2, path=API, incarnation=1, error="A: x", details={}),
        ErrorReported(time=2, path=API, incarnation=1, error="B: x", details={}),
        MessagesCounted(time=4, path=API, messages=12),
        moved(4, S.OPERATIONAL, path="/bot/db"),
    )

    assert table(statistics) == [
        "connection       up  restarts  longest outage  messages  errors",
        "----------  -------  --------  --------------  --------  --------",
        "/bot/api     75.0 %         0           1.0 s        12  B 2, A 1",
        "/bot/db     100.0 %         0           0.0 s         0  -",
    ]


@pytest.mark.parametrize(
    ("text", "kind"), [("LostError: gone", "LostError"), ("LostError", "LostError"), ("KeyError <- A: b", "KeyError")]
)
def test_an_error_is_named_by_its_type(text: str, kind: str) -> None:
    assert kind_of(text) == kind
