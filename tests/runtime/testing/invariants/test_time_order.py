"""Rule 16: time never runs backwards."""

from __future__ import annotations

from duenna.testing.invariants import TimeOrder
from duenna.testing.trace import Record

from .support import Story, texts


def test_records_at_one_time_are_right() -> None:
    assert Story().add("a").add("b").at(1.0).add("c").found(TimeOrder()) == []


def test_time_that_runs_backwards_is_found() -> None:
    assert Story().at(2.0).add("a", "/x").at(1.0).add("b", "/y").found(TimeOrder()) == [
        "time_order: 1.000 s, record 2, /y: time runs backwards: this b is at 1.0 s, record 1 before it at 2.0 s"
    ]


def test_a_gap_is_found() -> None:
    assert texts([Record(0.0, 1, "a"), Record(0.0, 3, "b")], [TimeOrder()]) == [
        "time_order: 0.000 s, record 3: record 3 follows record 1: some are missing, or two traces are mixed"
    ]


def test_the_end_of_a_trace_is_a_trace() -> None:
    assert texts([Record(5.0, 100, "a"), Record(5.0, 101, "b")], [TimeOrder()]) == []
