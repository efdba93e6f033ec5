"""What a plan makes strike, and which plans there cannot be."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.faults import (
    MAX_STRIKES,
    ClockStep,
    DatabaseLost,
    FaultPlan,
    FlipByte,
    Latency,
    Partition,
    Planned,
    Reset,
    Service,
    Suspend,
)
from tests.runtime.faults.strategies import busy_plans, plans

INF, NAN = math.inf, math.nan
MONTH = 30 * 86_400.0

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"at": -1.0}, "latency: at must be >= 0 seconds, got -1.0"),
    ({"at": NAN}, "latency: at must be a number, got nan"),
    ({"at": INF}, "latency: at must be a finite number of seconds, got inf"),
    ({"at": 10**400}, "latency: at is too large for a float"),
    ({"duration": 0}, "latency: duration must be > 0 seconds, got 0"),
    ({"duration": INF}, "latency: duration must be a finite number of seconds, got inf"),
    ({"every": 0.0, "duration": 1}, "latency: every must be > 0 seconds, got 0.0"),
    ({"every": -2, "duration": 1}, "latency: every must be > 0 seconds, got -2"),
    ({"every": NAN, "duration": 1}, "latency: every must be a number, got nan"),
    ({"every": 5}, "latency: duration must be given for what lasts and repeats, got nothing"),
    ({"times": 3}, "latency: times must be left out where there is no every, got 3"),
    ({"every": 5, "duration": 1, "times": 0}, "latency: times must be >= 1, got 0"),
    ({"target": ""}, "latency: target must be a glob that is not empty, got ''"),
    ({"target": "\udfff"}, "latency: target must be a glob that is not empty, got '\\udfff'"),
    ({"fault": Reset(), "duration": 3}, "reset: duration must be left out, for it is over at once, got 3.0"),
    (
        {"fault": Suspend(length=3), "target": "bot"},
        "suspend: target must be '*', for it strikes the machine of the bot, got 'bot'",
    ),
]

WRONG_TYPE: list[tuple[dict[str, Any], str]] = [
    ({"at": "10"}, "latency: at must be a number, got '10'"),
    ({"times": 2.0, "every": 1, "duration": 1}, "latency: times must be a whole number, got 2.0"),
    ({"target": None}, "latency: target must be a str, got None"),
    ({"fault": "reset"}, "planned: fault must be one of the kinds of duenna.faults, got 'reset'"),
]


def planned(at: float = 0.0, **fields: Any) -> Planned:
    return Planned(**{"at": at, "fault": Latency(), **fields})


def begins(plan: FaultPlan, seconds: float) -> list[float]:
    return [strike.begin for strike in plan.strikes(seconds)]


@pytest.mark.parametrize(("fields", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_an_entry_that_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=": ") as caught:
        planned(**fields)

    assert str(caught.value) == says


@pytest.mark.parametrize(("fields", "says"), WRONG_TYPE, ids=[says for _, says in WRONG_TYPE])
def test_an_entry_of_wrong_types_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError) as caught:
        planned(**fields)

    assert str(caught.value) == says


def test_a_plan_is_made_of_entries() -> None:
    wrong: Any = [planned(), Reset()]

    with pytest.raises(TypeError, match=r"^plan: entry 2 must be a Planned, got Reset\(\)$"):
        FaultPlan(wrong)
    with pytest.raises(TypeError, match=r"^plan: faults must be a tuple of Planned, got None$"):
        FaultPlan(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^plan: name must be a text, got 3$"):
        FaultPlan((), name=3)  # type: ignore[arg-type]


def test_a_list_of_entries_becomes_a_tuple() -> None:
    given: Any = [planned()]

    assert FaultPlan(given) == FaultPlan((planned(),))


def test_an_entry_strikes_once_unless_it_repeats() -> None:
    assert begins(FaultPlan((planned(10),)), 1e9) == [10.0]


def test_an_entry_repeats_until_the_run_is_over() -> None:
    """What would begin at the end does not begin."""
    plan = FaultPlan((planned(10, every=20, duration=5),))

    assert begins(plan, 70.0) == [10.0, 30.0, 50.0]
    assert begins(plan, 70.1) == [10.0, 30.0, 50.0, 70.0]


def test_an_entry_repeats_so_many_times() -> None:
    assert begins(FaultPlan((planned(10, every=20, duration=5, times=2),)), 1e12) == [10.0, 30.0]


def test_repeats_do_not_drift() -> None:
    assert begins(FaultPlan((planned(every=0.1, duration=1),)), 1000.0)[-1] == 9999 * 0.1


def test_strikes_at_the_same_time_come_in_the_order_of_the_plan() -> None:
    first, second, third = planned(20), planned(0, every=10, duration=1), planned(20, fault=Reset())

    strikes = FaultPlan((first, second, third)).strikes(25)

    assert [strike.planned for strike in strikes] == [second, second, first, second, third]
    assert [strike.number for strike in strikes] == [1, 2, 3, 4, 5]


def test_a_strike_ends_with_its_duration_even_after_the_run() -> None:
    (strike,) = FaultPlan((planned(10, duration=100),)).strikes(20)

    assert (strike.end, strike.over) == (110.0, 110.0)


def test_an_instant_is_over_when_it_begins() -> None:
    (strike,) = FaultPlan((planned(10, fault=Reset()),)).strikes(20)

    assert (strike.end, strike.over) == (None, 10.0)


def test_what_has_no_duration_lasts() -> None:
    (strike,) = FaultPlan((planned(10),)).strikes(20)

    assert (strike.end, strike.over) == (None, INF)


@pytest.mark.parametrize(
    ("entries", "quiet"),
    [
        ([], 0.0),
        ([planned(200)], 0.0),
        ([planned(5, fault=ClockStep(offset=3))], 5.0),
        ([planned(5, duration=30), planned(20, duration=1)], 35.0),
        ([planned(5, duration=3000)], 3005.0),
        ([planned(5, duration=3), planned(9, fault=Partition())], INF),
        ([planned(5, fault=FlipByte())], INF),
    ],
)
def test_it_is_quiet_after_the_last_fault(entries: list[Planned], quiet: float) -> None:
    assert FaultPlan(tuple(entries)).quiet_after(100) == quiet


def test_what_may_be_over_by_itself_repeats_without_a_duration() -> None:
    plan = FaultPlan(tuple(planned(every=50, fault=fault) for fault in (Reset(), FlipByte(), Service(name="burst"))))

    assert len(plan.strikes(100)) == 6


def test_too_many_strikes_are_refused_before_any_is_made() -> None:
    """Thirty days of one a millisecond would be some hundred gigabytes."""
    plan = FaultPlan((planned(3, duration=1, fault=DatabaseLost()), planned(every=0.001, duration=1)))
    tracemalloc.start()

    with pytest.raises(ValueError, match="strikes") as caught:
        plan.strikes(MONTH)

    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert str(caught.value) == (
        "strikes must be at most 100000 in 2.592e+06 seconds, got 2592000001, 2592000000 of them from entry 2: latency"
    )


def test_repeats_that_nobody_can_count_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got inf, inf of them from entry 1: latency$"):
        FaultPlan((planned(every=1e-300, duration=1),)).quiet_after(1e300)


def test_many_strikes_are_allowed_up_to_the_limit() -> None:
    plan = FaultPlan((planned(every=0.001, duration=1, times=MAX_STRIKES),))

    assert len(plan.strikes(MONTH)) == MAX_STRIKES


@pytest.mark.parametrize("seconds", [-1.0, NAN, INF])
def test_a_run_has_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^strikes: seconds must be "):
        FaultPlan(()).strikes(seconds)


@given(plan=busy_plans, seconds=st.floats(0.0, 240.0))
def test_strikes_are_in_order_and_within_the_run(plan: FaultPlan, seconds: float) -> None:
    strikes = plan.strikes(seconds)

    assert begins(plan, seconds) == sorted(begins(plan, seconds))
    assert all(0.0 <= strike.begin < seconds for strike in strikes)
    assert [strike.number for strike in strikes] == list(range(1, len(strikes) + 1))


@given(plan=busy_plans, seconds=st.floats(0.0, 240.0))
def test_every_entry_strikes_as_often_as_it_says(plan: FaultPlan, seconds: float) -> None:
    """Each of its strikes is a whole number of periods after the first, none is missing and none too many."""
    strikes = plan.strikes(seconds)

    for entry in plan.faults:
        mine = [strike.begin for strike in strikes if strike.planned is entry]
        following = entry.at + len(mine) * (entry.every or INF) if mine else entry.at
        assert mine == [entry.at + number * (entry.every or 0.0) for number in range(len(mine))]
        assert following >= seconds or len(mine) == (entry.times or INF)
        assert len(mine) <= entry.repeats(seconds) + 1


@given(plan=busy_plans, seconds=st.floats(0.0, 240.0))
def test_nothing_is_over_after_it_is_quiet(plan: FaultPlan, seconds: float) -> None:
    quiet = plan.quiet_after(seconds)

    assert all(strike.over <= quiet for strike in plan.strikes(seconds))


@given(plan=plans, seconds=st.floats(0.0, 1e12))
def test_strikes_are_bounded_whatever_the_plan(plan: FaultPlan, seconds: float) -> None:
    counted = sum(entry.repeats(seconds) for entry in plan.faults)

    if counted > MAX_STRIKES:
        with pytest.raises(ValueError, match=r"^strikes must be at most 100000 in "):
            plan.strikes(seconds)
    else:
        assert len(plan.strikes(seconds)) <= counted + len(plan.faults)
