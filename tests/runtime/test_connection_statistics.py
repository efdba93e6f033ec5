"""What is known of connections after a run, and the table that tells it, from literal events."""

from __future__ import annotations

import pytest

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.connection_statistics import Statistics, kind_of, table, verdict
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildStarted,
    ErrorReported,
    Event,
    EventsLost,
    RuntimeStopping,
)

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
        ChildStarted(time=4, path="/bot/strategy", incarnation=2),
    )

    assert statistics.connections[API].restarts == 2
    assert statistics.restarts == {API: 2, "/bot/strategy": 1}


def test_a_parked_connection_has_failed() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL), ChildParked(time=1, path=API, failures=3, reason="LostError", unpark_after=None)
    )

    assert statistics.not_operational() == {API: S.FAILED}


def test_the_stop_itself_is_not_counted() -> None:
    statistics = after(
        moved(0, S.OPERATIONAL),
        RuntimeStopping(time=10, path="/", reason="stopped"),
        moved(11, S.CLOSED, S.OPERATIONAL),
    )

    assert verdict(statistics) == "every connection operational"
    assert statistics.now == 10


def test_lost_events_are_counted() -> None:
    assert after(EventsLost(time=1, path="/", count=5)).lost == 5


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
        moved(4, S.OPERATIONAL, path="/bot/db"),
    )
    statistics.count_messages(API, 12)
    statistics.count_messages("/bot/unknown", 9)

    assert table(statistics) == [
        "connection       up  restarts  longest outage  messages  errors",
        "----------  -------  --------  --------------  --------  --------",
        "/bot/api     75.0 %         0           1.0 s        12  B 2, A 1",
        "/bot/db     100.0 %         0           0.0 s         0  -",
    ]


def test_messages_that_nobody_counted_are_no_column() -> None:
    assert table(after(moved(0, S.OPERATIONAL)), has_messages=False) == [
        "connection       up  restarts  longest outage  errors",
        "----------  -------  --------  --------------  ------",
        "/bot/api    100.0 %         0           0.0 s  -",
    ]


@pytest.mark.parametrize(
    ("text", "kind"), [("LostError: gone", "LostError"), ("LostError", "LostError"), ("KeyError <- A: b", "KeyError")]
)
def test_an_error_is_named_by_its_type(text: str, kind: str) -> None:
    assert kind_of(text) == kind
