"""Times, lengths and plans in words."""

from __future__ import annotations

import pytest

from duenna.faults import FaultPlan, HalfOpen, Latency, Planned, Reset, Service
from duenna.testing._words import clock, counted, error_line, length, one_line, plan_lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (412.54, "412.5 s"),
        (3599.96, "1 h 00:00"),
        (3600.0, "1 h 00:00"),
        (10_931.5, "3 h 02:11.5"),
        (86_400.0, "1 d 00:00:00"),
        (184_445.2, "2 d 03:14:05.2"),
    ],
)
def test_a_time_of_a_run(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.0, "1 second"), (2.5, "2.5 seconds"), (5400.0, "90 minutes"), (3600.0, "1 hour"), (2_592_000.0, "30 days")],
)
def test_a_length_is_told_in_its_largest_even_unit(seconds: float, text: str) -> None:
    assert length(seconds) == text


def test_one_is_no_plural() -> None:
    assert (counted(1, "seed"), counted(0, "seed")) == ("1 seed", "0 seeds")


def test_a_plan_has_a_line_per_fault_and_an_end() -> None:
    plan = FaultPlan(
        faults=(
            Planned(at=10.0, target="exchange", fault=HalfOpen()),
            Planned(at=20.0, fault=Latency(extra=2.0), duration=4.5, every=60.0, times=3),
            Planned(at=30.0, target="x", fault=Service(name="mute", params={"symbol": "BTCUSDT"}), duration=1.0),
            Planned(at=40.0, fault=Reset()),
        )
    )

    assert list(plan_lines(plan, most=3)) == [
        "at 10 s: half_open on exchange",
        "at 20 s for 4.5 s, every 60 s, 3 times: latency(extra=2.0, jitter=0.0)",
        "at 30 s for 1 s: service(name='mute', params={'symbol': 'BTCUSDT'}) on x",
        "and 1 more",
    ]


def test_an_error_is_one_line_with_its_causes() -> None:
    error = RuntimeError("gave up\n + in detail")
    error.__cause__ = KeyError("k")

    assert error_line(error) == "RuntimeError: gave up <- KeyError: 'k'"
    assert error_line(ExceptionGroup("g", [ValueError()])) == "ValueError"
    assert len(one_line("x" * 1000)) == 240
