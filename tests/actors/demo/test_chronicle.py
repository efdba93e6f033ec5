"""What a virtual run tells while it goes on: a line per fault, one per hour."""

from __future__ import annotations

from typing import Any

from duenna.testing.trace import Record
from duenna_actors.demo.chronicle import Chronicle

FEED, API = "/bot/feeds/btcusdt", "/bot/api"
RESET = {"kind": "reset"}


def told(*records: tuple[float, str, str, dict[str, Any]], end: float | None = None) -> list[str]:
    """Return what is told of *records*; a fault can be noticed within 35 s."""
    lines: list[str] = []
    chronicle = Chronicle(lines.append, 35.0)
    for number, (time, kind, path, fields) in enumerate(records, 1):
        incarnation = fields.pop("incarnation", 0)
        record = Record(t=time, seq=number, kind=kind, path=path, incarnation=incarnation, fields=fields)
        assert list(chronicle.apply(record)) == []
    if end is not None:
        assert list(chronicle.finish(end)) == []
    return lines


def begins(time: float, number: int, fault: dict[str, Any], duration: float | None = None) -> tuple[Any, ...]:
    return time, "fault_begin", "exchange", {"number": number, "fault": fault, "duration": duration}


def ends(time: float, number: int) -> tuple[Any, ...]:
    return time, "fault_end", "exchange", {"number": number, "fault": {}}


def is_now(time: float, path: str, state: str) -> tuple[Any, ...]:
    return time, "connection_changed", path, {"state": state}


def restarts(time: float, path: str, incarnation: int) -> tuple[Any, ...]:
    return time, "child_started", path, {"incarnation": incarnation}


UP = (is_now(1.0, FEED, "operational"), is_now(1.0, API, "operational"))


def test_a_fault_is_told_with_its_victims_and_the_time_until_all_was_well() -> None:
    lines = told(
        *UP,
        begins(100.0, 1, RESET),
        is_now(115.0, FEED, "degraded"),
        is_now(120.0, FEED, "lost"),
        restarts(120.5, FEED, 2),
        is_now(121.25, FEED, "operational"),
        end=1000.0,
    )

    assert lines == ["   0:01:40  every connection reset: btcusdt, 1 restart, well again 21.2 s after it began"]


def test_it_is_told_when_nobody_can_notice_it_any_more() -> None:
    before = (*UP, begins(100.0, 1, {"kind": "partition"}, 20.0), ends(120.0, 1))

    assert told(*before, is_now(154.0, FEED, "operational")) == []
    assert told(*before, is_now(155.0, FEED, "operational")) == [
        "   0:01:40  no network: nothing comes through for 20 s: felt by no connection"
    ]


def test_it_is_not_told_while_something_is_down() -> None:
    before = (*UP, begins(100.0, 1, RESET), is_now(115.0, FEED, "degraded"), is_now(200.0, API, "operational"))

    assert told(*before) == []
    assert told(*before, end=300.0) == ["   0:01:40  every connection reset: btcusdt, not well again"]


def test_what_happens_meanwhile_counts_for_each_fault_that_is_open() -> None:
    lines = told(
        *UP,
        begins(100.0, 1, RESET),
        is_now(105.0, FEED, "lost"),
        begins(106.0, 2, RESET),
        is_now(106.0, API, "degraded"),
        is_now(110.0, FEED, "operational"),
        is_now(116.0, API, "operational"),
        end=500.0,
    )

    assert [line.partition(": ")[2] for line in lines] == [
        "btcusdt api, well again 16.0 s after it began",
        "api, well again 10.0 s after it began",
    ]


def test_each_hour_is_summed_up_even_if_nothing_happened_in_it() -> None:
    lines = told(
        *UP,
        begins(100.0, 1, RESET),
        is_now(100.0, FEED, "lost"),
        restarts(101.0, FEED, 2),
        is_now(102.0, FEED, "operational"),
        is_now(7_199.0, API, "lost"),
        is_now(7_201.0, API, "connecting"),
    )

    assert lines[1:] == [
        "   1:00:00  -- hour 1: 1 fault, 1 restart, longest outage 2.0 s; all operational",
        "   2:00:00  -- hour 2: 0 faults, 0 restarts, longest outage 0.0 s; not operational: api",
    ]


def test_lines_are_in_the_order_of_time() -> None:
    """What a fault near the end of an hour has led to is known only later: the hour waits for it."""
    lines = told(
        *UP,
        begins(3_590.0, 1, RESET),
        is_now(3_591.0, FEED, "lost"),
        is_now(3_610.0, FEED, "operational"),
        is_now(3_700.0, API, "operational"),
    )

    assert [line[:10] for line in lines] == ["   0:59:50", "   1:00:00"]


def test_the_stop_makes_nothing_unwell() -> None:
    stopping = (3_599.0, "runtime_stopping", "/", dict[str, Any]())
    lines = told(*UP, begins(3_590.0, 1, RESET), stopping, is_now(3_599.0, API, "lost"), is_now(3_601.0, FEED, "lost"))

    assert lines == ["   0:59:50  every connection reset: felt by no connection"]


def test_the_first_start_is_no_restart_and_messages_are_remembered() -> None:
    chronicle = Chronicle(lambda _: None, 35.0)
    for record in (
        Record(1.0, 1, "connection_changed", API, 1, {"state": "connecting"}),
        Record(1.0, 2, "child_started", API, 1),
        Record(2.0, 3, "messages_counted", API, 0, {"messages": 7}),
    ):
        assert list(chronicle.apply(record)) == []

    assert chronicle.messages == {API: 7}
