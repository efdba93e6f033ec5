"""What the demo adds to the runtime's statistics of connections, from literal events."""

from __future__ import annotations

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.events import ErrorReported, Event, EventsLost, RuntimeStopping
from duenna_actors.demo.events import FaultInjected, MessagesCounted
from duenna_actors.demo.report import Statistics, table, verdict

S = ConnectionState
API = "/bot/api"


def moved(time: float, state: ConnectionState, previous: ConnectionState = S.CONNECTING, path: str = API) -> Event:
    return ConnectionChanged(time=time, path=path, kind="api", previous=previous, state=state, why="")


def after(*events: Event) -> Statistics:
    statistics = Statistics()
    for event in events:
        statistics.apply(event)
    return statistics


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
