"""Whether to trade: one machine."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.monitors._gate import EngineState, Gate

RUNNING, PAUSED, ERROR, STOPPED = EngineState.RUNNING, EngineState.PAUSED, EngineState.ERROR, EngineState.STOPPED
BAD = ("the api is down",)


def gate(grace: float = 60, settle: float = 5) -> Gate:
    made = Gate(grace=grace, settle=settle, rest=30)
    made.begin(0)
    return made


def running() -> Gate:
    made = gate()
    made.look(0, (), is_automatic=True)
    made.look(5, (), is_automatic=True)
    assert made.state is RUNNING
    return made


def test_it_opens_only_when_all_was_well_for_a_while() -> None:
    machine = gate()
    for now, troubles, state in (
        (0, (), PAUSED),
        (4, (), PAUSED),
        (4.5, BAD, PAUSED),
        (5, (), PAUSED),
        (10, (), RUNNING),
    ):
        machine.look(now, troubles, is_automatic=True)
        assert (now, machine.state) == (now, state)
    assert machine.reasons == ()


def test_it_shuts_at_once_and_says_why() -> None:
    machine = running()
    machine.look(6, BAD, is_automatic=True)
    assert (machine.state, machine.reasons) == (PAUSED, BAD)
    assert machine.due_at(6) == 66


def test_a_pause_that_lasts_is_an_error_and_ends_like_one() -> None:
    machine = running()
    machine.look(6, BAD, is_automatic=True)
    machine.look(65.9, BAD, is_automatic=True)
    assert machine.state is PAUSED
    machine.look(66, BAD, is_automatic=True)
    assert machine.state is ERROR
    machine.look(100, (), is_automatic=True)
    assert (machine.state, machine.due_at(100)) == (ERROR, 105)
    machine.look(105, (), is_automatic=True)
    assert machine.state is RUNNING


def test_an_error_waits_for_a_hand_where_that_is_wanted() -> None:
    machine = running()
    machine.look(6, BAD, is_automatic=False)
    machine.look(70, BAD, is_automatic=False)
    machine.look(80, (), is_automatic=False)
    machine.look(90, (), is_automatic=False)
    assert (machine.state, machine.reasons) == (ERROR, ("has failed, manual intervention required",))
    machine.start(91)
    machine.look(91, (), is_automatic=False)
    machine.look(96, (), is_automatic=False)
    assert machine.state is RUNNING


def test_a_pause_within_its_grace_needs_no_hand() -> None:
    machine = running()
    machine.look(6, BAD, is_automatic=False)
    machine.look(20, (), is_automatic=False)
    machine.look(25, (), is_automatic=False)
    assert machine.state is RUNNING


def test_what_a_person_stopped_a_person_starts() -> None:
    machine = running()
    machine.stop("lunch")
    machine.look(100, (), is_automatic=True)
    machine.fail(101, "broken")
    machine.look(200, BAD, is_automatic=True)
    assert (machine.state, machine.reasons, machine.due_at(200)) == (STOPPED, ("lunch",), inf)
    machine.begin(300)
    assert machine.state is STOPPED
    machine.start(301)
    assert machine.state is PAUSED
    machine.look(301, (), is_automatic=True)
    machine.look(306, (), is_automatic=True)
    assert machine.state is RUNNING
    machine.start(307)
    assert machine.state is RUNNING


def test_a_failure_of_the_engine_is_an_error_that_rests() -> None:
    machine = running()
    machine.fail(10, "broken")
    assert (machine.state, machine.reasons, machine.due_at(10)) == (ERROR, ("broken",), 40)
    machine.look(39, BAD, is_automatic=True)
    assert machine.reasons == ("broken", *BAD)
    machine.look(40, (), is_automatic=True)
    machine.look(45, (), is_automatic=True)
    assert (machine.state, machine.failure) == (RUNNING, "")


def test_a_failure_waits_for_a_hand_where_that_is_wanted() -> None:
    machine = running()
    machine.fail(10, "broken")
    machine.look(1_000, (), is_automatic=False)
    assert (machine.state, machine.reasons) == (ERROR, ("broken",))


@pytest.mark.parametrize("state", [PAUSED, ERROR, STOPPED])
def test_beginning_again_keeps_what_was_not_trading(state: EngineState) -> None:
    machine = gate()
    machine.state = state
    machine.begin(50)
    assert machine.state is state


def test_beginning_again_trades_only_after_a_look() -> None:
    machine = running()
    machine.begin(50)
    assert (machine.state, machine.reasons) == (PAUSED, ("is starting",))


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.sampled_from(["well", "bad", "stop", "start", "fail", "begin"]), st.booleans()),
        max_size=60,
    )
)
def test_it_never_runs_with_a_reason_not_to(moves: list[tuple[float, str, bool]]) -> None:
    machine, now, well_since, is_stopped = gate(), 0.0, inf, False
    for wait, move, is_automatic in moves:
        now += wait
        if move in {"well", "bad"}:
            well_since = min(well_since, now) if move == "well" else inf
            machine.look(now, () if move == "well" else BAD, is_automatic=is_automatic)
        elif move == "stop":
            machine.stop("by hand")
            is_stopped = True
        elif move == "start":
            machine.start(now)
            is_stopped = False
        elif move == "fail":
            machine.fail(now, "broken")
        else:
            machine.begin(now)
        if machine.state is RUNNING:
            assert not is_stopped
            assert now - well_since >= 5
            assert machine.reasons == ()
        else:
            assert machine.reasons
        assert (machine.state is STOPPED) == is_stopped
        assert machine.due_at(now) > now
